/* SPDX-License-Identifier: BSD-2-Clause */
/* Operands of an instruction under emulation. What the instruction does with them is emulate.c's and string.c's. */
#include "operand.h"

#include <errno.h>
#include <string.h>

#include <vouch/gpa.h>
#include <vouch/vm.h>

#include "alu.h"
#include "emulate.h"

void env_advance(struct x86_env *e, unsigned int len)
{
	uint64_t rip = e->rip + len;

	switch (x86_env_mode(e)) {
	case MODE_16: rip &= 0xffff; break;
	case MODE_32: rip &= 0xffffffffu; break;
	default: break;
	}
	e->rip = rip;
	e->rflags &= ~RFLAGS_RF;
	e->stepped = true;
}

/* What the CPU fetched for us. False where it gave nothing, or less than the instruction: then it must be fetched. */
static bool decode_given(const struct vcpu *v, const struct x86_env *e, struct insn *out, uint8_t bytes[INSN_MAX_LEN])
{
	unsigned int n = v->insn.len < INSN_MAX_LEN ? v->insn.len : INSN_MAX_LEN;

	if (!n)
		return false;
	memcpy(bytes, v->insn.bytes, n);
	return !insn_decode(out, bytes, n, x86_env_mode(e));
}

static int fetch_decode(struct vcpu *v, const struct x86_env *e, struct insn *out, uint8_t bytes[INSN_MAX_LEN],
			struct x86_fault *f)
{
	struct x86_env rest = *e;
	uint8_t unused[INSN_MAX_LEN];
	int n, err;

	if (decode_given(v, e, out, bytes))
		return 0;
	n = gva_fetch(v, e, bytes, f);
	if (n < 0)
		return n;
	err = insn_decode(out, bytes, (unsigned int)n, x86_env_mode(e));
	if (err != -ENODATA)
		return err;
	/* It goes on where no byte could be had: that place's fault is the guest's now. */
	rest.rip += (unsigned int)n;
	err = gva_fetch(v, &rest, unused, f);
	return err < 0 ? err : -EAGAIN;
}

int insn_length_at(struct vcpu *v, const struct x86_env *e, struct insn *out, struct x86_fault *f)
{
	uint8_t bytes[INSN_MAX_LEN];

	return fetch_decode(v, e, out, bytes, f);
}

bool emu_fail(struct emu *m, enum exit_action action)
{
	m->action = action;
	return false;
}

static bool emu_raise(struct emu *m, const struct x86_fault *f)
{
	m->v->fault = *f;
	return emu_fail(m, EXIT_FAULT);
}

bool emu_unsupported(struct emu *m)
{
	static const char digit[] = "0123456789abcdef";
	char text[2 * INSN_MAX_LEN + 1];

	/* A program must not be able to stop its own kernel's machine. */
	if (m->e->cpl == 3)
		return emu_fail(m, vcpu_ud(m->v));
	for (unsigned int i = 0; i < INSN_MAX_LEN; i++) {
		text[2 * i] = digit[m->bytes[i] >> 4];
		text[2 * i + 1] = digit[m->bytes[i] & 15];
	}
	text[2 * INSN_MAX_LEN] = '\0';
	vm_stop(m->v->vm, STOP_UNHANDLED, "instruction not emulated: rip %lx bytes %s", (unsigned long)m->e->rip, text);
	return emu_fail(m, EXIT_STOP);
}

bool emu_begin(struct emu *m, struct vcpu *v, struct x86_env *e)
{
	struct x86_fault f;

	*m = (struct emu){ .v = v, .e = e, .mode = x86_env_mode(e) };
	switch (fetch_decode(v, e, &m->in, m->bytes, &f)) {
	case 0:       return true;
	case -EFAULT: return emu_raise(m, &f);
	case -EAGAIN: return emu_fail(m, EXIT_AGAIN);
	case -ENXIO:
		if (e->cpl == 3)                /* as in emu_unsupported() */
			return emu_fail(m, vcpu_ud(v));
		vm_stop(v->vm, STOP_UNHANDLED, "code outside RAM: rip %lx", (unsigned long)e->rip);
		return emu_fail(m, EXIT_STOP);
	default:      return emu_unsupported(m);
	}
}

