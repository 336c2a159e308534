# SPDX-License-Identifier: BSD-2-Clause
fuzz += host_acpi
fuzz-host_acpi-srcs := arch/x86/cpu/acpi.c loader/escape.c tests/unit/support/log.c
