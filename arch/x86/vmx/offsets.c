/* SPDX-License-Identifier: BSD-2-Clause */
/* What entry.S needs to know, generated from the C structures: never linked, only compiled to assembly. */
#include <vouch/vcpu.h>

#include "arch/x86/exit/exit.h"
#include "arch/x86/vmx/vmx.h"

#define OFFSET(name, value) __asm__ volatile("->" #name " %c0" : : "i"(value))
#define GPR(r) (offsetof(struct vcpu, gpr) + 8 * REG_##r)

void vmx_offsets(void);
void vmx_offsets(void)
{
	OFFSET(FIELD_HOST_RSP, VMCS_HOST_RSP);
	OFFSET(GPR_RAX, GPR(RAX));
	OFFSET(GPR_RCX, GPR(RCX));
	OFFSET(GPR_RDX, GPR(RDX));
	OFFSET(GPR_RBX, GPR(RBX));
	OFFSET(GPR_RBP, GPR(RBP));
	OFFSET(GPR_RSI, GPR(RSI));
	OFFSET(GPR_RDI, GPR(RDI));
	OFFSET(GPR_R8, GPR(R8));
	OFFSET(GPR_R9, GPR(R9));
	OFFSET(GPR_R10, GPR(R10));
	OFFSET(GPR_R11, GPR(R11));
	OFFSET(GPR_R12, GPR(R12));
	OFFSET(GPR_R13, GPR(R13));
	OFFSET(GPR_R14, GPR(R14));
	OFFSET(GPR_R15, GPR(R15));
	/* What vmx_enter() pushed: seven registers, the vCPU the last. */
	OFFSET(SAVED_RBP, 6 * 8);
	OFFSET(VCPU_VM, offsetof(struct vcpu, vm));
	OFFSET(VCPU_HW, offsetof(struct vcpu, hw));
	OFFSET(VCPU_OWN_TIMER, offsetof(struct vcpu, own_timer));
	OFFSET(VCPU_ARMED_OWN, offsetof(struct vcpu, armed_own));
	OFFSET(VCPU_EXIT_COUNT, offsetof(struct vcpu, exit_count));
	OFFSET(HW_TIMER_RATE, offsetof(struct vcpu_hw, timer_rate));
	OFFSET(FIELD_EXIT_REASON, VMCS_EXIT_REASON);
	OFFSET(FIELD_INSN_LEN, VMCS_EXIT_INSN_LEN);
	OFFSET(FIELD_QUALIFICATION, VMCS_EXIT_QUALIFICATION);
	OFFSET(FIELD_RIP, VMCS_GUEST_RIP);
	OFFSET(FIELD_RFLAGS, VMCS_GUEST_RFLAGS);
	OFFSET(FIELD_INTERRUPTIBILITY, VMCS_GUEST_INTERRUPTIBILITY);
	OFFSET(FIELD_TIMER, VMCS_PREEMPTION_TIMER);
	OFFSET(RFLAGS_SLOW, RFLAGS_TF | RFLAGS_RF);
	OFFSET(BLOCK_SLOW, BLOCK_STI | BLOCK_MOV_SS);
	OFFSET(EXIT_CPUID, VMX_EXIT_CPUID);
	OFFSET(EXIT_RDMSR, VMX_EXIT_RDMSR);
	OFFSET(EXIT_VMCALL, VMX_EXIT_VMCALL);
	OFFSET(EXIT_IO, VMX_EXIT_IO);
	OFFSET(EXIT_WRMSR, VMX_EXIT_WRMSR);
	OFFSET(EXIT_EPT_VIOL, VMX_EXIT_EPT_VIOL);
	OFFSET(IO_KIND, IO_IN | IO_STRING | 7);
	OFFSET(IO_IN_8, IO_IN);
	OFFSET(IO_IN_32, IO_IN | 3);
	OFFSET(VMX_FAILED, VMX_FAILED);
	OFFSET(VMX_EXITED, VMX_EXITED);
	OFFSET(VMX_DONE, VMX_DONE);
	OFFSET(FAST_NEXT, FAST_NEXT);
	OFFSET(VCPU_CPUID, offsetof(struct vcpu, fast.cpuid));
	OFFSET(CPUID_EAX, offsetof(struct fast_cpuid, eax));
	OFFSET(CPUID_EBX, offsetof(struct fast_cpuid, ebx));
	OFFSET(CPUID_ECX, offsetof(struct fast_cpuid, ecx));
	OFFSET(CPUID_EDX, offsetof(struct fast_cpuid, edx));
	OFFSET(VCPU_MSR, offsetof(struct vcpu, fast.msr));
	OFFSET(FAST_CPUIDS, FAST_CPUIDS);
	OFFSET(FAST_MSRS, FAST_MSRS);
	OFFSET(HYPERCALLS, HYPERCALLS);
	OFFSET(HYPERCALL_UNKNOWN, HYPERCALL_UNKNOWN);
}
