/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator of host page frames, and the caches before it. Where RAM is, and what of it is spoken for, is
 * core/memory.c's subject.
 */
#include <vouch/page.h>

#include <string.h>

#include <vouch/assert.h>
#include <vouch/pcpu.h>

/* state[] of the first frame of a block; frames inside a block are 0. */
#define STATE_FREE   0x80u
#define STATE_USED   0x40u
#define STATE_CACHED 0x20u

struct free_block {
	struct free_block *next, *prev;
};

void page_alloc_init(struct page_alloc *p, uint8_t *state, uint64_t frames)
{
	*p = (struct page_alloc){ .state = state, .frames = frames };
	lock_init(&p->lock, LOCK_PAGES, "pages");
}

/* A neighbour's byte is looked at while its owner, without the lock, writes it: any answer will do then but "free". */
static uint8_t state_of(const struct page_alloc *p, uint64_t frame)
{
	return __atomic_load_n(&p->state[frame], __ATOMIC_RELAXED);
}

static void state_set(struct page_alloc *p, uint64_t frame, unsigned int state)
{
	__atomic_store_n(&p->state[frame], (uint8_t)state, __ATOMIC_RELAXED);
}

static struct free_block *frame_block(uint64_t frame)
{
	return hpa_to_ptr(hpa(frame << PAGE_SHIFT));
}

static unsigned int node_of(const struct page_alloc *p, uint64_t frame)
{
	for (unsigned int i = 0; i < p->ranges; i++)
		if (frame >= p->range[i].first && frame < p->range[i].end)
			return p->range[i].node;
	return 0;
}

static void block_link(struct page_alloc *p, uint64_t frame, unsigned int order)
{
	struct free_block **list = &p->free[node_of(p, frame)][order], *b = frame_block(frame);

	b->next = *list;
	b->prev = NULL;
	if (b->next)
		b->next->prev = b;
	*list = b;
	state_set(p, frame, STATE_FREE | order);
}

static void block_unlink(struct page_alloc *p, uint64_t frame, unsigned int order)
{
	struct free_block *b = frame_block(frame);

	if (b->prev)
		b->prev->next = b->next;
	else
		p->free[node_of(p, frame)][order] = b->next;
	if (b->next)
		b->next->prev = b->prev;
	state_set(p, frame, 0);
}

/* Links a block after joining it with its free buddies of the same node, and theirs. */
static void block_free(struct page_alloc *p, uint64_t frame, unsigned int order)
{
	while (order < PAGE_ORDERS - 1) {
		uint64_t buddy = frame ^ 1ull << order;

		if (buddy >= p->frames || state_of(p, buddy) != (STATE_FREE | order) ||
		    node_of(p, buddy) != node_of(p, frame))
			break;
		block_unlink(p, buddy, order);
		frame &= ~(1ull << order);
		order++;
	}
	block_link(p, frame, order);
}

/* The same for a block that nobody knows to be of one node: in halves, while a range begins or ends inside. */
static void block_free_parts(struct page_alloc *p, uint64_t frame, unsigned int order)
{
	uint64_t end = frame + (1ull << order);
	bool cut = false;

	for (unsigned int i = 0; i < p->ranges; i++)
		cut |= (p->range[i].first > frame && p->range[i].first < end) ||
		       (p->range[i].end > frame && p->range[i].end < end);
	if (!cut || !order) {
		block_free(p, frame, order);
		return;
	}
	block_free_parts(p, frame, order - 1);
	block_free_parts(p, frame + (1ull << (order - 1)), order - 1);
}

static struct page_cache *my_cache(const struct page_alloc *p)
{
	return p->cache && this_cpu()->id < p->caches ? &p->cache[this_cpu()->id] : NULL;
}

static void count_free(struct page_alloc *p, uint64_t frames)
{
	struct page_cache *c = my_cache(p);

	__atomic_add_fetch(&p->free_frames, frames, __ATOMIC_RELAXED);
	if (c)
		c->taken -= frames;
}

uint64_t page_taken(const struct page_alloc *p)
{
	const struct page_cache *c = my_cache(p);

	return c ? c->taken : p->total_frames - __atomic_load_n(&p->free_frames, __ATOMIC_RELAXED);
}

