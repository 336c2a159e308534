/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's FPU and vector state stays in the CPU while Vouch runs; this clears it between guests. */
#ifndef ARCH_X86_CPU_FPU_H
#define ARCH_X86_CPU_FPU_H

/* Puts x87, SSE and whatever XCR0 of this CPU can hold into their initial state, XCR0 back to x87 only. */
void fpu_reset(void);

#endif
