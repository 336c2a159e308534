/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's timer: one-shot, periodic and TSC-deadline mode on one vtimer.
 * Reference: SDM 3A "APIC Timer" (11.5.4) and "TSC-Deadline Mode" (11.5.4.1).
 */
#include "lapic_priv.h"

static unsigned int mode(const struct lapic *l)
{
	return LVT_TIMER_MODE(l->reg[LAPIC_LVT_TIMER]);
}

static bool counts(const struct lapic *l)
{
	return mode(l) == TIMER_ONE_SHOT || mode(l) == TIMER_PERIODIC;
}

/* Guest ns per tick. SDM 3A "APIC Timer", Divide Configuration Register: bits 3, 1, 0; 111 is divide by 1. */
static uint64_t divide(const struct lapic *l)
{
	uint32_t tdcr = l->reg[LAPIC_TDCR];
	uint32_t code = (tdcr & 3u) | (tdcr >> 1 & 4u);

	return code == 7 ? 1 : 2ull << code;
}

/* At most 2^32 * 128 ns, about nine minutes. */
static uint64_t length(const struct lapic *l)
{
	uint64_t ns = l->reg[LAPIC_TMICT] * divide(l);

	return mode(l) == TIMER_PERIODIC ? max_u64(ns, LAPIC_TIMER_MIN_PERIOD_NS) : ns;
}

static void arm(struct lapic *l, uint64_t end)
{
	l->timer_end = end;
	vtimer_arm(&l->timer, end);
}

void lapic_timer_stop(struct lapic *l)
{
	l->tsc_deadline = 0;
	l->timer_end = VTIMER_OFF;
	vtimer_disarm(&l->timer);
}

/*
 * The next end is reckoned from the last one, not from now: no drift. Periods that passed unseen make one interrupt,
 * and the count goes on as if each had been served.
 */
static void next_period(struct lapic *l)
{
	uint64_t now = vclock_now(l->clock);
	uint64_t period = length(l);
	uint64_t next = l->timer_end + period;

	if (next <= now)
		next += ((now - next) / period + 1) * period;
	arm(l, next);
}

static void fire(void *ctx)
{
	struct lapic *l = ctx;

	if (l->timer_end == VTIMER_OFF)
		return;
	if (mode(l) == TIMER_PERIODIC && l->reg[LAPIC_TMICT])
		next_period(l);
	else
		lapic_timer_stop(l);
	lapic_lvt_fire(l, LAPIC_LVT_TIMER);
}

void lapic_timer_sync(struct lapic *l)
{
	if (l->timer_end != VTIMER_OFF && l->timer_end <= vclock_now(l->clock))
		fire(l);
}

uint32_t lapic_timer_count(const struct lapic *l)
{
	uint64_t now = vclock_now(l->clock);
	uint64_t ticks;

	if (!counts(l) || l->timer_end == VTIMER_OFF || l->timer_end <= now)
		return 0;
	ticks = (l->timer_end - now + divide(l) - 1) / divide(l);
	/* A stretched period lasts longer than the count does. */
	return (uint32_t)min_u64(ticks, l->reg[LAPIC_TMICT]);
}

/*
 * Changing to or from TSC-deadline mode disarms; between one-shot and periodic the count goes on. The reserved mode
 * is treated as one more that nothing is armed in.
 */
void lapic_timer_write_lvt(struct lapic *l, uint32_t lvt)
{
	unsigned int was = mode(l);

	lapic_set(l, LAPIC_LVT_TIMER, lvt);
	if (mode(l) == was || (counts(l) && was <= TIMER_PERIODIC))
		return;
	lapic_timer_stop(l);
	lapic_set(l, LAPIC_TMICT, 0);
}

void lapic_timer_write_initial(struct lapic *l, uint32_t count)
{
	if (!counts(l))
		return;
	lapic_set(l, LAPIC_TMICT, count);
	if (count)
		arm(l, vclock_now(l->clock) + length(l));
	else
		lapic_timer_stop(l);
}

/* A running count keeps its value and goes on at the new speed. */
void lapic_timer_write_divide(struct lapic *l, uint32_t tdcr)
{
	uint32_t count = lapic_timer_count(l);

	lapic_set(l, LAPIC_TDCR, tdcr);
	if (count)
		arm(l, vclock_now(l->clock) + count * divide(l));
}

void lapic_timer_write_deadline(struct lapic *l, uint64_t tsc)
{
	uint64_t ns;

	if (mode(l) != TIMER_DEADLINE)
		return;
	lapic_timer_stop(l);
	if (tsc == 0)
		return;
	if (tsc <= vclock_tsc(l->clock)) {
		lapic_lvt_fire(l, LAPIC_LVT_TIMER);
		return;
	}
	l->tsc_deadline = tsc;
	/* Nanoseconds are rounded down: one more, so that the guest never finds its TSC below the deadline. */
	ns = vclock_tsc_to_ns(l->clock, tsc);
	arm(l, ns < VTIMER_OFF ? ns + 1 : VTIMER_OFF);
}

void lapic_timer_init(struct lapic *l, struct vtimers *timers)
{
	vtimer_register(timers, &l->timer, fire, l);
	lapic_timer_stop(l);
}
