/* SPDX-License-Identifier: BSD-2-Clause */
/* The bounded memory of one XML parse: a bump allocator whose newest block alone can grow in place or be freed. */
#ifndef LOADER_XML_ARENA_H
#define LOADER_XML_ARENA_H

#include <vouch/manifest.h>

/* Forgets everything in it. */
void arena_reset(struct xml_arena *a);

/* 16-byte aligned and not cleared, or NULL when the arena has no room for it. */
void *arena_alloc(struct xml_arena *a, size_t size);

/* As realloc: NULL leaves the old block as it was. */
void *arena_grow(struct xml_arena *a, void *block, size_t size);

/* Gives back the newest block; any other stays until arena_reset(). */
void arena_free(struct xml_arena *a, void *block);

#endif
