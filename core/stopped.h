/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs that have stopped, on their way from whichever CPU ran the last of their vCPUs to the boot CPU. */
#ifndef CORE_STOPPED_H
#define CORE_STOPPED_H

#include <vouch/types.h>

struct vm;

struct stopped {
	struct vm *latest;            /* atomic: each leads to the one before it by vm->next_stopped */
};

/*
 * A vCPU of this VM runs no more, nowhere, and its CPU is done with it; vm->live counts those that are left. True: it was the
 * last, and the VM is the boot CPU's, who must be told. From any CPU.
 */
__must_check bool stopped_add(struct stopped *s, struct vm *vm);

/* Takes all, the earliest first, linked by next_stopped; NULL: none. What their vCPUs wrote is seen. */
struct vm *stopped_take(struct stopped *s);

static inline bool stopped_any(const struct stopped *s)
{
	return __atomic_load_n(&s->latest, __ATOMIC_SEQ_CST) != NULL;
}

#endif
