/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer arithmetic with flags. No memory, no registers: only values. */
#include "alu.h"

/* SF, ZF and PF follow from the result alone. */
static uint64_t result_flags(unsigned int size, uint64_t r)
{
	uint64_t f = __builtin_parity((unsigned int)(r & 0xff)) ? 0 : RFLAGS_PF;

	if (!r)
		f |= RFLAGS_ZF;
	if (r >> (8 * size - 1) & 1)
		f |= RFLAGS_SF;
	return f;
}

/* carries has a bit where that position carried (or borrowed) into the next; overflow has its sign bit set on OF. */
static void set_flags(unsigned int size, uint64_t r, uint64_t carries, uint64_t overflow, uint64_t *flags)
{
	unsigned int top = 8 * size - 1;

	*flags = (*flags & ~RFLAGS_STATUS) | result_flags(size, r);
	if (carries >> top & 1)
		*flags |= RFLAGS_CF;
	if (carries >> 3 & 1)
		*flags |= RFLAGS_AF;
	if (overflow >> top & 1)
		*flags |= RFLAGS_OF;
}

static uint64_t add(unsigned int size, uint64_t a, uint64_t b, uint64_t carry, uint64_t *flags)
{
	uint64_t r = low_bytes(a + b + carry, size);

	set_flags(size, r, (a & b) | ((a | b) & ~r), (a ^ r) & (b ^ r), flags);
	return r;
}

static uint64_t subtract(unsigned int size, uint64_t a, uint64_t b, uint64_t borrow, uint64_t *flags)
{
	uint64_t r = low_bytes(a - b - borrow, size);

	set_flags(size, r, (~a & b) | ((~a | b) & r), (a ^ b) & (a ^ r), flags);
	return r;
}

static uint64_t logical(unsigned int size, uint64_t r, uint64_t *flags)
{
	set_flags(size, r, 0, 0, flags);
	return r;
}

uint64_t alu_binary(enum insn_op op, unsigned int size, uint64_t a, uint64_t b, uint64_t *flags)
{
	uint64_t carry = *flags & RFLAGS_CF;

	a = low_bytes(a, size);
	b = low_bytes(b, size);
	switch (op) {
	case INSN_ADD:                 return add(size, a, b, 0, flags);
	case INSN_ADC:                 return add(size, a, b, carry, flags);
	case INSN_SUB: case INSN_CMP:  return subtract(size, a, b, 0, flags);
	case INSN_SBB:                 return subtract(size, a, b, carry, flags);
	case INSN_AND: case INSN_TEST: return logical(size, a & b, flags);
	case INSN_OR:                  return logical(size, a | b, flags);
	default:                       return logical(size, a ^ b, flags);
	}
}

uint64_t alu_unary(enum insn_op op, unsigned int size, uint64_t a, uint64_t *flags)
{
	uint64_t carry = *flags & RFLAGS_CF, r;

	a = low_bytes(a, size);
	if (op == INSN_NOT)
		return low_bytes(~a, size);
	if (op == INSN_NEG)
		return subtract(size, 0, a, 0, flags);
	r = op == INSN_INC ? add(size, a, 1, 0, flags) : subtract(size, a, 1, 0, flags);
	*flags = (*flags & ~RFLAGS_CF) | carry;
	return r;
}

uint64_t alu_bit(enum insn_op op, uint64_t a, unsigned int bit, uint64_t *flags)
{
	uint64_t m = 1ull << bit;

	*flags = (*flags & ~RFLAGS_CF) | (a >> bit & 1 ? RFLAGS_CF : 0);
	switch (op) {
	case INSN_BTS: return a | m;
	case INSN_BTR: return a & ~m;
	case INSN_BTC: return a ^ m;
	default:       return a;
	}
}
