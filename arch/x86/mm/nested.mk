# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/mm/nested.c arch/x86/mm/npt.c arch/x86/mm/ept.c arch/x86/mm/mtrr.c \
	arch/x86/mm/tlb_flush.c arch/x86/mm/tlb_id.c
