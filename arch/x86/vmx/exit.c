/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VM exit's words to a neutral handler, and from its answer back to the VMCS. No policy stands here. */
#include "arch/x86/vmx/vmx.h"

#include <vouch/assert.h>
#include <vouch/log.h>
#include <vouch/platform.h>
#include <vouch/vm.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/mm/nested.h"
#include "arch/x86/vmx/check.h"

/* The exit under way, as record_exit() wrote it down. */
static const struct exit_record *this_exit(const struct vcpu *v)
{
	return &v->ring[(v->exits - 1) % EXIT_RING];
}

static enum exit_action unexpected(struct vcpu *v)
{
	const struct exit_record *r = this_exit(v);

	vm_stop(v->vm, STOP_UNHANDLED, "exit %lu (qualification 0x%lx) at RIP 0x%lx", r->code, r->info1, r->rip);
	return EXIT_STOP;
}

static enum exit_action do_io(struct vcpu *v)
{
	uint64_t q = this_exit(v)->info1;
	struct pio_exit x = {
		.port = IO_PORT(q),
		.size = (uint8_t)IO_SIZE(q),
		.in = q & IO_IN,
		.string = q & IO_STRING,
	};

	return exit_pio(v, &x);
}

static bool is_64bit(const struct vcpu *v)
{
	return (v->hw->ctl.entry & ENTRY_IA32E) && (vmcs_read(VMCS_GUEST_CS_ACCESS) & ACCESS_L);
}

static enum exit_action write_cr(struct vcpu *v, unsigned int cr, uint64_t val)
{
	if (cr != 0 && cr != 4 && cr != 8)
		return unexpected(v);
	if (cr != 8 && !vmx_cr_takes(v, cr, val))
		return vcpu_gp0(v);
	return exit_cr_write(v, cr, val);
}

/* SDM 3C table "Exit Qualification for Control-Register Accesses". */
static enum exit_action do_cr(struct vcpu *v)
{
	uint64_t q = this_exit(v)->info1, *gpr = &v->gpr[CRX_GPR(q)];

	switch (CRX_KIND(q)) {
	case CRX_TO:
		return write_cr(v, CRX_NUMBER(q), is_64bit(v) ? *gpr : (uint32_t)*gpr);
	case CRX_FROM:
		if (CRX_NUMBER(q) != 8)
			return unexpected(v);
		*gpr = lapic_cr8(v->lapic);
		return EXIT_NEXT;
	case CRX_CLTS:
		return write_cr(v, 0, vmx_reg_get(v, HVM_CR0) & ~CR0_TS);
	default:
		return write_cr(v, 0, cr0_after_lmsw(vmx_reg_get(v, HVM_CR0), CRX_LMSW_DATA(q)));
	}
}

/* SDM 3C "Information for VM Exits Due to Vectored Events": the IRET that faulted had ended NMI blocking too early. */
static void undo_nmi_unblock(struct vcpu *v, bool unblocked)
{
	if (unblocked && !v->hw->event.valid)
		vmx_event_nmi_block();
}

/*
 * The CPU itself was after it, for a stack frame or a descriptor: the instruction at RIP has no part in that, and to
 * deliver the event again would come here again, for ever.
 */
static enum exit_action undeliverable(struct vcpu *v, gpa_t at)
{
	vm_stop(v->vm, STOP_UNHANDLED, "vector %u cannot be delivered: GPA 0x%lx is no plain memory", v->hw->event.vector,
		at.v);
	return EXIT_STOP;
}

static enum exit_action do_ept_violation(struct vcpu *v)
{
	const struct exit_record *r = this_exit(v);
	struct gpa_exit x = { .gpa = gpa(r->info2), .write = r->info1 & EPT_WRITE, .fetch = r->info1 & EPT_FETCH };

	undo_nmi_unblock(v, r->info1 & EPT_NMI_UNBLOCK);
	if (v->hw->event.valid)
		return undeliverable(v, x.gpa);
	/*
	 * Without a linear address it was MOV to CR3 or CR4 after the PDPTEs: where no memory is the CPU would have read
	 * ones, whose reserved bits it refuses. There is no memory operand to emulate.
	 */
	if (!(r->info1 & EPT_GLA_VALID))
		return vcpu_gp0(v);
	return exit_gpa(v, &x);
}

/* Our own tables are wrong: whoever looks for the bug wants to see the entries. */
static enum exit_action do_ept_misconfig(struct vcpu *v)
{
	uint64_t e[4] = { 0 }, at = this_exit(v)->info2;

	nested_path(v->vm->nested, gpa(at), e);
	vm_stop(v->vm, STOP_UNHANDLED, "EPT misconfiguration at GPA 0x%lx: entries 0x%lx 0x%lx 0x%lx 0x%lx", at, e[0], e[1],
		e[2], e[3]);
	return EXIT_STOP;
}

