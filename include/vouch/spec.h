/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done against guests' use of speculation, on all CPUs alike: arch/x86/cpu/spec.h chooses it. */
#ifndef VOUCH_SPEC_H
#define VOUCH_SPEC_H

#include <vouch/types.h>

struct spec {
	uint32_t code;                /* SPEC_* bits */
	bool auto_ibrs;               /* EFER.AIBRSE is set on each CPU */
	bool ibrs;                    /* SPEC_CTRL.IBRS is set on each CPU, for good */
	bool bhi_dis;                 /* so is SPEC_CTRL.BHI_DIS_S */
	bool stibp;                   /* SPEC_CTRL.STIBP is set on each CPU, for good */
	bool bp_reduce;               /* so is BP_CFG.BP_SPEC_REDUCE */
	bool ibpb;                    /* the branch predictor is emptied when another VM comes to a CPU */
};

#endif
