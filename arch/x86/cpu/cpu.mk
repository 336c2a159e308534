# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/cpu/cpu.c arch/x86/cpu/gdt.c arch/x86/cpu/idt.c arch/x86/cpu/isr.S arch/x86/cpu/panic.c
hv-srcs += arch/x86/cpu/power.c arch/x86/cpu/uart.c
