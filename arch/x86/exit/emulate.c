/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions with a memory operand that is a device. One function per family; each maps its operands, computes,
 * stores, and only then changes registers and flags, so that a fault or a lost race leaves no trace.
 */
#include "emulate.h"

#include <vouch/gpa.h>

#include "alu.h"
#include "operand.h"

/* So often an instruction is tried again that could not have exited. */
#define AGAINS_MAX 1000u

/* The operand that is not memory. */
static uint64_t other_operand(const struct emu *m)
{
	return m->in.form == FORM_RM_I ? low_bytes(m->in.imm, m->in.size) : emu_reg_read(m, m->in.reg, m->in.size);
}

static bool exec_store(struct emu *m, uint64_t val)
{
	struct place p;

	if (!emu_map_operand(m, m->in.size, 0, GVA_WRITE, &p))
		return false;
	place_write(m, &p, val);
	return true;
}

/* MOV, MOVZX and MOVSX into a register. */
static bool exec_load(struct emu *m)
{
	const struct insn *in = &m->in;
	struct place p;
	uint64_t val;

	if (!emu_map_operand(m, in->src_size, 0, GVA_READ, &p))
		return false;
	val = place_read(m, &p);
	if (in->op == INSN_MOVSX)
		val = sign_extend(val, in->src_size);
	emu_reg_write(m, in->reg, in->size, val);
	return true;
}

static bool exec_mov(struct emu *m)
{
	return m->in.form == FORM_R_RM ? exec_load(m) : exec_store(m, other_operand(m));
}

/* ADD to CMP, and TEST. */
static bool exec_binary(struct emu *m)
{
	const struct insn *in = &m->in;
	enum insn_op op = (enum insn_op)in->op;
	bool discard = op == INSN_CMP || op == INSN_TEST, to_reg = in->form == FORM_R_RM;
	uint64_t flags = m->e->rflags, val, r;
	struct place p;

	if (!emu_map_operand(m, in->size, 0, discard || to_reg ? GVA_READ : GVA_WRITE, &p))
		return false;
	val = place_read(m, &p);
	if (to_reg)
		r = alu_binary(op, in->size, emu_reg_read(m, in->reg, in->size), val, &flags);
	else
		r = alu_binary(op, in->size, val, other_operand(m), &flags);
	if (!discard && to_reg)
		emu_reg_write(m, in->reg, in->size, r);
	else if (!discard && !place_update(m, &p, in->lock, val, r))
		return false;
	m->e->rflags = flags;
	return true;
}

static bool exec_unary(struct emu *m)
{
	uint64_t flags = m->e->rflags, val;
	struct place p;

	if (!emu_map_operand(m, m->in.size, 0, GVA_WRITE, &p))
		return false;
	val = place_read(m, &p);
	if (!place_update(m, &p, m->in.lock, val, alu_unary((enum insn_op)m->in.op, m->in.size, val, &flags)))
		return false;
	m->e->rflags = flags;
	return true;
}

/* A register's bit number is signed and reaches beyond the operand; an immediate's does not. */
static bool exec_bit(struct emu *m)
{
	const struct insn *in = &m->in;
	enum insn_op op = (enum insn_op)in->op;
	unsigned int width = 8u * in->size;
	int64_t number = in->form == FORM_RM_I ? (int64_t)(in->imm & (width - 1)) :
						 (int64_t)sign_extend(emu_reg_read(m, in->reg, in->size), in->size);
	unsigned int bit = (unsigned int)number & (width - 1);
	uint64_t flags = m->e->rflags, val, r;
	struct place p;

	if (!emu_map_operand(m, in->size, (number - (int64_t)bit) / 8, op == INSN_BT ? GVA_READ : GVA_WRITE, &p))
		return false;
	val = place_read(m, &p);
	r = alu_bit(op, val, bit, &flags);
	if (op != INSN_BT && !place_update(m, &p, in->lock, val, r))
		return false;
	m->e->rflags = flags;
	return true;
}

/* XCHG (always locked), XADD, CMPXCHG. */
static bool exec_exchange(struct emu *m)
{
	const struct insn *in = &m->in;
	uint64_t flags = m->e->rflags, old, val;
	struct place p;

	if (!emu_map_operand(m, in->size, 0, GVA_WRITE, &p))
		return false;
	old = place_read(m, &p);
	val = emu_reg_read(m, in->reg, in->size);
	if (in->op == INSN_XADD) {
		val = alu_binary(INSN_ADD, in->size, old, val, &flags);
	} else if (in->op == INSN_CMPXCHG) {
		alu_binary(INSN_CMP, in->size, emu_reg_read(m, REG_RAX, in->size), old, &flags);
		if (!(flags & RFLAGS_ZF))
			val = old;            /* the CPU writes in any case */
	}
	if (!place_update(m, &p, in->lock || in->op == INSN_XCHG, old, val))
		return false;
	if (in->op != INSN_CMPXCHG)
		emu_reg_write(m, in->reg, in->size, old);
	else if (!(flags & RFLAGS_ZF))
		emu_reg_write(m, REG_RAX, in->size, old);
	m->e->rflags = flags;
	return true;
}

