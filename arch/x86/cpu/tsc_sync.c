/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparing two CPUs' TSCs by messages. Each round takes as long as a cache line needs to cross twice. */
#include "tsc_sync.h"

#include "asm.h"

#define ROUNDS 16u

void tsc_bounds_add(struct tsc_bounds *b, uint64_t before, uint64_t other, uint64_t after)
{
	int64_t low = (int64_t)(other - after), high = (int64_t)(other - before);

	if (low > b->low)
		b->low = low;
	if (high < b->high)
		b->high = high;
}

int64_t tsc_bounds_delta(const struct tsc_bounds *b, bool *steady)
{
	*steady = b->low <= b->high;
	if (*steady && b->low <= 0 && b->high >= 0)
		return 0;
	/* The sum could wrap, half the distance cannot: as an unsigned number it is right for any two. */
	return *steady ? b->low + (int64_t)(((uint64_t)b->high - (uint64_t)b->low) / 2) :
			 b->high + (int64_t)(((uint64_t)b->low - (uint64_t)b->high) / 2);
}

bool tsc_sync_ask(struct tsc_sync *s, struct tsc_bounds *b, uint64_t tsc_khz)
{
	tsc_bounds_init(b);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		uint64_t before = tsc_read(), after;

		__atomic_store_n(&s->asked, round, __ATOMIC_RELEASE);
		do {
			cpu_relax();
			after = tsc_read();
			if (after - before > tsc_khz * 1000)
				return false;
		} while (__atomic_load_n(&s->answered, __ATOMIC_ACQUIRE) != round);
		/* This reading is behind the answer; the loop's last one may have been before it. */
		after = tsc_read();
		tsc_bounds_add(b, before, s->other, after);
	}
	return true;
}

void tsc_sync_answer(struct tsc_sync *s)
{
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		while (__atomic_load_n(&s->asked, __ATOMIC_ACQUIRE) != round)
			cpu_relax();
		s->other = tsc_read();
		__atomic_store_n(&s->answered, round, __ATOMIC_RELEASE);
	}
}
