# SPDX-License-Identifier: BSD-2-Clause
unit += nested
unit-nested-srcs := $(addprefix arch/x86/mm/,ept.c nested.c npt.c mtrr.c) core/gpa.c core/gpa_build.c core/ram.c core/page.c \
	tests/unit/support/hostram.c tests/unit/support/host_tsc.c tests/unit/support/lock.c \
	tests/unit/support/panic.c
unit-nested-cflags := -DDIRECT_MAP_BASE=0x200000000000ull

unit += mtrr
unit-mtrr-srcs := arch/x86/mm/mtrr.c arch/x86/mm/nested.c arch/x86/mm/ept.c core/page.c \
	$(addprefix tests/unit/support/,hostram.c lock.c panic.c)
unit-mtrr-cflags := -DDIRECT_MAP_BASE=0x200000000000ull

unit += policy
unit-policy-srcs := arch/x86/exit/cpuid.c arch/x86/exit/msr.c arch/x86/exit/cr.c arch/x86/exit/kvmclock.c \
	arch/x86/exit/fast_table.c \
	tests/unit/support/seam.c tests/unit/support/xcr0.c

unit += svm_event
unit-svm_event-srcs := arch/x86/svm/event.c arch/x86/svm/vmcb.c arch/x86/exit/fault.c \
	$(addprefix tests/unit/support/,irq.c log.c vm.c)

unit += svm_check
unit-svm_check-srcs := arch/x86/svm/check.c arch/x86/exit/refusal.c tests/unit/support/log.c

unit += svm_state
unit-svm_state-srcs := arch/x86/svm/state.c arch/x86/svm/check.c arch/x86/exit/refusal.c \
	tests/unit/support/cpu_area.c tests/unit/support/log.c tests/unit/support/vm.c tests/unit/support/panic.c

unit += svm_clean
unit-svm_clean-srcs := arch/x86/svm/clean.c arch/x86/svm/features.c tests/unit/support/panic_catch.c

unit += svm_exit
unit-svm_exit-srcs := $(addprefix arch/x86/svm/,event.c exit.c names.c) arch/x86/exit/fault.c \
	$(addprefix tests/unit/support/,cpu_area.c irq.c log.c panic.c vm.c)

unit += guest_time
unit-guest_time-srcs := arch/x86/exit/cpuid.c arch/x86/exit/msr.c arch/x86/exit/cr.c arch/x86/exit/kvmclock.c \
	arch/x86/exit/fast_table.c core/vclock.c tests/unit/support/seam.c tests/unit/support/xcr0.c tests/unit/support/panic.c
