/* SPDX-License-Identifier: BSD-2-Clause */
/* This machine's screen: which there is, and where it is mapped. */
#ifndef ARCH_X86_CPU_DISPLAY_H
#define ARCH_X86_CPU_DISPLAY_H

struct host;

/* Under the boot tables, which map the first 4 GiB: the screen that h->boot tells of, if it lies there. */
void display_init(struct host *h);
/* A VGA at its usual place, for the machine of which nothing is known. */
void display_init_blind(struct host *h);
/* Right after paging_init(), before any line is written: maps the screen again. Says what there is, or that there is none. */
void display_map(struct host *h);

#endif
