/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's port or MMIO space: sorted ranges, filled while a machine is built, read-only from then on. Splits accesses
 * that a device does not take whole. Knows no device and no policy but the one for addresses that nobody claims.
 */
#include <vouch/bus.h>

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>

#define BUS_ALL_SIZES (1u | 2u | 4u | 8u)

void bus_init(struct bus *b, const char *name, uint64_t limit)
{
	memset(b, 0, sizeof(*b));
	b->name = name;
	b->limit = limit;
}

/* Index of the first range that ends above addr; b->count if there is none. */
static unsigned int bus_search(const struct bus *b, uint64_t addr)
{
	unsigned int lo = 0, hi = b->count;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		const struct bus_range *r = &b->range[mid];

		/* base + len may be 2^64 only if limit is; compare the last byte instead of the end. */
		if (r->base + (r->len - 1) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus_register(struct bus *b, uint64_t base, uint64_t len, unsigned int sizes, const struct vdev_ops *ops, void *dev)
{
	unsigned int at;

	if (b->frozen)
		return -EBUSY;
	if (!len || !span_ok(base, len, b->limit) || !sizes || (sizes & ~BUS_ALL_SIZES) || !ops)
		return -EINVAL;
	at = bus_search(b, base);
	if (at < b->count && b->range[at].base <= base + (len - 1))
		return -EEXIST;
	if (b->count == BUS_MAX_RANGES)
		return -ENOSPC;
	memmove(&b->range[at + 1], &b->range[at], (b->count - at) * sizeof(b->range[0]));
	b->range[at] = (struct bus_range){ .base = base, .len = len, .ops = ops, .dev = dev, .sizes = sizes };
	b->count++;
	return 0;
}

void bus_freeze(struct bus *b)
{
	b->frozen = true;
}

const struct bus_range *bus_find(const struct bus *b, uint64_t addr)
{
	unsigned int at = bus_search(b, addr);

	return at < b->count && b->range[at].base <= addr ? &b->range[at] : NULL;
}

static uint64_t size_mask(unsigned int size)
{
	return size == 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

/* The next piece of an access: len bytes at addr, in r at off, or nobody's (r is NULL). */
struct piece {
	const struct bus_range *r;
	uint64_t off;
	unsigned int len;
};

/* left is 1 to 8. Never returns an empty piece, so at most eight follow from one access. */
static struct piece bus_piece(const struct bus *b, uint64_t addr, unsigned int left)
{
	struct piece p = { .r = bus_find(b, addr), .len = 1 };
	uint64_t room;

	if (!p.r)
		return p;
	p.off = addr - p.r->base;
	room = min_u64(left, p.r->len - p.off);
	for (unsigned int n = 8; n; n /= 2) {
		if ((p.r->sizes & n) && n <= room && p.off % n == 0) {
			p.len = n;
			return p;
		}
	}
	p.r = NULL;     /* the device takes no access this small: as if nobody were there */
	return p;
}

uint64_t bus_read(struct bus *b, uint64_t addr, unsigned int size)
{
	uint64_t val = 0, unclaimed_at = 0;
	bool unclaimed = false;

	ASSERT(size == 1 || size == 2 || size == 4 || size == 8);
	for (unsigned int done = 0; done < size;) {
		/* An access at the top of the space does not come around to address 0. */
		bool wrapped = addr + done < addr;
		struct piece p = { .len = 1 };
		uint64_t part;

		if (!wrapped)
			p = bus_piece(b, addr + done, size - done);
		if (p.r) {
			part = p.r->ops->read(p.r->dev, p.off, p.len) & size_mask(p.len);
		} else {
			part = size_mask(p.len);
			if (!unclaimed)
				unclaimed_at = addr + done;
			unclaimed = true;
		}
		val |= part << (done * 8);
		done += p.len;
	}
	if (unclaimed) {
		b->unclaimed_reads++;
		unhandled_note(&b->unclaimed, unclaimed_at, false);
	}
	return val;
}

void bus_write(struct bus *b, uint64_t addr, unsigned int size, uint64_t val)
{
	uint64_t unclaimed_at = 0;
	bool unclaimed = false;

	ASSERT(size == 1 || size == 2 || size == 4 || size == 8);
	for (unsigned int done = 0; done < size;) {
		bool wrapped = addr + done < addr;
		struct piece p = { .len = 1 };

		if (!wrapped)
			p = bus_piece(b, addr + done, size - done);
		if (p.r) {
			p.r->ops->write(p.r->dev, p.off, p.len, (val >> (done * 8)) & size_mask(p.len));
		} else {
			if (!unclaimed)
				unclaimed_at = addr + done;
			unclaimed = true;
		}
		done += p.len;
	}
	if (unclaimed) {
		b->unclaimed_writes++;
		unhandled_note(&b->unclaimed, unclaimed_at, true);
	}
}
