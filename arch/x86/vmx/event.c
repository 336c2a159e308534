/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events into the guest: exceptions, NMIs and interrupts, one at a time through the VM-entry interruption information;
 * what could not be delivered is kept and tried again. Rule, for silicon and emulators alike: inject directly when the
 * guest can take it, open a window (interrupt-window exiting, NMI-window exiting) only when it cannot.
 */
#include "arch/x86/vmx/vmx.h"

#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/fault.h"

#define DR6_TRAPS  0xfull               /* B0-B3 */
#define DR6_BD     (1ull << 13)
#define DR6_BS     (1ull << 14)
#define DR7_GD     (1ull << 13)

#define BLOCK_INSN (BLOCK_STI | BLOCK_MOV_SS)

static bool type_has_length(uint8_t type)
{
	return type == INTR_SOFT_INT || type == INTR_PRIV_SW_EXC || type == INTR_SW_EXC;
}

/*
 * SDM 3C "Information for VM Exits That Occur During Event Delivery": what was on its way must be injected again.
 * For INT n, INT3, INTO and ICEBP RIP still points at the instruction, and the injection steps over it.
 */
void vmx_event_collect(struct vcpu *v)
{
	uint64_t info = vmcs_read(VMCS_IDT_VECTORING_INFO);
	struct vmx_event *e = &v->hw->event;

	if (!(info & INTR_VALID)) {
		e->valid = false;
		return;
	}
	*e = (struct vmx_event){ .valid = true, .vector = INTR_VECTOR(info), .type = (uint8_t)INTR_TYPE(info),
				 .has_error = info & INTR_HAS_ERROR };
	if (e->has_error)
		e->error = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_ERROR);
	if (type_has_length(e->type))
		e->insn_len = (uint32_t)vmcs_read(VMCS_EXIT_INSN_LEN);
}

void vmx_event_fault(struct vcpu *v)
{
	struct vmx_event *e = &v->hw->event;
	enum fault_outcome outcome = FAULT_SERIAL;

	if (e->valid && e->type == INTR_HW_EXC)
		outcome = fault_combine(e->vector, v->fault.vector);
	if (outcome == FAULT_TRIPLE) {
		vm_stop(v->vm, STOP_TRIPLE_FAULT, "triple fault");
		return;
	}
	if (v->fault.vector == EXC_PF)
		vmx_reg_set(v, HVM_CR2, v->fault.cr2);
	if (fault_sets_rf(v->fault.vector))
		vmcs_write(VMCS_GUEST_RFLAGS, vmcs_read(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	*e = (struct vmx_event){ .valid = true, .type = INTR_HW_EXC, .vector = v->fault.vector,
				 .has_error = v->fault.has_error, .error = v->fault.error };
	if (outcome == FAULT_DOUBLE)
		*e = (struct vmx_event){ .valid = true, .type = INTR_HW_EXC, .vector = EXC_DF, .has_error = true };
}

/*
 * What the entry checks ask for (SDM 3C "Checks on Guest Non-Register State"): a shadow is over once something is
 * delivered in it, and an NMI whose delivery was cut short must not find NMIs blocked by itself.
 */
static void unblock_for(const struct vmx_event *e)
{
	uint64_t block = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY), clear = BLOCK_INSN;

	if (e->type == INTR_NMI)
		clear |= BLOCK_NMI;
	if (block & clear)
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, block & ~clear);
}

static void inject(const struct vmx_event *e)
{
	/* Real mode has no error codes, whatever the handler said: with one the entry fails. */
	bool has_error = e->has_error && (vmcs_read(VMCS_GUEST_CR0) & CR0_PE);

	unblock_for(e);
	if (has_error)
		vmcs_write(VMCS_ENTRY_ERROR_CODE, e->error);
	if (type_has_length(e->type))
		vmcs_write(VMCS_ENTRY_INSN_LEN, e->insn_len);
	vmcs_write(VMCS_ENTRY_INTR_INFO,
		   e->vector | (uint32_t)e->type << 8 | (has_error ? INTR_HAS_ERROR : 0) | INTR_VALID);
}

