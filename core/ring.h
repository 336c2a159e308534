/* SPDX-License-Identifier: BSD-2-Clause */
/* The latest bytes of a stream. Positions count from the stream's first byte and never wrap; no locking of its own. */
#ifndef CORE_RING_H
#define CORE_RING_H

#include <vouch/types.h>

struct ring {
	uint8_t *bytes;
	uint32_t size;                /* power of two */
	uint64_t head;                /* bytes ever put */
};

/* The position of the oldest byte that is still there. */
static inline uint64_t ring_tail(const struct ring *r)
{
	return r->head > r->size ? r->head - r->size : 0;
}

static inline void ring_put(struct ring *r, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->bytes[r->head++ & (r->size - 1)] = bytes[i];
}

/* pos: from the tail on, below the head. */
static inline uint8_t ring_at(const struct ring *r, uint64_t pos)
{
	return r->bytes[pos & (r->size - 1)];
}

/* How many bytes from pos on lie in one piece, and where. pos: from the tail to the head. */
static inline size_t ring_span(const struct ring *r, uint64_t pos, const uint8_t **p)
{
	uint32_t at = (uint32_t)(pos & (r->size - 1));

	*p = r->bytes + at;
	return (size_t)min_u64(r->head - pos, r->size - at);
}

#endif
