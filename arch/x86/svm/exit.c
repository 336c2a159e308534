/* SPDX-License-Identifier: BSD-2-Clause */
/* From a #VMEXIT's words to a neutral handler, and from its answer back to the VMCB. No policy stands here. */
#include "arch/x86/svm/svm.h"

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/exit/emulate.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/fast.h"

#define MISFITS_MAX 1000u

/* Exceptions with an error code: APM 2 "Vectors" (8.2). */
#define ERROR_CODES (1u << EXC_DF | 1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS | 1u << EXC_GP | 1u << EXC_PF | 1u << EXC_AC)

/*
 * The bytes at RIP are not the instruction that exited: another CPU changed them, or our decoder is wrong. Try again, but not
 * for ever; a program may, since it must not be able to stop its kernel's machine.
 */
static enum exit_action misfit(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	if (hw->misfit_rip != hw->vmcb->rip)
		hw->misfits = 0;
	hw->misfit_rip = hw->vmcb->rip;
	if (hw->vmcb->cpl == 3 || ++hw->misfits < MISFITS_MAX)
		return EXIT_AGAIN;
	vm_stop(v->vm, STOP_UNHANDLED, "exit 0x%lx at RIP 0x%lx: the instruction there is another one",
		hw->vmcb->exit_code, hw->vmcb->rip);
	return EXIT_STOP;
}

/* Fetches and decodes the instruction that exited. EXIT_NEXT, or what to do instead. */
static enum exit_action decode_exit(struct vcpu *v, struct x86_env *e, struct insn *in)
{
	int err;

	svm_env_load(v, e);
	err = insn_length_at(v, e, in, &v->fault);
	if (err == -EFAULT)
		return EXIT_FAULT;
	return err ? misfit(v) : EXIT_NEXT;
}

static void set_next_rip(struct vcpu *v, const struct x86_env *e, const struct insn *in)
{
	struct x86_env after = *e;

	env_advance(&after, in->len);
	v->hw->next_rip = after.rip;
	v->hw->misfits = 0;
}

/* The same code has been here before, and nothing of it or of what leads there has changed. */
static bool next_is_known(struct vcpu *v, enum insn_op op, enum insn_op alt)
{
	const struct vmcb *c = v->hw->vmcb;
	const struct fast_code *code = fast_code_find(v, c->rip, c->cr3, c->cs.attr);

	if (!code || !fast_code_same(code) || (code->op != op && code->op != alt))
		return false;
	v->hw->next_rip = c->rip + code->len;
	v->hw->misfits = 0;
	return true;
}

/* Makes next_rip known before the handler does anything that must not be done twice. op and its twin alt share a code. */
static enum exit_action find_next_of(struct vcpu *v, enum insn_op op, enum insn_op alt)
{
	const struct svm_cpu *s = this_cpu()->hvm;
	enum exit_action a;
	struct x86_env e;
	struct insn in;

	if (s->has.nrip_save) {
		v->hw->next_rip = v->hw->vmcb->next_rip;
		return EXIT_NEXT;
	}
	if (next_is_known(v, op, alt))
		return EXIT_NEXT;
	a = decode_exit(v, &e, &in);
	if (a != EXIT_NEXT)
		return a;
	if (in.op != op && in.op != alt)
		return misfit(v);
	set_next_rip(v, &e, &in);
	fast_learn_code(v, &e);
	return EXIT_NEXT;
}

static enum exit_action find_next(struct vcpu *v, enum insn_op op)
{
	return find_next_of(v, op, op);
}

static enum exit_action do_pio(struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;
	struct pio_exit x = {
		.port = SVM_IOIO_PORT(c->info1),
		.size = (uint8_t)SVM_IOIO_SIZE(c->info1),
		.in = c->info1 & SVM_IOIO_IN,
		.string = c->info1 & SVM_IOIO_STRING,
	};

	v->hw->next_rip = c->info2;             /* given with every I/O exit, whatever NRIP-save says */
	return exit_pio(v, &x);
}

static enum exit_action do_npf(struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;
	struct gpa_exit x = { .gpa = gpa(c->info2), .write = c->info1 & PF_W, .fetch = c->info1 & PF_I };

	/*
	 * The CPU itself was after it, for a stack frame or a descriptor: the instruction at RIP has no part in that, and
	 * to deliver the event again would come here again, for ever.
	 */
	if (c->exit_int_info & SVM_EVENT_VALID) {
		vm_stop(v->vm, STOP_UNHANDLED, "vector %u cannot be delivered: GPA 0x%lx is no plain memory",
			SVM_EVENT_VECTOR(c->exit_int_info), x.gpa.v);
		return EXIT_STOP;
	}
	return exit_gpa(v, &x);
}

