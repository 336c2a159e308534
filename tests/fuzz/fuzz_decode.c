/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder on arbitrary bytes. Whatever they are: lengths are 1 to 15, register numbers fit their tables, bytes
 * behind an instruction change nothing, and cutting it short says so. First byte: the mode.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/exit/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool x)
{
	if (!x)
		abort();
}

static bool reg_ok(uint8_t r)
{
	return r < REG_COUNT || r == INSN_NO_REG;
}

static bool size_ok(uint8_t s)
{
	return s == 1 || s == 2 || s == 4 || s == 8;
}

static void check_fields(const struct insn *in)
{
	check(in->len >= 1 && in->len <= INSN_MAX_LEN && in->op <= INSN_OTHER);
	check(reg_ok(in->base) && reg_ok(in->index) && in->reg < REG_COUNT && in->rm < REG_COUNT);
	check(in->seg < SEG_COUNT && in->scale < 4);
	check(size_ok(in->opsize) && size_ok(in->adsize) && in->adsize > 1);
	check(size_ok(in->size) && size_ok(in->src_size));
	check(in->op != INSN_MOV_FROM_SEG || in->reg < SEG_COUNT);
	check((in->op != INSN_MOV_FROM_CR && in->op != INSN_MOV_TO_CR) || in->reg <= 8);
}

static bool same(const struct insn *a, const struct insn *b)
{
	return a->len == b->len && a->map == b->map && a->opcode == b->opcode && a->op == b->op && a->form == b->form &&
	       a->size == b->size && a->adsize == b->adsize && a->rep == b->rep && a->lock == b->lock &&
	       a->modrm == b->modrm && a->mem == b->mem && a->seg == b->seg && a->base == b->base &&
	       a->index == b->index && a->disp == b->disp && a->imm == b->imm;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t other[INSN_MAX_LEN];
	struct insn in, again;
	enum x86_mode mode;
	unsigned int n;
	int err;

	if (!size)
		return 0;
	mode = (enum x86_mode)(data[0] % 3);
	n = (unsigned int)size - 1;
	err = insn_decode(&in, data + 1, n, mode);
	check(err == 0 || err == -EINVAL || err == -ENODATA);
	if (err)
		return 0;
	check_fields(&in);
	check(in.len <= n);
	check(!insn_decode(&again, data + 1, in.len, mode) && same(&in, &again));
	for (unsigned int cut = 0; cut < in.len; cut++)
		check(insn_decode(&again, data + 1, cut, mode) != 0);
	memset(other, 0xa5, sizeof(other));
	memcpy(other, data + 1, in.len);
	check(!insn_decode(&again, other, sizeof(other), mode) && same(&in, &again));
	return 0;
}
