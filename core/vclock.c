/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest time and the timers that run on it. Reads the host's TSC and nothing else of the machine; arming the host's
 * timer for vtimers_next() is the run loop's work.
 */
#include <vouch/vclock.h>

#include <string.h>

#include <vouch/assert.h>
#include <vouch/platform.h>

#define NS_PER_MS 1000000ull

/*
 * a * mul / div, rounded down or up, saturating. div is not 0. The compiler would call its library for the division,
 * because it cannot know that the quotient fits.
 */
static uint64_t scale(uint64_t a, uint64_t mul, uint64_t div, bool up)
{
	unsigned __int128 p = (unsigned __int128)a * mul + (up ? div - 1 : 0);
	uint64_t high = (uint64_t)(p >> 64), low = (uint64_t)p;

	if (high >= div)
		return UINT64_MAX;
	__asm__("divq %2" : "+a"(low), "+d"(high) : "rm"(div) : "cc");
	return low;
}

void vclock_init(struct vclock *c, uint64_t host_khz)
{
	ASSERT(host_khz != 0);
	*c = (struct vclock){ .host_khz = host_khz, .tsc_offset = 0 - host_tsc() };
}

void vclock_stop(struct vclock *c)
{
	if (c->stopped)
		return;
	c->stopped_tsc = host_tsc() + c->tsc_offset;
	c->stopped = true;
}

void vclock_start(struct vclock *c)
{
	if (!c->stopped)
		return;
	c->tsc_offset = c->stopped_tsc - host_tsc();
	c->stopped = false;
}

uint64_t vclock_tsc(const struct vclock *c)
{
	return c->stopped ? c->stopped_tsc : host_tsc() + c->tsc_offset;
}

uint64_t vclock_now(const struct vclock *c)
{
	return vclock_tsc_to_ns(c, vclock_tsc(c));
}

uint64_t vclock_tsc_to_ns(const struct vclock *c, uint64_t tsc)
{
	return scale(tsc, NS_PER_MS, c->host_khz, false);
}

/* Rounds up: a timer armed for this TSC finds its deadline reached when it fires, and is not armed again for 0 ns. */
uint64_t vclock_ns_to_tsc(const struct vclock *c, uint64_t ns)
{
	return scale(ns, c->host_khz, NS_PER_MS, true);
}

uint64_t vclock_ns_to_host(const struct vclock *c, uint64_t ns)
{
	uint64_t tsc = vclock_ns_to_tsc(c, ns), start = 0 - c->tsc_offset;

	if (ns == VTIMER_OFF || tsc == UINT64_MAX)
		return UINT64_MAX;
	if ((int64_t)c->tsc_offset > 0)         /* the guest's time began before this host's */
		return tsc > c->tsc_offset ? tsc - c->tsc_offset : 0;
	return tsc > UINT64_MAX - start ? UINT64_MAX : tsc + start;
}

void vtimers_init(struct vtimers *t, struct vclock *c)
{
	memset(t, 0, sizeof(*t));
	t->clock = c;
	t->changed = true;
}

void vtimer_register(struct vtimers *t, struct vtimer *timer, void (*fire)(void *), void *ctx)
{
	ASSERT(t->count < VTIMERS_MAX);
	*timer = (struct vtimer){ .deadline = VTIMER_OFF, .fire = fire, .ctx = ctx, .changed = &t->changed };
	t->list[t->count++] = timer;
}

/* Index of the earliest timer due at now that is not in the mask skip, or t->count. */
static unsigned int vtimers_due(const struct vtimers *t, uint64_t now, uint32_t skip)
{
	unsigned int best = t->count;

	for (unsigned int i = 0; i < t->count; i++) {
		uint64_t at = t->list[i]->deadline;

		if ((skip & (1u << i)) || at == VTIMER_OFF || at > now)
			continue;
		if (best == t->count || at < t->list[best]->deadline)
			best = i;
	}
	return best;
}

_Static_assert(VTIMERS_MAX <= 32, "vtimers_run() keeps one bit a timer in 32");

void vtimers_run(struct vtimers *t, uint64_t now)
{
	uint32_t fired = 0;

	for (;;) {
		unsigned int i = vtimers_due(t, now, fired);

		if (i == t->count)
			return;
		fired |= 1u << i;
		vtimer_disarm(t->list[i]);
		t->list[i]->fire(t->list[i]->ctx);
	}
}

uint64_t vtimers_next(const struct vtimers *t)
{
	uint64_t next = VTIMER_OFF;

	for (unsigned int i = 0; i < t->count; i++)
		next = min_u64(next, __atomic_load_n(&t->list[i]->deadline, __ATOMIC_RELAXED));
	return next;
}
