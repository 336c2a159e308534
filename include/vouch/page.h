/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host page frames: a buddy allocator over the memory map, 4 KiB to 1 GiB blocks, free lists threaded through the
 * free pages themselves. Pages are scrubbed by whoever frees guest memory (page_scrub) and poisoned in debug builds.
 */
#ifndef VOUCH_PAGE_H
#define VOUCH_PAGE_H

#include <vouch/lock.h>
#include <vouch/types.h>

#define PAGE_ORDER_4K 0u
#define PAGE_ORDER_2M 9u
#define PAGE_ORDER_1G 18u
#define PAGE_ORDERS   19u

/* All RAM is mapped, non-executable, at this virtual address; host tests put their own memory there. */
#ifndef DIRECT_MAP_BASE
#define DIRECT_MAP_BASE 0xffff800000000000ull
#endif
static inline void *hpa_to_ptr(hpa_t a) { return (void *)(uintptr_t)((uint64_t)DIRECT_MAP_BASE + a.v); }
static inline hpa_t ptr_to_hpa(const void *p) { return hpa((uint64_t)(uintptr_t)p - (uint64_t)DIRECT_MAP_BASE); }

struct free_block;

struct page_alloc {
	struct lock lock;                       /* guards all below */
	struct free_block *free[PAGE_ORDERS];
	uint8_t *state;                         /* one byte a frame: order and whether a free block starts here */
	uint64_t frames;                        /* frames covered by state[], from HPA 0 */
	uint64_t free_frames, total_frames;
};

/* state must hold frames bytes, zeroed: nothing free. */
void page_alloc_init(struct page_alloc *p, uint8_t *state, uint64_t frames);
/* Gives [base, base + len), page aligned inward, to the allocator. Must not overlap what it has. */
void page_add(struct page_alloc *p, hpa_t base, uint64_t len);
/* A naturally aligned block of 2^order frames; contents undefined. False if there is none. */
__must_check bool page_get(struct page_alloc *p, unsigned int order, hpa_t *out);
__must_check bool page_get_zeroed(struct page_alloc *p, unsigned int order, hpa_t *out);
void page_put(struct page_alloc *p, hpa_t base, unsigned int order);
/* Zeroes a block; for memory that held guest data or a refused image. */
void page_scrub(hpa_t base, unsigned int order);

#endif
