/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the TSC runs: measured against the ACPI PM timer, or the PIT's channel 2 where there is none. */
#include "tsc.h"

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "asm.h"

#define PM_HZ  3579545u  /* ACPI "Power Management Timer" */
#define PIT_HZ 1193182u
#define CALIBRATE_MS 50u
/* A port read takes about a microsecond, less in an emulator: more than this many means that the counter stands. */
#define SPINS_MAX 20000000u

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
	unsigned int spins = 0;

	while (((port_in32(port) - a.pm) & 0xffffffu) < want)
		if (++spins > SPINS_MAX)
			return 0;
	b = pm_sample(port);
	return mul_div(b.tsc - a.tsc, PM_HZ, (uint64_t)((b.pm - a.pm) & 0xffffffu) * 1000);
}

static uint64_t pit_calibrate(void)
{
	uint32_t count = PIT_HZ / 1000 * CALIBRATE_MS;
	uint8_t gate = port_in8(0x61) & 0x0cu;
	unsigned int spins = 0;
	uint64_t t0, t1;

	/* Gate off, speaker off; channel 2, mode 0: its output rises when the count is done. */
	port_out8(0x61, gate);
	port_out8(0x43, 0xb0);
	port_out8(0x42, (uint8_t)count);
	port_out8(0x42, (uint8_t)(count >> 8));
	port_out8(0x61, gate | 1u);
	t0 = tsc_read();
	while (!(port_in8(0x61) & 0x20))
		if (++spins > SPINS_MAX)
			return 0;
	t1 = tsc_read();
	port_out8(0x61, gate);
	return mul_div(t1 - t0, PIT_HZ, (uint64_t)count * 1000);
}

const char *tsc_init(struct platform *p)
{
	p->tsc_invariant = (cpuid_leaf(0x80000007, 0).edx & 1u << 8) != 0;
	if (p->pm_tmr) {
		p->tsc_khz = pm_calibrate(p->pm_tmr);
		if (p->tsc_khz)
			return "PM timer";
	}
	p->tsc_khz = pit_calibrate();
	if (!p->tsc_khz)
		panic("neither the PM timer nor the PIT counts: no clock to measure the TSC by");
	return "PIT";
}

void host_delay_us(uint64_t us)
{
	uint64_t end = tsc_read() + mul_div(us, this_cpu()->host->platform.tsc_khz, 1000);

	while (tsc_read() < end)
		cpu_relax();
}
