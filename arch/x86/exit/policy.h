/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests may see and use of the CPU: derived from the CPUID table in cpuid.c, so that CPUID, CR4 and XCR0 agree. */
#ifndef ARCH_X86_EXIT_POLICY_H
#define ARCH_X86_EXIT_POLICY_H

#include <vouch/types.h>

/* CPUID as a guest sees it: leaf and subleaf in, four words out. cr4 and apic_id are the asking vCPU's. */
struct cpuid_view { uint32_t eax, ebx, ecx, edx; };
struct cpuid_view policy_cpuid(uint32_t leaf, uint32_t sub, uint64_t cr4, uint32_t apic_id);

/* CR4 bits that a guest may set, and XCR0 bits, on this CPU. */
uint64_t policy_cr4(void);
uint64_t policy_xcr0(void);
uint64_t policy_efer(void);
bool policy_has_tsc_aux(void);
/* The CPU goes by AMD's manual where that and Intel's differ: an AMD or a Hygon. */
bool policy_by_amd(void);
unsigned int policy_phys_bits(void);

#endif
