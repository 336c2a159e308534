/* SPDX-License-Identifier: BSD-2-Clause */
/* See irq.h. */
#include "irq.h"

#include "arch/x86/dev/machine.h"

struct fake_irq irq = { -1, -1, -1, 0 };

void irq_reset(void)
{
	irq = (struct fake_irq){ -1, -1, -1, 0 };
}

bool machine_irq_pending(struct vcpu *cpu)
{
	(void)cpu;
	return irq.next >= 0;
}

int machine_irq_ack(struct vcpu *cpu)
{
	int got = irq.next;

	(void)cpu;
	irq.acks++;
	irq.next = irq.behind;
	irq.behind = -1;
	return got;
}

bool machine_extint_pending(struct vcpu *cpu)
{
	(void)cpu;
	return irq.pic >= 0;
}

int machine_extint_ack(struct vcpu *cpu)
{
	int got = irq.pic;

	(void)cpu;
	irq.acks++;
	irq.pic = -1;
	return got;
}
