/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the host's MTRRs, and their answer for a range: SDM 3A "Memory Type Range Registers (MTRRs)". */
#include "arch/x86/mm/mtrr.h"

#include <vouch/x86.h>

#include "arch/x86/cpu/asm.h"

#define CPUID_EDX_MTRR   (1u << 12)   /* leaf 1 */
#define MTRR_CAP_VCNT    0xffu
#define MTRR_CAP_FIX     (1u << 8)
#define MTRR_DEF_FE      (1ull << 10)
#define MTRR_DEF_E       (1ull << 11)
#define MTRR_MASK_VALID  (1ull << 11)
#define ADDR_MASK        0x000ffffffffff000ull

#define FIXED_TOP 0x100000ul

static void read_fixed(struct mtrr *m)
{
	for (unsigned int i = 0; i < MTRR_FIXED_COUNT / 8; i++) {
		uint32_t msr = i == 0 ? MSR_MTRR_FIX64K : i < 3 ? MSR_MTRR_FIX16K_80 + i - 1 : MSR_MTRR_FIX4K_C0 + i - 3;
		uint64_t types = msr_read(msr);

		for (unsigned int k = 0; k < 8; k++)
			m->fixed[8 * i + k] = (uint8_t)(types >> 8 * k);
	}
}

void mtrr_read(struct mtrr *m)
{
	uint64_t cap, def;

	*m = (struct mtrr){ .def_type = MEM_WB };
	if (!(cpuid_leaf(1, 0).edx & CPUID_EDX_MTRR))
		return;
	cap = msr_read(MSR_MTRR_CAP);
	def = msr_read(MSR_MTRR_DEF_TYPE);
	/* Switched off, all memory is uncached. More ranges than any CPU has: uncached is right whatever they say. */
	m->def_type = MEM_UC;
	if (!(def & MTRR_DEF_E) || (cap & MTRR_CAP_VCNT) > MTRR_RANGES_MAX)
		return;
	m->def_type = (uint8_t)def;
	m->fixed_on = (cap & MTRR_CAP_FIX) && (def & MTRR_DEF_FE);
	if (m->fixed_on)
		read_fixed(m);
	for (uint32_t i = 0; i < (cap & MTRR_CAP_VCNT); i++) {
		uint64_t base = msr_read(MSR_MTRR_PHYSBASE0 + 2 * i), mask = msr_read(MSR_MTRR_PHYSBASE0 + 2 * i + 1);

		if (mask & MTRR_MASK_VALID)
			m->range[m->count++] = (struct mtrr_range){ base & ADDR_MASK, mask & ADDR_MASK, (uint8_t)base };
	}
}

static unsigned int fixed_index(uint64_t a)
{
	if (a < 0x80000)
		return (unsigned int)(a >> 16);
	if (a < 0xc0000)
		return 8 + (unsigned int)((a - 0x80000) >> 14);
	return 24 + (unsigned int)((a - 0xc0000) >> 12);
}

/* SDM 3A "MTRR Precedences": UC wins, WT wins over WB, and what the manual leaves undefined is uncached here. */
static uint8_t combine(uint8_t a, uint8_t b)
{
	if (a == b)
		return a;
	if ((a == MEM_WT && b == MEM_WB) || (a == MEM_WB && b == MEM_WT))
		return MEM_WT;
	return MEM_UC;
}

bool mtrr_type(const struct mtrr *m, hpa_t a, uint64_t len, uint8_t *type)
{
	bool covered = false;

	*type = m->def_type;
	if (m->fixed_on && a.v < FIXED_TOP) {
		*type = m->fixed[fixed_index(a.v)];
		return len == PAGE_SIZE;
	}
	for (unsigned int i = 0; i < m->count; i++) {
		const struct mtrr_range *r = &m->range[i];

		/* An address is in the range if it agrees with base in all bits of mask: the bits above the leaf's size first. */
		if ((a.v ^ r->base) & r->mask & ~(len - 1))
			continue;
		if (r->mask & (len - 1))
			return false;
		*type = covered ? combine(*type, r->type) : r->type;
		covered = true;
	}
	return true;
}
