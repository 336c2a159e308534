/* SPDX-License-Identifier: BSD-2-Clause */
/* IDs of TLB entries by generations. The proof that no flush is missing is tests/unit/test_tlb_model.c. */
#include "arch/x86/mm/tlb_id.h"

void tlb_ids_init(struct tlb_ids *cpu, uint32_t first, uint32_t limit, bool by_id)
{
	*cpu = (struct tlb_ids){ .first = first, .limit = limit, .next = first, .by_id = by_id, .generation = 1 };
}

/* A new ID, under which nothing is cached. The nested tables' root may have been another VM's on this CPU. */
static unsigned int take_id(struct tlb_ids *cpu, struct tlb_id *v)
{
	unsigned int flush = TLB_FLUSH_ROOT;

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

unsigned int tlb_id_prepare(struct tlb_ids *cpu, struct tlb_id *v, uint64_t narrowed)
{
	bool stale = v->flush, cut = v->narrowed != narrowed;

	if (v->cpu == cpu && v->generation == cpu->generation && !stale && !cut)
		return 0;
	v->flush = false;
	v->narrowed = narrowed;
	if (v->cpu != cpu || v->generation != cpu->generation || (!cpu->by_id && cpu->limit))
		return take_id(cpu, v);
	return (cpu->limit ? TLB_FLUSH_ID : 0) | (cut ? TLB_FLUSH_ROOT : 0);
}
