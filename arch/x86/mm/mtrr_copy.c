/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads one CPU's MTRRs and gives them to another: firmware has done so, as a rule. */
#include "arch/x86/mm/mtrr_copy.h"

#include <string.h>

#include <vouch/x86.h>

#include "arch/x86/cpu/asm.h"

#define CPUID_EDX_MTRR (1u << 12)     /* leaf 1 */
#define CAP_COUNT      0xffu
#define CAP_FIXED      (1u << 8)
#define DEF_E          (1ull << 11)

static uint32_t fixed_msr(unsigned int i)
{
	return i == 0 ? MSR_MTRR_FIX64K : i < 3 ? MSR_MTRR_FIX16K_80 + i - 1 : MSR_MTRR_FIX4K_C0 + i - 3;
}

static unsigned int ranges(const struct mtrr_regs *m)
{
	unsigned int n = m->cap & CAP_COUNT;

	return n < MTRR_RANGES_MAX ? n : MTRR_RANGES_MAX;
}

static unsigned int fixed_count(const struct mtrr_regs *m)
{
	return m->cap & CAP_FIXED ? MTRR_FIXED_COUNT / 8 : 0;
}

void mtrr_regs_read(struct mtrr_regs *m)
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->there = (cpuid_leaf(1, 0).edx & CPUID_EDX_MTRR) != 0;
	if (!m->there)
		return;
	m->cap = msr_read(MSR_MTRR_CAP);
	m->def_type = msr_read(MSR_MTRR_DEF_TYPE);
	for (i = 0; i < fixed_count(m); i++)
		m->fixed[i] = msr_read(fixed_msr(i));
	for (i = 0; i < ranges(m); i++) {
		m->base[i] = msr_read(MSR_MTRR_PHYSBASE0 + 2 * i);
		m->mask[i] = msr_read(MSR_MTRR_PHYSBASE0 + 2 * i + 1);
	}
}

bool mtrr_regs_same(const struct mtrr_regs *a, const struct mtrr_regs *b)
{
	return a->there == b->there && a->cap == b->cap && a->def_type == b->def_type &&
	       !memcmp(a->fixed, b->fixed, sizeof(a->fixed)) && !memcmp(a->base, b->base, sizeof(a->base)) &&
	       !memcmp(a->mask, b->mask, sizeof(a->mask));
}

/* Nothing is cached and no translation kept while types change: SDM 3A "MTRR Considerations in MP Systems" (11.11.8). */
void mtrr_regs_load(const struct mtrr_regs *m)
{
	uint64_t cr0 = cr0_read(), cr4 = cr4_read();
	unsigned int i;

	cr0_write((cr0 | CR0_CD) & ~CR0_NW);
	__asm__ volatile("wbinvd" : : : "memory");
	cr4_write(cr4 & ~CR4_PGE);
	cr3_write(cr3_read());
	msr_write(MSR_MTRR_DEF_TYPE, m->def_type & ~DEF_E);
	for (i = 0; i < fixed_count(m); i++)
		msr_write(fixed_msr(i), m->fixed[i]);
	for (i = 0; i < ranges(m); i++) {
		msr_write(MSR_MTRR_PHYSBASE0 + 2 * i, m->base[i]);
		msr_write(MSR_MTRR_PHYSBASE0 + 2 * i + 1, m->mask[i]);
	}
	msr_write(MSR_MTRR_DEF_TYPE, m->def_type);
	__asm__ volatile("wbinvd" : : : "memory");
	cr3_write(cr3_read());
	cr0_write(cr0);
	cr4_write(cr4);
}
