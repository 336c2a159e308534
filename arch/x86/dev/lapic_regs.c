/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's registers as a guest reaches them: the xAPIC page, the x2APIC MSRs, IA32_APIC_BASE and
 * IA32_TSC_DEADLINE. Which exist and which bits count is in tables; what they do is in lapic.c and lapic_timer.c.
 * Reference: SDM 3A "Local APIC Register Address Map" (11-1), "x2APIC Register Address Space" (11-6).
 */
#include "lapic_priv.h"

#include <errno.h>

#define R(n)          (1ull << (n))
#define RANGE(a, b)   (R((b) + 1) - R(a))

/* In both modes: readable, writable. The ISR, TMR and IRR follow each other, up to ESR. */
#define READ_BOTH     (R(LAPIC_ID) | R(LAPIC_VER) | R(LAPIC_TPR) | R(LAPIC_PPR) | R(LAPIC_LDR) | R(LAPIC_SVR) | \
		       RANGE(LAPIC_ISR, LAPIC_ESR) | R(LAPIC_ICR) | RANGE(LAPIC_LVT_TIMER, LAPIC_TMCCT) | R(LAPIC_TDCR))
#define WRITE_BOTH    (R(LAPIC_TPR) | R(LAPIC_EOI) | R(LAPIC_SVR) | R(LAPIC_ESR) | R(LAPIC_ICR) | \
		       RANGE(LAPIC_LVT_TIMER, LAPIC_TMICT) | R(LAPIC_TDCR))

#define XAPIC_WRITE   (WRITE_BOTH | R(LAPIC_LDR) | R(LAPIC_DFR) | R(LAPIC_ICR2))
#define XAPIC_EXISTS  (READ_BOTH | XAPIC_WRITE | R(LAPIC_APR) | R(LAPIC_RRD))
#define X2APIC_READ   READ_BOTH
#define X2APIC_WRITE  (WRITE_BOTH | R(LAPIC_SELF_IPI))

/* Computed when read; and the ICR is two words of the page but one MSR. */
#define NOT_IN_PAGE   (R(LAPIC_PPR) | R(LAPIC_TMCCT) | R(LAPIC_ICR))
/* Nowhere but in the page. */
#define ONLY_IN_PAGE  (R(LAPIC_TPR) | RANGE(LAPIC_ISR, LAPIC_ESR - 1) | R(LAPIC_ICR2))

#define ICR_RW        0x000ccfffu
#define ICR_LEVEL     (1u << 15)  /* trigger mode */
#define ICR_ASSERT    (1u << 14)
#define ICR_LOGICAL   (1u << 11)

/* Bits a guest may set. */
static uint32_t writable_bits(unsigned int n)
{
	switch (n) {
	case LAPIC_TPR:
	case LAPIC_SELF_IPI:
		return 0xff;
	case LAPIC_LDR:
	case LAPIC_ICR2:
		return 0xff000000;
	case LAPIC_DFR:
		return 0xf0000000;
	case LAPIC_SVR:
		return 0x3ff;
	case LAPIC_ICR:
		return ICR_RW;
	case LAPIC_LVT_TIMER:
		return 0x700ff;
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERF:
		return 0x107ff;
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
		return 0x1a7ff;
	case LAPIC_LVT_ERROR:
		return 0x100ff;
	case LAPIC_TMICT:
		return UINT32_MAX;
	case LAPIC_TDCR:
		return 0xb;
	default: /* EOI, ESR: the write counts, not its value */
		return 0;
	}
}

/* Read-only bits among them (delivery status, Remote IRR): not reserved, so x2APIC writes may have them set. */
static uint32_t ignored_bits(unsigned int n)
{
	if (n == LAPIC_LVT_LINT0 || n == LAPIC_LVT_LINT1)
		return 0x5000;
	if (n == LAPIC_ICR || (n >= LAPIC_LVT_TIMER && n <= LAPIC_LVT_ERROR))
		return 0x1000;
	return 0;
}

static uint32_t read_reg(struct lapic *l, unsigned int n)
{
	switch (n) {
	case LAPIC_PPR:
		return lapic_ppr(l);
	case LAPIC_TMCCT:
		return lapic_timer_count(l);
	default: /* what cannot be read, and APR and remote read, which newer CPUs do not have, stay 0 */
		return l->page[n].val;
	}
}

