/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD's nested page tables: ordinary long-mode entries, walked as user accesses. */
#include "arch/x86/mm/nested.h"

#include "arch/x86/cpu/asm.h"

#define NPT_P  (1ull << 0)
#define NPT_W  (1ull << 1)
#define NPT_U  (1ull << 2)   /* APM 2 "Nested Table Walk" (15.25.5): the nested walk is a user access, so set US */
#define NPT_A  (1ull << 5)   /* accessed and dirty set beforehand: the walker need not write */
#define NPT_D  (1ull << 6)
#define NPT_PS (1ull << 7)

#define CPUID_EDX_PAGE1GB (1u << 26)  /* 80000001 */

static void npt_limits(uint32_t features_off, struct nested_limits *l)
{
	(void)features_off;
	l->largest = cpuid_leaf(0x80000001, 0).edx & CPUID_EDX_PAGE1GB ? 2 : 1;
}

const struct nested_format npt_format = {
	.name = "NPT",
	.present = NPT_P,
	.large = NPT_PS,
	.write = NPT_W,
	.table = NPT_P | NPT_W | NPT_U | NPT_A,
	.leaf = {
		[NESTED_RWX] = NPT_P | NPT_W | NPT_U | NPT_A | NPT_D,
		[NESTED_RX]  = NPT_P | NPT_U | NPT_A | NPT_D,
		[NESTED_DEVICE] = NPT_P | NPT_W | NPT_U | NPT_A | NPT_D | NESTED_MARK,
	},
	.limits = npt_limits,
};
