# SPDX-License-Identifier: BSD-2-Clause
fuzz += decode
fuzz-decode-srcs := arch/x86/exit/decode.c

fuzz += emulate
fuzz-emulate-srcs := arch/x86/exit/decode.c arch/x86/exit/alu.c arch/x86/exit/operand.c arch/x86/exit/emulate.c \
	arch/x86/exit/string.c arch/x86/mm/gwalk.c \
	$(addprefix tests/unit/support/,flatmem.c guestmem.c host_tsc.c log.c vm.c)
