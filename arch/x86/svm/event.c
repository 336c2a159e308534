/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events into the guest: exceptions, NMIs and interrupts, one at a time through EVENTINJ; what could not be delivered
 * is kept and tried again. Rule, for silicon and emulators alike: inject directly when the guest can take it, open a
 * window (V_IRQ + VINTR intercept, IRET intercept) only when it cannot.
 */
#include "arch/x86/svm/svm.h"

#include <vouch/assert.h>
#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/fault.h"

#define DR6_BREAKPOINTS 0xfull
#define DR6_BS          (1ull << 14)

/* While one instruction is stepped over: all that can keep it from being completed exits, so that TF never leaks. */
#define STEP_EXCEPTIONS (~(1u << EXC_NMI))
/* Instructions that would save, load or show TF: they are not stepped over. */
#define STEP_NOT (SVM_INT1_PUSHF | SVM_INT1_POPF | SVM_INT1_IRET | SVM_INT1_SWINT)

static bool event_is_software(const struct svm_event *e)
{
	return e->type == SVM_EVENT_SOFT || (e->type == SVM_EVENT_EXC && (e->vector == EXC_BP || e->vector == EXC_OF));
}

/* The IRET has not executed: when one comes again, it exits. */
static void wait_for_iret(struct vcpu_hw *hw)
{
	hw->iret_next = false;
	vmcb_put(hw, intercept1, hw->vmcb->intercept1 | SVM_INT1_IRET);
}

/* Has the instruction been executed? DR6 alone does not say: Bochs 2.7 exits before it writes it. */
static bool step_done(const struct vcpu_hw *hw, bool exception)
{
	const struct vmcb *c = hw->vmcb;
	bool moved = c->rip != hw->step_rip;

	if ((uint32_t)c->exit_code == SVM_EXIT_EXC_DB)
		return moved || (c->dr6 & ~hw->step_dr6 & DR6_BS);
	return hw->iret_next && moved && !exception;
}

/*
 * The entry was for one instruction, and here is the exit that ended it: what was changed for it is put back. If it was
 * an IRET that has executed, RFLAGS are what it popped; TF in it is the guest's then.
 */
static void step_end(struct vcpu_hw *hw)
{
	const struct vmcb *c = hw->vmcb;
	bool exception = svm_exit_is_exception(c->exit_code), done = step_done(hw, exception);

	hw->stepping = false;
	hw->step_ended = true;
	vmcb_put(hw, intercept_exceptions, SVM_EXCEPTIONS);
	vmcb_put(hw, intercept1, c->intercept1 & ~STEP_NOT);
	if (hw->step_sce)
		vmcb_put(hw, efer, c->efer | EFER_SCE);
	hw->step_ud = hw->step_sce && (uint32_t)c->exit_code == SVM_EXIT_EXC_DE + EXC_UD;
	if (hw->step_tf && !(done && hw->iret_next))
		vmcb_put(hw, rflags, c->rflags & ~RFLAGS_TF);
	hw->step_only = done && hw->step_tf && !(c->dr6 & ~hw->step_dr6 & DR6_BREAKPOINTS);
	if (done && hw->step_tf)                /* the guest did not ask for this step */
		vmcb_put(hw, dr6, (c->dr6 & ~DR6_BS) | (hw->step_dr6 & DR6_BS));
	if (hw->iret_next && done)
		hw->iret_next = hw->nmi_masked = false;
	else if (hw->iret_next && exception)
		wait_for_iret(hw);
}

static bool from_outside(uint64_t code)
{
	return (uint32_t)code == SVM_EXIT_INTR || (uint32_t)code == SVM_EXIT_NMI || (uint32_t)code == SVM_EXIT_VINTR;
}

/*
 * An exit from outside leaves a shadow as it was if the instruction in it has not been executed. Not every VMRUN takes it up
 * again (docs/testing.md, QEMU's), and then the next such exit says that there is none. Where the instruction was executed
 * and leads to itself, it gets another shadow: one instruction more before an interrupt is no harm.
 */
static void shadow_collect(struct vcpu_hw *hw)
{
	const struct vmcb *c = hw->vmcb;

	hw->shadow_cut = false;
	if (!from_outside(c->exit_code))
		return;
	if (hw->shadowed && c->rip == hw->shadow_rip)
		vmcb_put(hw, int_state, c->int_state | SVM_INTSTATE_SHADOW);
	hw->shadow_cut = c->int_state & SVM_INTSTATE_SHADOW;
}

