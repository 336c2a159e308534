/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the VMX room: its per-CPU and per-vCPU parts and the files' calls to each other. In the run loop the CPU is at
 * IF=0: host interrupts are taken only in vmx_host_window() and vmx_host_idle(). After a VM exit segments, FS and GS bases,
 * TR, CR0, CR3, CR4, EFER, PAT and SYSENTER are the host's again; CR2, DR0-DR3, DR6, XCR0, the FPU, and the MSRs in
 * vmx_live_msrs[] are the guest's all the while.
 */
#ifndef ARCH_X86_VMX_VMX_H
#define ARCH_X86_VMX_VMX_H

#include <vouch/hvm.h>
#include <vouch/page.h>
#include <vouch/vcpu.h>

#include "arch/x86/mm/tlb_id.h"
#include "arch/x86/vmx/vmcs.h"

/* Bits of one control word: those in must are 1 whatever we want, those not in may are 0 (SDM 3D appendix A). */
struct vmx_ctl {
	uint32_t must, may;
};

/* The capability MSRs, read once a CPU. The true MSRs where IA32_VMX_BASIC says they are there. */
struct vmx_caps {
	uint32_t revision;            /* of the VMCS; bit 31 is 0 */
	bool vmcs_wb;                 /* VMCS memory type write-back */
	struct vmx_ctl pin, cpu, cpu2, exit, entry;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint64_t misc;                /* IA32_VMX_MISC */
	uint64_t ept_vpid;            /* IA32_VMX_EPT_VPID_CAP */
	uint32_t signature;           /* CPUID's family, model and stepping */
};

/* The five words that a VMCS gets. */
struct vmx_controls {
	uint32_t pin, cpu, cpu2, exit, entry;
};

/* One per physical CPU: struct pcpu's hvm. Only its CPU touches it. */
struct vmx_cpu {
	struct vmx_caps caps;
	struct vmx_controls ctl;      /* what a fresh VMCS gets */
	uint64_t eptp_bits;           /* of an EPTP, besides the root's address */
	bool invept_single;           /* the CPU can flush a single EPTP's translations */
	hpa_t vmxon;
	const struct vcpu *current;   /* whose VMCS is current, or NULL */
	struct tlb_ids ids;           /* VPIDs; 0 is the host's */
};

/* An event on its way into the guest, kept until the hardware took it. */
struct vmx_event {
	bool valid;
	uint8_t vector, type;         /* INTR_* */
	bool has_error;
	uint32_t error;
	uint32_t insn_len;            /* of INT n, INT3, INTO, ICEBP: RIP still points at it */
};

#define VMX_LIVE_MSRS 6

/* The secondary controls of APIC virtualization: used if they fit the mode that the guest's local APIC is in. */
#define VMX_APIC_CTLS (CPU2_APIC_ACCESS | CPU2_X2APIC | CPU2_APIC_REGS | CPU2_VIRT_INTR)

struct vcpu_hw {
	hpa_t vmcs, msr_bitmap;
	hpa_t apic_access;            /* what the guest's page at APIC_DEFAULT_BASE is mapped to; 0: never to anything */
	bool apic_mapped;             /* it is now */
	uint32_t apic_ctls;           /* VMX_APIC_CTLS that may be used */
	uint64_t eoi_exit[4];         /* what the VMCS holds */
	uint8_t tpr_threshold;        /* what the VMCS holds */
	uint64_t eptp;
	uint64_t host_rsp, guest_rsp; /* what the VMCS holds */
	uint32_t timer_rate;          /* a tick of the preemption timer is 1 << this ticks of the TSC */
	uint32_t home;                /* atomic: id + 1 of the CPU that has the VMCS active, or 0 */
	uint32_t host_of;             /* id + 1 of the CPU whose state the host-state area holds, or 0 */
	bool launched;                /* VMRESUME from now on; ended by VMCLEAR */
	struct vmx_controls ctl;      /* what the VMCS holds: change the primary word through vmx_cpu_ctl() */
	struct tlb_id id;
	struct vmx_event event;       /* to inject at the next entry */
	uint32_t reason;              /* of the last exit, VMX_EXIT_ENTRY_FAILED included */
	uint32_t entry_error;         /* VM-instruction error of a VMLAUNCH or VMRESUME that failed, else 0 */
	uint64_t cr2, dr[4], dr6;     /* while this vCPU is not live in the CPU; else they are in the registers */
	uint64_t live_msr[VMX_LIVE_MSRS];   /* likewise, in the order of vmx_live_msrs[] */
	uint64_t pdpte[4];            /* what the VMCS holds, for the last vmx_env_load() in PAE paging */
};

