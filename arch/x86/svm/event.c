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

#define DR6_BS (1ull << 14)

static bool event_is_software(const struct svm_event *e)
{
	return e->type == SVM_EVENT_SOFT || (e->type == SVM_EVENT_EXC && (e->vector == EXC_BP || e->vector == EXC_OF));
}

/* IRET was seen at nmi_iret_rip and has executed once RIP or the mode of stepping says so. */
static void nmi_unmask_if_done(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	if (hw->nmi_iret_seen && !hw->stepping && hw->vmcb->rip != hw->nmi_iret_rip) {
		hw->nmi_iret_seen = false;
		hw->nmi_masked = false;
	}
}

/*
 * APM 2 "EXITINTINFO" (15.7.2): an event was on its way when the exit came. INT n, INT3 and INTO are found again by
 * executing the instruction again, since RIP still points at it; everything else must be injected again.
 * QEMU leaves stale low bits with V=0: only the valid bit decides.
 */
void svm_event_collect(struct vcpu *v)
{
	uint64_t info = v->hw->vmcb->exit_int_info;
	struct svm_event e = {
		.valid = info & SVM_EVENT_VALID,
		.vector = SVM_EVENT_VECTOR(info),
		.type = (uint8_t)SVM_EVENT_TYPE(info),
		.has_error = info & SVM_EVENT_HAS_ERROR,
		.error = SVM_EVENT_ERROR(info),
	};

	if (e.valid && event_is_software(&e))
		e.valid = false;
	v->hw->event = e;
	/* Now and not at the next entry only: if the exit is a HLT, an NMI must be able to end it. */
	nmi_unmask_if_done(v);
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

void svm_event_iret(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	/* The exit comes before the IRET: NMIs stay masked until it has executed (APM 2 "NMI Support", 15.20.10). */
	vmcb_put(hw, intercept1, hw->vmcb->intercept1 & ~SVM_INT1_IRET);
	hw->nmi_iret_seen = true;
	hw->nmi_iret_rip = hw->vmcb->rip;
}

/* One instruction, over an IRET or a shadow, so that a waiting NMI comes right after it. */
static void step_once(struct vcpu *v)
{
	if (v->hw->vmcb->rflags & RFLAGS_TF)
		return;                         /* the guest steps itself: its own #DB exit comes as soon */
	v->hw->stepping = true;
	vmcb_put(v->hw, rflags, v->hw->vmcb->rflags | RFLAGS_TF);
}

bool svm_event_stepped(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	if (!hw->stepping)
		return false;
	hw->stepping = false;
	if (hw->nmi_iret_seen)
		hw->nmi_iret_seen = hw->nmi_masked = false;
	vmcb_put(hw, rflags, hw->vmcb->rflags & ~RFLAGS_TF);
	vmcb_put(hw, dr6, hw->vmcb->dr6 & ~DR6_BS);     /* the guest did not ask for this step */
	return true;
}

void svm_event_trap(struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;

	if (!(c->rflags & RFLAGS_TF) || svm_event_stepped(v) || v->hw->event.valid)
		return;
	vmcb_put(v->hw, dr6, c->dr6 | DR6_BS);
	v->hw->event = (struct svm_event){ .valid = true, .type = SVM_EVENT_EXC, .vector = EXC_DB };
}

static bool prepare_nmi(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	const struct vmcb *c = hw->vmcb;

	if (!v->nmi_pending)
		return false;
	if (hw->nmi_masked) {
		if (hw->nmi_iret_seen && !hw->stepping)
			step_once(v);
		return false;
	}
	if (c->int_state & SVM_INTSTATE_SHADOW) {
		step_once(v);
		return false;
	}
	inject(v, &(struct svm_event){ .vector = EXC_NMI, .type = SVM_EVENT_NMI });
	v->nmi_pending = false;
	hw->nmi_masked = true;
	vmcb_put(hw, intercept1, c->intercept1 | SVM_INT1_IRET);
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

	nmi_unmask_if_done(v);
	vmcb_put(hw, event_inj, 0);
	if (busy) {
		inject(v, &hw->event);
		hw->event.valid = false;
	} else {
		busy = prepare_nmi(v);
	}
	if (!machine_irq_pending(v)) {
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
