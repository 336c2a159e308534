/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See crypto_memory.h. Blocks are powers of two; a freed one goes to the list of its size and is taken again from there,
 * since the library allocates and frees the same few sizes thousands of times. Nothing is given back to the arena.
 */
#include "crypto_memory.h"

#include <string.h>

#include <vouch/assert.h>
#include <vouch/lib.h>

#define LEAST   16ul                  /* bytes of the smallest block */
#define CLASSES 12u                   /* up to 32 KiB */

/* In front of each block; its size keeps the block aligned. */
struct crypto_block {
	uint64_t class;
	struct crypto_block *next;    /* while it is free */
};
_Static_assert(sizeof(struct crypto_block) == LEAST, "blocks must stay aligned");

/* At the arena's begin. */
struct crypto_arena {
	size_t used, size;
	struct crypto_block *free[CLASSES];
};

void crypto_memory_begin(void *base, size_t size)
{
	struct crypto_arena *a = base;

	ASSERT((uintptr_t)base % LEAST == 0 && size >= sizeof(*a));
	*a = (struct crypto_arena){ .used = align_up(sizeof(*a), LEAST), .size = size };
	*lib_arena_slot() = a;
}

void crypto_memory_end(void)
{
	*lib_arena_slot() = NULL;
}

/* A block that was never used, or NULL. */
static struct crypto_block *carve(struct crypto_arena *a, unsigned int class)
{
	size_t bytes = sizeof(struct crypto_block) + (LEAST << class);
	struct crypto_block *b = (struct crypto_block *)(void *)((uint8_t *)a + a->used);

	if (!span_ok(a->used, bytes, a->size))
		return NULL;
	a->used += bytes;
	b->class = class;
	return b;
}

void *crypto_calloc(size_t count, size_t size)
{
	struct crypto_arena *a = *lib_arena_slot();
	struct crypto_block *b;
	unsigned int class = 0;
	size_t bytes;

	lib_assert();
	if (!a || __builtin_mul_overflow(count, size, &bytes))
		return NULL;
	while (class < CLASSES && (LEAST << class) < bytes)
		class++;
	if (class == CLASSES)
		return NULL;
	b = a->free[class];
	if (b)
		a->free[class] = b->next;
	else
		b = carve(a, class);
	return b ? memset(b + 1, 0, LEAST << class) : NULL;
}

void crypto_free(void *block)
{
	struct crypto_arena *a = *lib_arena_slot();
	struct crypto_block *b;

	lib_assert();
	if (!block)
		return;
	ASSERT(a);
	b = (struct crypto_block *)block - 1;
	b->next = a->free[b->class];
	a->free[b->class] = b;
}
