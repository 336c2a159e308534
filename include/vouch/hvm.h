/* SPDX-License-Identifier: BSD-2-Clause */
/* The seam between what an exit means and the vendor's hardware: cold work by table, the run loop owned by the vendor. */
#ifndef VOUCH_HVM_H
#define VOUCH_HVM_H

#include <vouch/types.h>
#include <vouch/vcpu.h>
#include <vouch/x86.h>

struct pcpu;
struct nested_format;
struct tlb_ids;

/* State that only the vendor part holds and neutral code sometimes needs. */
enum hvm_reg { HVM_CR0, HVM_CR2, HVM_CR3, HVM_CR4, HVM_EFER, HVM_PAT, HVM_RIP, HVM_RFLAGS, HVM_DR7,
	       HVM_TSC_OFFSET };

/* Where a fresh vCPU starts; everything else as after reset. */
struct vcpu_start {
	uint64_t rip, rsp, rsi, rflags, cr0, cr3, cr4, efer;
	struct x86_seg seg[SEG_COUNT];
	struct { uint32_t limit; uint64_t base; } gdt, idt;
};

struct hvm_ops {
	const char *name;                                   /* "SVM", "VMX" */
	const char *(*probe)(void);                         /* NULL, or why this CPU will not do and what to change */
	int (*cpu_enable)(struct pcpu *p);                  /* on each CPU, once; 0 or negative errno */
	/* This CPU keeps nothing of any vCPU: it is about to be busy, and no other should have to wait for it. NULL: it never does. */
	void (*cpu_let_go)(void);
	size_t hw_bytes;                                    /* of its struct vcpu_hw; alignment 8 must do */
	int (*vcpu_create)(struct vcpu *v);                 /* v->hw is zeroed memory of the caller's */
	void (*vcpu_destroy)(struct vcpu *v);               /* what vcpu_create() took beside it goes back */
	void (*vcpu_reset)(struct vcpu *v, const struct vcpu_start *s);
	/*
	 * Runs the vCPU on this CPU until it stops, halts or has to make room; never RUN_ON. When it returns, all of its state
	 * but the FPU's is in v, and the host's own is in the CPU. While p->sole is set a halted vCPU does not return.
	 */
	enum run_end (*vcpu_run)(struct vcpu *v);
	void (*vcpu_dump)(const struct vcpu *v);            /* what the neutral report lacks, in a few lines of the log */
	/* An exit by name with what it was about, in words or briefly (16 characters or so). Always terminates dst. */
	void (*exit_text)(const struct exit_record *r, bool brief, char *dst, size_t size);
	void (*kind_text)(unsigned int kind, char *dst, size_t size);  /* the name of what v->exit_count[kind] counts */
	void (*env_load)(const struct vcpu *v, struct x86_env *e);
	void (*env_store)(struct vcpu *v, const struct x86_env *e);  /* the written-back members; ends an interrupt shadow */
	uint64_t (*reg_get)(const struct vcpu *v, enum hvm_reg r);
	void (*reg_set)(struct vcpu *v, enum hvm_reg r, uint64_t val);
	const struct nested_format *nested;                 /* format of the nested tables */
	struct tlb_ids *(*tlb_ids)(struct pcpu *p);         /* of that CPU */
};

extern const struct hvm_ops svm_ops, vmx_ops;

#endif
