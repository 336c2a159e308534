/* SPDX-License-Identifier: BSD-2-Clause */
/* Setting up a CPU's part of vouch/lib.h. */
#ifndef ARCH_X86_CPU_LIB_CPU_H
#define ARCH_X86_CPU_LIB_CPU_H

#include <vouch/types.h>

struct pcpu;

/*
 * For each CPU once, with the page allocator up, before its first lib_enter(); on any CPU, as all have the same FPU. False
 * without memory.
 */
__must_check bool lib_init(struct pcpu *p);

#endif
