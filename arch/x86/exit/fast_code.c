/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Learning where an instruction of the guest lies in host memory, and what it is if it moves four bytes. Nothing here is
 * trusted later: fast_code_find() reads the guest's tables again each time, and its callers the bytes.
 */
#include "arch/x86/exit/fast.h"

#include <string.h>

#include <vouch/gpa.h>
#include <vouch/vm.h>

#include "arch/x86/exit/decode.h"
#include "arch/x86/mm/gwalk.h"

/* So much can be read at fast_code.bytes: an instruction nearer to its page's end is not learnt. */
#define CODE_ROOM sizeof(((struct fast_code *)0)->copy)

/* MOV of four bytes whose operand is at most a base and a displacement. RSP is not always in gpr[]. */
static enum fast_move move_of(const struct insn *in)
{
	if (in->op != INSN_MOV || !in->mem || in->size != 4 || in->map != MAP_1 || in->lock || in->rip_relative ||
	    in->index != INSN_NO_REG || in->base == REG_RSP || in->adsize != 8)
		return FAST_OTHER;
	if (in->seg == SEG_FS || in->seg == SEG_GS)
		return FAST_OTHER;
	if (in->form == FORM_RM_I)
		return FAST_STORE_IMM;
	if (in->reg == REG_RSP)
		return FAST_OTHER;
	return in->form == FORM_R_RM ? FAST_LOAD : in->form == FORM_RM_R ? FAST_STORE : FAST_OTHER;
}

static bool learn_path(struct vcpu *v, struct fast_code *c, const struct gva_path *p)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(c->pte); i++) {
		c->entry[i] = i < p->count ? p->entry[i] : 0;
		c->pte[i] = i < p->count ? gpa_peek(v->vm, p->at[i], sizeof(uint64_t)) : &c->entry[i];
		if (!c->pte[i])
			return false;
	}
	return true;
}

/* 64-bit code that conforms to nobody: its CPL is in the attributes of CS, and neither base nor limit counts. */
static bool can_learn(const struct x86_env *e)
{
	uint16_t cs = e->seg[SEG_CS].attr;

	return x86_env_mode(e) == MODE_64 && (e->cr0 & CR0_PG) && (cs & SEG_ATTR_CODE) && !(cs & SEG_ATTR_DOWN) &&
	       (e->rip & (PAGE_SIZE - 1)) <= PAGE_SIZE - CODE_ROOM;
}

void fast_learn_code(struct vcpu *v, const struct x86_env *e)
{
	struct fast_code *slot = &v->fast.code[FAST_CODE_SLOT(e->rip)], *c = slot;
	struct x86_fault ignored;
	struct gva_path path;
	struct insn in;
	gpa_t at;

	if (!can_learn(e))
		return;
	if (slot->wanted != e->rip) {
		slot->wanted = e->rip;
		return;
	}
	c->cs = FAST_NO_CS;
	if (gva_translate_path(v, e, e->rip, GVA_FETCH, &at, &ignored, &path) || !learn_path(v, c, &path))
		return;
	c->bytes = gpa_peek(v->vm, at, CODE_ROOM);
	if (!c->bytes)
		return;
	memcpy(c->copy, c->bytes, CODE_ROOM);
	if (insn_decode(&in, c->copy, INSN_MAX_LEN, MODE_64))
		return;
	c->cr3 = e->cr3;
	c->len = in.len;
	c->op = in.op;
	c->move = (uint8_t)move_of(&in);
	c->reg = in.reg;
	c->base = in.base;
	c->disp = (uint16_t)((uint64_t)in.disp & (PAGE_SIZE - 1));
	c->imm = (uint32_t)in.imm;
	c->rip = e->rip;
	c->cs = e->seg[SEG_CS].attr;
}