/* MSRs that no VM entry or exit switches and Vouch never uses: the guest has them for itself. */
extern const uint32_t vmx_live_msrs[VMX_LIVE_MSRS];

enum vmx_entered {
	VMX_FAILED,                   /* VMLAUNCH or VMRESUME itself failed (VMfail): no exit has happened */
	VMX_EXITED,                   /* an exit, with which nothing was done */
	VMX_DONE,                     /* an exit that was answered; events and timers have to be looked after */
};

/*
 * entry.S: runs the guest, by VMRESUME if launched, until there is an exit that the fast path leaves to others. Guest
 * registers but RSP are loaded from and saved to gpr[]. *host_rsp is kept equal to VMCS_HOST_RSP.
 */
enum vmx_entered vmx_enter(struct vcpu *v, uint64_t *host_rsp, bool launched);
/* entry.S: where a VM exit lands: VMCS_HOST_RIP. */
extern const uint8_t vmx_exit_here[];
/* entry.S: the window in which host interrupts are taken: IF is 1 for its length. */
void vmx_host_window(void);
/* entry.S: halts this CPU until a host event, taken inside. IF is 0 again on return. */
void vmx_host_idle(void);
/* entry.S: an NMI ended the guest's run: has the host's handler run, whose IRET lets NMIs in again. */
void vmx_host_nmi(void);

/* IA32_FEATURE_CONTROL: SDM 4 "IA-32 Architectural MSRs". */
#define FEATURE_CONTROL_LOCK   (1ull << 0)
#define FEATURE_CONTROL_IN_SMX (1ull << 1)
#define FEATURE_CONTROL_VMX    (1ull << 2)    /* outside SMX operation */

/* caps.c */
/* NULL, or that firmware has switched VT-x off for good, and what to change in its set-up. */
const char *vmx_firmware_refusal(uint64_t feature_control);
void vmx_caps_read(struct vmx_caps *c);
/*
 * The controls of a guest on this CPU, features in off (FEATURE_*) left out. False if the CPU lacks one that Vouch needs,
 * or forces one on it: *why says so, and names it as the manual does.
 */
bool vmx_controls_pick(const struct vmx_caps *c, uint32_t off, struct vmx_controls *out, const char **why);
/* A tick of the preemption timer is 1 << this ticks of the TSC. */
#define VMX_MISC_TIMER_RATE(misc) ((unsigned int)(misc) & 31u)
/* NULL, or why EPT as this CPU has it will not do. */
const char *vmx_ept_refusal(const struct vmx_caps *c);
/* An EPTP but for the root's address, features in off left out. */
uint64_t vmx_eptp_bits(const struct vmx_caps *c, uint32_t off);
/* The FEATURE_* in use, by their names as an option. Always terminates dst. */
void vmx_features_text(const struct vmx_cpu *c, char *dst, size_t size);

/* setup.c */
const char *vmx_probe(void);
int vmx_cpu_enable(struct pcpu *p);
int vmx_vcpu_create(struct vcpu *v);
void vmx_vcpu_destroy(struct vcpu *v);
void vmx_vcpu_reset(struct vcpu *v, const struct vcpu_start *s);
/* Whatever VMCS is current here goes back to memory. Outside of any run. */
void vmx_let_go(void);
/*
 * Makes v's VMCS the current one of this CPU; cheap if it is. All that reads or writes fields outside the run loop. v runs
 * here, or nowhere; no lock is held if it last ran on another CPU.
 */
void vmx_make_current(const struct vcpu *v);

/*
 * The bits of CR0 and CR4 that the guest has for itself; the masks in the VMCS hold all others, whose writes exit. ET is
 * one that nobody can change. Vouch keeps CD and NW out of the real CR0: caching is the host's to decide.
 */
#define VMX_CR0_GUEST (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_WP | CR0_AM)
uint64_t vmx_cr4_guest(void);
#define CR4_VMXE (1ull << 13)

/*
 * Access rights as struct x86_seg has them. A null selector's segment has no attributes, as on AMD's CPUs; its base counts
 * all the same in 64-bit mode.
 */
