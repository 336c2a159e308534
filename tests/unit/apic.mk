# SPDX-License-Identifier: BSD-2-Clause
unit += pic ioapic
unit-pic-srcs := arch/x86/dev/pic.c
unit-ioapic-srcs := arch/x86/dev/ioapic.c
