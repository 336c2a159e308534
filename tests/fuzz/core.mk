# SPDX-License-Identifier: BSD-2-Clause
fuzz += host_acpi
fuzz-host_acpi-srcs := arch/x86/cpu/acpi.c loader/escape.c tests/unit/support/log.c

fuzz += console control
fuzz-console-srcs := core/mux.c core/line_edit.c
fuzz-control-srcs := core/control.c core/monitor.c core/record.c
