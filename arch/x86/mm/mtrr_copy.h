/* SPDX-License-Identifier: BSD-2-Clause */
/* MTRRs as registers: all CPUs must have the same (SDM 3A "MTRR Considerations in MP Systems"). */
#ifndef ARCH_X86_MM_MTRR_COPY_H
#define ARCH_X86_MM_MTRR_COPY_H

#include "arch/x86/mm/mtrr.h"

struct mtrr_regs {
	bool there;                   /* the CPU has MTRRs; all zeros else */
	uint64_t cap, def_type;
	uint64_t fixed[MTRR_FIXED_COUNT / 8];
	uint64_t base[MTRR_RANGES_MAX], mask[MTRR_RANGES_MAX];
};

/* This CPU's. */
void mtrr_regs_read(struct mtrr_regs *m);
bool mtrr_regs_same(const struct mtrr_regs *a, const struct mtrr_regs *b);
/* Gives this CPU those of m, which must have the same cap. With host events off. */
void mtrr_regs_load(const struct mtrr_regs *m);

#endif
