/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far another CPU's TSC is from the boot CPU's: the two send each other their readings, and each round bounds the
 * difference from both sides. The reckoning is pure.
 */
#ifndef ARCH_X86_CPU_TSC_SYNC_H
#define ARCH_X86_CPU_TSC_SYNC_H

#include <vouch/types.h>

/* The difference, other minus boot, is within [low, high]. */
struct tsc_bounds {
	int64_t low, high;
};

static inline void tsc_bounds_init(struct tsc_bounds *b) { *b = (struct tsc_bounds){ INT64_MIN, INT64_MAX }; }
/* The boot CPU read before, then the other one other, then the boot CPU after. */
void tsc_bounds_add(struct tsc_bounds *b, uint64_t before, uint64_t other, uint64_t after);
/*
 * The difference: 0 if the bounds allow that they are in step, else their middle. Bounds that contradict each other (a
 * counter that does not run evenly) give their middle too, and *steady false.
 */
int64_t tsc_bounds_delta(const struct tsc_bounds *b, bool *steady);

/* What the two CPUs share while they measure. */
struct tsc_sync {
	uint32_t asked, answered;     /* atomic: rounds */
	uint64_t other;               /* the answer */
};

/* On the boot CPU, while the other one answers; false if it stopped to, within a second. Either order of calls. */
bool tsc_sync_ask(struct tsc_sync *s, struct tsc_bounds *b, uint64_t tsc_khz);
void tsc_sync_answer(struct tsc_sync *s);

#endif
