/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time that something has spent at something, in ticks of the TSC, in one word: one CPU at a time counts, any may read, and
 * nobody ever sees half of it. While it counts, bit 0 is set and the beginning is already taken off; so the last bit of
 * each moment is lost.
 */
#ifndef VOUCH_SPENT_H
#define VOUCH_SPENT_H

#include <vouch/types.h>

static inline void spent_begin(uint64_t *spent, uint64_t now)
{
	__atomic_store_n(spent, (*spent - (now & ~1ull)) | 1, __ATOMIC_RELAXED);
}

static inline void spent_end(uint64_t *spent, uint64_t now)
{
	__atomic_store_n(spent, (*spent & ~1ull) + (now & ~1ull), __ATOMIC_RELAXED);
}

static inline bool spent_counts(const uint64_t *spent)
{
	return __atomic_load_n(spent, __ATOMIC_RELAXED) & 1;
}

/* Up to now. Not less than nothing, if that is another CPU's TSC and a little behind. */
static inline uint64_t spent_so_far(const uint64_t *spent, uint64_t now)
{
	uint64_t n = __atomic_load_n(spent, __ATOMIC_RELAXED);

	n = n & 1 ? (n & ~1ull) + (now & ~1ull) : n;
	return (int64_t)n < 0 ? 0 : n;
}

#endif
