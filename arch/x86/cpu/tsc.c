/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast the TSC runs: measured against the ACPI PM timer, or the PIT's channel 2 where there is none, or as the CPU says where
 * firmware has switched off both.
 */
#include "tsc.h"

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "asm.h"

#define PM_HZ  3579545u  /* ACPI "Power Management Timer" */
#define PIT_HZ 1193182u
#define CALIBRATE_MS 50u
/* No TSC is outside of this: one that emulators count in instructions, and the fastest clock of any CPU. */
#define KHZ_MIN 1000u
#define KHZ_MAX 10000000u
/* Nor a crystal outside of this. */
#define CRYSTAL_MIN 1000000u
#define CRYSTAL_MAX 1000000000u
/* A clock that has not counted in twice the time of the fastest TSC stands. */
#define TICKS_MAX (2ull * KHZ_MAX * CALIBRATE_MS)

/* One reading of the PM timer with the TSC at the same moment, as near as five tries get. */
struct sample {
	uint64_t tsc, width;
	uint32_t pm;
};

static struct sample pm_sample(uint16_t port)
{
	struct sample best = { .width = UINT64_MAX };
	unsigned int i;

	for (i = 0; i < 5; i++) {
		uint64_t t0 = tsc_read();
		uint32_t pm = port_in32(port) & 0xffffffu;
		uint64_t width = tsc_read() - t0;

		if (width < best.width)
			best = (struct sample){ t0 + width / 2, width, pm };
	}
	return best;
}

/* TSC ticks per ms, or 0 if the PM timer does not count. */
static uint64_t pm_calibrate(uint16_t port)
{
	struct sample a = pm_sample(port), b;
	uint32_t want = PM_HZ / 1000 * CALIBRATE_MS;

	while (((port_in32(port) - a.pm) & 0xffffffu) < want)
		if (tsc_read() - a.tsc > TICKS_MAX)
			return 0;
	b = pm_sample(port);
	return mul_div(b.tsc - a.tsc, PM_HZ, (uint64_t)((b.pm - a.pm) & 0xffffffu) * 1000);
}

/* The PIT's output is high: its count is done. Until then at most TICKS_MAX. */
static bool pit_wait(uint64_t since)
{
	while (!(port_in8(0x61) & 0x20))
		if (tsc_read() - since > TICKS_MAX)
			return false;
	return true;
}

static uint64_t pit_calibrate(void)
{
	uint32_t count = PIT_HZ / 1000 * CALIBRATE_MS;
	uint8_t gate = port_in8(0x61) & 0x0cu;
	uint64_t t0, t1;
	bool low, done;

	/* Gate off, speaker off; channel 2, mode 0: its output rises when the count is done. */
	port_out8(0x61, gate);
	port_out8(0x43, 0xb0);
	port_out8(0x42, (uint8_t)count);
	port_out8(0x42, (uint8_t)(count >> 8));
	/* A PIT whose clock is off does not take the mode: high already, its output would tell nothing. */
	low = !(port_in8(0x61) & 0x20);
	port_out8(0x61, gate | 1u);
	t0 = tsc_read();
	done = low && pit_wait(t0);
	t1 = tsc_read();
	port_out8(0x61, gate);
	return done ? mul_div(t1 - t0, PIT_HZ, (uint64_t)count * 1000) : 0;
}

/*
 * SDM 3B "Determining the Processor Base Frequency": these have a crystal that leaf 15h does not name. Skylake's and Kaby Lake's,
 * then Goldmont's.
 */
static const struct {
	uint32_t model, hz;
} crystals[] = {
	{ 0x406e0, 24000000 }, { 0x506e0, 24000000 }, { 0x806e0, 24000000 }, { 0x906e0, 24000000 },
	{ 0x506c0, 19200000 }, { 0x506f0, 25000000 },
};

static uint32_t crystal_hz(const struct tsc_facts *f)
{
	if (f->crystal.ecx)
		return f->crystal.ecx;
	for (unsigned int i = 0; i < ARRAY_SIZE(crystals); i++)
		if ((f->signature & 0x0fff0ff0u) == crystals[i].model)
			return crystals[i].hz;
	return 0;
}

/* SDM 2A "CPUID": the TSC runs at the crystal's rate times EBX by EAX of leaf 15h. Both are 0 where nothing is said. */
static uint64_t crystal_khz(const struct tsc_facts *f)
{
	uint32_t hz = crystal_hz(f);

	if (!f->intel || !f->crystal.eax || !f->crystal.ebx || hz < CRYSTAL_MIN || hz > CRYSTAL_MAX)
		return 0;
	return mul_div(hz, f->crystal.ebx, (uint64_t)f->crystal.eax * 1000);
}

/* Of a CPU whose TSC goes by a crystal that is not named: its base frequency is the TSC's, rounded to a MHz. */
static uint64_t base_khz(const struct tsc_facts *f)
{
	return f->intel && f->crystal.eax && f->crystal.ebx ? (f->base.eax & 0xffffu) * 1000ull : 0;
}

struct tsc_facts tsc_facts_read(void)
{
	return (struct tsc_facts){ .intel = cpuid_is_intel(), .signature = cpuid_leaf(1, 0).eax,
				   .crystal = cpuid_leaf(0x15, 0), .base = cpuid_leaf(0x16, 0) };
}

/* Keeps what can be a TSC's rate. */
static bool take(struct platform *p, uint64_t khz)
{
	p->tsc_khz = khz >= KHZ_MIN && khz <= KHZ_MAX ? khz : 0;
	return p->tsc_khz;
}

const char *tsc_init(struct platform *p, const struct tsc_facts *f)
{
	p->tsc_invariant = (cpuid_leaf(0x80000007, 0).edx & 1u << 8) != 0;
	if (p->pm_tmr && take(p, pm_calibrate(p->pm_tmr)))
		return "PM timer";
	if (take(p, pit_calibrate()))
		return "PIT";
	if (take(p, crystal_khz(f)))
		return "CPUID 15h";
	if (take(p, base_khz(f)))
		return "CPUID 16h";
	panic("no clock to measure the TSC by: %s and the PIT does not count; CPUID 15h says %u/%u of %u Hz",
	      p->pm_tmr ? "the PM timer stands" : "there is no PM timer", f->crystal.ebx, f->crystal.eax, f->crystal.ecx);
}

void host_delay_us(uint64_t us)
{
	uint64_t end = tsc_read() + mul_div(us, this_cpu()->host->platform.tsc_khz, 1000);

	while (tsc_read() < end)
		cpu_relax();
}
