# SPDX-License-Identifier: BSD-2-Clause
fuzz += host_acpi
fuzz-host_acpi-srcs := arch/x86/cpu/acpi.c loader/escape.c tests/unit/support/log.c

fuzz += console control
fuzz-console-srcs := core/mux.c core/line_edit.c
fuzz-control-srcs := core/control.c core/monitor.c core/record.c

fuzz += tpm
fuzz-tpm-srcs := loader/tpm.c loader/eventlog.c loader/crypto.c tests/unit/support/panic.c \
	$(addprefix arch/x86/cpu/,tpm_regs.c tpm_tis.c tpm_crb.c)
fuzz-tpm-libs := -lmbedcrypto
