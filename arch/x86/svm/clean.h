/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing to a VMCB. A processor with VMCB clean bits keeps most of it from one VMRUN to the next, and reads a group of
 * fields again only if that group's bit is clear: APM 2 "VMCB State Caching" (15.15). So everybody else's pointer to the
 * VMCB is to const, and vmcb_put() clears the bit of what it changes. Debug builds look before each entry, on any CPU,
 * whether something changed behind its back.
 */
#ifndef ARCH_X86_SVM_CLEAN_H
#define ARCH_X86_SVM_CLEAN_H

#include "arch/x86/svm/vmcb.h"

/* The groups: APM 2 "VMCB Clean Field" (15.15.3). */
#define SVM_CLEAN_NONE      0u
#define SVM_CLEAN_INTERCEPT (1u << 0)
#define SVM_CLEAN_MAPS      (1u << 1)
#define SVM_CLEAN_ASID      (1u << 2)
#define SVM_CLEAN_TPR       (1u << 3)
#define SVM_CLEAN_NESTED    (1u << 4)
#define SVM_CLEAN_CR        (1u << 5)
#define SVM_CLEAN_DR        (1u << 6)
#define SVM_CLEAN_DT        (1u << 7)
#define SVM_CLEAN_SEG       (1u << 8)
#define SVM_CLEAN_CR2       (1u << 9)
#define SVM_CLEAN_GROUPS    10u
#define SVM_CLEAN_ALL       ((1u << SVM_CLEAN_GROUPS) - 1)

/* Each field that Vouch writes, with its group; NONE: read at every VMRUN. */
#define VMCB_FIELDS(F)							\
	F(intercept_cr_read, INTERCEPT) F(intercept_cr_write, INTERCEPT) F(intercept_dr_read, INTERCEPT)	\
	F(intercept_dr_write, INTERCEPT) F(intercept_exceptions, INTERCEPT) F(intercept1, INTERCEPT)		\
	F(intercept2, INTERCEPT) F(pause_threshold, INTERCEPT) F(pause_count, INTERCEPT)			\
	F(tsc_offset, INTERCEPT) F(iopm_pa, MAPS) F(msrpm_pa, MAPS) F(asid, ASID) F(int_ctl, TPR)		\
	F(np_enable, NESTED) F(nested_cr3, NESTED) F(pat, NESTED) F(efer, CR) F(cr0, CR) F(cr3, CR) F(cr4, CR)	\
	F(dr6, DR) F(dr7, DR) F(gdtr, DT) F(idtr, DT) F(es, SEG) F(cs, SEG) F(ss, SEG) F(ds, SEG) F(cpl, SEG)	\
	F(cr2, CR2) F(tlb_control, NONE) F(int_state, NONE) F(event_inj, NONE) F(clean, NONE) F(next_rip, NONE)	\
	F(rflags, NONE) F(rip, NONE) F(rsp, NONE) F(rax, NONE)

#define VMCB_GROUP_OF(field, group) VMCB_GROUP_##field = SVM_CLEAN_##group,
enum { VMCB_FIELDS(VMCB_GROUP_OF) };
#undef VMCB_GROUP_OF

/* What a processor may still know of a VMCB. Part of struct vcpu_hw. */
struct vmcb_cache {
	uint32_t clean;               /* groups unchanged since the last exit */
	const void *cpu;              /* the CPU of that exit */
	uint64_t sum[SVM_CLEAN_GROUPS];  /* debug builds: each group's content then */
};

/* hw: anything with members vmcb and cache, that is a struct vcpu_hw. A field of NONE is written without a look. */
#define vmcb_put(hw, field, val)							\
	do {										\
		struct vmcb *c_ = (struct vmcb *)(hw)->vmcb;				\
		__typeof__(c_->field) val_ = (val);					\
											\
		if (VMCB_GROUP_##field == SVM_CLEAN_NONE || c_->field != val_) {	\
			c_->field = val_;						\
			(hw)->cache.clean &= ~(uint32_t)VMCB_GROUP_##field;		\
		}									\
	} while (0)

/* For filling a VMCB from scratch: no processor knows it any more. */
#define vmcb_rewrite(hw) ((hw)->cache.clean = 0, (struct vmcb *)(hw)->vmcb)

/* Before VMRUN on cpu: the clean bits, none unless used. Debug builds panic if a clean group has changed. */
void vmcb_clean_enter(struct vmcb_cache *k, struct vmcb *c, const void *cpu, bool used);
/* After #VMEXIT: processor and VMCB agree. */
void vmcb_clean_exit(struct vmcb_cache *k, const struct vmcb *c);
/* Groups that are marked clean and are not what they were at vmcb_clean_exit(). */
uint32_t vmcb_clean_broken(const struct vmcb_cache *k, const struct vmcb *c);

#endif
