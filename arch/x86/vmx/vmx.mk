# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += $(addprefix arch/x86/vmx/,apic.c caps.c check.c check_guest.c check_report.c entry.S event.c exit.c fast.c names.c \
	run.c setup.c state.c task.c)
