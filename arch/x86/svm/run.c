/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run loop. From the first CLGI to the last STGI this CPU is at GIF=0 with IF=1: host events are taken only in
 * svm_host_window() and svm_host_idle(). FS, GS, TR, LDTR, the FPU and XCR0 are the guest's all the while.
 */
#include "arch/x86/svm/svm.h"

#include <vouch/assert.h>
#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/policy.h"

/*
 * What the processor saved at the last exit it takes back. What Vouch changed since is checked, in debug builds all of it
 * before each entry: emulators take what silicon refuses, and leave nothing of what they refuse.
 */
static bool may_enter(struct vcpu *v)
{
	return (!v->hw->unchecked && !DEBUG_BUILD) || svm_state_ok(v);
}

/* False if the guest is in no state to be entered; the VM is stopped then. */
static bool enter_once(struct vcpu *v, struct svm_cpu *s)
{
	struct vcpu_hw *hw = v->hw;
	const struct vmcb *c = hw->vmcb;

	svm_event_prepare(v);
	svm_tlb_prepare(v, s);
	vmcb_put(hw, rax, v->gpr[REG_RAX]);
	vmcb_put(hw, rsp, v->gpr[REG_RSP]);
	vmcb_put(hw, int_ctl, (c->int_ctl & ~SVM_INTCTL_V_TPR) | lapic_cr8(v->lapic));
	if (!may_enter(v))
		return false;
	vmcb_clean_enter(&hw->cache, hpa_to_ptr(hw->vmcb_hpa), s, s->has.clean);
	svm_enter(v->gpr, hw->vmcb_hpa.v);
	vmcb_clean_exit(&hw->cache, c);
	v->gpr[REG_RAX] = c->rax;
	v->gpr[REG_RSP] = c->rsp;
	return true;
}

/* What VMRUN and VMLOAD do not switch, and the guest before this one may have left. */
static void clear_unswitched(void)
{
	const uint64_t zero = 0;

	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" : : "r"(zero));
	if (policy_has_tsc_aux())
		msr_write(MSR_TSC_AUX, 0);
}

/* The guest's hidden state goes into the CPU, and no interrupt may use the guest's TSS: no IST from here on. */
static void load_guest(struct vcpu *v)
{
	cpu_ist_arm(false);
	__asm__ volatile("clgi; sti" : : : "memory");
	this_cpu()->vcpu = v;
	if (cr4_read() & CR4_OSXSAVE)
		xcr0_write(v->xcr0);
	__asm__ volatile("vmload %%rax" : : "a"(v->hw->vmcb_hpa.v) : "memory");
	clear_unswitched();
}

static void unload_guest(struct vcpu *v)
{
	__asm__ volatile("vmsave %%rax" : : "a"(v->hw->vmcb_hpa.v) : "memory");
	this_cpu()->vcpu = NULL;
	cpu_host_tr_load();
	__asm__ volatile("cli; stgi" : : : "memory");
	cpu_ist_arm(true);
}

/* False once nothing can ever wake this vCPU: interrupts off, and it is the only one. */
static bool wait_for_event(struct vcpu *v)
{
	if (svm_event_wakes(v)) {
		v->halted = false;
		return true;
	}
	if (!(v->hw->vmcb->rflags & RFLAGS_IF)) {
		vm_stop(v->vm, STOP_POWEROFF, "halted with interrupts off");
		return false;
	}
	svm_host_idle();
	this_cpu()->host_event = true;
	return true;
}

void svm_vcpu_run(struct vcpu *v)
{
	struct svm_cpu *s = this_cpu()->hvm;

	load_guest(v);
	for (;;) {
		vcpu_service(v);
		if (v->vm->stop.kind != STOP_NONE)
			break;
		if (v->halted) {
			if (!wait_for_event(v))
				break;
			continue;
		}
		if (enter_once(v, s))
			svm_handle_exit(v);
	}
	unload_guest(v);
}
