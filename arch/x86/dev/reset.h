/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two reset registers of a PC's chipset: the reset control register (CF9h, reached through pciconfig.c) and system
 * control port A (92h).
 */
#ifndef VOUCH_RESET_H
#define VOUCH_RESET_H

#include <vouch/bus.h>
#include <vouch/stop.h>
#include <vouch/types.h>

#define RESET_CF9_VALUE 0x06u    /* what FADT tells the guest to write */

struct reset {
	struct vm_control control;
	uint8_t cf9, port92;
};

extern const struct vdev_ops reset_port92_ops;  /* one port, byte accesses */

void reset_create(struct reset *r, const struct vm_control *control);
void reset_reset(struct reset *r);

/* A byte access to CF9h; r is a struct reset. */
uint8_t reset_cf9_read(void *r);
void reset_cf9_write(void *r, uint8_t val);

#endif
