/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and walking nested page tables of either format. Does not own or free the memory that is mapped. */
#include "arch/x86/mm/nested.h"

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>

#define LEVELS    4u
#define ENTRIES   512u
#define ADDR_MASK 0x000ffffffffff000ull
#define GPA_LIMIT (1ull << 48)

static uint64_t leaf_size(unsigned int level)
{
	return PAGE_SIZE << (9u * level);
}

static uint64_t *entry_in(hpa_t table, gpa_t g, unsigned int level)
{
	uint64_t *t = hpa_to_ptr(table);

	return &t[(g.v >> (PAGE_SHIFT + 9u * level)) & (ENTRIES - 1)];
}

static bool entry_is_leaf(const struct nested *n, uint64_t e, unsigned int level)
{
	return level == 0 || (e & n->fmt->large);
}

int nested_init(struct nested *n, const struct nested_format *fmt, struct page_alloc *pages,
		const struct nested_limits *limits)
{
	*n = (struct nested){ .fmt = fmt, .pages = pages, .limits = *limits };
	if (!page_get_zeroed(pages, PAGE_ORDER_4K, &n->root))
		return -ENOMEM;
	n->table_pages = 1;
	return 0;
}

static void free_table(struct nested *n, hpa_t table, unsigned int level)
{
	const uint64_t *t = hpa_to_ptr(table);

	for (unsigned int i = 0; level > 0 && i < ENTRIES; i++)
		if ((t[i] & n->fmt->present) && !entry_is_leaf(n, t[i], level))
			free_table(n, hpa(t[i] & ADDR_MASK), level - 1);
	page_put(n->pages, table, PAGE_ORDER_4K);
	n->table_pages--;
}

void nested_destroy(struct nested *n)
{
	if (n->table_pages)
		free_table(n, n->root, LEVELS - 1);
	*n = (struct nested){ .fmt = n->fmt };
}

/* The memory type's bits of a leaf of this level. False if its memory has no single type. */
static bool type_bits(const struct nested *n, hpa_t h, unsigned int level, uint64_t *bits)
{
	uint8_t type;

	*bits = 0;
	if (!n->fmt->type_shift)
		return true;
	if (!mtrr_type(&n->limits.mtrr, h, leaf_size(level), &type))
		return false;
	*bits = (uint64_t)type << n->fmt->type_shift;
	return true;
}

/* The largest leaf level that fits here, and the leaf's memory type. */
static unsigned int pick_level(const struct nested *n, gpa_t g, hpa_t h, uint64_t len, uint64_t *type)
{
	unsigned int level;

	for (level = n->limits.largest; level > 0; level--) {
		uint64_t size = leaf_size(level);

		if (!((g.v | h.v) & (size - 1)) && len >= size && type_bits(n, h, level, type))
			return level;
	}
	ASSERT(type_bits(n, h, 0, type));
	return 0;
}

static int map_leaf(struct nested *n, gpa_t g, hpa_t h, unsigned int level, uint64_t bits)
{
	hpa_t table = n->root;
	uint64_t *e;

	for (unsigned int l = LEVELS - 1; l > level; l--) {
		e = entry_in(table, g, l);
		if (!(*e & n->fmt->present)) {
			hpa_t next;

			if (!page_get_zeroed(n->pages, PAGE_ORDER_4K, &next))
				return -ENOMEM;
			n->table_pages++;
			*e = next.v | n->fmt->table;
		} else if (entry_is_leaf(n, *e, l)) {
			return -EEXIST;
		}
		table = hpa(*e & ADDR_MASK);
	}
	e = entry_in(table, g, level);
	if (*e & n->fmt->present)
		return -EEXIST;
	*e = h.v | bits | (level ? n->fmt->large : 0);
	return 0;
}

int nested_map(struct nested *n, gpa_t g, hpa_t h, uint64_t len, enum nested_prot prot)
{
	if (((g.v | h.v | len) & (PAGE_SIZE - 1)) || !span_ok(g.v, len, GPA_LIMIT))
		return -EINVAL;
	while (len) {
		uint64_t type;
		unsigned int level = pick_level(n, g, h, len, &type);
		int err = map_leaf(n, g, h, level, n->fmt->leaf[prot] | type);

		if (err)
			return err;
		g = gpa_add(g, leaf_size(level));
		h = hpa_add(h, leaf_size(level));
		len -= leaf_size(level);
	}
	return 0;
}

/* The entry that decides about g: a leaf, or one that is not present. *level is where it was found. */
static uint64_t *deciding_entry(const struct nested *n, gpa_t g, unsigned int *level)
{
	hpa_t table = n->root;

	for (unsigned int l = LEVELS - 1;; l--) {
		uint64_t *e = entry_in(table, g, l);

		*level = l;
		if (!(*e & n->fmt->present) || entry_is_leaf(n, *e, l))
			return e;
		table = hpa(*e & ADDR_MASK);
	}
}

/* Leaves within [g, end) are counted, and taken away if cut is set. -EINVAL if one lies across an end. */
static int cut_leaves(const struct nested *n, uint64_t g, uint64_t end, bool cut, uint64_t *leaves)
{
	while (g < end) {
		unsigned int level;
		uint64_t *e = deciding_entry(n, gpa(g), &level);
		uint64_t start = align_down(g, leaf_size(level)), after = start + leaf_size(level);

		if (*e & n->fmt->present) {
			if (start < g || after > end)
				return -EINVAL;
			if (cut)
				__atomic_store_n(e, 0, __ATOMIC_RELAXED);
			++*leaves;
		}
		g = after;
	}
	return 0;
}

int nested_unmap(struct nested *n, gpa_t g, uint64_t len)
{
	uint64_t leaves = 0, again = 0;
	int err;

	if (((g.v | len) & (PAGE_SIZE - 1)) || !span_ok(g.v, len, GPA_LIMIT))
		return -EINVAL;
	err = cut_leaves(n, g.v, g.v + len, false, &leaves);
	if (err || !leaves)
		return err;
	/* Entries first, the number after them: who sees the new number and flushes can't cache an old entry again. */
	err = cut_leaves(n, g.v, g.v + len, true, &again);
	__atomic_store_n(&n->narrowed, n->narrowed + 1, __ATOMIC_RELEASE);
	return err;
}

bool nested_lookup(const struct nested *n, gpa_t g, struct nested_hit *hit)
{
	hpa_t table = n->root;

	if (g.v >= GPA_LIMIT)
		return false;
	for (unsigned int l = LEVELS; l-- > 0;) {
		uint64_t e = *entry_in(table, g, l);

		if (!(e & n->fmt->present) || (e & NESTED_MARK))
			return false;
		if (entry_is_leaf(n, e, l)) {
			uint64_t off = g.v & (leaf_size(l) - 1);

			*hit = (struct nested_hit){
				.hpa = hpa((e & ADDR_MASK & ~(leaf_size(l) - 1)) + off),
				.left = leaf_size(l) - off,
				.writable = e & n->fmt->write,
				.level = l,
			};
			return true;
		}
		table = hpa(e & ADDR_MASK);
	}
	return false;
}

unsigned int nested_path(const struct nested *n, gpa_t g, uint64_t e[4])
{
	hpa_t table = n->root;
	unsigned int count = 0;

	for (unsigned int l = LEVELS; l-- > 0;) {
		e[count] = *entry_in(table, g, l);
		if (!(e[count] & n->fmt->present) || entry_is_leaf(n, e[count], l))
			return count + 1;
		table = hpa(e[count++] & ADDR_MASK);
	}
	return count;
}
