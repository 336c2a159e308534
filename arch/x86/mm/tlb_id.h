/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tags of translations in a CPU's TLB, ASIDs and VPIDs alike: which one a vCPU runs under, and what must be flushed
 * before it enters. Flushes nothing itself. Pure.
 *
 * Each CPU hands out IDs of its own, each once in a generation. A generation begins with a flush of all of them (who
 * knows what ran before Vouch), and IDs of older ones no longer count. An ID belongs to one vCPU on one CPU: a vCPU that
 * moves takes a new one, since what its guest flushed elsewhere is still in the TLB it left behind. So the ID of a vCPU
 * that is gone is never met again without a flush.
 *
 * A CPU that hands out an ID joins the nested tables' used_on; tlb_flush.h asks those that are in it to forget.
 */
#ifndef ARCH_X86_MM_TLB_ID_H
#define ARCH_X86_MM_TLB_ID_H

#include <vouch/types.h>

struct nested;

/* One per physical CPU, used by that CPU alone; must not move. */
struct tlb_ids {
	unsigned int cpu;             /* its index */
	uint32_t first, limit;        /* IDs are from first on, below limit; limit 0: the CPU has none */
	uint32_t next;                /* limit: a generation begins with the next one */
	bool by_id;                   /* the CPU can flush a single ID; where it can't, a new ID does the same */
	uint64_t generation;
};

/* One per vCPU, zeroed at its creation. Only the CPU that runs the vCPU touches it. */
struct tlb_id {
	uint32_t id;
	bool flush;                   /* wanted by whoever changed what the guest's translations depend on */
	const struct tlb_ids *cpu;    /* where id and generation count; NULL: nowhere */
	uint64_t generation;
	uint64_t narrowed;            /* nested_narrowed() at the latest flush */
};

/* What must go before the entry. Bits: more than one can be set. */
#define TLB_FLUSH_ID   (1u << 0)      /* all that is tagged with this vCPU's ID (INVVPID single-context) */
#define TLB_FLUSH_ALL  (1u << 1)      /* all that is tagged with any ID (INVVPID all-context) */
/*
 * All that came through this VM's nested tables, where the CPU tags such translations by the tables' root instead of the
 * ID: INVEPT single-context. A CPU that only knows IDs (SVM) has nothing to do for it: ID or ALL is set where it has.
 */
#define TLB_FLUSH_ROOT (1u << 2)

/* Of CPU id: IDs first to limit - 1 (0 is the host's on both vendors). limit 0: none, each entry flushes by itself. */
void tlb_ids_init(struct tlb_ids *cpu, unsigned int id, uint32_t first, uint32_t limit, bool by_id);

/*
 * Before each entry, on the CPU that enters, with host events off: makes v->id right and returns TLB_FLUSH_* bits. The
 * caller must do these flushes and then enter; they will not be asked for again. n: the VM's tables.
 */
__must_check unsigned int tlb_id_prepare(struct tlb_ids *cpu, struct tlb_id *v, struct nested *n);

/*
 * On that CPU, between an exit and the preparation of the next entry: no ID counts any more, and the CPU leaves
 * n->used_on. Whatever enters here takes a new ID, with the flushes that go with it.
 */
void tlb_ids_forget(struct tlb_ids *cpu, struct nested *n);

/* The guest's translations must go before the next entry: its CR0, CR3, CR4 or EFER were changed for it. */
static inline void tlb_id_flush(struct tlb_id *v) { v->flush = true; }

#endif
