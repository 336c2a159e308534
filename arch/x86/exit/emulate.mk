# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/exit/alu.c arch/x86/exit/operand.c arch/x86/exit/emulate.c arch/x86/exit/string.c
