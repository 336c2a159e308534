/* SPDX-License-Identifier: BSD-2-Clause */
/* This CPU's own LAPIC, with its timer, and the PICs that stay masked. Guests' APICs are in arch/x86/dev. */
#include "apic.h"

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/log.h>
#include <vouch/pcpu.h>
#include <vouch/smp.h>
#include <vouch/x86.h>

#include "arch/x86/mm/paging.h"
#include "asm.h"
#include "cpu.h"

/* Register offsets in the xAPIC page; the x2APIC MSR is 0x800 + offset / 16. APM 2 "APIC Registers" (16.3.2). */
#define APIC_ID      0x020u
#define APIC_VERSION 0x030u
#define APIC_TPR     0x080u
#define APIC_EOI     0x0b0u
#define APIC_LDR     0x0d0u
#define APIC_DFR     0x0e0u
#define APIC_SVR     0x0f0u
#define APIC_LVT_CMCI    0x2f0u
#define APIC_ICR     0x300u
#define APIC_ICR_HIGH    0x310u
#define APIC_LVT_TIMER   0x320u
#define APIC_LVT_THERMAL 0x330u
#define APIC_LVT_PERF    0x340u
#define APIC_LVT_LINT0   0x350u
#define APIC_LVT_LINT1   0x360u
#define APIC_LVT_ERROR   0x370u
#define APIC_TIMER_COUNT 0x380u
#define APIC_TIMER_NOW   0x390u
#define APIC_TIMER_DIV   0x3e0u

#define ICR_PENDING  0x1000u
#define ICR_SPINS    1000000u           /* an IPI is on its way in less than a microsecond */
#define SVR_ENABLE   0x100u
#define XAPIC_IDS    255u
#define APIC_BASE_ADDR   0x000ffffffffff000ull
#define CPUID_ECX_X2APIC (1u << 21)      /* leaf 1 */
#define LVT_MASKED   0x10000u
#define LVT_MODE     0x700u             /* how it is delivered */
#define LVT_SMI      0x200u
#define LVT_NMI      0x400u
#define LVT_DEADLINE 0x40000u
#define TIMER_DIV_1  0xbu

#define CALIBRATE_MS 20u

static uint32_t lapic_read(unsigned int reg)
{
	volatile uint32_t *regs = this_cpu()->arch->lapic;

	return regs ? regs[reg / 4] : (uint32_t)msr_read(MSR_X2APIC_FIRST + reg / 16);
}

static void lapic_write(unsigned int reg, uint32_t v)
{
	volatile uint32_t *regs = this_cpu()->arch->lapic;

	if (regs)
		regs[reg / 4] = v;
	else
		msr_write(MSR_X2APIC_FIRST + reg / 16, v);
}

void host_lapic_eoi(void)
{
	lapic_write(APIC_EOI, 0);
}

void host_ipi(uint32_t apic_id, uint32_t icr)
{
	volatile uint32_t *regs = this_cpu()->arch->lapic;

	if (!regs) {
		/* SDM 3A "WRMSR to x2APIC registers" (10.12.3): it does not wait for earlier stores as MMIO does. */
		__asm__ volatile("mfence; lfence" : : : "memory");
		msr_write(MSR_X2APIC_FIRST + APIC_ICR / 16, (uint64_t)apic_id << 32 | icr);
		return;
	}
	for (unsigned int i = 0; i < ICR_SPINS && regs[APIC_ICR / 4] & ICR_PENDING; i++)
		cpu_relax();
	regs[APIC_ICR_HIGH / 4] = apic_id << 24;
	regs[APIC_ICR / 4] = icr;
}

void cpu_kick(unsigned int cpu)
{
	struct pcpu *p = this_cpu();
	const struct pcpu *to = p->host->cpu[cpu];

	if (to == p)
		p->host_event = true;
	else
		host_ipi(to->apic_id, VEC_KICK);
}