static enum exit_action do_exception(struct vcpu *v)
{
	const struct exit_record *r = this_exit(v);
	uint32_t info = (uint32_t)r->info2;
	uint8_t vector = INTR_VECTOR(info);

	if (INTR_TYPE(info) == INTR_NMI) {
		vmx_host_nmi();
		return EXIT_AGAIN;
	}
	if (vector == EXC_MC)
		panic("machine check while a guest ran");
	undo_nmi_unblock(v, (info & INTR_NMI_UNBLOCK) && vector != EXC_DF);
	if (vector == EXC_DB) {
		vmx_event_debug(v, info, r->info1);
		return EXIT_AGAIN;
	}
	if (vector == EXC_AC)
		return vcpu_fault(v, EXC_AC, true, 0);
	return unexpected(v);
}

/* The signal comes from other hardware and means a reset; here it is taken, not left waiting (docs/security.md). */
static enum exit_action do_init(void)
{
	log_error("INIT signal while a guest ran: this machine resets");
	host_reboot();
}

static enum exit_action do_triple_fault(struct vcpu *v)
{
	vm_stop(v->vm, STOP_TRIPLE_FAULT, "triple fault near RIP 0x%lx", this_exit(v)->rip);
	return EXIT_STOP;
}

/* The page is no memory, though it is mapped: what the CPU does not do by itself is emulated, as on any device. */
static enum exit_action do_apic_access(struct vcpu *v)
{
	uint64_t q = this_exit(v)->info1;
	struct gpa_exit x = { .gpa = gpa(APIC_DEFAULT_BASE | APIC_OFFSET(q)), .write = APIC_KIND(q) == APIC_WRITE,
			      .fetch = APIC_KIND(q) == APIC_FETCH };

	return v->hw->event.valid ? undeliverable(v, x.gpa) : exit_gpa(v, &x);
}

/*
 * An instruction has done something to the virtual APIC, and is over. If it was single-stepped its #DB is still to come
 * (SDM 3C "Saving Non-Register State"), and goes first: with an interrupt injected the CPU would drop it.
 */
static enum exit_action apic_trap(struct vcpu *v)
{
	if (vmcs_read(VMCS_GUEST_PENDING_DBG) & PENDING_DBG_BS)
		vmx_event_trap(v);
	return EXIT_AGAIN;
}

static enum exit_action do_apic_write(struct vcpu *v)
{
	lapic_page_written(v->lapic, APIC_OFFSET(this_exit(v)->info1));
	return apic_trap(v);
}

static enum exit_action do_virtual_eoi(struct vcpu *v)
{
	lapic_eoi_done(v->lapic, (uint8_t)this_exit(v)->info1);
	return apic_trap(v);
}

static enum exit_action dispatch(struct vcpu *v)
{
	switch (v->hw->reason) {
	case VMX_EXIT_IO:           return do_io(v);
	case VMX_EXIT_RDMSR:        return exit_msr(v, false);
	case VMX_EXIT_WRMSR:        return exit_msr(v, true);
	case VMX_EXIT_EPT_VIOL:     return do_ept_violation(v);
	case VMX_EXIT_EXT_INTR:
	case VMX_EXIT_PREEMPT:      vmx_host_window(); return EXIT_AGAIN;
	case VMX_EXIT_HLT:          return EXIT_HALT;
	case VMX_EXIT_CPUID:        return exit_cpuid(v);
	case VMX_EXIT_CR:           return do_cr(v);
	case VMX_EXIT_EXCEPTION:    return do_exception(v);
	case VMX_EXIT_INTR_WINDOW:                                   /* vmx_event_prepare() closes it */
	case VMX_EXIT_NMI_WINDOW:   return EXIT_AGAIN;
	case VMX_EXIT_TPR:          return apic_trap(v);             /* MOV to CR8 lets an interrupt through */
	case VMX_EXIT_APIC_ACCESS:  return do_apic_access(v);
	case VMX_EXIT_APIC_WRITE:   return do_apic_write(v);
	case VMX_EXIT_VIRT_EOI:     return do_virtual_eoi(v);
	case VMX_EXIT_VMCALL:       return exit_hypercall(v);
	case VMX_EXIT_XSETBV:       return exit_xsetbv(v);
	case VMX_EXIT_INVD:         /* nothing to do: no device reads memory behind the caches */
	case VMX_EXIT_WBINVD:       return EXIT_NEXT;
	case VMX_EXIT_PAUSE:        vcpu_spins(v); return EXIT_NEXT;
	case VMX_EXIT_RDPMC:        return vcpu_gp0(v);
	case VMX_EXIT_VMCLEAR ... VMX_EXIT_VMXON:
	case VMX_EXIT_INVEPT:
	case VMX_EXIT_INVVPID:
	case VMX_EXIT_VMFUNC:
	case VMX_EXIT_GETSEC:
	case VMX_EXIT_SEAMCALL:
	case VMX_EXIT_TDCALL:
	case VMX_EXIT_ENCLS:
	case VMX_EXIT_MONITOR:
	case VMX_EXIT_MWAIT:
	case VMX_EXIT_RDTSCP:
	case VMX_EXIT_INVPCID:      return vcpu_ud(v);
	case VMX_EXIT_TRIPLE_FAULT: return do_triple_fault(v);
	case VMX_EXIT_INIT:         return do_init();
	case VMX_EXIT_TASK_SWITCH:  return vmx_task_switch(v, this_exit(v)->info1);
	case VMX_EXIT_EPT_MISCONF:  return do_ept_misconfig(v);
	default:                    return unexpected(v);
	}
}

