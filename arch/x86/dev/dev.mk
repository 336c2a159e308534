# SPDX-License-Identifier: BSD-2-Clause
# Interrupt controllers are in apic.mk.
hv-srcs += $(addprefix arch/x86/dev/,acpi.c debugport.c i8042.c machine.c pciconfig.c pit.c pm.c reset.c rtc.c table.c)
hv-asl += arch/x86/dev/dsdt.asl