void page_add(struct page_alloc *p, hpa_t base, uint64_t len)
{
	uint64_t frame, end;

	/* Inward: a frame that is RAM only in part is not given out. */
	if (len < PAGE_SIZE || base.v > UINT64_MAX - len - PAGE_SIZE)
		return;
	frame = align_up(base.v, PAGE_SIZE) >> PAGE_SHIFT;
	end = min_u64((base.v + len) >> PAGE_SHIFT, p->frames);
	lock_take(&p->lock);
	while (frame < end) {
		unsigned int order = PAGE_ORDERS - 1;

		while (order && (frame & ((1ull << order) - 1) || (1ull << order) > end - frame))
			order--;
		ASSERT(state_of(p, frame) == 0);
		block_free_parts(p, frame, order);
		count_free(p, 1ull << order);
		p->total_frames += 1ull << order;
		frame += 1ull << order;
	}
	lock_drop(&p->lock);
}

void page_set_nodes(struct page_alloc *p, const struct page_range *range, unsigned int count)
{
	struct free_block *all[PAGE_ORDERS];

	ASSERT(!p->ranges && !p->cache && count <= PAGE_RANGES);
	lock_take(&p->lock);
	memcpy(all, p->free[0], sizeof(all));
	memset(p->free, 0, sizeof(p->free));
	memcpy(p->range, range, count * sizeof(*range));
	p->ranges = count;
	for (unsigned int order = 0; order < PAGE_ORDERS; order++) {
		while (all[order]) {
			uint64_t frame = ptr_to_hpa(all[order]).v >> PAGE_SHIFT;

			all[order] = all[order]->next;
			state_set(p, frame, 0);
			block_free_parts(p, frame, order);
		}
	}
	lock_drop(&p->lock);
}

/* A block of this order or a larger one, the smallest there is; PAGE_ORDERS if there is none. */
static unsigned int order_there(const struct page_alloc *p, unsigned int order, unsigned int node)
{
	while (order < PAGE_ORDERS && !p->free[node][order])
		order++;
	return order;
}

/* From a block of order most at most. */
static bool block_take(struct page_alloc *p, unsigned int order, unsigned int node, unsigned int most, uint64_t *out)
{
	unsigned int have = order_there(p, order, node);
	uint64_t frame;

	if (have > most)
		return false;
	frame = ptr_to_hpa(p->free[node][have]).v >> PAGE_SHIFT;
	block_unlink(p, frame, have);
	while (have > order) {
		have--;
		block_link(p, frame + (1ull << have), have);
	}
	state_set(p, frame, STATE_USED | order);
	*out = frame;
	return true;
}

/* ------------------------------------------------------------------------------------------------- caches */

void page_set_caches(struct page_alloc *p, struct page_cache *cache, unsigned int count)
{
	ASSERT(!p->cache);
	for (unsigned int i = 0; i < count; i++) {
		cache[i].count = 0;
		lock_init(&cache[i].lock, LOCK_PAGE_CACHE, "page cache");
	}
	p->cache = cache;
	p->caches = count;
}

static unsigned int my_node(const struct page_alloc *p)
{
	return p->ranges ? this_cpu()->node : 0;
}

/* The caller holds the cache's lock. The oldest go first: the others may still be in this CPU's caches. */
static void cache_shrink(struct page_alloc *p, struct page_cache *c, uint32_t n)
{
	lock_take(&p->lock);
	for (uint32_t i = 0; i < n; i++) {
		state_set(p, c->frame[i], 0);
		block_free(p, c->frame[i], 0);
	}
	lock_drop(&p->lock);
	c->count -= n;
	memmove(c->frame, c->frame + n, c->count * sizeof(c->frame[0]));
}

static void caches_empty(struct page_alloc *p)
{
	for (unsigned int i = 0; i < p->caches; i++) {
		lock_take(&p->cache[i].lock);
		cache_shrink(p, &p->cache[i], p->cache[i].count);
		lock_drop(&p->cache[i].lock);
	}
}

static void cache_fill(struct page_alloc *p, struct page_cache *c)
{
	uint64_t frame;

	lock_take(&p->lock);
	/* Of this node alone: far memory is for when there is no other. */
	while (c->count < PAGE_CACHE_BATCH && block_take(p, 0, my_node(p), PAGE_ORDER_1G - 1, &frame)) {
		state_set(p, frame, STATE_CACHED);
		c->frame[c->count++] = frame;
	}
	lock_drop(&p->lock);
}

