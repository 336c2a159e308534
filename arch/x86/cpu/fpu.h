/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's FPU and vector state stays in the CPU while Vouch runs. This clears it between guests, and keeps it where
 * something else is to use these registers. All of what the CPU has counts, whatever XCR0 says at the time: a guest that
 * enabled a component, used it and disabled it again still owns what is in it.
 */
#ifndef ARCH_X86_CPU_FPU_H
#define ARCH_X86_CPU_FPU_H

#include <vouch/types.h>

struct pcpu;

/* Puts x87, SSE and whatever XCR0 of this CPU can hold into their initial state, XCR0 back to x87 only. */
void fpu_reset(void);

/* For each CPU once, on any CPU, before the first fpu_begin() (lib.h); lib_init() calls it. False: no memory. */
__must_check bool fpu_init(struct pcpu *p);

/* Bytes that the state takes, as far as this CPU can hold it. An area is aligned to 64 and zeroed before its first use. */
size_t fpu_state_bytes(void);
/* Fills a zeroed area with the state after reset. */
void fpu_state_init(void *area);
/* Between this CPU and an area; XCR0 is as before afterwards. */
void fpu_state_save(void *area);
void fpu_state_load(const void *area);

#endif