/*
 * Where the next instruction is. CS says how wide RIP is: in real mode, just behind a switch from protected mode, it may
 * still be a 32-bit segment.
 */
static uint64_t next_rip(const struct vcpu *v)
{
	uint64_t rip = this_exit(v)->rip + vmcs_read(VMCS_EXIT_INSN_LEN), cs = vmcs_read(VMCS_GUEST_CS_ACCESS);

	if ((v->hw->ctl.entry & ENTRY_IA32E) && (cs & ACCESS_L))
		return rip;
	return cs & ACCESS_DB ? (uint32_t)rip : (uint16_t)rip;
}

/* The instruction is done, by us: as hardware would have left things after it. */
static void step_over(struct vcpu *v)
{
	vmx_rip_set(v, next_rip(v), vmcs_read(VMCS_GUEST_RFLAGS) & ~RFLAGS_RF);
}

/* The second word of an exit's record: what the qualification does not say and the report wants to show. */
static uint64_t exit_detail(const struct vcpu *v, uint32_t reason)
{
	switch (reason) {
	case VMX_EXIT_EPT_VIOL:
	case VMX_EXIT_EPT_MISCONF: return vmcs_read(VMCS_GUEST_PHYS_ADDR);
	case VMX_EXIT_EXCEPTION:   return vmcs_read(VMCS_EXIT_INTR_INFO);
	case VMX_EXIT_RDMSR:
	case VMX_EXIT_WRMSR:       return (uint32_t)v->gpr[REG_RCX];
	case VMX_EXIT_CPUID:       return (uint32_t)v->gpr[REG_RAX];
	default:                   return 0;
	}
}

/* Usual exits that have none: reading a field takes time. */
static bool has_qualification(uint32_t reason)
{
	switch (reason) {
	case VMX_EXIT_EXT_INTR: case VMX_EXIT_INTR_WINDOW: case VMX_EXIT_CPUID: case VMX_EXIT_HLT: case VMX_EXIT_RDMSR:
	case VMX_EXIT_WRMSR: case VMX_EXIT_PREEMPT: case VMX_EXIT_PAUSE: case VMX_EXIT_TPR:
		return false;
	default:
		return true;
	}
}

static void record_exit(struct vcpu *v, uint32_t reason)
{
	struct exit_record *r = &v->ring[v->exits++ % EXIT_RING];

	*r = (struct exit_record){
		.code = reason,
		.info1 = has_qualification(reason) ? vmcs_read(VMCS_EXIT_QUALIFICATION) : 0,
		.info2 = exit_detail(v, reason),
		.rip = vmcs_read(VMCS_GUEST_RIP),
	};
	v->exit_count[vmx_exit_kind(reason)]++;
}

/* The entry was refused after it had begun: reason and qualification say at what. The guest has not run. */
static void entry_failed(struct vcpu *v)
{
	char text[96];

	if ((uint16_t)v->hw->reason == VMX_EXIT_MCE_ENTRY)
		panic("machine check while a guest was entered");
	vmx_exit_text(this_exit(v), false, text, sizeof(text));
	vm_stop(v->vm, STOP_UNHANDLED, "%s", text);
	vmx_check_report(v);
}

void vmx_handle_failure(struct vcpu *v)
{
	uint32_t error = (uint32_t)vmcs_read(VMCS_INSN_ERROR);
	const char *text = vmx_insn_error_text(error);

	v->hw->entry_error = error;
	vm_stop(v->vm, STOP_UNHANDLED, "VM entry failed: error %u, %s", error, text ? text : "unknown");
	vmx_check_report(v);
}

void vmx_handle_exit(struct vcpu *v)
{
	uint32_t reason = (uint32_t)vmcs_read(VMCS_EXIT_REASON);

	v->hw->reason = reason;
	record_exit(v, reason);
	if (reason & VMX_EXIT_ENTRY_FAILED) {
		entry_failed(v);
		return;
	}
	vmx_event_collect(v);
	switch (dispatch(v)) {
	case EXIT_NEXT:
		step_over(v);
		break;
	case EXIT_HALT:
		step_over(v);
		v->halted = true;
		break;
	case EXIT_FAULT:
		vmx_event_fault(v);
		break;
	case EXIT_AGAIN:
	case EXIT_STOP:
		break;
	}
}
