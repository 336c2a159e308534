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

unit += machine smp
unit-machine-srcs := $(addprefix arch/x86/dev/,acpi.c debugport.c i8042.c ioapic.c lapic.c lapic_regs.c lapic_timer.c \
	machine.c pciconfig.c pic.c pit.c pm.c post.c reset.c rtc.c table.c) core/bus.c core/dev/uart16550.c loader/escape.c \
	$(addprefix tests/unit/support/,clock.c lock.c log.c panic.c poke.c vm.c)
unit-smp-srcs := $(unit-machine-srcs)

unit += vcpu
unit-vcpu-srcs := core/vcpu.c core/vclock.c $(addprefix tests/unit/support/,cpu_area.c host_tsc.c lock.c log.c panic.c vm.c)

unit += vcpu_init
unit-vcpu_init-srcs := core/vcpu_init.c $(addprefix arch/x86/dev/,lapic.c lapic_regs.c lapic_timer.c post.c) \
	$(addprefix tests/unit/support/,clock.c log.c panic.c vm.c)
