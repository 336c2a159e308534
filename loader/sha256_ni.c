/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256's compression by the CPU's SHA extensions; crypto.c has the rest of SHA-256. SDM 2 "SHA256RNDS2",
 * "SHA256MSG1", "SHA256MSG2": the state is held as two registers, A B E F and C D G H from the highest lane down.
 * Vector code: in Vouch only between fpu_begin() and fpu_end() (lib.h).
 */
#include <vouch/crypto.h>

#include <cpuid.h>
#include <immintrin.h>

#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)
#define TARGET __attribute__((target("sha,sse4.1,ssse3")))

/* FIPS 180-4 "SHA-224 and SHA-256 Constants" (4.2.2). */
static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* SHA, SSE4.1 (PBLENDW) and SSSE3 (PSHUFB, PALIGNR): SDM 2 "CPUID". Any system that runs programs keeps XMM. */
bool sha256_ni_usable(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* The four message words of round group i, from those of the four groups before. */
TARGET static inline __m128i schedule(const __m128i w[4], unsigned int i)
{
	__m128i one = w[(i + 3) % 4], two = w[(i + 2) % 4];
	__m128i t = _mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]);

	return _mm_sha256msg2_epu32(_mm_add_epi32(t, _mm_alignr_epi8(one, two, 4)), one);
}

TARGET void sha256_ni_blocks(uint32_t h[8], const uint8_t *blocks, size_t n)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i cdab = _mm_shuffle_epi32(LOAD(h), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(LOAD(h + 4), 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

	for (; n; n--, blocks += 64) {
		__m128i abef_before = abef, cdgh_before = cdgh, w[4];

#pragma GCC unroll 16
		for (unsigned int i = 0; i < 16; i++) {
			__m128i round;

			if (i < 4)
				w[i] = _mm_shuffle_epi8(LOAD(blocks + 16 * i), swap);
			else
				w[i % 4] = schedule(w, i);
			round = _mm_add_epi32(w[i % 4], LOAD(k + 4 * i));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, round);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(round, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	abef = _mm_shuffle_epi32(abef, 0x1b);
	cdgh = _mm_shuffle_epi32(cdgh, 0xb1);
	STORE(h, _mm_blend_epi16(abef, cdgh, 0xf0));
	STORE(h + 4, _mm_alignr_epi8(cdgh, abef, 8));
}
