/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host page frames: a buddy allocator over the memory map, 4 KiB to 1 GiB blocks, free lists threaded through the
 * free pages themselves, lists of its own for each memory node; before it, a few pages that each CPU keeps at hand. Pages
 * are scrubbed by whoever frees guest memory (page_scrub) and poisoned in debug builds.
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

#define PAGE_NODES  16u
#define PAGE_RANGES 32u
#define PAGE_CACHE_MAX   60u            /* pages a CPU keeps */
#define PAGE_CACHE_BATCH 16u            /* how many come or go at once */

/* Frames [first, end) are of a node. Of several that hold a frame the first one counts; what none holds is node 0's. */
struct page_range {
	uint64_t first, end;
	unsigned int node;
};

/* Pages of a CPU's own node for its next requests: 4 KiB each. Any CPU may empty it when memory runs short. */
struct page_cache {
	uint64_t taken;                         /* frames that this CPU has taken, less those it gave back; its own */
	struct lock lock;                       /* LOCK_PAGE_CACHE: guards all below; the allocator's may be taken within */
	uint32_t count;
	uint64_t frame[PAGE_CACHE_MAX];
} __attribute__((aligned(64)));

struct page_alloc {
	struct lock lock;                       /* LOCK_PAGES: guards all below that says nothing else */
	struct free_block *free[PAGE_NODES][PAGE_ORDERS];
	unsigned int ranges;                    /* 0: one node */
	struct page_range range[PAGE_RANGES];   /* const since page_set_nodes() */
	struct page_cache *cache;               /* by CPU id; NULL: none. Const since page_set_caches(), as is caches */
	unsigned int caches;
	uint8_t *state;                         /* atomic, one byte a frame: order, and what starts here */
	uint64_t frames;                        /* frames covered by state[], from HPA 0; const */
	uint64_t free_frames;                   /* atomic: those in caches too */
	uint64_t total_frames;
};

/* state must hold frames bytes, zeroed: nothing free. */
void page_alloc_init(struct page_alloc *p, uint8_t *state, uint64_t frames);
/* Gives [base, base + len), page aligned inward, to the allocator. Must not overlap what it has. */
void page_add(struct page_alloc *p, hpa_t base, uint64_t len);

/*
 * From here on a block is of one node, and a CPU gets memory of its own node (struct pcpu's) before other. What is free is
 * sorted anew, what is given out comes back to its place. One CPU, before caches. count at most PAGE_RANGES.
 */
void page_set_nodes(struct page_alloc *p, const struct page_range *range, unsigned int count);
/* One for each CPU, at the index of its id. The memory stays the allocator's. One CPU, before the others use pages. */
void page_set_caches(struct page_alloc *p, struct page_cache *cache, unsigned int count);

/*
 * A naturally aligned block of 2^order frames; contents undefined. False if there is none. Small ones come from what is
 * in pieces already: a block of 1 GiB is split only when no cache holds anything that could make a smaller one whole.
 */
__must_check bool page_get(struct page_alloc *p, unsigned int order, hpa_t *out);
/* Of that node if it has any, never from a cache. */
__must_check bool page_get_near(struct page_alloc *p, unsigned int order, unsigned int node, hpa_t *out);
__must_check bool page_get_zeroed(struct page_alloc *p, unsigned int order, hpa_t *out);
void page_put(struct page_alloc *p, hpa_t base, unsigned int order);
/*
 * Frames that this CPU has taken, less those that it gave back: two readings tell what lies between. Without caches what all
 * CPUs have.
 */
uint64_t page_taken(const struct page_alloc *p);
/* Zeroes a block; for memory that held guest data or a refused image. */
void page_scrub(hpa_t base, unsigned int order);

#endif
