# SPDX-License-Identifier: BSD-2-Clause
unit += tlb_id
unit-tlb_id-srcs := arch/x86/mm/tlb_id.c

unit += tlb_model
unit-tlb_model-srcs := arch/x86/mm/tlb_id.c arch/x86/mm/nested.c arch/x86/mm/npt.c arch/x86/mm/mtrr.c \
	arch/x86/mm/tlb_flush.c arch/x86/exit/fast_table.c arch/x86/svm/tlb.c core/page.c \
	$(addprefix tests/unit/support/,cpu_area.c hostram.c lock.c panic.c)
unit-tlb_model-cflags := -DDIRECT_MAP_BASE=0x200000000000ull
