/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One instruction as text, for the report of a guest that died: what the decoder knows by name with its operands,
 * Intel's order; the rest as "db" and its bytes. Pure. Not a disassembler.
 */
#ifndef ARCH_X86_EXIT_INSN_TEXT_H
#define ARCH_X86_EXIT_INSN_TEXT_H

#include "decode.h"

/* Enough for any text below. */
#define INSN_TEXT_MAX 128u

/*
 * The first instruction of bytes[0..n), n at most 15, which lies at rip. Always terminates dst; size is not 0. Returns
 * the instruction's length, or n if the bytes are none that the decoder knows.
 */
unsigned int insn_text(char *dst, size_t size, const uint8_t *bytes, unsigned int n, enum x86_mode mode, uint64_t rip);

#endif
