/* SPDX-License-Identifier: BSD-2-Clause */
/* A good VMCB for each mode. */
#ifndef TESTS_REFUSALS_SVM_STATES_H
#define TESTS_REFUSALS_SVM_STATES_H

#include <vouch/x86.h>

#include "arch/x86/svm/vmcb.h"

#define PAT_RESET 0x0007040600070406ull

/* 64-bit code under nested paging, as Linux runs. */
static inline struct vmcb long_mode(void)
{
	struct vmcb c = {
		.intercept1 = SVM_INT1_INTR | SVM_INT1_NMI, .intercept2 = SVM_INT2_VMRUN, .iopm_pa = 0x10000,
		.msrpm_pa = 0x20000, .asid = 1, .int_ctl = SVM_INTCTL_V_MASKING, .np_enable = SVM_NP_ENABLE,
		.nested_cr3 = 0x30000, .pat = PAT_RESET, .cs = { .sel = 0x10, .attr = 0xa9b, .limit = 0xffffffff },
		.ss = { .sel = 0x18, .attr = 0xc93, .limit = 0xffffffff }, .efer = 0x1d01, .cr0 = 0x80050033,
		.cr3 = 0x1000, .cr4 = CR4_PAE | CR4_PGE, .dr6 = 0xffff0ff0, .dr7 = 0x400, .rflags = RFLAGS_FIXED,
	};

	return c;
}

static inline struct vmcb mode(uint64_t cr0, uint64_t cr4, uint64_t efer, uint16_t cs)
{
	struct vmcb c = long_mode();

	c.cr0 = cr0;
	c.cr4 = cr4;
	c.efer = efer | EFER_SVME;
	c.cs.attr = cs;
	return c;
}

#endif
