/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a guest stopped, and how a device asks for it. */
#ifndef VOUCH_STOP_H
#define VOUCH_STOP_H

#include <vouch/types.h>

enum stop_kind {
	STOP_NONE,
	STOP_POWEROFF,        /* the guest switched itself off */
	STOP_RESET,           /* the guest asked for a reset: verified again and started again */
	STOP_TRIPLE_FAULT,
	STOP_UNHANDLED,       /* an exit, instruction or state that Vouch refuses */
	STOP_HOST,            /* Vouch's own decision */
};

#define STOP_BY_NONE 0xffffffffu

struct stop {
	enum stop_kind kind;
	unsigned int vcpu;    /* the one whose doing it was, or STOP_BY_NONE: another VM's, or Vouch's */
	char text[160];       /* for the "stopped:" line; printable ASCII */
};

/* A device's way to reach the VM that owns it: machine.c fills it. The first stop wins. */
struct vm_control {
	void (*stop)(void *ctx, enum stop_kind kind, const char *text);
	void *ctx;
};

#endif
