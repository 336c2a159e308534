/* SPDX-License-Identifier: BSD-2-Clause */
/* Posting to a vCPU: bits that are set and taken atomically. What they mean is the machine's and core/vcpu_init.c's. */
#include "post.h"

#include <string.h>

/* Whoever posts first since the last look tells the CPU: the bits stand before this does. */
static bool tell(struct vcpu_posted *p)
{
	return !__atomic_exchange_n(&p->pending, 1, __ATOMIC_SEQ_CST);
}

/* INIT undoes the SIPIs before it; of the SIPIs after it the first counts. */
static uint32_t with_signal(uint32_t old, uint32_t signal)
{
	if (signal & POST_INIT)
		return (old & ~POST_TO_CORE) | POST_INIT;
	if ((signal & POST_SIPI) && (old & POST_SIPI))
		return old;
	return old | signal;
}

/* Each time that the exchange fails, somebody else's has not: at most one for each of the VM's vCPUs that sends meanwhile. */
bool post_signal(struct vcpu_posted *p, uint32_t signal)
{
	uint32_t old = __atomic_load_n(&p->signals, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&p->signals, &old, with_signal(old, signal), false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	return tell(p);
}

static bool post_vector(struct vcpu_posted *p, uint8_t vector, bool level)
{
	uint64_t *map = level ? p->level : p->edge;

	__atomic_fetch_or(&map[vector / 64], 1ull << vector % 64, __ATOMIC_SEQ_CST);
	return tell(p);
}

bool post_message(struct vcpu_posted *p, const struct apic_msg *m)
{
	switch (m->mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST: return post_vector(p, m->vector, m->level_trig);
	case APIC_MODE_NMI:    return post_signal(p, POST_NMI);
	case APIC_MODE_EXTINT: return post_signal(p, POST_EXTINT);
	case APIC_MODE_INIT:   return post_signal(p, POST_INIT);
	case APIC_MODE_SIPI:   return post_signal(p, POST_SIPI | (uint32_t)m->vector << 24);
	default:               return false;
	}
}

static void take_map(uint64_t *from, uint64_t *to)
{
	for (unsigned int i = 0; i < 4; i++)
		if (__atomic_load_n(&from[i], __ATOMIC_RELAXED))
			to[i] = __atomic_exchange_n(&from[i], 0, __ATOMIC_SEQ_CST);
}

/* The flag first: what comes after that is told anew. */
void post_take(struct vcpu_posted *p, struct vcpu_posted *got)
{
	memset(got, 0, sizeof(*got));
	got->pending = __atomic_exchange_n(&p->pending, 0, __ATOMIC_SEQ_CST);
	got->signals = __atomic_exchange_n(&p->signals, 0, __ATOMIC_SEQ_CST);
	take_map(p->edge, got->edge);
	take_map(p->level, got->level);
}
