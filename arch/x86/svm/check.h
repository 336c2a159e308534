/* SPDX-License-Identifier: BSD-2-Clause */
/* Would VMRUN refuse this VMCB? Every broken rule of the manual, by name. */
#ifndef ARCH_X86_SVM_CHECK_H
#define ARCH_X86_SVM_CHECK_H

#include "arch/x86/cpu/asm.h"
#include "arch/x86/exit/refusal.h"
#include "arch/x86/svm/vmcb.h"

/* What a CPU has, as far as VMRUN's checks depend on it. */
struct svm_facts {
	unsigned int phys_bits;
	uint32_t asids;               /* number of ASIDs; 0 is the host's */
	uint64_t cr4, efer;           /* bits that exist */
	bool nested_paging, flush_by_asid;
};

/* CPUID of the CPU in question; zeros for a leaf it does not have. */
typedef struct cpuid_regs svm_cpuid_fn(uint32_t leaf, uint32_t subleaf);
struct svm_facts svm_facts_read(svm_cpuid_fn *cpuid);

/* Fills r, whatever it held. Pure; the VMCB may hold anything. */
void svm_check(struct refusals *r, const struct vmcb *c, const struct svm_facts *f);

#endif
