/* SPDX-License-Identifier: BSD-2-Clause */
/* A vendor part that is only an array of registers: for tests of the neutral exit handlers. */
#ifndef SUPPORT_SEAM_H
#define SUPPORT_SEAM_H

#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/vcpu.h>
#include <vouch/vm.h>

struct seam {
	uint64_t reg[HVM_TSC_OFFSET + 1];     /* by enum hvm_reg */
	struct x86_env env;                   /* what env_load gives, with the registers above in it */
	struct host host;
	struct vm vm;
	struct vcpu vcpu;
};

/* One for all tests of a program: fresh, in 64-bit mode at CPL 0. */
extern struct seam seam;
void seam_reset(void);

#endif
