/* SPDX-License-Identifier: BSD-2-Clause */
/* E9h and 400h-403h. Collects a line so that a byte written is not a line logged; the budget is the listener's. */
#include "debugport.h"

#include <string.h>

#define BIOS_PANIC_LINE 1u      /* 400h and 401h take a line number: not text */

static void flush(struct debugport *d)
{
	if (d->count)
		chardev_put(&d->out, d->line, d->count);
	d->count = 0;
}

static void put(struct debugport *d, uint8_t c)
{
	if (c == '\n') {
		flush(d);
		return;
	}
	if (c == '\r')
		return;
	d->line[d->count++] = c;
	if (d->count == DEBUGPORT_LINE)
		flush(d);
}

/* Bochs' way to be found: the port reads as its own number. */
static uint64_t e9_read(void *dev, uint64_t off, unsigned int size)
{
	(void)dev;
	(void)off;
	(void)size;
	return 0xe9;
}

static void e9_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	(void)off;
	(void)size;
	put(dev, (uint8_t)val);
}

static uint64_t bios_read(void *dev, uint64_t off, unsigned int size)
{
	(void)dev;
	(void)off;
	(void)size;
	return 0xff;
}

static void bios_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	(void)size;
	if (off > BIOS_PANIC_LINE)
		put(dev, (uint8_t)val);
}

const struct vdev_ops debugport_e9_ops = { .read = e9_read, .write = e9_write };
const struct vdev_ops debugport_bios_ops = { .read = bios_read, .write = bios_write };

void debugport_create(struct debugport *d, const struct chardev *out)
{
	memset(d, 0, sizeof(*d));
	d->out = *out;
}

void debugport_reset(struct debugport *d)
{
	flush(d);
	memset(d->line, 0, sizeof(d->line));
}
