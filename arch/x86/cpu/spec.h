/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this CPU needs against guests that steer its speculation or read its buffers, from what CPUID and
 * IA32_ARCH_CAPABILITIES say; docs/security.md has the table. Code for it stands in the vendors' entry code
 * (spec.inc) and is taken out once, before the text becomes read-only.
 */
#ifndef ARCH_X86_CPU_SPEC_H
#define ARCH_X86_CPU_SPEC_H

#include <vouch/spec.h>
#include <vouch/types.h>

struct host;
struct pcpu;
struct vm;

/* What a piece of code is for; the numbers are spec.inc's. */
#define SPEC_RSB       1u         /* the return stack is filled anew after an exit */
#define SPEC_VERW      2u         /* buffers are overwritten before an entry */
#define SPEC_BHB       4u         /* the branch history is filled anew after an exit */
#define SPEC_RETPOLINE 8u         /* indirect branches of C are RETs */
#define SPEC_L1D       16u        /* the L1 data cache is emptied before an entry from the general path */

struct spec_facts {
	bool amd;                     /* or Hygon */
	uint32_t ext_8_ebx;           /* CPUID 80000008 */
	uint32_t ext_21_eax, ext_21_ecx;  /* CPUID 80000021 */
	uint32_t seven_edx, seven_2_edx;  /* CPUID 7, subleaves 0 and 2 */
	uint64_t arch;                /* IA32_ARCH_CAPABILITIES, 0 where there is none */
};

#define SPEC_TEXT_MAX 112

/* Pure. */
struct spec spec_choose(const struct spec_facts *f);
/* Names of what is chosen, each after a space; " none". */
void spec_text(const struct spec *s, char *dst, size_t size);
/* Makes len bytes of code, 1 or more, do nothing: in one instruction. */
void spec_take_out(uint8_t *at, size_t len);

/* On the boot CPU, once, while the text can still be written: decides for all CPUs. */
void spec_init(struct host *h);
/* On each CPU, before it runs guests. */
void spec_cpu_enable(const struct host *h);
/* A vCPU of vm comes to p, whose CPU this is. True: the last one that came was of another VM, or there was none. */
bool spec_is_other(struct pcpu *p, const struct vm *vm);
/* A vCPU of this VM comes to this CPU. */
void spec_switch(const struct vm *vm);

#endif
