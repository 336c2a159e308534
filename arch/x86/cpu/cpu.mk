# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/cpu/cpu.c arch/x86/cpu/gdt.c arch/x86/cpu/idt.c arch/x86/cpu/isr.S arch/x86/cpu/panic.c
hv-srcs += arch/x86/cpu/acpi.c arch/x86/cpu/acpi_host.c arch/x86/cpu/apic.c arch/x86/cpu/ioapic.c arch/x86/cpu/tsc.c
hv-srcs += arch/x86/cpu/lib.c arch/x86/cpu/entropy.c arch/x86/cpu/sha.c
hv-srcs += arch/x86/cpu/pci.c arch/x86/cpu/usb.c arch/x86/cpu/power.c arch/x86/cpu/uart.c
hv-srcs += arch/x86/cpu/display.c arch/x86/cpu/framebuffer.c arch/x86/cpu/vga.c
hv-srcs += arch/x86/cpu/tpm.c arch/x86/cpu/tpm_regs.c arch/x86/cpu/tpm_tis.c arch/x86/cpu/tpm_crb.c
hv-srcs += $(addprefix arch/x86/cpu/,ap.S cpu_facts.c deadline.c errata.c firmware.c mce.c retpoline.S smp.c spec.c stop.c tsc_sync.c)
