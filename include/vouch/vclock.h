/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest time. Every device of a VM reads one clock, in guest nanoseconds since the VM was created; it can be stopped
 * and offset, so that a saved or paused guest sees no jump. Deadlines are guest time too. The guest's TSC is the same
 * clock in other units: tsc = vclock_to_tsc(now), reached without an exit through the hardware's TSC offset.
 */
#ifndef VOUCH_VCLOCK_H
#define VOUCH_VCLOCK_H

#include <vouch/types.h>

#define VTIMER_OFF UINT64_MAX
#define VTIMERS_MAX 32

struct vclock {
	uint64_t host_khz;        /* host TSC ticks per ms; const after init */
	uint64_t tsc_offset;      /* guest TSC = host_tsc() + this, modulo 2^64; on a CPU: vcpu_tsc_match() */
	uint64_t stopped_tsc;     /* guest TSC while stopped */
	bool stopped;
	bool uneven;              /* CPUs' TSCs are in no constant relation: what guests are told of theirs must not say so */
};

/* Guest time starts at 0 now. host_khz: rate of the host's TSC, which the guest's equals. */
void vclock_init(struct vclock *c, uint64_t host_khz);
void vclock_stop(struct vclock *c);
void vclock_start(struct vclock *c);

uint64_t vclock_tsc(const struct vclock *c);                     /* guest TSC */
uint64_t vclock_now(const struct vclock *c);                     /* guest ns */
uint64_t vclock_tsc_to_ns(const struct vclock *c, uint64_t tsc); /* guest TSC to guest ns, saturating */
/*
 * The same for who has no time for a call. The compiler would call its library for the division, because it cannot know
 * that the quotient fits, and save registers for a product of 128 bits.
 */
static inline uint64_t vclock_tsc_to_ns_inline(const struct vclock *c, uint64_t tsc)
{
	uint64_t low = tsc, high;

	__asm__("mulq %2" : "+a"(low), "=d"(high) : "r"(1000000ull) : "cc");
	if (high >= c->host_khz)
		return UINT64_MAX;
	__asm__("divq %2" : "+a"(low), "+d"(high) : "rm"(c->host_khz) : "cc");
	return low;
}
uint64_t vclock_ns_to_tsc(const struct vclock *c, uint64_t ns);
uint64_t vclock_ns_to_host(const struct vclock *c, uint64_t ns); /* host TSC of that moment; UINT64_MAX: never */

struct vtimer {
	uint64_t deadline;        /* guest ns, or VTIMER_OFF; atomic: vtimers_next() asks for it at any time */
	void (*fire)(void *ctx);  /* deadline is VTIMER_OFF when called; may arm again */
	void *ctx;
	bool *changed;            /* of those it is registered with, or NULL */
};

/* Timers of a VM's devices, guarded by its lock, or of one vCPU, whose own they are. */
struct vtimers {
	struct vclock *clock;
	struct vtimer *list[VTIMERS_MAX];
	unsigned int count;
	bool changed;             /* atomic: `earliest` may be wrong */
	uint64_t earliest;        /* vtimers_earliest() */
};

void vtimers_init(struct vtimers *t, struct vclock *c);
void vtimer_register(struct vtimers *t, struct vtimer *timer, void (*fire)(void *), void *ctx);
/* now is vclock_now(): fires, in deadline order, what is due at now. Bounded: each timer at most once a call. */
void vtimers_run(struct vtimers *t, uint64_t now);
/* Earliest deadline in guest ns, or VTIMER_OFF. */
uint64_t vtimers_next(const struct vtimers *t);
/* The same, for the only CPU that arms any of them: it looks only if one was armed or disarmed since. */
static inline uint64_t vtimers_earliest(struct vtimers *t)
{
	if (__atomic_load_n(&t->changed, __ATOMIC_RELAXED)) {
		__atomic_store_n(&t->changed, false, __ATOMIC_RELAXED);
		t->earliest = vtimers_next(t);
	}
	return t->earliest;
}

static inline void vtimer_arm(struct vtimer *t, uint64_t deadline)
{
	__atomic_store_n(&t->deadline, deadline, __ATOMIC_RELAXED);
	if (t->changed)
		__atomic_store_n(t->changed, true, __ATOMIC_RELAXED);
}
/* The same for one that is registered. */
static inline void vtimer_arm_registered(struct vtimer *t, uint64_t deadline)
{
	__atomic_store_n(&t->deadline, deadline, __ATOMIC_RELAXED);
	__atomic_store_n(t->changed, true, __ATOMIC_RELAXED);
}
static inline void vtimer_disarm(struct vtimer *t) { vtimer_arm(t, VTIMER_OFF); }

#endif
