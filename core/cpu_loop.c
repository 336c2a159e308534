/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU without a guest does: it sleeps, and serves what others ask of it. */
#include <vouch/smp.h>

void cpu_run_loop(struct pcpu *p)
{
	for (;;) {
		p->host_event = false;
		cpu_sleep();
	}
}
