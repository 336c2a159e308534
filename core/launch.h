/* SPDX-License-Identifier: BSD-2-Clause */
/* Making a VM from a boot module, verified. */
#ifndef CORE_LAUNCH_H
#define CORE_LAUNCH_H

#include <vouch/boot_info.h>
#include <vouch/hvm.h>
#include <vouch/plan.h>

struct host;
struct vm;

/* The names of verified guests; empty: none yet. A module keeps its own over its restarts. */
struct launch_names {
	char name[BOOT_MODULES_MAX][PLAN_NAME_MAX + 1];
};

/*
 * Verifies module number module in the copy that will run, and builds its VM; *start is where its vCPU begins. NULL after
 * a "refused:" line, with nothing kept. The VM is the caller's: vm_destroy().
 */
struct vm *launch_vm(struct host *h, unsigned int module, struct launch_names *names, struct vcpu_start *start);

#endif
