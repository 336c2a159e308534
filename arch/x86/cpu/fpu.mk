# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/cpu/fpu.c arch/x86/cpu/rtc.c
