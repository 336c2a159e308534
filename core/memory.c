/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the loader's memory map to the page allocator. The map comes from firmware: entries may overlap, wrap or lie;
 * whatever any entry calls reserved is reserved, whatever two entries call RAM is given out once.
 */
#include "memory.h"

#include <vouch/assert.h>

void memory_reserve(struct memory_reserved *r, uint64_t base, uint64_t len)
{
	uint64_t end;

	if (!len || base >= MEMORY_TOP)
		return;
	ASSERT(r->count < MEMORY_RESERVED_MAX);
	end = len > MEMORY_TOP - base ? MEMORY_TOP : align_up(base + len, PAGE_SIZE);
	base = align_down(base, PAGE_SIZE);
	r->span[r->count++] = (struct span){ base, end - base };
}

/* What the loader left, and what its map calls reserved. */
static void reserve_claimed(struct memory_reserved *r, const struct boot_info *b)
{
	uint32_t i;

	memory_reserve(r, b->info.v, b->info_len);
	/* A display that takes main memory may lie in what the map calls RAM. */
	memory_reserve(r, b->screen.base.v, (uint64_t)b->screen.pitch * b->screen.height);
	for (i = 0; i < b->module_count; i++)
		memory_reserve(r, b->module[i].start.v, b->module[i].len);
	for (i = 0; i < b->mem_count; i++)
		if (b->mem[i].type != BOOT_MEM_RAM)
			memory_reserve(r, b->mem[i].base.v, b->mem[i].len);
}

void memory_reserve_boot(struct memory_reserved *r, const struct boot_info *b)
{
	/* Low 1 MiB: real-mode vectors, EBDA, and where other CPUs start. */
	memory_reserve(r, 0, 0x100000);
	reserve_claimed(r, b);
}

bool memory_find_start(const struct boot_info *b, uint64_t *out)
{
	struct memory_reserved r = { .count = 0 };

	/* Real-mode vectors and the BIOS data area. */
	memory_reserve(&r, 0, PAGE_SIZE);
	reserve_claimed(&r, b);
	return memory_find(b, &r, PAGE_SIZE, 0xa0000, out);
}

/* The whole pages of RAM entry i, clipped to [0, MEMORY_TOP); empty if it is not RAM. */
static struct span ram_entry(const struct boot_info *b, uint32_t i)
{
	const struct boot_mem *m = &b->mem[i];
	uint64_t base, end;

	if (m->type != BOOT_MEM_RAM || m->base.v >= MEMORY_TOP)
		return (struct span){ 0, 0 };
	end = m->len > MEMORY_TOP - m->base.v ? MEMORY_TOP : align_down(m->base.v + m->len, PAGE_SIZE);
	base = align_up(m->base.v, PAGE_SIZE);
	return end > base ? (struct span){ base, end - base } : (struct span){ 0, 0 };
}

uint64_t memory_limit(struct boot_info *b, uint64_t top)
{
	uint64_t gone = 0;

	for (uint32_t i = 0; i < b->mem_count; i++) {
		struct boot_mem *m = &b->mem[i];
		uint64_t keep = m->base.v >= top ? 0 : min_u64(m->len, top - m->base.v);

		if (m->type != BOOT_MEM_RAM)
			continue;
		gone += m->len - keep;
		m->len = keep;
	}
	return gone;
}

uint64_t memory_end(const struct boot_info *b)
{
	uint64_t end = 0;
	uint32_t i;

	for (i = 0; i < b->mem_count; i++) {
		struct span s = ram_entry(b, i);

		end = max_u64(end, s.base + s.len);
	}
	return end;
}

/* If s (not empty) hides [*at, ...): moves *at behind it. If it begins later: pulls *end down to it. */
static bool span_clip(struct span s, uint64_t *at, uint64_t *end)
{
	if (!s.len || s.base + s.len <= *at || s.base >= *end)
		return false;
	if (s.base <= *at) {
		*at = s.base + s.len;
		return true;
	}
	*end = s.base;
	return false;
}

/*
 * The first free piece at or after *at of RAM entry i, not beyond limit: [*at, *end). False if there is none. RAM
 * entries before i count as taken, since their walk gave them out.
 */
static bool piece_next(const struct boot_info *b, const struct memory_reserved *r, uint32_t i, uint64_t limit,
		       uint64_t *at, uint64_t *end)
{
	struct span ram = ram_entry(b, i);
	uint64_t stop = min_u64(ram.base + ram.len, limit);
	bool moved;

	*at = max_u64(*at, ram.base);
	do {
		uint32_t k;

		moved = false;
		*end = stop;
		if (*at >= stop)
			return false;
		for (k = 0; k < r->count; k++)
			moved |= span_clip(r->span[k], at, end);
		for (k = 0; k < i; k++)
			moved |= span_clip(ram_entry(b, k), at, end);
		/* A move may have jumped past *end or into a span already looked at: look again from there. */
	} while (moved);
	return *at < *end;
}

bool memory_find(const struct boot_info *b, const struct memory_reserved *r, uint64_t len, uint64_t limit,
		 uint64_t *out)
{
	bool found = false;
	uint64_t at, end;
	uint32_t i;

	for (i = 0; i < b->mem_count; i++) {
		for (at = 0; piece_next(b, r, i, limit, &at, &end); at = end) {
			if (end - at < len || (found && at >= *out))
				continue;
			*out = at;
			found = true;
		}
	}
	return found;
}

void memory_add(struct page_alloc *p, const struct boot_info *b, const struct memory_reserved *r, uint64_t lo,
		uint64_t hi)
{
	uint64_t at, end;
	uint32_t i;

	for (i = 0; i < b->mem_count; i++)
		for (at = lo; piece_next(b, r, i, hi, &at, &end); at = end)
			page_add(p, hpa(at), end - at);
}
