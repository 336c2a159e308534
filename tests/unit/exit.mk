# SPDX-License-Identifier: BSD-2-Clause
unit += decode_zydis
unit-decode_zydis-srcs := arch/x86/exit/decode.c
unit-decode_zydis-libs := -lZydis -lZycore

guestmem-srcs := $(addprefix tests/unit/support/,flatmem.c guestmem.c log.c vm.c)

unit += gwalk
unit-gwalk-srcs := arch/x86/mm/gwalk.c $(guestmem-srcs)

exit-emulate-srcs := arch/x86/exit/decode.c arch/x86/exit/alu.c arch/x86/exit/operand.c arch/x86/exit/emulate.c \
	arch/x86/exit/string.c arch/x86/mm/gwalk.c $(guestmem-srcs)
unit += emulate_native
unit-emulate_native-srcs := $(exit-emulate-srcs) tests/unit/support/host_tsc.c

unit += emulate
unit-emulate-srcs := $(exit-emulate-srcs)

unit += decode
unit-decode-srcs := arch/x86/exit/decode.c
