/* SPDX-License-Identifier: BSD-2-Clause */
/* What Vouch uses of an SVM CPU where it is there. Each has a plain path beside it, and features= switches it off. */
#ifndef ARCH_X86_SVM_FEATURES_H
#define ARCH_X86_SVM_FEATURES_H

#include <vouch/types.h>

struct svm_features {
	bool nrip_save;               /* the VMCB says where the next instruction is */
	bool decode_assists;          /* it has the bytes of an instruction that faulted, and MOV CR's register */
	bool clean;                   /* VMCB clean bits */
	bool flush_by_asid;
	bool pause_filter, pause_threshold;
	bool avic;                    /* there; Vouch does not use it */
	uint32_t asids;               /* number of ASIDs; 0 is the host's */
};

/* From CPUID 8000000A; off: bits FEATURE_* of what not to use. */
struct svm_features svm_features_of(uint32_t ebx, uint32_t edx, uint32_t off);
/* Names of what is used, as features= has them, each after a space; " none". */
void svm_features_text(const struct svm_features *f, char *dst, size_t size);

#endif
