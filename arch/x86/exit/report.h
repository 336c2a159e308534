/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of a guest at its end: why it died, in one screen; and how often it exited for what. */
#ifndef ARCH_X86_EXIT_REPORT_H
#define ARCH_X86_EXIT_REPORT_H

#include <vouch/types.h>

struct vcpu;
struct vm;

/*
 * After a death: exit, instruction, mode, registers, the last exits, what nobody answered for. At most 27 lines for a VM of
 * one vCPU.
 */
void vm_report(const struct vm *vm);

/*
 * The same of a vCPU that lives, and the top of its stack. It is in the caller's hands (core/hold.h), as below. Goes to this
 * CPU's log tap if there is one.
 */
void vcpu_dump(struct vcpu *v);

/* What it waits for, or where it goes round, and by what instruction: a line or two. */
void vcpu_explain(struct vcpu *v);

/* What nobody answered for, the latest first. */
void vm_report_strays(const struct vm *vm);

/*
 * All exits so far, those of the fast path too; of all vCPUs, or those of one kind. What a vCPU counts just now on another CPU
 * may be missing.
 */
uint64_t vcpu_exits(const struct vcpu *v);
uint64_t vm_exits(const struct vm *vm);
uint64_t vm_exits_of(const struct vm *vm, unsigned int kind);

/* At debug level: exits by kind, the most frequent first. */
void vm_report_exits(const struct vm *vm);

#endif