/*
 * APM 2 "EXITINTINFO" (15.7.2): an event was on its way when the exit came. INT n, INT3 and INTO are found again by
 * executing the instruction again, since RIP still points at it, with NRIP-save too: next RIP is zero then, as such an
 * exit is no instruction's. Everything else must be injected again.
 * QEMU leaves stale low bits with V=0: only the valid bit decides.
 */
void svm_event_collect(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	uint64_t info = hw->vmcb->exit_int_info;
	struct svm_event e = {
		.valid = info & SVM_EVENT_VALID,
		.vector = SVM_EVENT_VECTOR(info),
		.type = (uint8_t)SVM_EVENT_TYPE(info),
		.has_error = info & SVM_EVENT_HAS_ERROR,
		.error = SVM_EVENT_ERROR(info),
	};

	if (e.valid && event_is_software(&e))
		e.valid = false;
	hw->event = e;
	hw->step_ended = hw->step_only = hw->step_ud = false;
	shadow_collect(hw);
	if (hw->stepping)
		step_end(hw);
	if (hw->iret_next && e.valid)
		wait_for_iret(hw);
}

void svm_event_fault(struct vcpu *v)
{
	struct svm_event *e = &v->hw->event;
	enum fault_outcome outcome = FAULT_SERIAL;

	if (e->valid && e->type == SVM_EVENT_EXC)
		outcome = fault_combine(e->vector, v->fault.vector);
	if (outcome == FAULT_TRIPLE) {
		vm_stop(v->vm, STOP_TRIPLE_FAULT, "triple fault");
		return;
	}
	if (v->fault.vector == EXC_PF)
		vmcb_put(v->hw, cr2, v->fault.cr2);
	if (fault_sets_rf(v->fault.vector))
		vmcb_put(v->hw, rflags, v->hw->vmcb->rflags | RFLAGS_RF);
	*e = (struct svm_event){ .valid = true, .type = SVM_EVENT_EXC, .vector = v->fault.vector,
				 .has_error = v->fault.has_error, .error = v->fault.error };
	if (outcome == FAULT_DOUBLE)
		*e = (struct svm_event){ .valid = true, .type = SVM_EVENT_EXC, .vector = EXC_DF, .has_error = true };
}

static void inject(struct vcpu *v, const struct svm_event *e)
{
	/* Real mode has no error codes, whatever the handler said: not every CPU leaves one out by itself. */
	bool has_error = e->has_error && (v->hw->vmcb->cr0 & CR0_PE);

	/* Delivery ends a shadow: the handler's first instruction has none. */
	vmcb_put(v->hw, int_state, v->hw->vmcb->int_state & ~SVM_INTSTATE_SHADOW);
	vmcb_put(v->hw, event_inj, e->vector | (uint64_t)e->type << 8 | SVM_EVENT_VALID |
		 (has_error ? SVM_EVENT_HAS_ERROR | (uint64_t)e->error << 32 : 0));
}

static void window_set(struct vcpu_hw *hw, bool open)
{
	const uint64_t request = SVM_INTCTL_V_IRQ | SVM_INTCTL_V_PRIO_MAX | SVM_INTCTL_V_IGN_TPR;
	const struct vmcb *c = hw->vmcb;

	vmcb_put(hw, int_ctl, open ? c->int_ctl | request : c->int_ctl & ~request);
	vmcb_put(hw, intercept1, open ? c->intercept1 | SVM_INT1_VINTR : c->intercept1 & ~SVM_INT1_VINTR);
}

/*
 * The instruction in an interrupt shadow is one that can't be stepped over: no shadow holds an NMI back then. An interrupt
 * waits for the end of the shadow by its window.
 */
void svm_event_no_step(struct vcpu *v)
{
	if (v->nmi_pending && !v->hw->nmi_masked)
		vmcb_put(v->hw, int_state, v->hw->vmcb->int_state & ~SVM_INTSTATE_SHADOW);
}

/*
 * The exit comes before the IRET: NMIs stay masked until it has executed, and if it faults, until another one has
 * (APM 2 "NMI Support", 15.20.10). So it is always stepped over.
 */
