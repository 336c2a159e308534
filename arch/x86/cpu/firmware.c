/* SPDX-License-Identifier: BSD-2-Clause */
/* Undoing CPUID's limit, and the width of physical addresses under memory encryption. */
#include "firmware.h"

#include <vouch/x86.h>

#include "asm.h"

#define MSR_MISC_ENABLE  0x1a0u
#define MISC_LIMIT_CPUID (1ull << 22)
#define LIMIT_LEAF       3u

#define MSR_SYSCFG       0xc0010010u
#define SYSCFG_ENCRYPTS  (1ull << 23)     /* MemEncryptionModEn */
#define MSR_TME_ACTIVATE 0x982u
#define TME_ENABLED      (1ull << 1)

#define WIDTH_DEFAULT 36u                 /* the least a CPU with PAE has */
#define WIDTH_LEAST   32u
#define WIDTH_MOST    52u

bool cpuid_unlimit(bool intel, uint32_t max_leaf)
{
	uint64_t v;

	if (!intel || max_leaf > LIMIT_LEAF || !msr_read_safe(MSR_MISC_ENABLE, &v) || !(v & MISC_LIMIT_CPUID))
		return false;
	return msr_write_safe(MSR_MISC_ENABLE, v & ~MISC_LIMIT_CPUID);
}

struct width_facts width_facts_read(void)
{
	struct cpuid_regs sme = cpuid_leaf(0x8000001f, 0);
	struct width_facts f = {
		.bits = cpuid_leaf(0x80000008, 0).eax & 0xff,
		.sme = sme.eax & 3, .sme_bits = sme.ebx >> 6 & 0x3f,
		.tme = cpuid_leaf(7, 0).ecx & 1u << 13,
	};

	if (f.sme)
		msr_read_safe(MSR_SYSCFG, &f.syscfg);
	if (f.tme)
		msr_read_safe(MSR_TME_ACTIVATE, &f.tme_activate);
	return f;
}

unsigned int width_of(const struct width_facts *f, unsigned int *keys)
{
	unsigned int bits = f->bits >= WIDTH_LEAST && f->bits <= WIDTH_MOST ? f->bits : WIDTH_DEFAULT;

	*keys = 0;
	if (f->sme && (f->syscfg & SYSCFG_ENCRYPTS))
		*keys = f->sme_bits;
	else if (f->tme && (f->tme_activate & TME_ENABLED))
		*keys = f->tme_activate >> 32 & 0xf;
	/* More than can be: what a hypervisor below tells, at best. */
	if (*keys > bits - WIDTH_LEAST)
		*keys = 0;
	return bits - *keys;
}
