/* SPDX-License-Identifier: BSD-2-Clause */
/* What entry.S needs to know, generated from the C structures: never linked, only compiled to assembly. */
#include <vouch/vcpu.h>

#include "arch/x86/vmx/vmcs.h"

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
}
