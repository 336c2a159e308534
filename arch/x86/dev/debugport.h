/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debug ports of Bochs: E9h, and 400h-403h as Bochs' BIOS uses them. Output goes out line by line: whoever takes it
 * gets whole lines without their end, at most DEBUGPORT_LINE bytes each, unescaped.
 */
#ifndef VOUCH_DEBUGPORT_H
#define VOUCH_DEBUGPORT_H

#include <vouch/bus.h>
#include <vouch/chardev.h>
#include <vouch/types.h>

#define DEBUGPORT_LINE       100u
#define DEBUGPORT_BIOS_PORTS 4u

struct debugport {
	struct chardev out;
	uint8_t count;
	uint8_t line[DEBUGPORT_LINE];
};

extern const struct vdev_ops debugport_e9_ops;    /* one port, byte accesses */
extern const struct vdev_ops debugport_bios_ops;  /* DEBUGPORT_BIOS_PORTS long, byte accesses */

void debugport_create(struct debugport *d, const struct chardev *out);
/* Puts out the line begun, then starts empty. */
void debugport_reset(struct debugport *d);

#endif