static bool cache_take(struct page_alloc *p, struct page_cache *c, uint64_t *frame)
{
	bool ok;

	lock_take(&c->lock);
	if (!c->count)
		cache_fill(p, c);
	ok = c->count > 0;
	if (ok) {
		*frame = c->frame[--c->count];
		state_set(p, *frame, STATE_USED);
	}
	lock_drop(&c->lock);
	return ok;
}

static void cache_put(struct page_alloc *p, struct page_cache *c, uint64_t frame)
{
	lock_take(&c->lock);
	if (c->count == PAGE_CACHE_MAX)
		cache_shrink(p, c, PAGE_CACHE_BATCH);
	state_set(p, frame, STATE_CACHED);
	c->frame[c->count++] = frame;
	lock_drop(&c->lock);
}

/* ---------------------------------------------------------------------------------------------- for callers */

static bool take_locked(struct page_alloc *p, unsigned int order, unsigned int node, unsigned int most, uint64_t *frame)
{
	bool ok;

	lock_take(&p->lock);
	ok = block_take(p, order, node, most, frame);
	lock_drop(&p->lock);
	return ok;
}

/* Of the node, whatever must be split for it. */
static bool take_near(struct page_alloc *p, unsigned int order, unsigned int node, uint64_t *frame)
{
	unsigned int last = PAGE_ORDERS - 1;

	if (!p->cache)
		return take_locked(p, order, node, last, frame);
	/* While caches hold pages, a block of 1 GiB is not touched for a part of it. */
	if (order < PAGE_ORDER_1G && take_locked(p, order, node, PAGE_ORDER_1G - 1, frame))
		return true;
	caches_empty(p);
	return take_locked(p, order, node, last, frame);
}

bool page_get_near(struct page_alloc *p, unsigned int order, unsigned int node, hpa_t *out)
{
	uint64_t frame = 0;
	bool ok;

	*out = hpa(0);
	if (order >= PAGE_ORDERS || node >= PAGE_NODES)
		return false;
	ok = take_near(p, order, node, &frame);
	for (unsigned int i = 0; !ok && p->ranges && i < PAGE_NODES; i++)
		ok = take_locked(p, order, i, PAGE_ORDERS - 1, &frame);
	if (!ok)
		return false;
	count_free(p, -(1ull << order));
	*out = hpa(frame << PAGE_SHIFT);
	return true;
}

bool page_get(struct page_alloc *p, unsigned int order, hpa_t *out)
{
	struct page_cache *c = order ? NULL : my_cache(p);
	uint64_t frame;

	if (!c || !cache_take(p, c, &frame))
		return page_get_near(p, order, my_node(p), out);
	count_free(p, -1ull);
	*out = hpa(frame << PAGE_SHIFT);
	return true;
}

bool page_get_zeroed(struct page_alloc *p, unsigned int order, hpa_t *out)
{
	if (!page_get(p, order, out))
		return false;
	page_scrub(*out, order);
	return true;
}

void page_put(struct page_alloc *p, hpa_t base, unsigned int order)
{
	uint64_t frame = base.v >> PAGE_SHIFT;
	struct page_cache *c = order ? NULL : my_cache(p);

	ASSERT(!(base.v & (PAGE_SIZE - 1)) && order < PAGE_ORDERS && frame < p->frames);
	/* Freed twice, with another order, or never given out. */
	ASSERT(state_of(p, frame) == (STATE_USED | order));
#ifdef VOUCH_DEBUG
	/* Whoever still uses it shall notice. */
	memset(hpa_to_ptr(base), 0xdf, PAGE_SIZE << order);
#endif
	if (c && node_of(p, frame) == my_node(p)) {
		cache_put(p, c, frame);
	} else {
		lock_take(&p->lock);
		state_set(p, frame, 0);
		/* It may have been given out before its parts were known to be of different nodes. */
		block_free_parts(p, frame, order);
		lock_drop(&p->lock);
	}
	count_free(p, 1ull << order);
}

void page_scrub(hpa_t base, unsigned int order)
{
	memset(hpa_to_ptr(base), 0, PAGE_SIZE << order);
}
