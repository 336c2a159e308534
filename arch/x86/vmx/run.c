/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run loop. This CPU is at IF=0 all the while: host interrupts are taken only in vmx_host_window() and
 * vmx_host_idle(). CR2, the debug registers, XCR0, the FPU and vmx_live_msrs[] are the guest's from load to unload.
 */
#include "arch/x86/vmx/vmx.h"

#include <vouch/pcpu.h>
#include <vouch/platform.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/spec.h"
#include "arch/x86/exit/fast.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/mm/nested.h"

/* SDM 2 "INVEPT" and "INVVPID": the type in a register, the rest in memory. */
#define INV_SINGLE 1ull
#define INV_ALL    2ull

struct invept_desc {
	uint64_t eptp, reserved;
};

struct invvpid_desc {
	uint64_t vpid, linear;
};

static void invept(uint64_t type, uint64_t eptp)
{
	const struct invept_desc d = { eptp, 0 };

	__asm__ goto volatile("invept %0, %1; jbe %l2" : : "m"(d), "r"(type) : "cc", "memory" : failed);
	return;
failed:
	panic("INVEPT type %u failed", (unsigned int)type);
}

static void invvpid(uint64_t type, uint32_t vpid)
{
	const struct invvpid_desc d = { vpid, 0 };

	__asm__ goto volatile("invvpid %0, %1; jbe %l2" : : "m"(d), "r"(type) : "cc", "memory" : failed);
	return;
failed:
	panic("INVVPID type %u failed", (unsigned int)type);
}

/*
 * Linear and combined translations are tagged with the VPID (and vanish at each transition without one), guest-physical
 * ones with the EPTP: SDM 3C "Caching Translation Information".
 */
static void prepare_tlb(struct vcpu *v, struct vmx_cpu *c)
{
	struct vcpu_hw *hw = v->hw;
	uint32_t vpid = hw->id.id;
	unsigned int flush = tlb_id_prepare(&c->ids, &hw->id, v->vm->nested);

	if (!flush)
		return;
	if (hw->id.id != vpid)
		vmcs_write(VMCS_VPID, hw->id.id);
	if (flush & TLB_FLUSH_ROOT) {
		fast_forget_code(v);            /* it may lie in memory that has gone */
		invept(c->invept_single ? INV_SINGLE : INV_ALL, hw->eptp);
	}
	if (flush & TLB_FLUSH_ALL)
		invvpid(INV_ALL, 0);
	else if (flush & TLB_FLUSH_ID)
		invvpid(INV_SINGLE, hw->id.id);
}

/*
 * Only the guest's own time counts down, so the timer is set anew for each entry; one tick more, because a fraction of a
 * tick left would exit too early, again and again.
 */
static void arm_timer(const struct vcpu *v)
{
	uint64_t now = own_tsc(), left = v->armed_own > now ? v->armed_own - now : 0;

	vmcs_write(VMCS_PREEMPTION_TIMER, min_u64((left >> v->hw->timer_rate) + 1, UINT32_MAX));
}

static void enter_once(struct vcpu *v, struct vmx_cpu *c)
{
	struct vcpu_hw *hw = v->hw;
	enum vmx_entered how;

	vmx_apic_mode(v);
	vmx_event_prepare(v);
	vmx_apic_prepare(v);
	prepare_tlb(v, c);
	if (v->own_timer)
		arm_timer(v);
	if (hw->guest_rsp != v->gpr[REG_RSP])
		vmcs_write(VMCS_GUEST_RSP, v->gpr[REG_RSP]);
	how = vmx_enter(v, &hw->host_rsp, hw->launched);
	if (how == VMX_FAILED) {
		vmx_handle_failure(v);
		return;
	}
	hw->launched = true;
	hw->guest_rsp = v->gpr[REG_RSP] = vmcs_read(VMCS_GUEST_RSP);
	if (how == VMX_DONE)
		return;
	vmx_handle_exit(v);
	if (hw->reason == VMX_EXIT_PREEMPT)
		this_cpu()->host_event = true;  /* as the host timer's interrupt would have */
}

static bool live_msr_exists(uint32_t msr)
{
	return msr != MSR_TSC_AUX || policy_has_tsc_aux();
}

/* What no VM entry switches. Whatever the guest before left in the CPU is overwritten here. */
static void load_guest(struct vcpu *v)
{
	const struct vcpu_hw *hw = v->hw;

	vmx_make_current(v);
	if (cr4_read() & CR4_OSXSAVE)
		xcr0_write(v->xcr0);
	cr2_write(hw->cr2);
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3; mov %4, %%dr6"
			 : : "r"(hw->dr[0]), "r"(hw->dr[1]), "r"(hw->dr[2]), "r"(hw->dr[3]), "r"(hw->dr6));
	for (size_t i = 0; i < VMX_LIVE_MSRS; i++)
		if (live_msr_exists(vmx_live_msrs[i]))
			msr_write(vmx_live_msrs[i], hw->live_msr[i]);
	spec_switch(v->vm);
	this_cpu()->vcpu = v;
}

static void unload_guest(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	this_cpu()->vcpu = NULL;
	hw->cr2 = cr2_read();
	__asm__ volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3; mov %%dr6, %4"
			 : "=r"(hw->dr[0]), "=r"(hw->dr[1]), "=r"(hw->dr[2]), "=r"(hw->dr[3]), "=r"(hw->dr6));
	for (size_t i = 0; i < VMX_LIVE_MSRS; i++)
		if (live_msr_exists(vmx_live_msrs[i]))
			hw->live_msr[i] = msr_read(vmx_live_msrs[i]);
}

/* RUN_ON: something may have happened meanwhile. */
static enum run_end wait_for_event(struct vcpu *v)
{
	if (vmx_event_wakes(v)) {
		vcpu_wakes(v);
		return RUN_ON;
	}
	/* Nothing can ever wake it. */
	if (!(vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF) && vcpu_halted_for_good(v)) {
		vm_stop(v->vm, STOP_POWEROFF, "halted with interrupts off");
		return RUN_STOPPED;
	}
	if (!this_cpu()->sole)
		return RUN_HALTED;
	if (v->own_timer)
		host_timer_arm(v->armed_tsc);
	vcpu_rest(v);
	vmx_host_idle();
	vcpu_spend(v);
	this_cpu()->host_event = true;
	return RUN_ON;
}

enum run_end vmx_vcpu_run(struct vcpu *v)
{
	struct vmx_cpu *c = this_cpu()->hvm;
	enum run_end end;

	load_guest(v);
	do {
		end = vcpu_service(v);
		if (end != RUN_ON)
			break;
		if (v->halted)
			end = wait_for_event(v);
		if (end == RUN_ON && !v->halted)
			enter_once(v, c);
	} while (end == RUN_ON);
	/* What came since the last exit is known before the next decision, and not by an exit of whoever is next. */
	vmx_host_window();
	unload_guest(v);
	return end;
}
