# SPDX-License-Identifier: BSD-2-Clause
unit += bus vclock
unit-bus-srcs := core/bus.c tests/unit/support/panic.c
unit-vclock-srcs := core/vclock.c tests/unit/support/host_tsc.c tests/unit/support/panic.c

unit += uart
unit-uart-srcs := core/dev/uart16550.c

unit += pit
unit-pit-srcs := arch/x86/dev/pit.c tests/unit/support/clock.c

unit += pm rtc
unit-pm-srcs := arch/x86/dev/pm.c tests/unit/support/clock.c
unit-rtc-srcs := arch/x86/dev/rtc.c tests/unit/support/clock.c

unit += legacy guest_acpi
unit-legacy-srcs := $(addprefix arch/x86/dev/,i8042.c reset.c pciconfig.c debugport.c)
unit-guest_acpi-srcs := arch/x86/dev/acpi.c
