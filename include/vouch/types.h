/* SPDX-License-Identifier: BSD-2-Clause */
/* Address types, spans and small arithmetic shared by every room. No code that needs a CPU mode or a library. */
#ifndef VOUCH_TYPES_H
#define VOUCH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define SIZE_2M    (2ul << 20)
#define SIZE_1G    (1ul << 30)

/* Guest-physical and host-physical addresses: one-member structs, so that mixing them does not compile. */
typedef struct { uint64_t v; } gpa_t;
typedef struct { uint64_t v; } hpa_t;

static inline gpa_t gpa(uint64_t v) { return (gpa_t){ v }; }
static inline hpa_t hpa(uint64_t v) { return (hpa_t){ v }; }
static inline gpa_t gpa_add(gpa_t a, uint64_t n) { return (gpa_t){ a.v + n }; }
static inline hpa_t hpa_add(hpa_t a, uint64_t n) { return (hpa_t){ a.v + n }; }

/* True if [off, off + len) lies within total bytes; cannot wrap. */
static inline bool span_ok(uint64_t off, uint64_t len, uint64_t total)
{
	return off <= total && len <= total - off;
}

/* True if [a, a + alen) and [b, b + blen) share a byte. Neither range may wrap. */
static inline bool span_overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return alen && blen && a < b + blen && b < a + alen;
}

/* a must be a power of two; the caller makes sure that v + a - 1 does not wrap. */
static inline uint64_t align_up(uint64_t v, uint64_t a) { return (v + a - 1) & ~(a - 1); }
static inline uint64_t align_down(uint64_t v, uint64_t a) { return v & ~(a - 1); }

static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* a * b / c without overflow of the product; the quotient must fit 64 bits. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)((unsigned __int128)a * b / c);
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define __must_check __attribute__((warn_unused_result))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __noreturn __attribute__((noreturn))

#endif
