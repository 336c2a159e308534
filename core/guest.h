/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests, from module to stop. */
#ifndef CORE_GUEST_H
#define CORE_GUEST_H

#include <vouch/hvm.h>
#include <vouch/sched.h>
#include <vouch/timing.h>

#include "core/launch.h"

struct host;
struct vm;

enum guest_state {
	GUEST_OFF,                    /* refused, or stopped for good */
	GUEST_READY,                  /* verified; enters when all others have been, too */
	GUEST_RUNNING,
	GUEST_WAITING,                /* asked for a reset; starts again at restart_at */
};

/* One module's guest over its restarts. The boot CPU's alone. */
struct guest {
	unsigned int module;
	enum guest_state state;
	struct vm *vm;                /* if ready or running */
	struct vcpu_start start;
	struct timing timing;         /* of its launch */
	uint64_t frames;              /* that its launch took */
	uint64_t restart_at;          /* host TSC */
	unsigned int starts;
	unsigned int quick;           /* quick runs in a row */
	unsigned int log_budget;      /* what is left of its lines: a reset earns it no new ones */
};

/* One a boot: struct host's guests. */
struct guests {
	struct guest guest[BOOT_MODULES_MAX];  /* by number: policies are not counted */
	unsigned int count;
	struct launch_names names;
	struct sched sched;
	struct sched_queue queue[];   /* one for each of the sched's CPUs */
};

/*
 * Runs every guest among the modules, all at once or (guests=sequential) one after the other; a guest that asks for a reset
 * is started anew, verified again. Returns when the last has stopped, or at once when a module is of an unknown kind.
 */
void guests_run(struct host *h);

#endif
