/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of a guest at its end: why it died, in one screen; and how often it exited for what. */
#ifndef ARCH_X86_EXIT_REPORT_H
#define ARCH_X86_EXIT_REPORT_H

struct vm;

/* After a death: exit, instruction, mode, registers, the last exits, what nobody answered for. At most 27 lines. */
void vm_report(const struct vm *vm);

/* At debug level: exits by kind, the most frequent first. */
void vm_report_exits(const struct vm *vm);

#endif
