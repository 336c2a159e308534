/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine checks, as far as Vouch goes: saying what happened before it stops. */
#ifndef ARCH_X86_CPU_MCE_H
#define ARCH_X86_CPU_MCE_H

/* Prints what this CPU's banks hold. */
void mce_report(void);

#endif
