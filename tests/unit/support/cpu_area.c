/* SPDX-License-Identifier: BSD-2-Clause */
/* A second stack, aligned as pcpu.h wants it. */
#include "cpu_area.h"

#include <vouch/pcpu.h>

#include <stdlib.h>
#include <ucontext.h>

static ucontext_t caller, callee;
static void (*run_fn)(void *arg);
static void *run_arg;

static void trampoline(void)
{
	run_fn(run_arg);
}

void cpu_area_run(void (*fn)(void *arg), void *arg, struct host *h)
{
	struct pcpu *p = aligned_alloc(CPU_AREA_SIZE, CPU_AREA_SIZE);

	if (!p || getcontext(&callee))
		abort();
	*p = (struct pcpu){ .self = p, .host = h, .run_until = UINT64_MAX, .sole = true };
	run_fn = fn;
	run_arg = arg;
	callee.uc_stack.ss_sp = (char *)p + PAGE_SIZE;
	callee.uc_stack.ss_size = CPU_AREA_SIZE - PAGE_SIZE;
	callee.uc_link = &caller;
	makecontext(&callee, trampoline, 0);
	if (swapcontext(&caller, &callee))
		abort();
	free(p);
}
