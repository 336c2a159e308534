/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's start. All of this between its runs, on the CPU that is to run it or before its VM has been entered. */
#ifndef CORE_VCPU_INIT_H
#define CORE_VCPU_INIT_H

#include <vouch/hvm.h>

/* As after reset: vCPU 0 at its start, the others wait for INIT and SIPI. */
void vcpu_prepare(struct vcpu *v, const struct vcpu_start *start);

/* Does what an INIT or SIPI that was posted asks for; nothing else is taken while it does not wait for one. */
void vcpu_take_signals(struct vcpu *v);

#endif
