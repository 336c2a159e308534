/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must be the same on every CPU, so that a guest's vCPU can run on any: features by CPUID, virtualization
 * capabilities by MSR. Reading and comparing are apart: the comparison is pure.
 */
#ifndef ARCH_X86_CPU_CPU_FACTS_H
#define ARCH_X86_CPU_CPU_FACTS_H

#include <vouch/types.h>

#include "asm.h"

#define FACTS_CPUID 16u               /* rows of the table in cpu_facts.c */
#define FACTS_MSRS  20u

struct cpu_facts {
	struct cpuid_regs leaf[FACTS_CPUID];
	uint64_t msr[FACTS_MSRS];
	uint32_t msr_there;           /* bits: the CPU has this one */
	uint64_t microcode;           /* revision; 0: unknown */
};

/* This CPU's. Where it has no such leaf or MSR, zeros. */
void cpu_facts_read(struct cpu_facts *f);

/*
 * True if they agree in all that guests or Vouch rely on. Else why names the first difference: leaf, register, bit, and
 * which of the two has it. The microcode's revision is not compared.
 */
bool cpu_facts_same(const struct cpu_facts *boot, const struct cpu_facts *other, char *why, size_t size);

#endif
