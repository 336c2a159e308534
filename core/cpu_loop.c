/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPUs but the boot CPU do: they sleep and serve what others ask of them, and run vCPUs when there are any. */
#include <vouch/smp.h>

#include <vouch/host.h>

#include "core/cpu_turn.h"

void cpu_run_loop(struct pcpu *p)
{
	/* Whoever makes a vCPU runnable kicks somebody, so that the first turn comes in time. */
	while (!__atomic_load_n(&p->host->guests, __ATOMIC_ACQUIRE)) {
		p->host_event = false;
		cpu_sleep();
	}
	for (;;)
		cpu_turn(p, UINT64_MAX);
}
