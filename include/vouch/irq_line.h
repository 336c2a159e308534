/* SPDX-License-Identifier: BSD-2-Clause */
/* A wire from a device's output to whatever it is connected to; the device knows neither the pin nor the chip. */
#ifndef VOUCH_IRQ_LINE_H
#define VOUCH_IRQ_LINE_H

#include <vouch/types.h>

struct irq_line {
	void (*set)(void *ctx, unsigned int pin, bool level);  /* NULL: not connected */
	void *ctx;
	unsigned int pin;
};

static inline void irq_line_set(const struct irq_line *l, bool level)
{
	if (l->set)
		l->set(l->ctx, l->pin, level);
}

/* An edge: high, then low again. */
static inline void irq_line_pulse(const struct irq_line *l)
{
	irq_line_set(l, true);
	irq_line_set(l, false);
}

#endif
