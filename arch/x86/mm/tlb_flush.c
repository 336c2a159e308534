/* SPDX-License-Identifier: BSD-2-Clause */
/* Making other CPUs forget a VM's translations. What each must flush before it enters a guest again is tlb_id.c's subject. */
#include "arch/x86/mm/tlb_flush.h"

#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/smp.h>

#include "arch/x86/mm/nested.h"
#include "arch/x86/mm/tlb_id.h"

static void acknowledge(void *tables)
{
	struct pcpu *p = this_cpu();

	tlb_ids_forget(p->host->hvm->tlb_ids(p), tables);
}

/*
 * A CPU joins n->used_on before it enters, by an atomic change. What was changed in the tables is stored before the set is
 * read here: so either the CPU is in the set, or it finds the tables as they are now.
 */
void tlb_flush_tables(struct nested *n)
{
	struct cpu_set cpus;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < ARRAY_SIZE(cpus.word); i++)
		cpus.word[i] = __atomic_load_n(&n->used_on.word[i], __ATOMIC_SEQ_CST);
	cpu_call_set(&cpus, acknowledge, n);
}
