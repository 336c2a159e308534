/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine checks, as far as Vouch goes: that they come, and saying what happened before it stops. */
#ifndef ARCH_X86_CPU_MCE_H
#define ARCH_X86_CPU_MCE_H

/*
 * On each CPU: has every bank raise the exception for every error that it can, which firmware need not have done. Prints what
 * a bank still holds from before, and clears it. SDM 3B "Machine-Check Initialization", APM 2 "Initializing the Machine-Check
 * Mechanism".
 */
void mce_enable(void);
/* Prints what this CPU's banks hold. */
void mce_report(void);

#endif
