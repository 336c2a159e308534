# SPDX-License-Identifier: BSD-2-Clause
unit += decode_zydis
unit-decode_zydis-srcs := arch/x86/exit/decode.c
unit-decode_zydis-libs := -lZydis -lZycore

unit += gwalk
unit-gwalk-srcs := arch/x86/mm/gwalk.c tests/unit/support/guestmem.c
