/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the SVM room: its per-CPU and per-vCPU parts and the files' calls to each other. */
#ifndef ARCH_X86_SVM_SVM_H
#define ARCH_X86_SVM_SVM_H

#include <vouch/hvm.h>
#include <vouch/page.h>
#include <vouch/vcpu.h>

#include "arch/x86/mm/tlb_id.h"
#include "arch/x86/svm/check.h"
#include "arch/x86/svm/clean.h"
#include "arch/x86/svm/features.h"
#include "arch/x86/svm/vmcb.h"

/* One per physical CPU: struct pcpu's hvm. Only its CPU touches it. */
struct svm_cpu {
	struct svm_features has;
	struct svm_facts facts;       /* what VMRUN's checks depend on */
	hpa_t host_save;              /* VM_HSAVE_PA */
	hpa_t iopm, msrpm;            /* the boot CPU's, for all CPUs and guests: written once, before any of them runs */
	struct tlb_ids asids;
};

/* Exceptions that always exit: endless delivery of the first two would never leave the guest. */
#define SVM_EXCEPTIONS (1u << EXC_DB | 1u << EXC_AC | 1u << EXC_MC)

/* An event on its way into the guest, kept until the hardware took it. */
struct svm_event {
	bool valid;
	uint8_t vector, type;         /* SVM_EVENT_* */
	bool has_error;
	uint32_t error;
};

struct vcpu_hw {
	const struct vmcb *vmcb;      /* written by vmcb_put() */
	struct vmcb_cache cache;
	hpa_t vmcb_hpa;
	struct tlb_id asid;
	uint64_t cr0_caches;          /* CD and NW of the guest's CR0; the VMCB has them clear */
	bool unchecked;               /* Vouch changed what VMRUN checks: svm_state_ok() decides before the next entry */
	struct svm_event event;       /* to inject at the next entry */
	uint64_t next_rip;            /* of the instruction that exited; valid in its handler only */
	uint8_t v_tpr;                /* V_TPR as the local APIC knows it: another one is the guest's MOV to CR8 */
	bool cr8_exits;               /* MOV to CR8 does */
	bool nmi_masked;              /* an NMI was delivered, its IRET not yet executed */
	bool iret_next;               /* that IRET has exited and is at RIP: to be stepped over */
	bool stepping;                /* the entry under way is for one instruction */
	bool step_tf;                 /* TF was set for it: it is not the guest's */
	bool step_sce;                /* EFER.SCE was cleared for it: SYSCALL exits by #UD */
	uint64_t step_rip, step_dr6;  /* as they were before it */
	bool step_ended;              /* the exit at hand ended such an entry: any exception may have exited */
	bool step_only;               /* and it is a #DB of which the guest must not know */
	bool step_ud;                 /* and it is a #UD that may be SYSCALL's, and not the guest's */
	bool shadowed;                /* the entry under way began in an interrupt shadow: */
	uint64_t shadow_rip;          /* at this RIP */
	bool shadow_cut;              /* the exit at hand came from outside, before the instruction in a shadow */
	uint64_t dr[4], tsc_aux;      /* while this vCPU is not live in the CPU; else they are in the registers */
	unsigned int misfits;         /* exits in a row, at one RIP, whose instruction bytes did not fit the exit */
	uint64_t misfit_rip;
};

/*
 * entry.S: runs the guest, over all exits that can be answered on the way. Guest registers but RAX and RSP are loaded from
 * and saved to gpr[]. GIF is 0, IF is 1. c is the VMCB at vmcb_hpa. FAST_NO: there is an exit, of which nothing has been
 * looked at. FAST_LOOK: it was answered and stepped over. Never FAST_NEXT.
 */
enum fast_answer svm_enter(struct vcpu *v, uint64_t vmcb_hpa, struct vmcb *c);
/* entry.S: the one window in which host events are taken: GIF is 1 for its length. */
void svm_host_window(void);
/* entry.S: halts this CPU until a host event, taken inside. */
void svm_host_idle(void);

/* setup.c */
const char *svm_probe(void);
int svm_cpu_enable(struct pcpu *p);
int svm_vcpu_create(struct vcpu *v);
void svm_vcpu_destroy(struct vcpu *v);
void svm_vcpu_reset(struct vcpu *v, const struct vcpu_start *s);

/* state.c */
void svm_env_load(const struct vcpu *v, struct x86_env *e);
void svm_env_store(struct vcpu *v, const struct x86_env *e);
uint64_t svm_reg_get(const struct vcpu *v, enum hvm_reg r);
void svm_reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val);
/*
 * CD and NW would switch off the real CPU's caches: the guest's own are kept apart, and its reads and writes of CR0 exit
 * while it has one set. Else only writes do that change something, TS and MP excepted: CR0_SEL_WRITE, APM 2 "MOV CRx/DRx
 * Intercepts" (15.8.1). Nothing hangs on these two but the guest's own FPU instructions.
 */
void svm_cr0_set(struct vcpu_hw *hw, uint64_t val);
void svm_dump(const struct vcpu *v);
/* Before an entry: false, and the VM is stopped, if VMRUN would refuse the VMCB. */
bool svm_state_ok(struct vcpu *v);

/* event.c */
void svm_event_collect(struct vcpu *v);              /* after an exit: what was being delivered */
void svm_event_fault(struct vcpu *v);                /* queues v->fault, or a double or triple fault */
void svm_event_prepare(struct vcpu *v);              /* before an entry: inject, or open a window */
bool svm_event_wakes(const struct vcpu *v);          /* would end a HLT */
void svm_event_iret(struct vcpu *v);                 /* IRET exit */
bool svm_event_stepped(const struct vcpu *v);        /* #DB exit: true if it was our own single step */
void svm_event_no_step(struct vcpu *v);              /* an instruction exited that must not be stepped over */
void svm_event_trap(struct vcpu *v);                 /* an instruction was completed for the guest: honour TF */

/* tlb.c */
struct tlb_ids *svm_tlb_ids(struct pcpu *p);
void svm_tlb_prepare(struct vcpu *v, struct svm_cpu *s);  /* before an entry: its ASID, and what VMRUN must flush */

/* names.c */
unsigned int svm_exit_kind(uint64_t code);           /* below EXIT_KINDS */
void svm_exit_text(const struct exit_record *r, bool brief, char *dst, size_t size);
void svm_kind_text(unsigned int kind, char *dst, size_t size);

/* exit.c */
void svm_handle_exit(struct vcpu *v);

/*
 * fast.c, for entry.S, under the conditions of exit/fast.h: gpr[] but RAX and RSP is valid. code: where the
 * instruction lies. They step over it, unless FAST_NO.
 */
enum fast_answer svm_fast_in(struct vcpu *v, struct vmcb *c);
enum fast_answer svm_fast_mmio(struct vcpu *v, struct vmcb *c, const struct fast_code *code);

/* run.c */
enum run_end svm_vcpu_run(struct vcpu *v);

#endif
