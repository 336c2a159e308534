/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests, from module to stop. */
#ifndef CORE_GUEST_H
#define CORE_GUEST_H

#include <vouch/hvm.h>
#include <vouch/image_parse.h>
#include <vouch/options.h>
#include <vouch/plan.h>
#include <vouch/sched.h>
#include <vouch/stop.h>

#include "core/launch.h"
#include "core/stopped.h"

struct host;
struct vm;

enum guest_state {
	GUEST_OFF,                    /* refused, or stopped for good, or left to the operator */
	GUEST_LISTED,                 /* not looked at yet */
	GUEST_READY,                  /* verified; enters when all others have been, too */
	GUEST_RUNNING,
	GUEST_WAITING,                /* asked for a reset; starts again at restart_at */
};

/* What was counted when it was last looked at, and what followed from that. */
struct guest_rate {
	uint64_t at;                  /* host TSC */
	uint64_t exits, exits_per_s;
	uint64_t kind[EXIT_KINDS], kind_per_s[EXIT_KINDS];
};

/* One module's guest over its restarts. The boot CPU's alone. */
struct guest {
	unsigned int module;
	struct module_options words;  /* the module's: what the operator wants of it */
	enum guest_state state;
	char name[PLAN_NAME_MAX + 1]; /* guestN until it was verified for the first time */
	char proof[80];               /* what its last verdict rests on; empty: there is none */
	char stop[224];               /* why it stopped last, or "refused: " and why; empty: neither has been */
	bool refused;                 /* at its last start */
	bool by_operator;             /* its last start or end was the operator's will, or its first start will be */
	struct guest_rate *rate;      /* while it runs; NULL: no memory for it */
	struct vm *vm;                /* if ready or running */
	struct vcpu_start start;
	struct launch_cost cost;      /* of its launch */
	uint64_t restart_at;          /* host TSC */
	unsigned int starts;
	unsigned int quick;           /* quick runs in a row */
	unsigned int log_budget;      /* what is left of its lines: a reset earns it no new ones */
};

/* One a boot: struct host's guests. The boot CPU's alone, but for what is said. */
struct guests {
	struct guest guest[BOOT_MODULES_MAX];  /* by number: policies are not counted */
	unsigned int count;
	bool closed;                  /* the policy said stop: no guest starts any more */
	bool told_idle;               /* that no guest runs was said, and none was tried to start since */
	struct launch_names names;
	/* Of what follows all CPUs make use, under its own locks. */
	struct stopped stopped;       /* what the boot CPU has to see to */
	struct sched sched;
	struct sched_queue queue[];   /* one for each of the sched's CPUs, which are all of the host's */
};

/*
 * Runs every guest among the modules, all at once or (guests=sequential) one after the other; a guest that asks for a reset
 * is started anew, verified again. Returns when the last has stopped by itself, or the operator has let go; or at once when a
 * module is of an unknown kind.
 */
void guests_run(struct host *h);

/* The operator's will, outside of any vCPU's run. NULL: done or under way, else why not. */
const char *guest_pause(struct guest *g);
const char *guest_resume(struct guest *g);
const char *guest_reset(struct guest *g);
const char *guest_destroy(struct host *h, struct guest *g);
const char *guest_press_power(struct guest *g);
const char *guest_start(const struct host *h, struct guest *g);

/* Brings g->rate up to date, if a second has passed since it was. It runs. */
void guest_count(struct guest *g);

#endif
