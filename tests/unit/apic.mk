# SPDX-License-Identifier: BSD-2-Clause
lapic-srcs := arch/x86/dev/lapic.c arch/x86/dev/lapic_regs.c arch/x86/dev/lapic_timer.c

unit += pic ioapic lapic lapic_page lapic_timer
unit-pic-srcs := arch/x86/dev/pic.c
unit-ioapic-srcs := arch/x86/dev/ioapic.c
unit-lapic-srcs := $(lapic-srcs) tests/unit/support/clock.c
unit-lapic_page-srcs := $(lapic-srcs) tests/unit/support/clock.c
unit-lapic_timer-srcs := $(lapic-srcs) tests/unit/support/clock.c
