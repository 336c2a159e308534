# SPDX-License-Identifier: BSD-2-Clause
unit += insn_text
unit-insn_text-srcs := arch/x86/exit/insn_text.c arch/x86/exit/decode.c
unit-insn_text-libs := -lZydis -lZycore

unit += report
unit-report-srcs := arch/x86/exit/report.c arch/x86/exit/insn_text.c arch/x86/exit/decode.c \
	core/vclock.c tests/unit/support/host_tsc.c tests/unit/support/seam.c tests/unit/support/log.c \
	tests/unit/support/lock.c tests/unit/support/panic.c

unit += svm_names
unit-svm_names-srcs := arch/x86/svm/names.c
