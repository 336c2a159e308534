/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TPR shadow: the guest's MOV to and from CR8 reach a byte of its virtual-APIC page, without an exit, up to the one
 * that lets an interrupt through: SDM 3C "Virtualizing CR8-Based TPR Accesses" and "TPR Virtualization". That page is the
 * local APIC's own, so that there is nothing to copy. All other registers of the APIC exit.
 */
#include "arch/x86/vmx/vmx.h"

#include <vouch/vm.h>

#include "arch/x86/dev/lapic.h"

/* The page starts with a TPR of 0. */
void vmx_apic_reset(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	hw->tpr_threshold = 0;
	if (!(hw->ctl.cpu & CPU_TPR_SHADOW))
		return;
	vmcs_write(VMCS_VIRTUAL_APIC, ptr_to_hpa(v->lapic->page).v);
	vmcs_write(VMCS_TPR_THRESHOLD, 0);
}

void vmx_apic_prepare(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	uint8_t threshold;

	if (!(hw->ctl.cpu & CPU_TPR_SHADOW))
		return;
	threshold = lapic_tpr_threshold(v->lapic);
	if (threshold == hw->tpr_threshold)
		return;
	hw->tpr_threshold = threshold;
	vmcs_write(VMCS_TPR_THRESHOLD, threshold);
}
