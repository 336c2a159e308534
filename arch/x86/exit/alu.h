/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer arithmetic with flags, as instructions with a memory operand need it. Pure functions of their arguments. */
#ifndef ARCH_X86_EXIT_ALU_H
#define ARCH_X86_EXIT_ALU_H

#include "decode.h"

#define RFLAGS_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* The low size bytes of v; size is 1, 2, 4 or 8. */
static inline uint64_t low_bytes(uint64_t v, unsigned int size)
{
	return size >= 8 ? v : v & ((1ull << (8 * size)) - 1);
}

static inline uint64_t sign_extend(uint64_t v, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(v << shift) >> shift);
}

/*
 * a op b in size bytes for INSN_ADD to INSN_CMP and INSN_TEST; flags are read (CF) and updated. CMP and TEST return
 * what SUB and AND would. AF after logical operations is undefined in the manuals: cleared, as CPUs do.
 */
uint64_t alu_binary(enum insn_op op, unsigned int size, uint64_t a, uint64_t b, uint64_t *flags);

/* INSN_INC, INSN_DEC, INSN_NOT, INSN_NEG. */
uint64_t alu_unary(enum insn_op op, unsigned int size, uint64_t a, uint64_t *flags);

/* INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC of bit number bit; CF is the old bit, the other flags stay. */
uint64_t alu_bit(enum insn_op op, uint64_t a, unsigned int bit, uint64_t *flags);

#endif
