/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of fast exits: emptying them, and what CPUID and RDMSR are answered from. Where code lies is fast_code.c's. */
#include "arch/x86/exit/fast.h"

#include <string.h>

#include "arch/x86/exit/policy.h"

/* Key 0 belongs into slot 0, so that is what empties all others. */
void fast_forget_cpuid(struct vcpu *v)
{
	for (unsigned int i = 0; i < FAST_CPUIDS; i++)
		v->fast.cpuid[i].key = i == 0;
}

void fast_forget_msrs(struct vcpu *v)
{
	for (unsigned int i = 0; i < FAST_MSRS; i++)
		v->fast.msr[i].msr = i == 0;
}

void fast_forget_msr(struct vcpu *v, uint32_t msr)
{
	unsigned int i = FAST_MSR_SLOT(msr);

	v->fast.msr[i].msr = i == 0;
}

void fast_forget_code(struct vcpu *v)
{
	for (unsigned int i = 0; i < FAST_CODES; i++)
		v->fast.code[i].cs = FAST_NO_CS;
}

void fast_forget(struct vcpu *v)
{
	fast_forget_cpuid(v);
	fast_forget_msrs(v);
	fast_forget_code(v);
}

void fast_reset(struct vcpu *v)
{
	memset(&v->fast, 0, sizeof(v->fast));
	fast_forget(v);
}

void fast_learn_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, const struct cpuid_view *r)
{
	struct fast_cpuid *c = &v->fast.cpuid[FAST_CPUID_SLOT(leaf, sub)];

	*c = (struct fast_cpuid){ .key = (uint64_t)sub << 32 | leaf, .eax = r->eax, .ebx = r->ebx, .ecx = r->ecx,
				  .edx = r->edx };
}

void fast_learn_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	v->fast.msr[FAST_MSR_SLOT(msr)] = (struct fast_msr){ msr, value };
}
