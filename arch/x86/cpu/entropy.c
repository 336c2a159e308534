/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RDRAND where there is one, always mixed with the TSC; for keys, the CPU's generators and nothing less. SDM 1 "Random
 * Number Generator Instructions": both may fail for a while, RDSEED more often.
 */
#include "entropy.h"

#include <string.h>

#include <vouch/platform.h>

#include "asm.h"

#define RDRAND_TRIES 10u
#define RDSEED_TRIES 1000u
#define RDSEED_WORDS 16u                /* four times what a key needs */
#define RDRAND_WORDS 64u
#define TIMINGS      64u

static bool has_rdrand(void)
{
	return cpuid_leaf(1, 0).ecx & 1u << 30;
}

static bool has_rdseed(void)
{
	return cpuid_leaf(7, 0).ebx & 1u << 18;
}

static bool rdrand(uint64_t *v)
{
	uint8_t ok = 0;

	for (unsigned int i = 0; i < RDRAND_TRIES && !ok; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(*v), "=qm"(ok) : : "cc");
	return ok;
}

static bool rdseed(uint64_t *v)
{
	uint8_t ok = 0;

	for (unsigned int i = 0; i < RDSEED_TRIES && !ok; i++) {
		__asm__ volatile("rdseed %0; setc %1" : "=r"(*v), "=qm"(ok) : : "cc");
		if (!ok)
			cpu_relax();
	}
	return ok;
}

uint64_t entropy_read(void)
{
	uint64_t v, x = tsc_read() * 0x9e3779b97f4a7c15ull;

	if (has_rdrand() && rdrand(&v))
		x ^= v;
	/* Spreads the TSC's few moving bits over the word; any odd multiplier does. */
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

/* False if the generator failed, or gave the same word twice in a row, as broken ones do (ones for ever, for instance). */
static bool add_words(struct sha256 *pool, bool (*read)(uint64_t *v), unsigned int count)
{
	uint64_t v, before = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (!read(&v) || (i && v == before))
			return false;
		before = v;
		sha256_update(pool, &v, sizeof(v));
	}
	return true;
}

/* Worth little: it only has whoever can foresee the generators work for it. CPUID takes its time, above all in a VM. */
static void add_timing(struct sha256 *pool)
{
	uint64_t now = host_epoch();

	sha256_update(pool, &now, sizeof(now));
	for (unsigned int i = 0; i < TIMINGS; i++) {
		cpuid_read(0, 0);
		now = tsc_read();
		sha256_update(pool, &now, sizeof(now));
	}
}

const char *entropy_seed(uint8_t seed[SHA256_LEN])
{
	struct sha256 pool;
	bool seeded, random;

	sha256_init(&pool);
	add_timing(&pool);
	seeded = has_rdseed() && add_words(&pool, rdseed, RDSEED_WORDS);
	random = has_rdrand() && add_words(&pool, rdrand, RDRAND_WORDS);
	if (seeded || random)
		sha256_final(&pool, seed);
	else
		memset(seed, 0, SHA256_LEN);
	memset(&pool, 0, sizeof(pool));
	__asm__ volatile("" : : "r"(&pool) : "memory");
	if (seeded)
		return random ? "RDSEED and RDRAND" : "RDSEED";
	return random ? "RDRAND" : NULL;
}
