/* SPDX-License-Identifier: BSD-2-Clause */
/* Control registers and their like: constant from here on, so that a guest's exit has nothing to restore. */
#include "cpu.h"

#include <string.h>

#include <vouch/log.h>
#include <vouch/x86.h>

#include "asm.h"
#include "firmware.h"

/*
 * PAT as after reset (entry 3, PCD and PWT, is uncached) but for entry 1, PWT alone, which nothing used: it combines
 * writes. APM 2 "Page-Attribute Table" (7.8).
 */
#define PAT_HOST 0x0007040600070106ull

static uint64_t cr4_wanted(void)
{
	struct cpuid_regs one = cpuid_leaf(1, 0), seven = cpuid_leaf(7, 0);
	uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_MCE;

	if (one.ecx & 1u << 26)
		cr4 |= CR4_OSXSAVE;
	if (seven.ebx & 1u << 0)
		cr4 |= CR4_FSGSBASE;
	if (seven.ebx & 1u << 7)
		cr4 |= CR4_SMEP;
	if (seven.ebx & 1u << 20)
		cr4 |= CR4_SMAP;
	if (seven.ecx & 1u << 2)
		cr4 |= CR4_UMIP;
	return cr4;
}

void cpu_features_init(void)
{
	cpuid_unlimit(cpuid_is_intel(), cpuid_read(0, 0).eax);
	cr0_write(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	cr4_write(cr4_wanted());
	/* Whole, for all CPUs alike; LMA is as paging has made it. */
	msr_write(MSR_EFER, EFER_LME | EFER_LMA | EFER_NXE);
	msr_write(MSR_PAT, PAT_HOST);
	/* The loader's breakpoints, if any, are not ours. APM 2 "Debug-Control Register (DR7)" (13.1.1.4). */
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x400ul));
}

unsigned int cpu_phys_bits(unsigned int *keys)
{
	const struct width_facts f = width_facts_read();

	return width_of(&f, keys);
}

char *cpu_name(char name[CPU_NAME_LEN])
{
	char raw[48];
	size_t i, n = sizeof(raw), skip = 0;

	for (i = 0; i < 3; i++) {
		struct cpuid_regs r = cpuid_leaf((uint32_t)(0x80000002 + i), 0);

		memcpy(raw + 16 * i, &r, 16);
	}
	while (n && (raw[n - 1] == ' ' || raw[n - 1] == '\0'))
		n--;
	while (skip < n && raw[skip] == ' ')
		skip++;
	return skip < n ? log_escape(name, CPU_NAME_LEN, raw + skip, n - skip) : strcpy(name, "unnamed");
}
