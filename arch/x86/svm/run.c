/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run loop. From the first CLGI to the last STGI this CPU is at GIF=0 with IF=1: host events are taken only in
 * svm_host_window() and svm_host_idle(). FS, GS, TR, LDTR, the FPU and XCR0 are the guest's all the while.
 */
#include "arch/x86/svm/svm.h"

#include <vouch/assert.h>
#include <vouch/pcpu.h>
#include <vouch/platform.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/cpu/spec.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/svm/tpr.h"

/*
 * What the processor saved at the last exit it takes back. What Vouch changed since is checked, in debug builds all of it
 * before each entry: emulators take what silicon refuses, and leave nothing of what they refuse.
 */
static bool may_enter(struct vcpu *v)
{
	return (!v->hw->unchecked && !DEBUG_BUILD) || svm_state_ok(v);
}

/* True if there is an exit to handle. Else it was handled, or the guest is in no state to be entered and its VM stopped. */
static bool enter(struct vcpu *v, struct svm_cpu *s)
{
	struct vcpu_hw *hw = v->hw;
	const struct vmcb *c = hw->vmcb;
	enum fast_answer a;

	svm_event_prepare(v);
	svm_tlb_prepare(v, s);
	vmcb_put(hw, rax, v->gpr[REG_RAX]);
	vmcb_put(hw, rsp, v->gpr[REG_RSP]);
	svm_tpr_prepare(v);
	if (!may_enter(v))
		return false;
	vmcb_clean_enter(&hw->cache, hpa_to_ptr(hw->vmcb_hpa), s, s->has.clean);
	a = svm_enter(v, hw->vmcb_hpa.v, hpa_to_ptr(hw->vmcb_hpa));
	vmcb_clean_exit(&hw->cache, c);
	svm_tpr_collect(v);
	v->gpr[REG_RAX] = c->rax;
	v->gpr[REG_RSP] = c->rsp;
	return a == FAST_NO;
}

/* What VMRUN and VMLOAD do not switch. Whatever the guest before left in the CPU is overwritten here. */
static void load_unswitched(const struct vcpu_hw *hw)
{
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
			 : : "r"(hw->dr[0]), "r"(hw->dr[1]), "r"(hw->dr[2]), "r"(hw->dr[3]));
	if (policy_has_tsc_aux())
		msr_write(MSR_TSC_AUX, hw->tsc_aux);
}

static void save_unswitched(struct vcpu_hw *hw)
{
	__asm__ volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
			 : "=r"(hw->dr[0]), "=r"(hw->dr[1]), "=r"(hw->dr[2]), "=r"(hw->dr[3]));
	if (policy_has_tsc_aux())
		hw->tsc_aux = msr_read(MSR_TSC_AUX);
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
	load_unswitched(v->hw);
	spec_switch(v->vm);
}

static void unload_guest(struct vcpu *v)
{
	__asm__ volatile("vmsave %%rax" : : "a"(v->hw->vmcb_hpa.v) : "memory");
	save_unswitched(v->hw);
	/* As exit_xsetbv() left it; but QEMU 7.2 does not know this intercept, and lets the guest write it by itself. */
	if (cr4_read() & CR4_OSXSAVE)
		v->xcr0 = xcr0_read();
	this_cpu()->vcpu = NULL;
	cpu_host_tr_load();
	__asm__ volatile("cli; stgi" : : : "memory");
	cpu_ist_arm(true);
}

/* RUN_ON: something may have happened meanwhile. */
static enum run_end wait_for_event(struct vcpu *v)
{
	if (svm_event_wakes(v)) {
		vcpu_wakes(v);
		return RUN_ON;
	}
	/* Nothing can ever wake it. */
	if (!(v->hw->vmcb->rflags & RFLAGS_IF) && vcpu_halted_for_good(v)) {
		vm_stop(v->vm, STOP_POWEROFF, "halted with interrupts off");
		return RUN_STOPPED;
	}
	if (!this_cpu()->sole)
		return RUN_HALTED;
	vcpu_rest(v);
	svm_host_idle();
	vcpu_spend(v);
	this_cpu()->host_event = true;
	return RUN_ON;
}

enum run_end svm_vcpu_run(struct vcpu *v)
{
	struct svm_cpu *s = this_cpu()->hvm;
	enum run_end end;

	load_guest(v);
	do {
		end = vcpu_service(v);
		if (end != RUN_ON)
			break;
		if (v->halted)
			end = wait_for_event(v);
		if (end == RUN_ON && !v->halted && enter(v, s))
			svm_handle_exit(v);
	} while (end == RUN_ON);
	unload_guest(v);
	return end;
}
