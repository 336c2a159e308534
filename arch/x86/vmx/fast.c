/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exits that C answers without leaving vmx_enter(), as far as the VMCS's words have to be understood for it;
 * arch/x86/exit/fast.c knows what they mean. All else is the general path's (exit.c, run.c).
 */
#include "arch/x86/vmx/vmx.h"

#include <vouch/gpa.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/fast.h"

/*
 * A data access to the local APIC's page, by an instruction known from before. Not if the CPU itself was after it to
 * deliver an event, if it walked the guest's page tables, or if the access undid an IRET's unblocking of NMIs.
 */
enum fast_answer vmx_fast_mmio(struct vcpu *v)
{
	uint64_t a = vmcs_read(VMCS_GUEST_PHYS_ADDR), q, rip;
	const struct fast_code *c;
	enum fast_answer answer;
	uint16_t cs;

	if (a >> PAGE_SHIFT != APIC_DEFAULT_BASE >> PAGE_SHIFT)
		return FAST_NO;
	q = vmcs_read(VMCS_EXIT_QUALIFICATION);
	if ((q & (EPT_FETCH | EPT_GLA_VALID | EPT_FINAL | EPT_NMI_UNBLOCK)) != (EPT_GLA_VALID | EPT_FINAL) ||
	    (vmcs_read(VMCS_IDT_VECTORING_INFO) & INTR_VALID))
		return FAST_NO;
	rip = vmcs_read(VMCS_GUEST_RIP);
	cs = vmx_attr_from_access((uint32_t)vmcs_read(VMCS_GUEST_CS_ACCESS));
	c = fast_code_find(v, rip, vmcs_read(VMCS_GUEST_CR3), cs);
	if (!c)
		return FAST_NO;
	answer = fast_mmio(v, c, gpa(a), q & EPT_WRITE);
	if (answer != FAST_NO)
		vmcs_write(VMCS_GUEST_RIP, rip + c->len);
	return answer;
}