/* APM 2 "Guest Instruction Bytes" (15.10): with a data access that faults come the bytes that the CPU had fetched. */
static void take_insn_bytes(struct vcpu *v)
{
	const struct svm_cpu *s = this_cpu()->hvm;
	const struct vmcb *c = v->hw->vmcb;

	v->insn.len = 0;
	if (!s->has.decode_assists || (uint32_t)c->exit_code != SVM_EXIT_NPF || c->insn_len > sizeof(v->insn.bytes))
		return;
	v->insn.len = c->insn_len;
	memcpy(v->insn.bytes, c->insn_bytes, sizeof(v->insn.bytes));
}

/* APM 2 "MOV CRx/DRx Intercepts" (15.8.1): the CPU names the register. Of LMSW and CLTS it says nothing. */
static bool cr_assist(const struct vcpu *v, uint64_t *val)
{
	const struct svm_cpu *s = this_cpu()->hvm;
	const struct vmcb *c = v->hw->vmcb;
	bool mode64 = (c->efer & EFER_LME) && (c->cr0 & CR0_PG) && (c->cs.attr & SEG_ATTR_L);

	if (!s->has.decode_assists || !s->has.nrip_save || !(c->info1 & SVM_CR_MOV))
		return false;
	*val = v->gpr[SVM_CR_GPR(c->info1)];
	if (!mode64)
		*val = (uint32_t)*val;
	return true;
}

/* MOV to CRn, LMSW and CLTS: where the CPU does not say, the instruction itself tells which. */
static enum exit_action do_cr_write(struct vcpu *v, unsigned int cr)
{
	enum exit_action a;
	struct x86_env e;
	struct insn in;
	uint64_t val;
	bool fits;

	if (cr_assist(v, &val)) {
		v->hw->next_rip = v->hw->vmcb->next_rip;
		return exit_cr_write(v, cr, val);
	}
	a = decode_exit(v, &e, &in);
	if (a != EXIT_NEXT)
		return a;
	a = exit_cr_value(v, &e, &in, cr, &val, &fits);
	if (!fits)
		return misfit(v);
	if (a != EXIT_NEXT)
		return a;
	set_next_rip(v, &e, &in);
	return exit_cr_write(v, cr, val);
}

/* Rare: only while the guest has its caches off. So the CPU's words are not used, which it has for MOV alone. */
static enum exit_action do_cr0_read(struct vcpu *v)
{
	enum exit_action a;
	struct x86_env e;
	struct insn in;
	bool fits;

	a = decode_exit(v, &e, &in);
	if (a != EXIT_NEXT)
		return a;
	a = exit_cr0_read(v, &e, &in, &fits);
	if (!fits)
		return misfit(v);
	if (a == EXIT_NEXT)
		set_next_rip(v, &e, &in);
	return a;
}

static enum exit_action unexpected(struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;

	if (svm_exit_is_invalid(c->exit_code))
		vm_stop(v->vm, STOP_UNHANDLED, "VMRUN refused the guest state");
	else
		vm_stop(v->vm, STOP_UNHANDLED, "exit 0x%lx (info1 0x%lx, info2 0x%lx) at RIP 0x%lx",
			c->exit_code, c->info1, c->info2,
			c->rip);
	return EXIT_STOP;
}

static enum exit_action do_exception(struct vcpu *v, uint8_t vector)
{
	const struct vmcb *c = v->hw->vmcb;
	bool has_error = ERROR_CODES & 1u << vector;

	if (vector == EXC_MC)
		panic("machine check while a guest ran");
	if (vector == EXC_DB && svm_event_stepped(v))
		return EXIT_AGAIN;
	vcpu_fault(v, vector, has_error, has_error ? (uint32_t)c->info1 : 0);
	if (vector == EXC_PF)
		v->fault.cr2 = c->info2;
	return EXIT_FAULT;
}

/* What exits only while an instruction is stepped over. INT3 and INTO are executed again, without being stepped. */
static enum exit_action do_step_exit(struct vcpu *v)
{
	uint32_t code = (uint32_t)v->hw->vmcb->exit_code;

	if (!v->hw->step_ended)
		return unexpected(v);
	if (!v->hw->step_ud && svm_exit_is_exception(code) && code != SVM_EXIT_EXC_BP && code != SVM_EXIT_EXC_OF)
		return do_exception(v, (uint8_t)(code - SVM_EXIT_EXC_DE));
	svm_event_no_step(v);
	return EXIT_AGAIN;
}

/* Runs handler once the next RIP is known. */
#define STEPPING(op, handler)						\
	do {								\
		enum exit_action a_ = find_next(v, op);			\
									\
		return a_ == EXIT_NEXT ? (handler) : a_;		\
	} while (0)

