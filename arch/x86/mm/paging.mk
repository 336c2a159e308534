# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/mm/paging.c arch/x86/mm/hostmap.c arch/x86/mm/mtrr_copy.c
