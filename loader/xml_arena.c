/* SPDX-License-Identifier: BSD-2-Clause */
/* See xml_arena.h. Knows nothing of XML. */
#include "xml_arena.h"

#include <string.h>

#define ARENA_ALIGN 16u
#define NO_BLOCK    SIZE_MAX

struct arena_block {
	size_t size;                  /* of the bytes behind this header, rounded up */
	size_t before;                /* offset of the block that was the newest when this one came */
};

_Static_assert(sizeof(struct arena_block) == ARENA_ALIGN, "blocks must stay aligned");

/* The offset of the first aligned byte; base itself may have any alignment. */
static size_t arena_first(const struct xml_arena *a)
{
	return (size_t)(-(uintptr_t)a->base & (ARENA_ALIGN - 1));
}

static struct arena_block *block_at(const struct xml_arena *a, size_t off)
{
	return (struct arena_block *)((char *)a->base + off);
}

static size_t block_offset(const struct xml_arena *a, const void *block)
{
	return (size_t)((const char *)block - (const char *)a->base) - sizeof(struct arena_block);
}

void arena_reset(struct xml_arena *a)
{
	a->used = arena_first(a);
	a->last = NO_BLOCK;
}

/* size rounded up, or 0 if it and a header cannot fit behind off. */
static size_t room_for(const struct xml_arena *a, size_t off, size_t size)
{
	size_t need;

	if (size > a->size)
		return 0;
	need = (size_t)align_up(size ? size : 1, ARENA_ALIGN);
	return span_ok(off, (uint64_t)need + sizeof(struct arena_block), a->size) ? need : 0;
}

void *arena_alloc(struct xml_arena *a, size_t size)
{
	size_t need = room_for(a, a->used, size);
	struct arena_block *b;

	if (!need)
		return NULL;
	b = block_at(a, a->used);
	b->size = need;
	b->before = a->last;
	a->last = a->used;
	a->used += sizeof(*b) + need;
	return b + 1;
}

void *arena_grow(struct xml_arena *a, void *block, size_t size)
{
	struct arena_block *b;
	size_t need;
	void *copy;

	if (!block)
		return arena_alloc(a, size);
	b = (struct arena_block *)block - 1;
	if (block_offset(a, block) == a->last) {
		need = room_for(a, a->last, size);
		if (!need)
			return NULL;
		b->size = need;
		a->used = a->last + sizeof(*b) + need;
		return block;
	}
	if (size <= b->size)
		return block;
	copy = arena_alloc(a, size);
	if (copy)
		memcpy(copy, block, b->size);
	return copy;
}

void arena_free(struct xml_arena *a, void *block)
{
	if (!block || block_offset(a, block) != a->last)
		return;
	a->used = a->last;
	a->last = block_at(a, a->last)->before;
}