/* SDM 3A "Interrupt Command Register" (11.6.1), valid combinations: to oneself only fixed, to a field anything. */
static bool icr_is_valid(uint32_t icr)
{
	unsigned int mode = icr >> 8 & 7, shorthand = icr >> 18 & 3;

	if (mode == APIC_MODE_RESERVED || mode == APIC_MODE_EXTINT)
		return false;
	return mode == APIC_MODE_FIXED || shorthand == APIC_DEST_FIELD || shorthand == APIC_DEST_OTHERS;
}

/* All but INIT are edges that are asserted. An INIT level de-assert does nothing since the Pentium 4. */
static void send(struct lapic *l, uint32_t icr, uint32_t dest)
{
	struct apic_msg m = {
		.mode = icr >> 8 & 7,
		.logical = icr & ICR_LOGICAL,
		.level_trig = false,
		.assert_ = true,
		.vector = (uint8_t)icr,
		.dest = dest,
		.shorthand = icr >> 18 & 3,
	};

	if (m.mode == APIC_MODE_INIT && (icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return;
	if (m.mode <= APIC_MODE_LOWEST && m.vector < 16)
		lapic_error(l, ESR_SEND_VECTOR);
	else if (icr_is_valid(icr))
		l->wires.ipi(l->wires.ctx, l, &m);
	else
		l->refused++;
}

static void write_svr(struct lapic *l, uint32_t val)
{
	bool was = l->reg[LAPIC_SVR] & SVR_ENABLE;

	lapic_set(l, LAPIC_SVR, val);
	l->changed = true;
	if (val & SVR_ENABLE) {
		if (!was)
			l->wires.enabled(l->wires.ctx, l);
		return;
	}
	/* SDM 3A "Local APIC State After It Has Been Software Disabled" (11.4.7.2): the masks stay when enabled again. */
	for (unsigned int i = LAPIC_LVT_TIMER; i <= LAPIC_LVT_ERROR; i++)
		lapic_set(l, i, l->reg[i] | LVT_MASK);
}

static void write_lvt(struct lapic *l, unsigned int n, uint32_t val)
{
	if (!(l->reg[LAPIC_SVR] & SVR_ENABLE))
		val |= LVT_MASK;
	if (n == LAPIC_LVT_TIMER) {
		lapic_timer_write_lvt(l, val);
		return;
	}
	/* Remote IRR only lives as long as the pin is a level-triggered fixed interrupt. */
	if (LVT_MODE(val) == APIC_MODE_FIXED && (val & LVT_LEVEL))
		val |= l->reg[n] & LVT_REMOTE_IRR;
	lapic_set(l, n, val);
	/* Another CPU may change the PIC's output meanwhile (machine.c: pic_output()), and this one looks at it before it enters. */
	if (n == LAPIC_LVT_LINT0)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (n == LAPIC_LVT_LINT0 || n == LAPIC_LVT_LINT1)
		lapic_lint_service(l, n - LAPIC_LVT_LINT0);
}

/* val has been cut to what may be written. */
static void write_reg(struct lapic *l, unsigned int n, uint32_t val)
{
	switch (n) {
	case LAPIC_EOI:
		lapic_eoi(l);
		break;
	case LAPIC_DFR:
		lapic_set(l, n, val | 0x0fffffff);
		break;
	case LAPIC_SVR:
		write_svr(l, val);
		break;
	case LAPIC_ESR: /* a write shows what has come together since the last one */
		lapic_set(l, n, l->esr_pending);
		l->esr_pending = 0;
		break;
	case LAPIC_ICR:
		lapic_set(l, n, val);
		send(l, val, lapic_x2apic(l) ? l->page[LAPIC_ICR2].val : l->page[LAPIC_ICR2].val >> 24);
		break;
	case LAPIC_LVT_TIMER ... LAPIC_LVT_ERROR:
		write_lvt(l, n, val);
		break;
	case LAPIC_TMICT:
		lapic_timer_write_initial(l, val);
		break;
	case LAPIC_TDCR:
		lapic_timer_write_divide(l, val);
		break;
	case LAPIC_SELF_IPI:
		send(l, val | APIC_DEST_SELF << 18, 0);
		break;
	case LAPIC_LDR:
		lapic_set(l, n, val);
		break;
	default: /* TPR, ICR2 */
		l->page[n].val = val;
		break;
	}
}

static bool xapic_exists(uint64_t off)
{
	return off < LAPIC_REGS * 16 && (XAPIC_EXISTS >> (off >> 4) & 1);
}

static uint64_t ones(unsigned int size)
{
	return size >= 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
}

uint64_t lapic_mmio_read(struct lapic *l, uint64_t off, unsigned int size)
{
	unsigned int n = (unsigned int)(off >> 4);
	unsigned int shift = off & 15;

	if (!lapic_xapic_enabled(l))
		return ones(size);
	if (!xapic_exists(off)) {
		lapic_error(l, ESR_REGISTER);
		return 0;
	}
	if (shift >= 4)
		return 0;
	lapic_timer_sync(l);
	return read_reg(l, n) >> 8 * shift & ones(size);
}

void lapic_mmio_write(struct lapic *l, uint64_t off, unsigned int size, uint64_t val)
{
	unsigned int n = (unsigned int)(off >> 4);

	if (!lapic_xapic_enabled(l))
		return;
	if (size < 4 || (off & 15)) {
		l->refused++;
		return;
	}
	if (!xapic_exists(off)) {
		lapic_error(l, ESR_REGISTER);
		return;
	}
	if (!(XAPIC_WRITE >> n & 1))
		return;
	lapic_timer_sync(l);
	write_reg(l, n, (uint32_t)val & writable_bits(n));
}

static int x2apic_read(struct lapic *l, unsigned int n, uint64_t *val)
{
	if (!lapic_x2apic(l) || n >= LAPIC_REGS || !(X2APIC_READ >> n & 1))
		return -EINVAL;
	lapic_timer_sync(l);
	*val = read_reg(l, n);
	if (n == LAPIC_ICR)
		*val |= (uint64_t)l->page[LAPIC_ICR2].val << 32;
	return 0;
}

/* SDM 3A "Reserved Bit Checking" (11.12.1.3): bits 63-32 are reserved too, but for the ICR's destination. */
static int x2apic_write(struct lapic *l, unsigned int n, uint64_t val)
{
	uint32_t low = (uint32_t)val;

	if (!lapic_x2apic(l) || n >= LAPIC_REGS || !(X2APIC_WRITE >> n & 1))
		return -EINVAL;
	if ((low & ~(writable_bits(n) | ignored_bits(n))) || (low != val && n != LAPIC_ICR))
		return -EINVAL;
	lapic_timer_sync(l);
	if (n == LAPIC_ICR)
		l->page[LAPIC_ICR2].val = (uint32_t)(val >> 32);
	write_reg(l, n, low & writable_bits(n));
	return 0;
}

bool lapic_page_shows(unsigned int n)
{
	return n < LAPIC_REGS && (X2APIC_READ & ~NOT_IN_PAGE) >> n & 1;
}

/* The write has not been checked: what counts is put back before it is. Faults cannot be raised any more. */
void lapic_page_written(struct lapic *l, unsigned int off)
{
	unsigned int n = off >> 4;
	uint32_t val;

	if (n == LAPIC_TPR || n == LAPIC_ICR2)
		l->page[n].val &= writable_bits(n);
	if (n >= LAPIC_REGS || (ONLY_IN_PAGE >> n & 1))
		return;
	val = l->page[n].val;
	l->page[n].val = l->reg[n];
	if (!lapic_x2apic(l))
		lapic_mmio_write(l, off, 4, val);
	else if (x2apic_write(l, n, val))
		l->refused++;
}

/*
 * SDM 3A "x2APIC State Transitions" (11.12.5). The page does not move: a guest that wants it elsewhere gets #GP. The
 * BSP bit is what it is, whatever is written.
 */
static int base_write(struct lapic *l, uint64_t val)
{
	const uint64_t both = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
	uint64_t from = l->base & both, to = val & both;

	if ((val & ~(both | APIC_BASE_BSP)) != APIC_DEFAULT_BASE)
		return -EINVAL;
	if (to == from)
		return 0;
	if (to == APIC_BASE_X2APIC || (from == both && to) || (from == 0 && to == both))
		return -EINVAL;
	lapic_enter_mode(l, to);
	return 0;
}

int lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *val)
{
	switch (msr) {
	case MSR_APIC_BASE:
		*val = l->base;
		return 0;
	case MSR_TSC_DEADLINE:
		lapic_timer_sync(l);
		*val = l->tsc_deadline;
		return 0;
	case MSR_X2APIC_FIRST ... MSR_X2APIC_LAST:
		return x2apic_read(l, msr - MSR_X2APIC_FIRST, val);
	default:
		return -EINVAL;
	}
}

int lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t val)
{
	switch (msr) {
	case MSR_APIC_BASE:
		return base_write(l, val);
	case MSR_TSC_DEADLINE:
		lapic_timer_sync(l);
		lapic_timer_write_deadline(l, val);
		return 0;
	case MSR_X2APIC_FIRST ... MSR_X2APIC_LAST:
		return x2apic_write(l, msr - MSR_X2APIC_FIRST, val);
	default:
		return -EINVAL;
	}
}
