/* SPDX-License-Identifier: BSD-2-Clause */
/* RDRAND where there is one, always mixed with the TSC. */
#include "entropy.h"

#include "asm.h"

#define RDRAND_TRIES 10

static uint64_t rdrand_read(void)
{
	unsigned int i;
	uint64_t v = 0;
	uint8_t ok = 0;

	if (!(cpuid_leaf(1, 0).ecx & 1u << 30))
		return 0;
	for (i = 0; i < RDRAND_TRIES && !ok; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(v), "=qm"(ok) : : "cc");
	return ok ? v : 0;
}

uint64_t entropy_read(void)
{
	uint64_t x = rdrand_read() ^ tsc_read() * 0x9e3779b97f4a7c15ull;

	/* Spreads the TSC's few moving bits over the word; any odd multiplier does. */
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}
