/* SPDX-License-Identifier: BSD-2-Clause */
/* What an SVM CPU has beyond the least, what of it the operator allows, and that in words. Pure. */
#include "arch/x86/svm/features.h"

#include <stdio.h>

#include <vouch/options.h>

/* CPUID 8000000A, EDX: APM 3 "Function 8000_000Ah". */
#define EDX_NRIP            (1u << 3)
#define EDX_VMCB_CLEAN      (1u << 5)
#define EDX_FLUSH_BY_ASID   (1u << 6)
#define EDX_DECODE          (1u << 7)
#define EDX_PAUSE_FILTER    (1u << 10)
#define EDX_PAUSE_THRESHOLD (1u << 12)
#define EDX_AVIC            (1u << 13)

struct svm_features svm_features_of(uint32_t ebx, uint32_t edx, uint32_t off)
{
	return (struct svm_features){
		.nrip_save = (edx & EDX_NRIP) && !(off & FEATURE_NRIP),
		.decode_assists = (edx & EDX_DECODE) && !(off & FEATURE_DECODE),
		.clean = (edx & EDX_VMCB_CLEAN) && !(off & FEATURE_CLEAN),
		.flush_by_asid = (edx & EDX_FLUSH_BY_ASID) && !(off & FEATURE_FLUSHASID),
		.pause_filter = (edx & EDX_PAUSE_FILTER) && !(off & FEATURE_PAUSE),
		.pause_threshold = (edx & EDX_PAUSE_THRESHOLD) && !(off & FEATURE_PAUSE),
		.avic = edx & EDX_AVIC,
		.asids = ebx,
	};
}

void svm_features_text(const struct svm_features *f, char *dst, size_t size)
{
	snprintf(dst, size, "%s%s%s%s%s%s", f->nrip_save ? " nrip" : "", f->decode_assists ? " decode" : "",
		 f->clean ? " clean" : "", f->flush_by_asid ? " flushasid" : "", f->pause_filter ? " pause" : "",
		 f->nrip_save || f->decode_assists || f->clean || f->flush_by_asid || f->pause_filter ? "" : " none");
}
