/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of a guest at its end: why it died, in one screen; and how often it exited for what. */
#ifndef ARCH_X86_EXIT_REPORT_H
#define ARCH_X86_EXIT_REPORT_H

#include <vouch/types.h>

struct vcpu;
struct vm;

/* After a death: exit, instruction, mode, registers, the last exits, what nobody answered for. At most 27 lines. */
void vm_report(const struct vm *vm);

/* The same of one that lives, outside of its run, and the top of its stack. Goes to this CPU's log tap if there is one. */
void vm_dump(const struct vm *vm);

/* What its vCPU waits for, or where it goes round: a line or two, and what nobody answered for. */
void vm_explain(const struct vm *vm);

/* All exits so far, those of the fast path too. */
uint64_t vcpu_exits(const struct vcpu *v);

/* At debug level: exits by kind, the most frequent first. */
void vm_report_exits(const struct vm *vm);

#endif
