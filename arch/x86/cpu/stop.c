/* SPDX-License-Identifier: BSD-2-Clause */
/* Stopping every other CPU, wherever it is: an NMI is the one thing that reaches it. */
#include "smp.h"

#include <vouch/host.h>

#include "apic.h"
#include "asm.h"
#include "core/log_port.h"
#include "cpu.h"

/* Under SVM an NMI waits for the end of an exit's handling: bounded, but not short. */
#define STOP_MS 100u

static __noreturn void stay(void)
{
	__atomic_store_n(&this_cpu()->arch->stopped, 1, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

void cpus_stop_here(void)
{
	const struct pcpu *p = this_cpu();
	uint32_t by = __atomic_load_n(&p->host->stopping, __ATOMIC_ACQUIRE);

	if (by && by != p->id + 1)
		stay();
}

static void wait_for(const struct pcpu *p, uint64_t until)
{
	while (!__atomic_load_n(&p->arch->stopped, __ATOMIC_ACQUIRE)) {
		if (tsc_read() >= until) {
			log_emergency("CPU %u does not stop", p->id);
			return;
		}
		cpu_relax();
	}
}

void cpus_stop(void)
{
	const struct pcpu *p = this_cpu();
	struct host *h = p->host;
	uint32_t nobody = 0;
	uint64_t until;

	if (!__atomic_compare_exchange_n(&h->stopping, &nobody, p->id + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		cpus_stop_here();
		return;
	}
	for (unsigned int i = 0; i < h->cpus; i++)
		if (h->cpu[i] != p)
			host_ipi(h->cpu[i]->apic_id, ICR_NMI);
	until = tsc_read() + h->platform.tsc_khz * STOP_MS;
	for (unsigned int i = 0; i < h->cpus; i++)
		if (h->cpu[i] != p)
			wait_for(h->cpu[i], until);
}
