/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * String instructions, on memory and on ports. With REP, registers are brought up to date after each element, so that
 * the loop can end at any of them: at a fault, at the end of a chunk, or because a device stopped the VM.
 */
#include "emulate.h"
#include "operand.h"

#include <vouch/gpa.h>
#include <vouch/platform.h>
#include <vouch/vm.h>

#include "alu.h"

static bool map_source(struct emu *m, struct place *p)
{
	return emu_map(m, m->in.seg, emu_reg_read(m, REG_RSI, m->in.adsize), m->in.size, GVA_READ, p);
}

/* Always ES, whatever the prefixes. */
static bool map_destination(struct emu *m, unsigned int access, struct place *p)
{
	return emu_map(m, SEG_ES, emu_reg_read(m, REG_RDI, m->in.adsize), m->in.size, access, p);
}

static void step(struct emu *m, unsigned int reg)
{
	uint64_t size = m->in.size, a = emu_reg_read(m, reg, m->in.adsize);

	emu_reg_write(m, reg, m->in.adsize, m->e->rflags & RFLAGS_DF ? a - size : a + size);
}

static void compare(struct emu *m, uint64_t a, uint64_t b)
{
	alu_binary(INSN_CMP, m->in.size, a, b, &m->e->rflags);
}

static bool movs(struct emu *m)
{
	struct place src, dst;

	if (!map_source(m, &src) || !map_destination(m, GVA_WRITE, &dst))
		return false;
	place_write(m, &dst, place_read(m, &src));
	step(m, REG_RSI);
	step(m, REG_RDI);
	return true;
}

static bool cmps(struct emu *m)
{
	struct place src, dst;
	uint64_t a;

	if (!map_source(m, &src) || !map_destination(m, GVA_READ, &dst))
		return false;
	a = place_read(m, &src);
	compare(m, a, place_read(m, &dst));
	step(m, REG_RSI);
	step(m, REG_RDI);
	return true;
}

static bool stos(struct emu *m)
{
	struct place dst;

	if (!map_destination(m, GVA_WRITE, &dst))
		return false;
	place_write(m, &dst, emu_reg_read(m, REG_RAX, m->in.size));
	step(m, REG_RDI);
	return true;
}

static bool lods(struct emu *m)
{
	struct place src;

	if (!map_source(m, &src))
		return false;
	emu_reg_write(m, REG_RAX, m->in.size, place_read(m, &src));
	step(m, REG_RSI);
	return true;
}

static bool scas(struct emu *m)
{
	struct place dst;

	if (!map_destination(m, GVA_READ, &dst))
		return false;
	compare(m, emu_reg_read(m, REG_RAX, m->in.size), place_read(m, &dst));
	step(m, REG_RDI);
	return true;
}

/* Reading a port has effects: the destination's faults come first. */
static bool ins(struct emu *m)
{
	struct place dst;

	if (!map_destination(m, GVA_WRITE, &dst))
		return false;
	place_write(m, &dst, pio_read(m->v, (uint16_t)m->v->gpr[REG_RDX], m->in.size));
	step(m, REG_RDI);
	return true;
}

static bool outs(struct emu *m)
{
	struct place src;

	if (!map_source(m, &src))
		return false;
	pio_write(m->v, (uint16_t)m->v->gpr[REG_RDX], m->in.size, place_read(m, &src));
	step(m, REG_RSI);
	return true;
}

static bool element(struct emu *m)
{
	switch (m->in.op) {
	case INSN_MOVS: return movs(m);
	case INSN_CMPS: return cmps(m);
	case INSN_STOS: return stos(m);
	case INSN_LODS: return lods(m);
	case INSN_SCAS: return scas(m);
	case INSN_INS:  return ins(m);
	case INSN_OUTS: return outs(m);
	default:        return emu_unsupported(m);
	}
}

/* REPE ends at the first difference, REPNE at the first match; only CMPS and SCAS look. */
static bool condition_ends(const struct emu *m)
{
	bool equal = m->e->rflags & RFLAGS_ZF;

	return (m->in.op == INSN_CMPS || m->in.op == INSN_SCAS) && equal != (m->in.rep == 0xf3);
}

/* A device may make each element wait, the console for its port: the vCPU's turn must end all the same when it is over. */
enum exit_action emulate_string(struct emu *m)
{
	uint64_t flags = m->e->rflags, end = own_tsc() + EMULATE_CHUNK_TICKS;

	for (unsigned int i = 0; i < EMULATE_CHUNK; i++) {
		uint64_t count = m->in.rep ? emu_reg_read(m, REG_RCX, m->in.adsize) : 1;

		if (!count)
			break;
		if (!element(m)) {
			/* SDM 2B "REP": an exception within CMPS or SCAS finds the flags as before the instruction. */
			m->e->rflags = flags;
			return m->action;
		}
		count--;
		if (m->in.rep)
			emu_reg_write(m, REG_RCX, m->in.adsize, count);
		if (!count || condition_ends(m))
			break;
		m->e->stepped = true;
		/* SDM 3B "Single-Step Exception Condition": TF traps each iteration. */
		if (i + 1 == EMULATE_CHUNK || m->e->rflags & RFLAGS_TF || own_tsc() > end || emu_end(m) == EXIT_STOP)
			return emu_end(m);
	}
	env_advance(m->e, m->in.len);
	return emu_end(m);
}

enum exit_action emulate_string_io(struct vcpu *v, struct x86_env *e, uint16_t port, unsigned int size, bool in)
{
	struct emu m;

	if (!emu_begin(&m, v, e))
		return m.action;
	if (m.in.op != (in ? INSN_INS : INSN_OUTS) || m.in.size != size || (uint16_t)v->gpr[REG_RDX] != port)
		return EXIT_AGAIN;
	return emulate_string(&m);
}
