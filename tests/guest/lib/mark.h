/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mark in every register that a guest can change, so that it can tell whether another guest's values, or those of the CPU
 * that it was on before, have got into its own.
 */
#ifndef GUEST_MARK_H
#define GUEST_MARK_H

#include "guest.h"

#define MARK_MSRS 12
#define MARK_PAT 10                          /* places in msr[] */
#define MARK_LSTAR 1
#define MARK_PAT_RESET 0x0007040600070406ull

struct mark {
	u64 vector[16][4];                   /* XMM or, where XCR0 can have them, YMM registers */
	u64 dr[6];                           /* DR0-3, DR6, DR7 */
	u64 cr2, cr8;
	u64 msr[MARK_MSRS];
	u64 fpu;
	u32 mxcsr;
};

void mark_init(void);                        /* switches on what holds them: first of all */
bool mark_has_avx(void);
void mark_set(u64 mark);
/* With cr2=off on the command line CR2 is left out. The x87 stack must hold something. */
void mark_read(struct mark *m);
/* Holds marks in all general registers while it goes round so many times; whether they are still there. */
bool mark_hold(u64 mark, u64 rounds);

#endif
