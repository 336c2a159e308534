/* SPDX-License-Identifier: BSD-2-Clause */
/* Setting up a CPU's part of vouch/lib.h. */
#ifndef ARCH_X86_CPU_LIB_CPU_H
#define ARCH_X86_CPU_LIB_CPU_H

struct pcpu;

/* Once on each CPU, with the page allocator up, before the first lib_enter(). */
void lib_init(struct pcpu *p);

#endif
