/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes to control registers and XCR0: the checks that the manual lists, then the value takes effect. Reads of CR0. */
#include "arch/x86/exit/exit.h"

#include "arch/x86/cpu/asm.h"
#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/fast.h"
#include "arch/x86/exit/operand.h"
#include "arch/x86/exit/policy.h"

/* Also the place where the fast path's tables hear of what they depend on. */
void vcpu_set_reg(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	bool paging = r == HVM_CR0 || r == HVM_CR4 || r == HVM_EFER;

	if (paging && vcpu_reg(v, r) != val)
		fast_forget(v);
	v->vm->host->hvm->reg_set(v, r, val);
}

#define CR0_DEFINED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* APM 2 "CR0 Register" (3.1.1) and "Enabling Long Mode" (14.6.1). */
static enum exit_action write_cr0(struct vcpu *v, uint64_t val)
{
	uint64_t old = vcpu_reg(v, HVM_CR0), efer = vcpu_reg(v, HVM_EFER), cr4 = vcpu_reg(v, HVM_CR4);
	struct x86_env e;

	if (val >> 32)
		return vcpu_gp0(v);
	val = (val & CR0_DEFINED) | CR0_ET;
	if ((val & CR0_NW) && !(val & CR0_CD))
		return vcpu_gp0(v);
	if ((val & CR0_PG) && !(val & CR0_PE))
		return vcpu_gp0(v);
	v->vm->host->hvm->env_load(v, &e);
	if ((val & CR0_PG) && !(old & CR0_PG) && (efer & EFER_LME)) {
		if (!(cr4 & CR4_PAE) || (e.seg[SEG_CS].attr & SEG_ATTR_L))
			return vcpu_gp0(v);
		vcpu_set_reg(v, HVM_EFER, efer | EFER_LMA);
	}
	if (!(val & CR0_PG) && (old & CR0_PG)) {
		if (x86_env_mode(&e) == MODE_64)
			return vcpu_gp0(v);
		vcpu_set_reg(v, HVM_EFER, efer & ~EFER_LMA);
	}
	vcpu_set_reg(v, HVM_CR0, val);
	return EXIT_NEXT;
}

static enum exit_action write_cr4(struct vcpu *v, uint64_t val)
{
	if (val & ~policy_cr4())
		return vcpu_gp0(v);
	if (!(val & CR4_PAE) && (vcpu_reg(v, HVM_EFER) & EFER_LMA))
		return vcpu_gp0(v);
	vcpu_set_reg(v, HVM_CR4, val);
	return EXIT_NEXT;
}

static enum exit_action write_cr8(struct vcpu *v, uint64_t val)
{
	if (val >> 4)
		return vcpu_gp0(v);
	lapic_set_cr8(v->lapic, (uint8_t)val);
	return EXIT_NEXT;
}

enum exit_action exit_cr_write(struct vcpu *v, unsigned int cr, uint64_t val)
{
	switch (cr) {
	case 0: return write_cr0(v, val);
	case 4: return write_cr4(v, val);
	case 8: return write_cr8(v, val);
	default: return vcpu_ud(v);
	}
}

/* LMSW's operand is a register or 16 bits of memory. */
static enum exit_action read_msw(struct vcpu *v, struct x86_env *e, const struct insn *in, uint64_t *msw)
{
	struct emu m = { .v = v, .e = e, .mode = x86_env_mode(e), .in = *in };
	struct place p;

	if (!in->mem) {
		*msw = v->gpr[in->rm];
		return EXIT_NEXT;
	}
	if (!emu_map_operand(&m, 2, 0, GVA_READ, &p))
		return m.action;
	*msw = place_read(&m, &p);
	return EXIT_NEXT;
}

enum exit_action exit_cr_value(struct vcpu *v, struct x86_env *e, const struct insn *in, unsigned int cr, uint64_t *val,
			       bool *fits)
{
	uint64_t msw = 0;
	enum exit_action a;

	*fits = true;
	if (in->op == INSN_MOV_TO_CR && in->reg == cr) {
		*val = x86_env_mode(e) == MODE_64 ? v->gpr[in->rm] : (uint32_t)v->gpr[in->rm];
		return EXIT_NEXT;
	}
	if (in->op == INSN_CLTS && cr == 0) {
		*val = e->cr0 & ~CR0_TS;
		return EXIT_NEXT;
	}
	if (in->op == INSN_LMSW && cr == 0) {
		a = read_msw(v, e, in, &msw);
		*val = cr0_after_lmsw(e->cr0, msw);
		return a;
	}
	*fits = false;
	return EXIT_AGAIN;
}

/* SMSW stores 16 bits in memory, and in a register as many as the operand size has. UMIP forbids it to programs. */
static enum exit_action store_msw(struct emu *m)
{
	struct place p;

	if (m->e->cpl == 3 && (m->e->cr4 & CR4_UMIP))
		return vcpu_gp0(m->v);
	if (!m->in.mem) {
		emu_reg_write(m, m->in.rm, m->in.size, m->e->cr0);
		return EXIT_NEXT;
	}
	if (!emu_map_operand(m, 2, 0, GVA_WRITE, &p))
		return m->action;
	place_write(m, &p, m->e->cr0 & 0xffff);
	return EXIT_NEXT;
}

enum exit_action exit_cr0_read(struct vcpu *v, struct x86_env *e, const struct insn *in, bool *fits)
{
	struct emu m = { .v = v, .e = e, .mode = x86_env_mode(e), .in = *in };

	*fits = true;
	if (in->op == INSN_SMSW)
		return store_msw(&m);
	if (in->op == INSN_MOV_FROM_CR && in->reg == 0) {
		v->gpr[in->rm] = m.mode == MODE_64 ? e->cr0 : (uint32_t)e->cr0;
		return EXIT_NEXT;
	}
	*fits = false;
	return EXIT_AGAIN;
}

/* APM 3 "XSETBV": CR4.OSXSAVE was checked before the exit, the privilege level was not. */
enum exit_action exit_xsetbv(struct vcpu *v)
{
	uint64_t val = v->gpr[REG_RDX] << 32 | (uint32_t)v->gpr[REG_RAX];
	struct x86_env e;

	v->vm->host->hvm->env_load(v, &e);
	if (e.cpl != 0)
		return vcpu_gp0(v);
	if ((uint32_t)v->gpr[REG_RCX] != 0 || (val & ~policy_xcr0()) || !(val & 1))
		return vcpu_gp0(v);
	if ((val & 4) && !(val & 2))            /* AVX state needs SSE state */
		return vcpu_gp0(v);
	v->xcr0 = val;
	xcr0_write(val);
	fast_forget_cpuid(v);                   /* leaf Dh counts with it */
	return EXIT_NEXT;
}

enum exit_action exit_hypercall(struct vcpu *v)
{
	v->gpr[REG_RAX] = (uint64_t)HYPERCALL_UNKNOWN;
	return EXIT_NEXT;
}
