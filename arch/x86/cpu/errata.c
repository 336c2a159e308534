/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of errata that a bit of an MSR mends, and its use. */
#include "errata.h"

#include <stdio.h>

#include <vouch/log.h>
#include <vouch/x86.h>

#include "asm.h"
#include "arch/x86/exit/policy.h"

#define ONE_ECX_HYPERVISOR (1u << 31)
#define EXT21A_LFENCE      (1u << 2)        /* LfenceAlwaysSerializing: APM 3 appendix E */

#define MSR_INT_PENDING 0xc0010055u
#define MSR_LS_CFG      0xc0011020u
#define MSR_DC_CFG      0xc0011022u
#define MSR_DE_CFG      0xc0011029u
#define MSR_BP_CFG      0xc001102eu

/*
 * AMD's revision guides for families 10h (41322), 16h models 00h-0Fh (51810) and 19h models 10h-1Fh (57095), its bulletin
 * AMD-SB-7008, and "Software Techniques for Managing Speculation on AMD Processors" (for LFENCE; families 0Fh and 11h have
 * no such bit and need none).
 */
static const struct erratum {
	const char *name;
	uint8_t family_first, family_last, model_first, model_last;
	uint32_t msr;
	uint64_t set, clear;
} errata[] = {
	{ "LFENCE", 0x10, 0x10, 0, 0xff, MSR_DE_CFG, 1ull << 1, 0 },
	{ "LFENCE", 0x12, 0x19, 0, 0xff, MSR_DE_CFG, 1ull << 1, 0 },
	/* A guest that has one address in the TLB twice stops the machine. */
	{ "383", 0x10, 0x10, 0, 0xff, MSR_DC_CFG, 1ull << 47, 0 },
	/* C1E: the local APIC's timer stands while the CPU sleeps. */
	{ "400", 0x10, 0x10, 0, 0xff, MSR_INT_PENDING, 0, 3ull << 27 },
	/* A locked instruction behind stores that are combined hangs the core. */
	{ "793", 0x16, 0x16, 0x00, 0x0f, MSR_LS_CFG, 1ull << 15, 0 },
	/* Zenbleed: others' vector registers. Microcode mends it, too; the bit costs speed and is right with any. */
	{ "Zenbleed", 0x17, 0x17, 0x30, 0x4f, MSR_DE_CFG, 1ull << 9, 0 },
	{ "Zenbleed", 0x17, 0x17, 0x60, 0x7f, MSR_DE_CFG, 1ull << 9, 0 },
	{ "Zenbleed", 0x17, 0x17, 0x90, 0x91, MSR_DE_CFG, 1ull << 9, 0 },
	{ "Zenbleed", 0x17, 0x17, 0xa0, 0xaf, MSR_DE_CFG, 1ull << 9, 0 },
	/* With both threads of a core at work it may execute wrong bytes. */
	{ "1485", 0x19, 0x19, 0x10, 0x1f, MSR_BP_CFG, 1ull << 5, 0 },
	{ "1485", 0x19, 0x19, 0x60, 0xaf, MSR_BP_CFG, 1ull << 5, 0 },
};

struct cpu_model cpu_model_read(void)
{
	struct cpuid_regs one = cpuid_leaf(1, 0);
	unsigned int family = one.eax >> 8 & 0xf, model = one.eax >> 4 & 0xf;

	if (family == 6 || family == 0xf)
		model |= one.eax >> 12 & 0xf0;
	if (family == 0xf)
		family += one.eax >> 20 & 0xff;
	return (struct cpu_model){ .amd = policy_by_amd(), .family = family, .model = model,
				   .hypervisor = one.ecx & ONE_ECX_HYPERVISOR,
				   .lfence_serial = cpuid_leaf(0x80000021, 0).eax & EXT21A_LFENCE };
}

static bool has(const struct cpu_model *m, const struct erratum *e)
{
	if (!m->amd || m->hypervisor || (e->msr == MSR_DE_CFG && e->set == 1ull << 1 && m->lfence_serial))
		return false;
	return m->family >= e->family_first && m->family <= e->family_last && m->model >= e->model_first &&
	       m->model <= e->model_last;
}

/* True: it is mended now, and was not before. */
static bool mend(const struct erratum *e)
{
	uint64_t was, want, now = 0;

	if (!msr_read_safe(e->msr, &was))
		return false;
	want = (was | e->set) & ~e->clear;
	if (was == want)
		return false;
	if (msr_write_safe(e->msr, want) && msr_read_safe(e->msr, &now) && now == want)
		return true;
	log_warn("CPU erratum %s: MSR %#x does not take %#lx", e->name, (unsigned int)e->msr, (unsigned long)want);
	return false;
}

void errata_mend(const struct cpu_model *m, bool say)
{
	char text[96] = "";
	size_t at = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(errata); i++)
		if (has(m, &errata[i]) && mend(&errata[i]) && at < sizeof(text))
			at += (size_t)snprintf(text + at, sizeof(text) - at, " %s", errata[i].name);
	if (say && at)
		log_info("CPU errata seen to:%s", text);
}
