/* SPDX-License-Identifier: BSD-2-Clause */
/* VMCB clean bits: what a processor may keep, and the check of debug builds that it is still so. */
#include "arch/x86/svm/clean.h"

#include <vouch/assert.h>

struct field {
	uint16_t offset, size;
	uint32_t group;
};

#define FIELD(name, g) { offsetof(struct vmcb, name), sizeof(((struct vmcb *)0)->name), SVM_CLEAN_##g },
static const struct field fields[] = { VMCB_FIELDS(FIELD) };
#undef FIELD

/* FNV-1a over a group's fields. */
static uint64_t sum_group(const struct vmcb *c, uint32_t group)
{
	uint64_t sum = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const uint8_t *p = (const uint8_t *)c + fields[i].offset;

		for (unsigned int b = 0; fields[i].group == group && b < fields[i].size; b++)
			sum = (sum ^ p[b]) * 0x100000001b3ull;
	}
	return sum;
}

uint32_t vmcb_clean_broken(const struct vmcb_cache *k, const struct vmcb *c)
{
	uint32_t broken = 0;

	for (unsigned int g = 0; g < SVM_CLEAN_GROUPS; g++) {
		if ((k->clean & 1u << g) && sum_group(c, 1u << g) != k->sum[g])
			broken |= 1u << g;
	}
	return broken;
}

void vmcb_clean_enter(struct vmcb_cache *k, struct vmcb *c, const void *cpu, bool used)
{
	if (k->cpu != cpu) {
		k->cpu = cpu;
		k->clean = 0;
	}
	if (DEBUG_BUILD && vmcb_clean_broken(k, c))
		panic("VMCB groups %x changed while marked clean", vmcb_clean_broken(k, c));
	c->clean = used ? k->clean : 0;
}

void vmcb_clean_exit(struct vmcb_cache *k, const struct vmcb *c)
{
	k->clean = SVM_CLEAN_ALL;
	for (unsigned int g = 0; DEBUG_BUILD && g < SVM_CLEAN_GROUPS; g++)
		k->sum[g] = sum_group(c, 1u << g);
}