static inline uint16_t vmx_attr_from_access(uint32_t access)
{
	return access & ACCESS_UNUSABLE ? 0 : (uint16_t)((access & 0xff) | (access >> 4 & 0xf00));
}

/* state.c. HVM_CR0 and HVM_CR4 are as the guest sees them; setting one also loads the PDPTEs where the CPU would. */
void vmx_state_init(struct vcpu *v);                 /* masks of CR0 and CR4, into a VMCS that is fresh and current */
void vmx_env_load(const struct vcpu *v, struct x86_env *e);
void vmx_env_store(struct vcpu *v, const struct x86_env *e);
uint64_t vmx_reg_get(const struct vcpu *v, enum hvm_reg r);
void vmx_reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val);
void vmx_seg_write(unsigned int seg, const struct x86_seg *s);   /* SEG_*: into the current VMCS */
/* An instruction, or an element of a REP, was completed for the guest: its shadow ends, its TF traps. */
void vmx_rip_set(struct vcpu *v, uint64_t rip, uint64_t rflags);
/* Whether a CPU of Intel's takes val in CR0 or CR4 where the neutral checks, and AMD's CPUs, have nothing against it. */
bool vmx_cr_takes(const struct vcpu *v, unsigned int cr, uint64_t val);
uint64_t vmx_dr6(const struct vcpu *v);
void vmx_dr6_set(struct vcpu *v, uint64_t val);
void vmx_dump(const struct vcpu *v);
/* Sets bits of the primary processor-based controls, or clears them, in the VMCS and in hw->ctl; no VMWRITE if so already. */
void vmx_cpu_ctl(struct vcpu *v, uint32_t bits, bool on);

/* event.c */
void vmx_event_collect(struct vcpu *v);              /* after an exit: what was being delivered */
void vmx_event_fault(struct vcpu *v);                /* queues v->fault, or a double or triple fault */
void vmx_event_prepare(struct vcpu *v);              /* before an entry: inject, or open a window */
bool vmx_event_wakes(const struct vcpu *v);          /* would end a HLT */
void vmx_event_trap(struct vcpu *v);                 /* an instruction was completed for the guest: honour TF */
void vmx_event_debug(struct vcpu *v, uint32_t info, uint64_t dr6);   /* a #DB of the guest's own exited: hand it on */
void vmx_event_nmi_block(void);                      /* the exit undid the IRET that had unblocked NMIs */

/* apic.c: nothing of it does anything without the TPR shadow. */
int vmx_apic_create(struct vcpu *v);                 /* 0 or -ENOMEM */
void vmx_apic_destroy(struct vcpu *v);
void vmx_apic_reset(struct vcpu *v);                 /* into a VMCS that is fresh and current */
void vmx_apic_mode(struct vcpu *v);                  /* before an entry, before vmx_event_prepare() */
void vmx_apic_prepare(struct vcpu *v);               /* before an entry, behind vmx_event_prepare() */
/* The CPU takes interrupts out of the guest's local APIC by itself; a PIC's are still injected. */
static inline bool vmx_apic_delivers(const struct vcpu *v) { return v->hw->ctl.cpu2 & CPU2_VIRT_INTR; }

/* names.c */
unsigned int vmx_exit_kind(uint32_t reason);         /* below EXIT_KINDS */
void vmx_exit_text(const struct exit_record *r, bool brief, char *dst, size_t size);
void vmx_kind_text(unsigned int kind, char *dst, size_t size);

/* check.c: the failed checks of a VM entry, in lines of the log. v's VMCS is current. */
void vmx_check_report(struct vcpu *v);

/* task.c: the hardware task switch of that exit qualification, done for the guest. */
enum exit_action vmx_task_switch(struct vcpu *v, uint64_t qualification);

/* exit.c */
void vmx_handle_exit(struct vcpu *v);
void vmx_handle_failure(struct vcpu *v);             /* vmx_enter() was false */

/*
 * fast.c: called by vmx_enter() only, once it has found that RFLAGS has neither TF nor RF and no instruction's shadow is
 * on. gpr[] is valid but for RSP, hw->reason and the ring of exits are not this exit's.
 */
enum fast_answer vmx_fast_mmio(struct vcpu *v);      /* an EPT violation; steps over what it has answered */

/* run.c */
enum run_end vmx_vcpu_run(struct vcpu *v);

#endif
