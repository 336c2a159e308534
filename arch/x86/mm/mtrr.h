/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's memory type range registers as plain data: which memory type a range of host-physical addresses has. */
#ifndef ARCH_X86_MM_MTRR_H
#define ARCH_X86_MM_MTRR_H

#include <vouch/types.h>

/* Memory types as MTRRs, the PAT and EPT leaves encode them (SDM 3A "Memory Types That Can Be Encoded in MTRRs"). */
#define MEM_UC 0u
#define MEM_WT 4u
#define MEM_WP 5u
#define MEM_WB 6u

#define MTRR_FIXED_COUNT 88u          /* 8 of 64 KiB, 16 of 16 KiB, 64 of 4 KiB */
#define MTRR_RANGES_MAX  32u

struct mtrr_range {
	uint64_t base, mask;
	uint8_t type;
};

struct mtrr {
	bool fixed_on;
	uint8_t def_type;             /* of what no range covers */
	uint8_t fixed[MTRR_FIXED_COUNT];
	unsigned int count;           /* of valid ranges */
	struct mtrr_range range[MTRR_RANGES_MAX];
};

/* This CPU's. Firmware sets all CPUs alike, and nobody changes them after that. */
void mtrr_read(struct mtrr *m);

/*
 * The type of [a, a + len), len a power of two from 4 KiB on and a aligned to it. False if no single type can be told:
 * ask for a smaller part then. For 4 KiB never false.
 */
__must_check bool mtrr_type(const struct mtrr *m, hpa_t a, uint64_t len, uint8_t *type);

#endif
