/* SPDX-License-Identifier: BSD-2-Clause */
/* IDs of TLB entries by generations. The proof that no flush is missing is tests/unit/test_tlb_model.c. */
#include "arch/x86/mm/tlb_id.h"

#include "arch/x86/mm/nested.h"

void tlb_ids_init(struct tlb_ids *cpu, unsigned int id, uint32_t first, uint32_t limit, bool by_id)
{
	*cpu = (struct tlb_ids){ .cpu = id, .first = first, .limit = limit, .next = limit, .by_id = by_id };
}

/*
 * A new ID, under which nothing is cached. The nested tables' root may have been another VM's on this CPU. That the CPU is
 * in used_on is seen by all before the entry, whose walks are thus of what tlb_flush_tables() has left.
 */
static unsigned int take_id(struct tlb_ids *cpu, struct tlb_id *v, struct nested *n)
{
	unsigned int flush = TLB_FLUSH_ROOT;

	if (!cpu_set_has(&n->used_on, cpu->cpu))
		cpu_set_add(&n->used_on, cpu->cpu);
	if (cpu->limit) {
		if (cpu->next >= cpu->limit) {
			cpu->generation++;
			cpu->next = cpu->first;
			flush |= TLB_FLUSH_ALL;
		}
		v->id = cpu->next++;
	} else {
		v->id = 0;
	}
	v->cpu = cpu;
	v->generation = cpu->generation;
	return flush;
}

unsigned int tlb_id_prepare(struct tlb_ids *cpu, struct tlb_id *v, struct nested *n)
{
	uint64_t narrowed = nested_narrowed(n);
	bool stale = v->flush, cut = v->narrowed != narrowed;

	if (v->cpu == cpu && v->generation == cpu->generation && !stale && !cut)
		return 0;
	v->flush = false;
	v->narrowed = narrowed;
	if (v->cpu != cpu || v->generation != cpu->generation || (!cpu->by_id && cpu->limit))
		return take_id(cpu, v, n);
	return (cpu->limit ? TLB_FLUSH_ID : 0) | (cut ? TLB_FLUSH_ROOT : 0);
}

void tlb_ids_forget(struct tlb_ids *cpu, struct nested *n)
{
	cpu->generation++;
	cpu->next = cpu->limit;
	cpu_set_remove(&n->used_on, cpu->cpu);
}
