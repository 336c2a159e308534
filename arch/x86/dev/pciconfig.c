/* SPDX-License-Identifier: BSD-2-Clause */
/* CF8h-CFFh without a PCI bus behind them. */
#include "pciconfig.h"

#define CF9_OFF 1u

static bool is_cf9(uint64_t off, unsigned int size)
{
	return off == CF9_OFF && size == 1;
}

static uint64_t pciconfig_read(void *dev, uint64_t off, unsigned int size)
{
	struct pciconfig *p = dev;

	if (is_cf9(off, size) && p->cf9_read)
		return p->cf9_read(p->ctx);
	return (1ull << (size * 8)) - 1;        /* size is at most 4 */
}

static void pciconfig_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pciconfig *p = dev;

	if (is_cf9(off, size) && p->cf9_write)
		p->cf9_write(p->ctx, (uint8_t)val);
}

const struct vdev_ops pciconfig_ops = { .read = pciconfig_read, .write = pciconfig_write };

void pciconfig_create(struct pciconfig *p, uint8_t (*cf9_read)(void *ctx), void (*cf9_write)(void *ctx, uint8_t val),
		      void *ctx)
{
	*p = (struct pciconfig){ .cf9_read = cf9_read, .cf9_write = cf9_write, .ctx = ctx };
}
