/* SPDX-License-Identifier: BSD-2-Clause */
/* Making a VM from a boot module, verified. */
#ifndef CORE_LAUNCH_H
#define CORE_LAUNCH_H

#include <vouch/boot_info.h>
#include <vouch/hvm.h>
#include <vouch/plan.h>
#include <vouch/timing.h>

struct host;
struct image_error;
struct vm;

/* The names of measured guests; empty: none yet. A module keeps its own over its restarts. */
struct launch_names {
	char name[BOOT_MODULES_MAX][PLAN_NAME_MAX + 1];
};

/* One start of a module's guest, from its first byte on. */
struct launch;

/* What a guest will take of the machine, as its configuration says. */
struct launch_wants {
	const char *name;
	uint64_t memory_mib;
	uint64_t bytes;               /* its memory, and about what Vouch keeps of it */
	uint64_t kept;                /* of that, what Vouch keeps; some of it is taken only when it is finished */
	uint64_t whole;               /* that a copy of its module takes until the guest is built; 0: there is none */
};

/* What a start has cost. */
struct launch_cost {
	struct timing timing;
	uint64_t frames;              /* of the guest: its memory, and what Vouch keeps of it */
};

/*
 * The steps of a start. launch_read() copies the head, checks who vouches for it, and makes the plan; then either it is
 * refused, or launch_build() makes the VM and brings its files there, verified; launch_finish() names, measures and equips it
 * and says the verdict. All but launch_build() are for the boot CPU, in the order in which guests are to be named and
 * measured; launch_build() may run on any CPU, for several guests at once, and launch_help() on any that has none to build.
 *
 * launch_read() is NULL after a "refused:" line: no memory. launch_finish() and launch_drop(), which says nothing, are
 * the end of a launch; the first is NULL after a "refused:" line, with nothing kept. The VM is the caller's: vm_destroy().
 * *why is written with each "refused:" line, and only then.
 */
struct launch *launch_read(struct host *h, unsigned int module, struct launch_names *names, struct image_error *why);
bool launch_refused(const struct launch *l);
void launch_ask(const struct launch *l, struct launch_wants *w);  /* not refused; the name is good while the launch is */
void launch_no_room(struct launch *l, uint64_t left);             /* refuses it: of the memory, left bytes are for it */
void launch_build(struct launch *l);                              /* not refused, and once */
bool launch_help(struct launch *l);   /* one chunk of what launch_build() is verifying just now; false: there is none */
bool launch_built(const struct launch *l);
bool launch_give_back(struct launch *l);                          /* if it was refused in there: true, memory is free again */
struct vm *launch_finish(struct launch *l, struct vcpu_start *start, struct launch_cost *cost, struct image_error *why);
void launch_drop(struct launch *l);

/*
 * All of these at once: verifies module number module in the copy that will run, and builds its VM; *start is where its
 * vCPU begins. NULL after a "refused:" line, with nothing kept but *why.
 */
struct vm *launch_vm(struct host *h, unsigned int module, struct launch_names *names, struct vcpu_start *start,
		     struct launch_cost *cost, struct image_error *why);

#endif
