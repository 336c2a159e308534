/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel's extended page tables: SDM 3C "The Extended Page Table Mechanism (EPT)". */
#include "arch/x86/mm/nested.h"

#include <vouch/options.h>

#include "arch/x86/cpu/asm.h"

#define EPT_R  (1ull << 0)
#define EPT_W  (1ull << 1)
#define EPT_X  (1ull << 2)
#define EPT_TYPE_SHIFT 3              /* bits 5:3 of a leaf; bit 6 stays 0: the guest's PAT counts as well */
#define EPT_PS (1ull << 7)
#define EPT_A  (1ull << 8)            /* accessed and dirty set beforehand: the walker need not write */
#define EPT_D  (1ull << 9)

#define MSR_VMX_EPT_VPID_CAP 0x48cu
#define EPT_CAP_2M (1ull << 16)
#define EPT_CAP_1G (1ull << 17)

static void ept_limits(uint32_t features_off, struct nested_limits *l)
{
	uint64_t cap = msr_read(MSR_VMX_EPT_VPID_CAP);

	l->largest = !(cap & EPT_CAP_2M) ? 0 : (cap & EPT_CAP_1G) && !(features_off & FEATURE_EPT_1G) ? 2 : 1;
	mtrr_read(&l->mtrr);
}

const struct nested_format ept_format = {
	.name = "EPT",
	.present = EPT_R | EPT_W | EPT_X,
	.large = EPT_PS,
	.write = EPT_W,
	.table = EPT_R | EPT_W | EPT_X | EPT_A,
	.leaf = {
		[NESTED_RWX] = EPT_R | EPT_W | EPT_X | EPT_A | EPT_D,
		[NESTED_RX]  = EPT_R | EPT_X | EPT_A | EPT_D,
		[NESTED_DEVICE] = EPT_R | EPT_W | EPT_A | EPT_D | NESTED_MARK,
	},
	.type_shift = EPT_TYPE_SHIFT,
	.limits = ept_limits,
};