static unsigned int stack_width(const struct emu *m)
{
	return m->mode == MODE_64 ? 8 : m->e->seg[SEG_SS].attr & SEG_ATTR_DB ? 4 : 2;
}

/* PUSH from, or POP to, the memory operand. */
static bool exec_stack(struct emu *m)
{
	unsigned int size = m->in.size, width = stack_width(m);
	uint64_t rsp = m->v->gpr[REG_RSP], next;
	struct place mem, stack;
	bool push = m->in.op == INSN_PUSH, ok;

	next = low_bytes(push ? rsp - size : rsp + size, width);
	if (push) {
		ok = emu_map_operand(m, size, 0, GVA_READ, &mem) && emu_map(m, SEG_SS, next, size, GVA_WRITE, &stack);
	} else {
		/* APM 3 "POP": an address based on rSP is that after the pop. */
		ok = emu_map(m, SEG_SS, low_bytes(rsp, width), size, GVA_READ, &stack) &&
		     emu_map_operand(m, size, m->in.base == REG_RSP ? size : 0, GVA_WRITE, &mem);
	}
	if (!ok)
		return false;
	place_write(m, push ? &stack : &mem, place_read(m, push ? &mem : &stack));
	emu_reg_write(m, REG_RSP, width, next);
	return true;
}

/* Instructions that touch memory without naming it: the stack, XLAT, MASKMOVQ, CLZERO. Re-entering one would loop for ever. */
static bool has_hidden_memory(const struct insn *in)
{
	uint8_t o = in->opcode;

	if (in->map == MAP_0F)
		return o == 0xa0 || o == 0xa1 || o == 0xa8 || o == 0xa9 || o == 0xf7 || (o == 0x01 && in->modrm == 0xfc);
	if (in->map != MAP_1)
		return false;
	switch (o) {
	case 0x06: case 0x07: case 0x0e: case 0x16: case 0x17: case 0x1e: case 0x1f: case 0x60: case 0x61: case 0x68:
	case 0x6a: case 0x9a: case 0x9c: case 0x9d: case 0xc2: case 0xc3: case 0xd7: case 0xe8: case 0xff:
		return true;
	default:
		return (o >= 0x50 && o <= 0x5f) || (o >= 0xc8 && o <= 0xcf);
	}
}

/* CLFLUSH, and with 66h CLFLUSHOPT; CLWB. */
static bool is_cache_flush(const struct insn *in)
{
	unsigned int which = in->modrm >> 3 & 7;

	return in->map == MAP_0F && in->opcode == 0xae && !in->rep && (which == 7 || (which == 6 && in->opsize_prefix));
}

/* SDM 2A "CLFLUSH": checked as the load of a byte is, but for one thing; a device has nothing in a cache. */
static bool exec_other(struct emu *m)
{
	struct place mem;

	m->flush = is_cache_flush(&m->in);
	return m->flush ? emu_map_operand(m, 1, 0, GVA_READ, &mem) : emu_unsupported(m);
}

static bool execute(struct emu *m)
{
	switch (m->in.op) {
	case INSN_ADD: case INSN_OR: case INSN_ADC: case INSN_SBB: case INSN_AND: case INSN_SUB: case INSN_XOR:
	case INSN_CMP: case INSN_TEST:
		return exec_binary(m);
	case INSN_MOV:
		return exec_mov(m);
	case INSN_MOVZX: case INSN_MOVSX:
		return exec_load(m);
	case INSN_MOV_FROM_SEG:
		return exec_store(m, m->e->seg[m->in.reg].sel);
	case INSN_INC: case INSN_DEC: case INSN_NOT: case INSN_NEG:
		return exec_unary(m);
	case INSN_BT: case INSN_BTS: case INSN_BTR: case INSN_BTC:
		return exec_bit(m);
	case INSN_XCHG: case INSN_XADD: case INSN_CMPXCHG:
		return exec_exchange(m);
	case INSN_PUSH: case INSN_POP:
		return exec_stack(m);
	default:
		return exec_other(m);
	}
}

/*
 * No instruction that could have exited: another CPU changed it, or it uses memory that is in no operand, as a segment load or a
 * page walk does. Try again, but not for ever; a program may, as it must not be able to stop its kernel's machine.
 */
static enum exit_action try_again(struct emu *m)
{
	struct vcpu *v = m->v;

	if (v->again_rip != m->e->rip)
		v->agains = 0;
	v->again_rip = m->e->rip;
	if (m->e->cpl != 3 && ++v->agains == AGAINS_MAX)
		(void)emu_unsupported(m);
	else
		m->action = EXIT_AGAIN;
	return m->action;
}

enum exit_action emulate_mmio(struct vcpu *v, struct x86_env *e)
{
	struct emu m;

	if (!emu_begin(&m, v, e))
		return m.action;
	if (m.in.op >= INSN_MOVS && m.in.op <= INSN_SCAS)
		return emulate_string(&m);
	if (!m.in.mem && !has_hidden_memory(&m.in))
		return try_again(&m);
	v->agains = 0;
	if (!(m.in.mem ? execute(&m) : emu_unsupported(&m)))
		return m.action;
	env_advance(e, m.in.len);
	return emu_end(&m);
}
