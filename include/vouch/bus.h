/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's port or MMIO address space: ranges claimed by devices, sorted, frozen before the guest runs, then looked
 * up without locks. The bus checks size and alignment once, for all devices. An address nobody claims has a written
 * policy: reads return ones, writes vanish, both are counted.
 */
#ifndef VOUCH_BUS_H
#define VOUCH_BUS_H

#include <vouch/types.h>
#include <vouch/unhandled.h>

#define BUS_MAX_RANGES 96  /* PLAN_IGNORE_MAX and the devices */

/*
 * off is relative to the range's base: a device does not know its address. size is 1, 2, 4 or 8 and allowed by the
 * range's sizes mask; off is a multiple of size. val's upper bytes are zero on write and must be zero on read.
 */
struct vdev_ops {
	uint64_t (*read)(void *dev, uint64_t off, unsigned int size);
	void (*write)(void *dev, uint64_t off, unsigned int size, uint64_t val);
};

struct bus_range {
	uint64_t base;
	uint64_t len;
	const struct vdev_ops *ops;
	void *dev;
	unsigned int sizes;       /* OR of the access sizes the device takes: 1 | 2 | 4 | 8 */
};

struct bus {
	const char *name;         /* "port" or "mmio", for messages */
	uint64_t limit;           /* addresses are below this */
	struct bus_range range[BUS_MAX_RANGES];
	unsigned int count;
	bool frozen;
	uint64_t unclaimed_reads;
	uint64_t unclaimed_writes;
	struct unhandled unclaimed;
};

void bus_init(struct bus *b, const char *name, uint64_t limit);

/* 0, -EINVAL (empty, wrapping, beyond limit, bad sizes), -EEXIST (overlap), -ENOSPC, -EBUSY (frozen). */
__must_check int bus_register(struct bus *b, uint64_t base, uint64_t len, unsigned int sizes,
			      const struct vdev_ops *ops, void *dev);
void bus_freeze(struct bus *b);

/* The range that holds addr, or NULL. */
const struct bus_range *bus_find(const struct bus *b, uint64_t addr);

/*
 * An access of 1, 2, 4 or 8 bytes. If the range's sizes or the alignment do not allow it, or it crosses a range's
 * edge, it is split into the largest aligned pieces allowed, lowest address first, as a PC's bridges do.
 */
uint64_t bus_read(struct bus *b, uint64_t addr, unsigned int size);
void bus_write(struct bus *b, uint64_t addr, unsigned int size, uint64_t val);

#endif
