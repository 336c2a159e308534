/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of CPUs, by index, that any CPU may read and change at any time. */
#ifndef VOUCH_CPU_SET_H
#define VOUCH_CPU_SET_H

#include <vouch/pcpu.h>

struct cpu_set {
	uint64_t word[CPUS_MAX / 64]; /* atomic */
};

static inline bool cpu_set_has(const struct cpu_set *s, unsigned int cpu)
{
	return __atomic_load_n(&s->word[cpu / 64], __ATOMIC_RELAXED) >> cpu % 64 & 1;
}

/* Nothing that follows in the program is done before it is seen by all. */
static inline void cpu_set_add(struct cpu_set *s, unsigned int cpu)
{
	__atomic_fetch_or(&s->word[cpu / 64], 1ull << cpu % 64, __ATOMIC_SEQ_CST);
}

static inline void cpu_set_remove(struct cpu_set *s, unsigned int cpu)
{
	__atomic_fetch_and(&s->word[cpu / 64], ~(1ull << cpu % 64), __ATOMIC_SEQ_CST);
}

#endif
