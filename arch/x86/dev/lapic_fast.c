/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few accesses to a local APIC that guests make all the time, each only in the case in which it has no effect beyond
 * this APIC's registers; all others are refused before anything has changed, and go the general way (lapic_regs.c).
 */
#include "lapic_priv.h"

#include <vouch/platform.h>

#define R(n) (1ull << (n))

/* Registers whose value is what stands there: not those that are computed, nor those that a timer that is due changes. */
#define PLAIN_READ (R(LAPIC_ID) | R(LAPIC_VER) | R(LAPIC_TPR) | R(LAPIC_LDR) | R(LAPIC_DFR) | R(LAPIC_SVR) | R(LAPIC_ESR) | \
		    R(LAPIC_ICR) | R(LAPIC_ICR2) | R(LAPIC_LVT_TIMER) | R(LAPIC_LVT_LINT0) | R(LAPIC_LVT_LINT1) | \
		    R(LAPIC_LVT_ERROR) | R(LAPIC_TDCR))

#define ICR_ASSERT  (1u << 14)
#define ICR_TO_SELF (APIC_DEST_SELF << 18)
#define MODES       (APIC_BASE_ENABLE | APIC_BASE_X2APIC)
#define MODE_X2     (APIC_BASE_ENABLE | APIC_BASE_X2APIC)
#define MODE_X      APIC_BASE_ENABLE

static bool in_mode(const struct lapic *l, bool x2)
{
	return (l->base & MODES) == (x2 ? MODE_X2 : MODE_X);
}

static bool map_is_empty(const struct lapic *l, unsigned int map)
{
	const struct lapic_reg *r = &l->page[map];

	return !(r[0].val | r[1].val | r[2].val | r[3].val | r[4].val | r[5].val | r[6].val | r[7].val);
}

/* The highest of eight registers that has a bit, or -1. A loop takes twice the instructions, at every EOI. */
static int top_word(const struct lapic *l, unsigned int map)
{
	const struct lapic_reg *r = &l->page[map];

	return r[7].val ? 7 : r[6].val ? 6 : r[5].val ? 5 : r[4].val ? 4 : r[3].val ? 3 : r[2].val ? 2 : r[1].val ? 1 :
	       r[0].val ? 0 : -1;
}

/* An edge that nothing else waits for ends, or there is none. */
enum fast_answer lapic_fast_eoi(struct lapic *l, bool x2)
{
	int top = top_word(l, LAPIC_ISR);
	uint32_t bit, *isr;

	if (!in_mode(l, x2))
		return FAST_NO;
	if (top < 0)
		return FAST_NEXT;
	isr = &l->page[LAPIC_ISR + (unsigned int)top].val;
	bit = 1u << (31 - __builtin_clz(*isr));
	if (l->page[LAPIC_TMR + (unsigned int)top].val & bit)
		return FAST_NO;
	*isr &= ~bit;
	l->changed = true;
	return map_is_empty(l, LAPIC_IRR) && !l->watched ? FAST_NEXT : FAST_LOOK;
}

/* An edge to this CPU itself. If the same one waits already, nothing changes. */
static enum fast_answer request(struct lapic *l, unsigned int vector)
{
	uint32_t bit = 1u << vector % 32, *irr = &l->page[LAPIC_IRR + vector / 32].val;

	if (!(l->reg[LAPIC_SVR] & SVR_ENABLE) || vector < 16 || (l->page[LAPIC_TMR + vector / 32].val & bit))
		return FAST_NO;
	if (*irr & bit)
		return FAST_NEXT;
	*irr |= bit;
	l->changed = true;
	return FAST_LOOK;
}

enum fast_answer lapic_fast_icr(struct lapic *l, bool x2, uint64_t icr)
{
	enum fast_answer a;

	if (!in_mode(l, x2) || (icr & ~(uint64_t)(0xffu | ICR_ASSERT)) != ICR_TO_SELF)
		return FAST_NO;
	a = request(l, icr & 0xff);
	if (a == FAST_NO)
		return FAST_NO;
	lapic_set(l, LAPIC_ICR, (uint32_t)icr);
	if (x2)
		l->page[LAPIC_ICR2].val = 0;
	return a;
}

enum fast_answer lapic_fast_self_ipi(struct lapic *l, uint64_t vector)
{
	return in_mode(l, true) && vector < 256 ? request(l, (unsigned int)vector) : FAST_NO;
}

/*
 * A deadline after now, in place of one that has not come yet. The host's timer need not move if it is to go off before
 * the new one: what it finds then is nothing to do, and it is armed anew.
 */
enum fast_answer lapic_fast_deadline(struct lapic *l, uint64_t tsc, uint64_t now, uint64_t armed_ns)
{
	uint64_t ns;

	if (LVT_TIMER_MODE(l->reg[LAPIC_LVT_TIMER]) != TIMER_DEADLINE || l->clock->stopped)
		return FAST_NO;
	if (tsc <= now || l->tsc_deadline - 1 < now)    /* 0, no deadline, becomes the largest number */
		return FAST_NO;
	ns = vclock_tsc_to_ns_inline(l->clock, tsc);
	if (ns == VTIMER_OFF)
		return FAST_NO;
	l->tsc_deadline = tsc;
	l->timer_end = ns + 1;          /* as lapic_timer_write_deadline() rounds */
	vtimer_arm_registered(&l->timer, ns + 1);
	return armed_ns - 1 < ns ? FAST_NEXT : FAST_LOOK;       /* of 0 it becomes the largest number */
}

bool lapic_fast_read(const struct lapic *l, unsigned int off, uint32_t *val)
{
	if (!in_mode(l, false) || (off & 15) || off >= LAPIC_REGS * 16 || !(PLAIN_READ >> (off >> 4) & 1))
		return false;
	*val = l->page[(off >> 4) & (LAPIC_REGS - 1)].val;
	return true;
}

enum fast_answer lapic_fast_write(struct lapic *l, unsigned int off, uint32_t val)
{
	switch (off) {
	case LAPIC_EOI << 4:
		return lapic_fast_eoi(l, false);
	case LAPIC_ICR << 4:
		return lapic_fast_icr(l, false, val);
	case LAPIC_TPR << 4:
		if (!in_mode(l, false))
			return FAST_NO;
		val &= 0xff;
		if (l->page[LAPIC_TPR].val == val)
			return FAST_NEXT;
		l->page[LAPIC_TPR].val = val;
		return FAST_LOOK;
	default:
		return FAST_NO;
	}
}
