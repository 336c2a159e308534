/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports CF8h-CFFh of a machine without PCI: reads give ones, so that a guest's probe finds no bus. CF9h is the
 * chipset's reset register for byte accesses; a wider one that covers it is aimed at CF8h and never resets.
 */
#ifndef VOUCH_PCICONFIG_H
#define VOUCH_PCICONFIG_H

#include <vouch/bus.h>
#include <vouch/types.h>

#define PCICONFIG_PORTS 8u

struct pciconfig {
	uint8_t (*cf9_read)(void *ctx);          /* NULL: no reset register */
	void (*cf9_write)(void *ctx, uint8_t val);
	void *ctx;
};

extern const struct vdev_ops pciconfig_ops;     /* PCICONFIG_PORTS long, accesses of 1, 2 and 4 bytes */

/* Has no state of its own: nothing to reset, nothing to save. */
void pciconfig_create(struct pciconfig *p, uint8_t (*cf9_read)(void *ctx), void (*cf9_write)(void *ctx, uint8_t val),
		      void *ctx);

#endif
