# SPDX-License-Identifier: BSD-2-Clause
# A whole guest without hardware: every device and every neutral handler.
fuzz-guest-srcs := $(addprefix arch/x86/dev/,acpi.c debugport.c i8042.c ioapic.c lapic.c lapic_fast.c lapic_regs.c \
	lapic_timer.c machine.c pciconfig.c pic.c pit.c pm.c post.c reset.c rtc.c table.c) \
	$(addprefix arch/x86/exit/,alu.c cpuid.c cr.c decode.c emulate.c fast.c fast_code.c fast_table.c fault.c gpa.c \
	insn_text.c kvmclock.c msr.c operand.c pio.c report.c string.c) arch/x86/mm/gwalk.c core/bus.c \
	core/vclock.c core/vcpu.c core/dev/uart16550.c loader/escape.c \
	tests/fuzz/rig.c $(addprefix tests/unit/support/,cpu_area.c flatmem.c host_tsc.c lock.c log.c panic.c poke.c \
	vm.c xcr0.c)

fuzz += exits
fuzz-exits-srcs := $(fuzz-guest-srcs) tests/unit/support/seam.c

fuzz += svm
fuzz-svm-srcs := $(fuzz-guest-srcs) arch/x86/exit/refusal.c \
	$(addprefix arch/x86/svm/,check.c event.c exit.c names.c state.c vmcb.c)

fuzz += vmx
fuzz-vmx-srcs := $(fuzz-guest-srcs) arch/x86/exit/refusal.c tests/unit/support/vmcs.c \
	$(addprefix arch/x86/vmx/,apic.c check.c check_guest.c check_report.c event.c exit.c names.c state.c task.c)
