# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += $(addprefix arch/x86/exit/,cpuid.c cr.c fast.c fast_code.c fast_table.c fault.c gpa.c insn_text.c kvmclock.c msr.c \
	pio.c refusal.c report.c)
