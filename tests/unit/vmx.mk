# SPDX-License-Identifier: BSD-2-Clause
unit-vmx-srcs := $(addprefix arch/x86/vmx/,event.c state.c) arch/x86/exit/fault.c \
	$(addprefix tests/unit/support/,cpu_area.c flatmem.c irq.c log.c vm.c vmcs.c)

unit += vmx_event vmx_state
unit-vmx_event-srcs := $(unit-vmx-srcs) tests/unit/support/panic.c
unit-vmx_state-srcs := $(unit-vmx-srcs) tests/unit/support/panic_catch.c

unit += vmx_task
unit-vmx_task-srcs := $(unit-vmx-srcs) arch/x86/vmx/task.c arch/x86/mm/gwalk.c tests/unit/support/panic.c

unit += vmx_names
unit-vmx_names-srcs := arch/x86/vmx/names.c

unit += vmx_apic
unit-vmx_apic-srcs := arch/x86/vmx/apic.c $(addprefix arch/x86/dev/,lapic.c lapic_regs.c lapic_timer.c) \
	$(addprefix tests/unit/support/,clock.c panic.c vmcs.c)

unit += vmx_exit
unit-vmx_exit-srcs := $(unit-vmx-srcs) $(addprefix arch/x86/vmx/,exit.c names.c) tests/unit/support/panic_catch.c

unit += vmx_fast
unit-vmx_fast-srcs := arch/x86/vmx/fast.c tests/unit/support/vmcs.c
