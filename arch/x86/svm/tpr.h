/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CR8. While the guest runs, the CPU keeps the TPR's upper half in V_TPR, and MOV to and from CR8 work on that without an
 * exit: APM 2 "Virtualizing APIC.TPR" (15.21.2). A MOV to CR8 exits only while something hangs on it: an interrupt that the
 * TPR alone holds back, or low bits of the TPR, which it would clear; or while a window is open for an interrupt: QEMU's MOV
 * to CR8 looks for V_IRQ then, and ends by an assertion of its own (docs/testing.md). Inline is what every entry and every exit needs.
 */
#ifndef ARCH_X86_SVM_TPR_H
#define ARCH_X86_SVM_TPR_H

#include <vouch/vm.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/svm/svm.h"

#define SVM_CR8 (1u << 8)       /* in the words of CR intercepts */

/* Behind #VMEXIT, before anybody looks at the TPR. What was written to the TPR since the last time holds. */
static inline void svm_tpr_collect(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	uint8_t cr8 = hw->vmcb->int_ctl & SVM_INTCTL_V_TPR;

	if (cr8 == hw->v_tpr)
		return;
	hw->v_tpr = cr8;
	lapic_set_cr8(v->lapic, cr8);
}

/* Before VMRUN, when nothing changes the local APIC any more. */
void svm_tpr_set(struct vcpu *v);

/* Mostly the TPR is 0, as it was. */
static inline void svm_tpr_prepare(struct vcpu *v)
{
	if (v->lapic->page[LAPIC_TPR].val || v->hw->v_tpr || v->hw->cr8_exits || (v->hw->vmcb->int_ctl & SVM_INTCTL_V_IRQ))
		svm_tpr_set(v);
}

#endif
