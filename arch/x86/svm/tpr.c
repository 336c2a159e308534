/* SPDX-License-Identifier: BSD-2-Clause */
/* CR8: tpr.h. */
#include "arch/x86/svm/tpr.h"

void svm_tpr_set(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	const struct vmcb *c = hw->vmcb;
	uint16_t others = c->intercept_cr_write & (uint16_t)~SVM_CR8;

	hw->v_tpr = (uint8_t)(v->lapic->page[LAPIC_TPR].val >> 4);
	hw->cr8_exits = lapic_needs_cr8(v->lapic) || (c->int_ctl & SVM_INTCTL_V_IRQ);
	vmcb_put(hw, int_ctl, (c->int_ctl & ~SVM_INTCTL_V_TPR) | hw->v_tpr);
	vmcb_put(hw, intercept_cr_write, hw->cr8_exits ? others | SVM_CR8 : others);
}