/* Both PICs: vectors moved off the exceptions (spurious ones cannot be masked), then every line masked. */
static void pics_mask(void)
{
	port_out8(0x20, 0x11);
	port_out8(0xa0, 0x11);
	port_out8(0x21, VEC_PIC);
	port_out8(0xa1, VEC_PIC + 8);
	port_out8(0x21, 4);
	port_out8(0xa1, 2);
	port_out8(0x21, 1);
	port_out8(0xa1, 1);
	port_out8(0x21, 0xff);
	port_out8(0xa1, 0xff);
}

uint64_t lapic_mode(const struct lapic_facts *f)
{
	/* Firmware may have seen to it that there is no way back: SDM 3A "x2APIC State Transitions", LEGACY_XAPIC_DISABLED. */
	if (f->base & APIC_BASE_X2APIC)
		return f->base;
	/* The xAPIC's registers hold IDs of eight bits, of which 255 is the broadcast. */
	if (f->has_x2apic && (f->asked || f->top_id >= XAPIC_IDS))
		return f->base | APIC_BASE_ENABLE | APIC_BASE_X2APIC;
	return f->base | APIC_BASE_ENABLE;
}

static struct lapic_facts lapic_facts_read(const struct host *h)
{
	const struct platform *p = &h->platform;
	struct lapic_facts f = {
		.base = msr_read(MSR_APIC_BASE), .has_x2apic = cpuid_leaf(1, 0).ecx & CPUID_ECX_X2APIC,
		.asked = h->options.x2apic,
	};

	for (unsigned int i = 0; i < p->cpu_count && i < PLATFORM_CPUS; i++)
		if (p->cpu[i].apic_id > f.top_id)
			f.top_id = p->cpu[i].apic_id;
	return f;
}

static void lapic_enable(struct host *h)
{
	const struct lapic_facts f = lapic_facts_read(h);
	uint64_t base = lapic_mode(&f);

	/* SDM 3A "x2APIC State Transitions" (10.12.5): enabled first, then x2APIC mode. */
	if (!(f.base & APIC_BASE_ENABLE))
		msr_write(MSR_APIC_BASE, f.base | APIC_BASE_ENABLE);
	if ((base ^ f.base) & APIC_BASE_X2APIC)
		msr_write(MSR_APIC_BASE, base);
	h->platform.lapic_hpa = base & APIC_BASE_ADDR;
	if (base & APIC_BASE_X2APIC)
		return;
	if (f.asked)
		log_warn("x2apic=on: this CPU has no x2APIC");
	this_cpu()->arch->lapic = mmio_map(hpa(h->platform.lapic_hpa), PAGE_SIZE);
	if (!this_cpu()->arch->lapic)
		panic("cannot map the LAPIC at %#lx", (unsigned long)h->platform.lapic_hpa);
}

static unsigned int lvt_count(void)
{
	return (lapic_read(APIC_VERSION) >> 16 & 0xff) + 1;
}

uint32_t lapic_thermal_line(void)
{
	uint32_t now = lvt_count() > 5 ? lapic_read(APIC_LVT_THERMAL) : 0;

	return (now & LVT_MODE) == LVT_SMI ? now & (LVT_MASKED | LVT_MODE) : LVT_MASKED;
}

void lapic_set_lines(uint32_t thermal, bool boot)
{
	unsigned int lvts = lvt_count();

	lapic_write(APIC_TPR, 0);
	if (this_cpu()->arch->lapic) {
		lapic_write(APIC_DFR, 0xffffffffu);
		lapic_write(APIC_LDR, boot ? 1u << 24 : 0);
	}
	lapic_write(APIC_LVT_TIMER, LVT_MASKED | VEC_TIMER);
	lapic_write(APIC_LVT_LINT0, LVT_MASKED);
	/* Where PCs wire NMI, unless the MADT says otherwise, which only multi-node boards did. */
	lapic_write(APIC_LVT_LINT1, boot ? LVT_NMI : LVT_MASKED);
	lapic_write(APIC_LVT_ERROR, LVT_MASKED);
	if (lvts > 4)
		lapic_write(APIC_LVT_PERF, LVT_MASKED);
	if (lvts > 5)
		lapic_write(APIC_LVT_THERMAL, thermal);
	if (lvts > 6)
		lapic_write(APIC_LVT_CMCI, LVT_MASKED);
	lapic_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
	host_lapic_eoi();
}

