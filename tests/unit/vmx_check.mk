# SPDX-License-Identifier: BSD-2-Clause
unit += vmx_check
unit-vmx_check-srcs := $(addprefix arch/x86/vmx/,check.c check_guest.c check_report.c) arch/x86/exit/refusal.c \
	tests/unit/support/cpu_area.c tests/unit/support/log.c