enum exit_action emu_end(const struct emu *m)
{
	return vm_stopped(m->v->vm) ? EXIT_STOP : EXIT_AGAIN;
}

/* Without REX, byte registers 4-7 are AH, CH, DH, BH. */
static bool is_high_byte(const struct emu *m, unsigned int reg, unsigned int size)
{
	return size == 1 && !m->in.rex && reg >= 4 && reg < 8;
}

uint64_t emu_reg_read(const struct emu *m, unsigned int reg, unsigned int size)
{
	if (is_high_byte(m, reg, size))
		return m->v->gpr[reg - 4] >> 8 & 0xff;
	return low_bytes(m->v->gpr[reg], size);
}

void emu_reg_write(struct emu *m, unsigned int reg, unsigned int size, uint64_t val)
{
	uint64_t *r = &m->v->gpr[reg];

	if (is_high_byte(m, reg, size))
		m->v->gpr[reg - 4] = (m->v->gpr[reg - 4] & ~0xff00ull) | (val & 0xff) << 8;
	else if (size >= 4)           /* 32-bit results clear the upper half */
		*r = low_bytes(val, size);
	else
		*r = (*r - low_bytes(*r, size)) | low_bytes(val, size);
}

static bool seg_fault(struct emu *m, unsigned int seg)
{
	/* Real mode pushes no error code. */
	return emu_fail(m, vcpu_fault(m->v, seg == SEG_SS ? EXC_SS : EXC_GP, m->e->cr0 & CR0_PE, 0));
}

/* APM 2 "Data-Segment Descriptors" and "Code-Segment Descriptors" (4.7.3, 4.7.2): what the type allows. */
static bool seg_type_ok(const struct x86_seg *s, unsigned int access, bool flush)
{
	bool code = s->attr & SEG_ATTR_CODE;

	if (!(s->attr & SEG_ATTR_P))          /* also how a null selector looks */
		return false;
	if (access & PF_W)
		return !code && s->attr & SEG_ATTR_RW;
	/* SDM 2A "CLFLUSH": allowed in a segment that can only be executed. */
	return !code || flush || s->attr & SEG_ATTR_RW;
}

static bool seg_limit_ok(const struct x86_seg *s, uint64_t first, unsigned int size, bool typed)
{
	uint64_t last = first + size - 1;

	if (typed && !(s->attr & SEG_ATTR_CODE) && s->attr & SEG_ATTR_DOWN)
		return first > s->limit && last <= (s->attr & SEG_ATTR_DB ? 0xffffffffu : 0xffffu);
	return last <= s->limit;
}

static bool canonical_span(uint64_t first, unsigned int size)
{
	uint64_t last = first + size - 1;

	return sign_extend(first, 6) == first && sign_extend(last, 6) == last && last >= first;
}

bool seg_linear(struct emu *m, unsigned int seg, uint64_t offset, unsigned int size, unsigned int access,
		uint64_t *linear)
{
	const struct x86_seg *s = &m->e->seg[seg];
	bool typed = m->e->cr0 & CR0_PE && !(m->e->rflags & RFLAGS_VM);

	if (m->mode == MODE_64) {
		*linear = offset + (seg == SEG_FS || seg == SEG_GS ? s->base : 0);
		return canonical_span(*linear, size) ? true : seg_fault(m, seg);
	}
	if ((typed && !seg_type_ok(s, access, m->flush)) || !seg_limit_ok(s, offset, size, typed))
		return seg_fault(m, seg);
	*linear = (uint32_t)(s->base + offset);
	return true;
}