static enum exit_action dispatch(struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;

	switch ((uint32_t)c->exit_code) {
	case SVM_EXIT_IOIO:      return do_pio(v);
	case SVM_EXIT_MSR:       STEPPING(c->info1 ? INSN_WRMSR : INSN_RDMSR, exit_msr(v, c->info1));
	case SVM_EXIT_NPF:       return do_npf(v);
	case SVM_EXIT_HLT:       STEPPING(INSN_HLT, EXIT_HALT);
	case SVM_EXIT_CPUID:     STEPPING(INSN_CPUID, exit_cpuid(v));
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_INIT:      svm_host_window(); return EXIT_AGAIN;
	case SVM_EXIT_VINTR:     return EXIT_AGAIN;
	case SVM_EXIT_PAUSE:     vcpu_spins(v); return EXIT_AGAIN;   /* VMRUN sets the count anew */
	case SVM_EXIT_CR0_READ:  return do_cr0_read(v);
	case SVM_EXIT_CR0_SEL:
	case SVM_EXIT_CR0_WRITE: return do_cr_write(v, 0);
	case SVM_EXIT_CR4_WRITE: return do_cr_write(v, 4);
	case SVM_EXIT_CR8_WRITE: return do_cr_write(v, 8);
	case SVM_EXIT_EXC_DB:    return do_exception(v, EXC_DB);
	case SVM_EXIT_EXC_AC:    return do_exception(v, EXC_AC);
	case SVM_EXIT_EXC_MC:    return do_exception(v, EXC_MC);
	case SVM_EXIT_IRET:      svm_event_iret(v); return EXIT_AGAIN;
	case SVM_EXIT_VMMCALL:   STEPPING(INSN_VMMCALL, exit_hypercall(v));
	case SVM_EXIT_XSETBV:    STEPPING(INSN_XSETBV, exit_xsetbv(v));
	case SVM_EXIT_INVD:      /* nothing to do: no device reads memory behind the caches; QEMU gives both one code */
	case SVM_EXIT_WBINVD:    return find_next_of(v, INSN_WBINVD, INSN_INVD);
	case SVM_EXIT_RDPMC:     return vcpu_gp0(v);
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMRUN + 2:                                     /* VMLOAD, VMSAVE, STGI, CLGI */
	case SVM_EXIT_VMRUN + 3:
	case SVM_EXIT_VMRUN + 4:
	case SVM_EXIT_VMRUN + 5:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_MWAIT_ARMED:
	case SVM_EXIT_RDPRU:     return vcpu_ud(v);
	case SVM_EXIT_SHUTDOWN:
		vm_stop(v->vm, STOP_TRIPLE_FAULT, "triple fault near RIP 0x%lx",
			v->ring[(v->exits - 1) % EXIT_RING].rip);
		return EXIT_STOP;
	case SVM_EXIT_PUSHF:
	case SVM_EXIT_POPF:
	case SVM_EXIT_SWINT:     return do_step_exit(v);
	default:                 return svm_exit_is_exception(c->exit_code) ? do_step_exit(v) : unexpected(v);
	}
}

/* The instruction is done, by us: as hardware would have left things after it. */
static void step_over(struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;

	vmcb_put(v->hw, rip, v->hw->next_rip);
	vmcb_put(v->hw, rflags, c->rflags & ~RFLAGS_RF);
	vmcb_put(v->hw, int_state, c->int_state & ~SVM_INTSTATE_SHADOW);
	svm_event_trap(v);
}

/* EXITINFO2 says nothing of these two: the report shows which MSR or leaf it was. */
static void record_exit(struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;
	struct exit_record *r = &v->ring[v->exits++ % EXIT_RING];

	*r = (struct exit_record){ c->exit_code, c->info1, c->info2, c->rip };
	if (c->exit_code == SVM_EXIT_MSR)
		r->info2 = (uint32_t)v->gpr[REG_RCX];
	else if (c->exit_code == SVM_EXIT_CPUID)
		r->info2 = (uint32_t)v->gpr[REG_RAX];
	v->exit_count[svm_exit_kind(c->exit_code)]++;
}

void svm_handle_exit(struct vcpu *v)
{
	record_exit(v);
	svm_event_collect(v);
	take_insn_bytes(v);
	switch (dispatch(v)) {
	case EXIT_NEXT:
		step_over(v);
		break;
	case EXIT_HALT:
		step_over(v);
		v->halted = true;
		break;
	case EXIT_FAULT:
		svm_event_fault(v);
		break;
	case EXIT_AGAIN:
	case EXIT_STOP:
		break;
	}
}
