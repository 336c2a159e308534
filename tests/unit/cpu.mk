# SPDX-License-Identifier: BSD-2-Clause
unit += hostmap
unit-hostmap-srcs := arch/x86/mm/hostmap.c core/page.c tests/unit/support/lock.c tests/unit/support/panic.c
unit-hostmap-cflags := -DDIRECT_MAP_BASE=0x200000000000ull

unit += host_uart
unit-host_uart-srcs := arch/x86/cpu/uart.c tests/unit/support/ports.c

unit += host_tsc
unit-host_tsc-srcs := arch/x86/cpu/tsc.c tests/unit/support/ports.c tests/unit/support/cpu_area.c \
	tests/unit/support/panic_catch.c

unit += cpu_facts tsc_sync
unit-cpu_facts-srcs := arch/x86/cpu/cpu_facts.c
unit-tsc_sync-srcs := arch/x86/cpu/tsc_sync.c
unit-tsc_sync-libs := -lpthread

unit += pci
unit-pci-srcs := arch/x86/cpu/pci.c arch/x86/cpu/usb.c tests/unit/support/ports.c tests/unit/support/log.c

unit += power
unit-power-srcs := arch/x86/cpu/power.c arch/x86/cpu/apic.c \
	tests/unit/support/stop.c tests/unit/support/log.c tests/unit/support/ports.c tests/unit/support/cpu_area.c \
	tests/unit/support/panic.c

unit += tpm tpm_regs
unit-tpm-srcs := loader/tpm.c loader/eventlog.c loader/crypto.c tests/unit/support/panic.c
unit-tpm-libs := -lmbedcrypto
unit-tpm_regs-srcs := arch/x86/cpu/tpm_regs.c arch/x86/cpu/tpm_tis.c arch/x86/cpu/tpm_crb.c

unit += fpu
unit-fpu-srcs := arch/x86/cpu/fpu.c loader/sha256_ni.c core/page.c \
	$(addprefix tests/unit/support/,cpu_area.c hostram.c lock.c panic_catch.c)
unit-fpu-cflags := -mgeneral-regs-only -DDIRECT_MAP_BASE=0x200000000000ull

unit += firmware
unit-firmware-srcs := arch/x86/cpu/firmware.c tests/unit/support/msrs.c

unit += deadline host_lapic
unit-deadline-srcs := arch/x86/cpu/deadline.c tests/unit/support/log.c tests/unit/support/msrs.c
unit-host_lapic-srcs := arch/x86/cpu/apic.c $(addprefix tests/unit/support/,cpu_area.c log.c panic.c ports.c)
