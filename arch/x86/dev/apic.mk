# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/dev/pic.c arch/x86/dev/ioapic.c arch/x86/dev/lapic.c arch/x86/dev/lapic_regs.c arch/x86/dev/lapic_timer.c
