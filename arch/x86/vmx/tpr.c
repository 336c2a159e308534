/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TPR shadow: the guest's MOV to and from CR8 reach a byte of its virtual-APIC page, without an exit, up to the one
 * that lets an interrupt through: SDM 3C "Virtualizing CR8-Based TPR Accesses" and "TPR Virtualization". That byte counts
 * from an entry to its exit, the local APIC's TPR from an exit to the next entry. All other registers of the APIC exit.
 */
#include "arch/x86/vmx/vmx.h"

#include <vouch/vm.h>

#include "arch/x86/dev/lapic.h"

#define VTPR 0x80u

/* Both start at 0, as the local APIC's TPR does. */
void vmx_tpr_reset(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	if (!hw->virtual_apic)
		return;
	hw->virtual_apic[VTPR] = 0;
	hw->tpr_threshold = 0;
	vmcs_write(VMCS_VIRTUAL_APIC, ptr_to_hpa(hw->virtual_apic).v);
	vmcs_write(VMCS_TPR_THRESHOLD, 0);
}

void vmx_tpr_prepare(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	uint8_t threshold;

	if (!hw->virtual_apic)
		return;
	hw->virtual_apic[VTPR] = lapic_tpr(v->lapic);
	threshold = lapic_tpr_threshold(v->lapic);
	if (threshold == hw->tpr_threshold)
		return;
	hw->tpr_threshold = threshold;
	vmcs_write(VMCS_TPR_THRESHOLD, threshold);
}

void vmx_tpr_collect(struct vcpu *v)
{
	if (v->hw->virtual_apic)
		lapic_set_tpr(v->lapic, v->hw->virtual_apic[VTPR]);
}