void vmx_event_trap(struct vcpu *v)
{
	uint64_t pending;

	if (!(vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF) || v->hw->event.valid)
		return;
	/* Breakpoints that a MOV to SS held back until now are reported in the same #DB. */
	pending = vmcs_read(VMCS_GUEST_PENDING_DBG);
	if (pending)
		vmcs_write(VMCS_GUEST_PENDING_DBG, 0);
	vmx_dr6_set(v, vmx_dr6(v) | DR6_BS | (pending & DR6_TRAPS));
	v->hw->event = (struct vmx_event){ .valid = true, .type = INTR_HW_EXC, .vector = EXC_DB };
}

/*
 * SDM 3C "Architectural State Before a VM Exit": the exit left DR6 and DR7 as they were, and an injection does not
 * change them either. IA32_DEBUGCTL is always 0 in a guest. ICEBP (type 5) sets no bit of DR6.
 */
void vmx_event_debug(struct vcpu *v, uint32_t info, uint64_t dr6)
{
	uint64_t dr7 = vmcs_read(VMCS_GUEST_DR7);

	if (dr7 & DR7_GD)
		vmcs_write(VMCS_GUEST_DR7, dr7 & ~DR7_GD);
	if (INTR_TYPE(info) == INTR_PRIV_SW_EXC) {
		v->hw->event = (struct vmx_event){ .valid = true, .type = INTR_PRIV_SW_EXC, .vector = EXC_DB,
						   .insn_len = (uint32_t)vmcs_read(VMCS_EXIT_INSN_LEN) };
		return;
	}
	vmx_dr6_set(v, (vmx_dr6(v) & ~DR6_TRAPS) | (dr6 & (DR6_TRAPS | DR6_BD | DR6_BS)));
	v->fault = (struct x86_fault){ .vector = EXC_DB };
	vmx_event_fault(v);
}

void vmx_event_nmi_block(void)
{
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) | BLOCK_NMI);
}

/* True if the NMI is on its way; else *window is the control whose exit comes when the guest can take it. */
static bool prepare_nmi(struct vcpu *v, bool busy, uint32_t *window)
{
	uint64_t block = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);

	/*
	 * SDM 3C "Other Causes of VM Exits": whether the NMI window opens in the shadow of STI is the CPU's choice. Where it
	 * does, NMIs come in that shadow, and waiting on would be an exit for ever; the injection ends the shadow. Elsewhere
	 * the window opens behind it, whatever IF is then.
	 */
	if (v->hw->reason == VMX_EXIT_NMI_WINDOW)
		block &= ~(uint64_t)BLOCK_STI;
	if (!busy && !(block & (BLOCK_NMI | BLOCK_INSN))) {
		inject(&(struct vmx_event){ .vector = EXC_NMI, .type = INTR_NMI });
		v->nmi_pending = false;
		return true;
	}
	*window = CPU_NMI_WINDOW;
	return false;
}

static bool can_take_interrupt(void)
{
	return (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF) && !(vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCK_INSN);
}

/* Something waits that has to be injected. */
static bool interrupt_pending(struct vcpu *v)
{
	return vmx_apic_delivers(v) ? machine_extint_pending(v) : machine_irq_pending(v);
}

/* True if none is waiting any more. */
static bool prepare_interrupt(struct vcpu *v, bool busy)
{
	int vector;

	if (busy || !can_take_interrupt())
		return false;
	vector = vmx_apic_delivers(v) ? machine_extint_ack(v) : machine_irq_ack(v);
	if (vector >= 0)
		inject(&(struct vmx_event){ .vector = (uint8_t)vector, .type = INTR_EXT });
	return !interrupt_pending(v);           /* the PIC may have one besides the local APIC's */
}

void vmx_event_prepare(struct vcpu *v)
{
	struct vmx_event *e = &v->hw->event;
	bool busy = e->valid;
	uint32_t windows = 0;

	if (busy) {
		inject(e);
		e->valid = false;
	}
	if (v->nmi_pending)
		busy |= prepare_nmi(v, busy, &windows);
	if (interrupt_pending(v) && !prepare_interrupt(v, busy))
		windows |= CPU_INTR_WINDOW;
	vmx_cpu_ctl(v, (CPU_INTR_WINDOW | CPU_NMI_WINDOW) & ~windows, false);
	vmx_cpu_ctl(v, windows, true);
}

bool vmx_event_wakes(const struct vcpu *v)
{
	if (v->hw->event.valid)                 /* HLT was single-stepped */
		return true;
	if (v->nmi_pending && !(vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCK_NMI))
		return true;
	return (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF) && machine_irq_pending((struct vcpu *)v);
}