static uint64_t timer_measure(uint64_t tsc_khz)
{
	uint64_t t0, t1, end;
	uint32_t left;

	lapic_write(APIC_TIMER_COUNT, 0xffffffffu);
	t0 = tsc_read();
	end = t0 + tsc_khz * CALIBRATE_MS;
	while (tsc_read() < end)
		cpu_relax();
	left = lapic_read(APIC_TIMER_NOW);
	t1 = tsc_read();
	lapic_write(APIC_TIMER_COUNT, 0);
	return mul_div(0xffffffffu - left, tsc_khz, t1 - t0);
}

/* This CPU's timer, not yet armed. */
static void timer_start(const struct platform *p)
{
	if (p->tsc_deadline) {
		lapic_write(APIC_LVT_TIMER, LVT_DEADLINE | VEC_TIMER);
		/* SDM 3A "TSC-Deadline Mode" (10.5.4.1): in xAPIC mode the LVT write must be seen before the MSR's. */
		__asm__ volatile("mfence" : : : "memory");
		return;
	}
	lapic_write(APIC_TIMER_DIV, TIMER_DIV_1);
	lapic_write(APIC_LVT_TIMER, VEC_TIMER);
}

static void timer_init(struct platform *p)
{
	if (!p->tsc_deadline) {
		lapic_write(APIC_TIMER_DIV, TIMER_DIV_1);
		p->lapic_khz = timer_measure(p->tsc_khz);
		if (!p->lapic_khz)
			panic("the LAPIC timer does not count");
	}
	timer_start(p);
}

void lapic_init(struct host *h)
{
	pics_mask();
	lapic_enable(h);
	h->platform.lvt_thermal = lapic_thermal_line();
	lapic_set_lines(h->platform.lvt_thermal, true);
	this_cpu()->apic_id = this_cpu()->arch->lapic ? lapic_read(APIC_ID) >> 24 : lapic_read(APIC_ID);
	timer_init(&h->platform);
}

const char *lapic_init_other(const struct host *h)
{
	volatile uint32_t *regs = h->cpu[0]->arch->lapic;
	uint64_t base = msr_read(MSR_APIC_BASE);

	if (regs && base & APIC_BASE_X2APIC)
		return "its local APIC is in x2APIC mode, the boot CPU's is not";
	/* SDM 3A "x2APIC State Transitions" (10.12.5): enabled first, then x2APIC mode. */
	if (!(base & APIC_BASE_X2APIC)) {
		base = (base & ~APIC_BASE_ADDR) | h->platform.lapic_hpa | APIC_BASE_ENABLE;
		msr_write(MSR_APIC_BASE, base);
		if (!regs)
			msr_write(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	}
	this_cpu()->arch->lapic = regs;
	lapic_set_lines(h->platform.lvt_thermal, false);
	timer_start(&h->platform);
	return NULL;
}

/* Counts until the host TSC is at tsc; more than the counter holds makes it come early, and the waiter arms again. */
static uint32_t timer_count(const struct platform *p, uint64_t tsc)
{
	uint64_t now = host_tsc(), ticks;

	if (tsc <= now)
		return 1;
	/* A minute at most: keeps the product's quotient in range. */
	ticks = min_u64(tsc - now, p->tsc_khz * 60000);
	return (uint32_t)min_u64(mul_div(ticks, p->lapic_khz, p->tsc_khz) + 1, 0xffffffffu);
}

void host_timer_arm(uint64_t tsc)
{
	const struct platform *p = &this_cpu()->host->platform;

	if (p->tsc_deadline)
		msr_write(MSR_TSC_DEADLINE, tsc == UINT64_MAX ? 0 : max_u64(own_tsc_of(this_cpu(), tsc), 1));
	else
		lapic_write(APIC_TIMER_COUNT, tsc == UINT64_MAX ? 0 : timer_count(p, tsc));
}
