/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets and numbers that entry.S uses, generated from the C structures: never linked, only compiled to assembly. */
#include "arch/x86/exit/exit.h"
#include "arch/x86/svm/svm.h"

#define OFFSET(name, value) __asm__ volatile("->" #name " %c0" : : "i"(value))
#define GPR(r) OFFSET(GPR_##r, offsetof(struct vcpu, gpr) + 8 * REG_##r)
#define VMCB(name, field) OFFSET(VMCB_##name, offsetof(struct vmcb, field))
#define CODE(name, field) OFFSET(CODE_##name, offsetof(struct vcpu, fast.code[0].field))
#define CPUID(name, field) OFFSET(CPUID_##name, offsetof(struct vcpu, fast.cpuid[0].field))

static void general_registers(void)
{
	GPR(RCX);
	GPR(RDX);
	GPR(RBX);
	GPR(RBP);
	GPR(RSI);
	GPR(RDI);
	GPR(R8);
	GPR(R9);
	GPR(R10);
	GPR(R11);
	GPR(R12);
	GPR(R13);
	GPR(R14);
	GPR(R15);
}

static void control_block(void)
{
	VMCB(TLB_CONTROL, tlb_control);
	VMCB(INT_STATE, int_state);
	VMCB(EXIT_CODE, exit_code);
	VMCB(INFO1, info1);
	VMCB(EXIT_INT_INFO, exit_int_info);
	VMCB(EVENT_INJ, event_inj);
	VMCB(NEXT_RIP, next_rip);
	VMCB(CS_ATTR, cs.attr);
	VMCB(CR3, cr3);
	VMCB(RFLAGS, rflags);
	VMCB(RIP, rip);
	VMCB(RAX, rax);
	OFFSET(EXIT_CPUID, SVM_EXIT_CPUID);
	OFFSET(EXIT_MSR, SVM_EXIT_MSR);
	OFFSET(EXIT_IOIO, SVM_EXIT_IOIO);
	OFFSET(EXIT_NPF, SVM_EXIT_NPF);
	OFFSET(EXIT_VMMCALL, SVM_EXIT_VMMCALL);
}

static void tables(void)
{
	CODE(RIP, rip);
	CODE(CR3, cr3);
	CODE(PTE, pte);
	CODE(ENTRY, entry);
	CODE(BYTES, bytes);
	CODE(CS, cs);
	CPUID(KEY, key);
	CPUID(EAX, eax);
	CPUID(EBX, ebx);
	CPUID(ECX, ecx);
	CPUID(EDX, edx);
	OFFSET(MSR_NUMBER, offsetof(struct vcpu, fast.msr[0].msr));
	OFFSET(MSR_VALUE, offsetof(struct vcpu, fast.msr[0].value));
	OFFSET(FAST_CODES, FAST_CODES);
	OFFSET(FAST_CPUIDS, FAST_CPUIDS);
	OFFSET(FAST_MSRS, FAST_MSRS);
}

void svm_offsets(void);
void svm_offsets(void)
{
	general_registers();
	control_block();
	tables();
	OFFSET(VCPU_TELLS_NEXT, offsetof(struct vcpu, tells_next));
	OFFSET(EXIT_COUNT, offsetof(struct vcpu, exit_count));
	OFFSET(INT_SHADOW, SVM_INTSTATE_SHADOW);
	OFFSET(RFLAGS_TF_RF, RFLAGS_TF | RFLAGS_RF);
	OFFSET(HYPERCALLS, HYPERCALLS);
	OFFSET(HYPERCALL_UNKNOWN, HYPERCALL_UNKNOWN);
	OFFSET(FAST_NEXT, FAST_NEXT);
}