static bool translate(struct emu *m, uint64_t linear, unsigned int access, gpa_t *out)
{
	uint64_t offset = linear & (PAGE_SIZE - 1);
	bool write = access & PF_W;
	struct x86_fault f;

	if (m->page[write].known && m->page[write].linear == linear - offset) {
		*out = gpa_add(m->page[write].at, offset);
		return true;
	}
	switch (gva_translate(m->v, m->e, linear, access, out, &f)) {
	case 0:
		m->page[write].known = true;
		m->page[write].linear = linear - offset;
		m->page[write].at = gpa(out->v - offset);
		return true;
	case -EFAULT: return emu_raise(m, &f);
	default:      return emu_fail(m, EXIT_AGAIN);
	}
}

bool emu_map(struct emu *m, unsigned int seg, uint64_t offset, unsigned int size, unsigned int access, struct place *p)
{
	uint64_t linear;
	unsigned int room;

	if (!seg_linear(m, seg, offset, size, access, &linear) || !translate(m, linear, access, &p->at[0]))
		return false;
	room = (unsigned int)(PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
	p->parts = size <= room ? 1 : 2;
	p->len[0] = size <= room ? size : room;
	p->len[1] = size - p->len[0];
	return p->parts == 1 || translate(m, linear + room, access, &p->at[1]);
}

bool emu_map_operand(struct emu *m, unsigned int size, int64_t delta, unsigned int access, struct place *p)
{
	const struct insn *in = &m->in;
	uint64_t a = (uint64_t)in->disp + (uint64_t)delta;

	if (in->base != INSN_NO_REG)
		a += m->v->gpr[in->base];
	if (in->index != INSN_NO_REG)
		a += m->v->gpr[in->index] << in->scale;
	if (in->rip_relative)
		a += m->e->rip + in->len;
	return emu_map(m, in->seg, low_bytes(a, in->adsize), size, access, p);
}

/* Largest of 8, 4, 2, 1 that is not above len. */
static unsigned int piece(unsigned int len)
{
	return len >= 8 ? 8 : len >= 4 ? 4 : len >= 2 ? 2 : 1;
}

static uint64_t part_read(struct emu *m, gpa_t at, unsigned int len)
{
	uint64_t val = 0;

	if (!gpa_read(m->v->vm, at, &val, len))
		return val;
	val = 0;
	for (unsigned int done = 0, n; done < len; done += n) {
		n = piece(len - done);
		val |= low_bytes(mmio_read(m->v, gpa_add(at, done), n), n) << (8 * done);
	}
	return val;
}

static void part_write(struct emu *m, gpa_t at, unsigned int len, uint64_t val)
{
	if (!gpa_write(m->v->vm, at, &val, len))
		return;
	for (unsigned int done = 0, n; done < len; done += n) {
		n = piece(len - done);
		mmio_write(m->v, gpa_add(at, done), n, low_bytes(val >> (8 * done), n));
	}
}

uint64_t place_read(struct emu *m, const struct place *p)
{
	uint64_t val = part_read(m, p->at[0], p->len[0]);

	/* Two parts are one operand of at most 8 bytes: len[0] < 8. */
	if (p->parts == 2) /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		val |= part_read(m, p->at[1], p->len[1]) << (8 * p->len[0]);
	return val;
}

void place_write(struct emu *m, const struct place *p, uint64_t val)
{
	part_write(m, p->at[0], p->len[0], val);
	if (p->parts == 2)
		part_write(m, p->at[1], p->len[1], val >> (8 * p->len[0]));
}

bool place_update(struct emu *m, const struct place *p, bool locked, uint64_t old, uint64_t val)
{
	unsigned int size = p->len[0];

	if (locked && p->parts == 1 && (size == 4 || size == 8) && !(p->at[0].v & (size - 1))) {
		int err = gpa_cmpxchg(m->v->vm, p->at[0], size, old, val);

		if (err != -EFAULT)
			return err ? emu_fail(m, EXIT_AGAIN) : true;
	}
	place_write(m, p, val);
	return true;
}
