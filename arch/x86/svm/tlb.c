/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's ASID on this CPU, and the flush that VMRUN does: tlb_id.h's answer in the words of SVM. */
#include "arch/x86/svm/svm.h"

#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/exit/fast.h"
#include "arch/x86/mm/nested.h"

struct tlb_ids *svm_tlb_ids(struct pcpu *p)
{
	struct svm_cpu *s = p->hvm;

	return &s->asids;
}

/*
 * Translations carry an ASID and nothing of the nested tables (APM 2 "TLB Control" 15.16.1): another VM's root needs no
 * flush of its own where the ASID is new.
 */
void svm_tlb_prepare(struct vcpu *v, struct svm_cpu *s)
{
	uint64_t narrowed = nested_narrowed(v->vm->nested);
	bool cut = v->hw->asid.narrowed != narrowed;
	unsigned int flush = tlb_id_prepare(&s->asids, &v->hw->asid, v->vm->nested);

	if (cut)
		fast_forget_code(v);            /* memory was taken away */
	vmcb_put(v->hw, asid, v->hw->asid.id);
	vmcb_put(v->hw, tlb_control, flush & TLB_FLUSH_ALL ? SVM_TLB_FLUSH_ALL :
		 flush & TLB_FLUSH_ID ? SVM_TLB_FLUSH_ASID : SVM_TLB_NOTHING);
}
