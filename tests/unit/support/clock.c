/* SPDX-License-Identifier: BSD-2-Clause */
/* The double of the guest clock: time moves only when the test says so. Stop and start are not modelled. */
#include "clock.h"

static uint64_t fake_ns;

void fake_clock_set(uint64_t ns)
{
	fake_ns = ns;
}

void fake_clock_jump(struct vtimers *t, uint64_t ns)
{
	fake_ns = ns;
	vtimers_run(t, ns);
}

unsigned int fake_clock_walk(struct vtimers *t, uint64_t ns)
{
	unsigned int due = 0;
	uint64_t next;

	while ((next = vtimers_next(t)) <= ns) {
		if (next > fake_ns)
			fake_ns = next;
		vtimers_run(t, fake_ns);
		due++;
	}
	fake_ns = ns;
	return due;
}

void vclock_init(struct vclock *c, uint64_t host_khz)
{
	*c = (struct vclock){ .host_khz = host_khz };
	fake_ns = 0;
}

void vclock_stop(struct vclock *c)
{
	c->stopped = true;
}

void vclock_start(struct vclock *c)
{
	c->stopped = false;
}

uint64_t vclock_now(const struct vclock *c)
{
	(void)c;
	return fake_ns;
}

uint64_t vclock_tsc(const struct vclock *c)
{
	return vclock_ns_to_tsc(c, fake_ns);
}

uint64_t vclock_tsc_to_ns(const struct vclock *c, uint64_t tsc)
{
	unsigned __int128 ns = (unsigned __int128)tsc * 1000000 / c->host_khz;

	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

uint64_t vclock_ns_to_tsc(const struct vclock *c, uint64_t ns)
{
	return (uint64_t)(((unsigned __int128)ns * c->host_khz + 999999) / 1000000);   /* rounds up, as the real one */
}

void vtimers_init(struct vtimers *t, struct vclock *c)
{
	*t = (struct vtimers){ .clock = c };
}

void vtimer_register(struct vtimers *t, struct vtimer *timer, void (*fire)(void *), void *ctx)
{
	*timer = (struct vtimer){ .deadline = VTIMER_OFF, .fire = fire, .ctx = ctx };
	t->list[t->count++] = timer;
}

static struct vtimer *first_due(const struct vtimers *t, uint64_t now, uint32_t done)
{
	struct vtimer *best = NULL;

	for (unsigned int i = 0; i < t->count; i++) {
		struct vtimer *timer = t->list[i];

		if ((done >> i & 1) || timer->deadline == VTIMER_OFF || timer->deadline > now)
			continue;
		if (!best || timer->deadline < best->deadline)
			best = timer;
	}
	return best;
}

void vtimers_run(struct vtimers *t, uint64_t now)
{
	uint32_t done = 0;
	struct vtimer *timer;

	while ((timer = first_due(t, now, done))) {
		for (unsigned int i = 0; i < t->count; i++)
			if (t->list[i] == timer)
				done |= 1u << i;
		timer->deadline = VTIMER_OFF;
		timer->fire(timer->ctx);
	}
}

uint64_t vtimers_next(const struct vtimers *t)
{
	uint64_t next = VTIMER_OFF;

	for (unsigned int i = 0; i < t->count; i++)
		if (t->list[i]->deadline < next)
			next = t->list[i]->deadline;
	return next;
}