void svm_event_iret(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	if (!hw->nmi_masked) {
		svm_event_no_step(v);
		return;
	}
	vmcb_put(hw, intercept1, hw->vmcb->intercept1 & ~SVM_INT1_IRET);
	hw->iret_next = true;
}

/*
 * Enters for one instruction. If the guest steps itself already, its #DB comes just so, and is delivered to it. SYSCALL
 * would save TF, and has no intercept.
 */
static void step(struct vcpu_hw *hw)
{
	const struct vmcb *c = hw->vmcb;

	hw->stepping = true;
	hw->step_tf = !(c->rflags & RFLAGS_TF);
	hw->step_rip = c->rip;
	hw->step_dr6 = c->dr6;
	hw->step_sce = !hw->iret_next && (c->efer & EFER_SCE);
	if (hw->step_sce)
		vmcb_put(hw, efer, c->efer & ~EFER_SCE);
	vmcb_put(hw, rflags, c->rflags | RFLAGS_TF);
	vmcb_put(hw, intercept_exceptions, STEP_EXCEPTIONS);
	if (!hw->iret_next)
		vmcb_put(hw, intercept1, c->intercept1 | STEP_NOT);
}

bool svm_event_stepped(const struct vcpu *v)
{
	return v->hw->step_only;
}

void svm_event_trap(struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;

	if (!(c->rflags & RFLAGS_TF) || v->hw->event.valid)
		return;
	vmcb_put(v->hw, dr6, c->dr6 | DR6_BS);
	v->hw->event = (struct svm_event){ .valid = true, .type = SVM_EVENT_EXC, .vector = EXC_DB };
}

/* True if this entry is spoken for: an NMI goes in, or one instruction is stepped over so that one can. */
static bool prepare_nmi(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	const struct vmcb *c = hw->vmcb;

	if (hw->iret_next) {
		step(hw);
		return true;
	}
	if (!v->nmi_pending || hw->nmi_masked)
		return false;
	if (c->int_state & SVM_INTSTATE_SHADOW) {
		step(hw);
		return true;
	}
	inject(v, &(struct svm_event){ .vector = EXC_NMI, .type = SVM_EVENT_NMI });
	v->nmi_pending = false;
	hw->nmi_masked = true;
	wait_for_iret(hw);
	return true;
}

static bool can_take_interrupt(const struct vmcb *c)
{
	return (c->rflags & RFLAGS_IF) && !(c->int_state & SVM_INTSTATE_SHADOW);
}

void svm_event_prepare(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	const struct vmcb *c = hw->vmcb;
	bool busy = hw->event.valid;

	vmcb_put(hw, event_inj, 0);
	if (busy) {
		inject(v, &hw->event);
		hw->event.valid = false;
	} else {
		busy = prepare_nmi(v);
	}
	/*
	 * The shadow of an STI before HLT keeps a wake-up from coming before it, and being lost. Where VMRUN drops shadows a
	 * window would open too early: so the instruction is stepped over. Elsewhere such exits hardly ever come.
	 */
	if (!busy && hw->shadow_cut && (c->rflags & RFLAGS_IF) && (c->int_state & SVM_INTSTATE_SHADOW) && machine_irq_pending(v))
		step(hw);
	hw->shadowed = c->int_state & SVM_INTSTATE_SHADOW;
	hw->shadow_rip = c->rip;
	/* An interrupt would push our TF, and a window's exit might come before each step. */
	if (hw->stepping || !machine_irq_pending(v)) {
		window_set(hw, false);
		return;
	}
	if (!busy && can_take_interrupt(c)) {
		int vector = machine_irq_ack(v);

		if (vector >= 0)
			inject(v, &(struct svm_event){ .vector = (uint8_t)vector, .type = SVM_EVENT_INTR });
		window_set(hw, machine_irq_pending(v));         /* the PIC may have one besides the local APIC's */
		return;
	}
	window_set(hw, true);
}

bool svm_event_wakes(const struct vcpu *v)
{
	if (v->hw->event.valid)                 /* HLT was single-stepped */
		return true;
	if (v->nmi_pending && !v->hw->nmi_masked)
		return true;
	return (v->hw->vmcb->rflags & RFLAGS_IF) && machine_irq_pending((struct vcpu *)v);
}
