/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt controllers that offer what a test says: what the vendors' event delivery asks arch/x86/dev/machine.c for. */
#ifndef SUPPORT_IRQ_H
#define SUPPORT_IRQ_H

struct fake_irq {
	int next, behind;             /* vectors on offer, one behind the other; -1: none */
	int pic;                      /* what the PIC alone offers, or -1 */
	unsigned int acks;
};

extern struct fake_irq irq;

void irq_reset(void);

#endif
