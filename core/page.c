/* SPDX-License-Identifier: BSD-2-Clause */
/* The buddy allocator of host page frames. Where RAM is, and what of it is spoken for, is core/memory.c's subject. */
#include <vouch/page.h>

#include <string.h>

#include <vouch/assert.h>

/* state[] of the first frame of a block; frames inside a block are 0. */
#define STATE_FREE 0x80u
#define STATE_USED 0x40u

struct free_block {
	struct free_block *next, *prev;
};

void page_alloc_init(struct page_alloc *p, uint8_t *state, uint64_t frames)
{
	*p = (struct page_alloc){ .state = state, .frames = frames };
	lock_init(&p->lock, LOCK_PAGES, "pages");
}

static struct free_block *frame_block(uint64_t frame)
{
	return hpa_to_ptr(hpa(frame << PAGE_SHIFT));
}

static void block_link(struct page_alloc *p, uint64_t frame, unsigned int order)
{
	struct free_block *b = frame_block(frame);

	b->next = p->free[order];
	b->prev = NULL;
	if (b->next)
		b->next->prev = b;
	p->free[order] = b;
	p->state[frame] = (uint8_t)(STATE_FREE | order);
}

static void block_unlink(struct page_alloc *p, uint64_t frame, unsigned int order)
{
	struct free_block *b = frame_block(frame);

	if (b->prev)
		b->prev->next = b->next;
	else
		p->free[order] = b->next;
	if (b->next)
		b->next->prev = b->prev;
	p->state[frame] = 0;
}

/* Links a block after joining it with its free buddies, and theirs. */
static void block_free(struct page_alloc *p, uint64_t frame, unsigned int order)
{
	p->free_frames += 1ull << order;
	while (order < PAGE_ORDERS - 1) {
		uint64_t buddy = frame ^ 1ull << order;

		if (buddy >= p->frames || p->state[buddy] != (STATE_FREE | order))
			break;
		block_unlink(p, buddy, order);
		frame &= ~(1ull << order);
		order++;
	}
	block_link(p, frame, order);
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
		ASSERT(p->state[frame] == 0);
		block_free(p, frame, order);
		p->total_frames += 1ull << order;
		frame += 1ull << order;
	}
	lock_drop(&p->lock);
}

static bool block_take(struct page_alloc *p, unsigned int order, uint64_t *out)
{
	unsigned int have = order;
	uint64_t frame;

	while (have < PAGE_ORDERS && !p->free[have])
		have++;
	if (have == PAGE_ORDERS)
		return false;
	frame = ptr_to_hpa(p->free[have]).v >> PAGE_SHIFT;
	block_unlink(p, frame, have);
	while (have > order) {
		have--;
		block_link(p, frame + (1ull << have), have);
	}
	p->state[frame] = (uint8_t)(STATE_USED | order);
	p->free_frames -= 1ull << order;
	*out = frame;
	return true;
}

bool page_get(struct page_alloc *p, unsigned int order, hpa_t *out)
{
	uint64_t frame = 0;
	bool ok;

	if (order >= PAGE_ORDERS)
		return false;
	lock_take(&p->lock);
	ok = block_take(p, order, &frame);
	lock_drop(&p->lock);
	*out = hpa(frame << PAGE_SHIFT);
	return ok;
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

	ASSERT(!(base.v & (PAGE_SIZE - 1)) && order < PAGE_ORDERS && frame < p->frames);
#ifdef VOUCH_DEBUG
	/* Whoever still uses it shall notice. */
	memset(hpa_to_ptr(base), 0xdf, PAGE_SIZE << order);
#endif
	lock_take(&p->lock);
	/* Freed twice, with another order, or never given out. */
	ASSERT(p->state[frame] == (STATE_USED | order));
	p->state[frame] = 0;
	block_free(p, frame, order);
	lock_drop(&p->lock);
}

void page_scrub(hpa_t base, unsigned int order)
{
	memset(hpa_to_ptr(base), 0, PAGE_SIZE << order);
}
