/* SPDX-License-Identifier: BSD-2-Clause */
/* What is compared between CPUs, in one table each for CPUID and MSRs. */
#include "cpu_facts.h"

#include <stdio.h>
#include <string.h>

#include <vouch/x86.h>

/* Masks leave out what belongs to one CPU (IDs), to its state (OSXSAVE, OSPKE) or to its stepping. */
static const struct cpuid_fact {
	uint32_t leaf, subleaf;
	struct cpuid_regs mask;
} cpuid_facts[] = {
	{ 0x00000000, 0, { 0, ~0u, ~0u, ~0u } },
	{ 0x00000001, 0, { ~0xfu, 0x0000ff00u, ~(1u << 27), ~0u } },
	{ 0x00000006, 0, { ~0u, 0, 0, 0 } },
	{ 0x00000007, 0, { ~0u, ~0u, ~(1u << 4), ~0u } },
	{ 0x00000007, 1, { ~0u, ~0u, ~0u, ~0u } },
	{ 0x00000007, 2, { ~0u, ~0u, ~0u, ~0u } },
	{ 0x0000000d, 0, { ~0u, 0, ~0u, ~0u } },
	{ 0x0000000d, 1, { ~0u, 0, ~0u, ~0u } },
	{ 0x80000001, 0, { 0, 0, ~0u, ~0u } },
	{ 0x80000007, 0, { ~0u, ~0u, ~0u, ~0u } },
	{ 0x80000008, 0, { ~0u, ~0u, 0, 0 } },
	{ 0x8000000a, 0, { ~0u, ~0u, ~0u, ~0u } },
	{ 0x80000021, 0, { ~0u, 0, ~0u, 0 } },
};
_Static_assert(ARRAY_SIZE(cpuid_facts) <= FACTS_CPUID, "a place for each leaf");

/* SDM 3D "VMX Capability Reporting Facility" (A): IA32_VMX_BASIC to IA32_VMX_VMFUNC, and IA32_ARCH_CAPABILITIES. */
#define MSR_VMX_BASIC   0x480u
#define MSR_VMX_LAST    0x491u
#define MSR_ARCH_CAPS   0x10au
#define CPUID_ECX_VMX   (1u << 5)   /* leaf 1 */
#define CPUID_EDX_CAPS  (1u << 29)  /* leaf 7 */
#define VMX_MSRS        (MSR_VMX_LAST - MSR_VMX_BASIC + 1)
_Static_assert(VMX_MSRS < FACTS_MSRS, "a place for each MSR, and the last for MSR_ARCH_CAPS");
#define ARCH_CAPS_AT    (FACTS_MSRS - 1)

static const char reg_names[4][4] = { "EAX", "EBX", "ECX", "EDX" };

static uint32_t fact_msr(unsigned int i)
{
	return i == ARCH_CAPS_AT ? MSR_ARCH_CAPS : MSR_VMX_BASIC + i;
}

static void fact_msr_read(struct cpu_facts *f, unsigned int i)
{
	if (msr_read_safe(fact_msr(i), &f->msr[i]))
		f->msr_there |= 1u << i;
}

void cpu_facts_read(struct cpu_facts *f)
{
	unsigned int i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < ARRAY_SIZE(cpuid_facts); i++)
		f->leaf[i] = cpuid_leaf(cpuid_facts[i].leaf, cpuid_facts[i].subleaf);
	for (i = 0; i < VMX_MSRS && cpuid_leaf(1, 0).ecx & CPUID_ECX_VMX; i++)
		fact_msr_read(f, i);
	if (cpuid_leaf(7, 0).edx & CPUID_EDX_CAPS)
		fact_msr_read(f, ARCH_CAPS_AT);
	/* CPUID leaf 1 has just put it there: SDM 3A "Determining the Signature" (9.11.7.1). Intel's is the upper half. */
	if (msr_read_safe(MSR_UCODE_REV, &f->microcode) && f->microcode >> 32)
		f->microcode >>= 32;
}

static unsigned int lowest_bit(uint64_t v)
{
	return (unsigned int)__builtin_ctzll(v);
}

static bool leaf_same(const struct cpuid_fact *t, const struct cpuid_regs *boot, const struct cpuid_regs *other, char *why,
		      size_t size)
{
	const uint32_t mask[4] = { t->mask.eax, t->mask.ebx, t->mask.ecx, t->mask.edx };
	const uint32_t a[4] = { boot->eax, boot->ebx, boot->ecx, boot->edx };
	const uint32_t b[4] = { other->eax, other->ebx, other->ecx, other->edx };

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t differ = (a[i] ^ b[i]) & mask[i];
		unsigned int bit;

		if (!differ)
			continue;
		bit = lowest_bit(differ);
		snprintf(why, size, "CPUID leaf %x.%u %s bit %u is %u, on the boot CPU %u (%08x, %08x)", (unsigned int)t->leaf,
			 (unsigned int)t->subleaf, reg_names[i], bit, (unsigned int)(b[i] >> bit & 1),
			 (unsigned int)(a[i] >> bit & 1), (unsigned int)b[i], (unsigned int)a[i]);
		return false;
	}
	return true;
}

static bool msr_same(unsigned int i, const struct cpu_facts *boot, const struct cpu_facts *other, char *why, size_t size)
{
	uint64_t differ = boot->msr[i] ^ other->msr[i];

	if ((boot->msr_there ^ other->msr_there) & 1u << i) {
		snprintf(why, size, "MSR %#x is there on %s CPU only", (unsigned int)fact_msr(i),
			 boot->msr_there & 1u << i ? "the boot" : "this");
		return false;
	}
	if (!differ)
		return true;
	snprintf(why, size, "MSR %#x bit %u is %u, on the boot CPU %u (%016lx, %016lx)", (unsigned int)fact_msr(i),
		 lowest_bit(differ), (unsigned int)(other->msr[i] >> lowest_bit(differ) & 1),
		 (unsigned int)(boot->msr[i] >> lowest_bit(differ) & 1), (unsigned long)other->msr[i],
		 (unsigned long)boot->msr[i]);
	return false;
}

bool cpu_facts_same(const struct cpu_facts *boot, const struct cpu_facts *other, char *why, size_t size)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cpuid_facts); i++)
		if (!leaf_same(&cpuid_facts[i], &boot->leaf[i], &other->leaf[i], why, size))
			return false;
	for (i = 0; i < FACTS_MSRS; i++)
		if (!msr_same(i, boot, other, why, size))
			return false;
	return true;
}
