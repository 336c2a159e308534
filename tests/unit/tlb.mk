# SPDX-License-Identifier: BSD-2-Clause
unit += tlb_id
unit-tlb_id-srcs := arch/x86/mm/tlb_id.c
