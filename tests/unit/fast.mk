# SPDX-License-Identifier: BSD-2-Clause
unit += fast
unit-fast-srcs := arch/x86/exit/fast.c arch/x86/exit/fast_code.c arch/x86/exit/fast_table.c arch/x86/exit/decode.c \
	arch/x86/mm/gwalk.c core/vclock.c $(addprefix arch/x86/dev/,lapic.c lapic_fast.c lapic_regs.c lapic_timer.c) \
	$(addprefix tests/unit/support/,flatmem.c guestmem.c log.c vm.c host_tsc.c panic.c)

unit += svm_fast
unit-svm_fast-srcs := arch/x86/svm/fast.c arch/x86/svm/names.c

unit += svm_tpr
unit-svm_tpr-srcs := arch/x86/svm/tpr.c

unit += spec
unit-spec-srcs := arch/x86/cpu/spec.c arch/x86/exit/decode.c tests/unit/support/log.c

unit += errata mce
unit-errata-srcs := arch/x86/cpu/errata.c tests/unit/support/log.c tests/unit/support/msrs.c
unit-mce-srcs := arch/x86/cpu/mce.c tests/unit/support/log.c tests/unit/support/msrs.c
