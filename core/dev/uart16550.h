/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A UART (PC16550D data sheet). Characters take no time on the wire: what is written is sent at once, and what is
 * received below the trigger level is indicated as timed out at once.
 */
#ifndef VOUCH_UART16550_H
#define VOUCH_UART16550_H

#include <vouch/bus.h>
#include <vouch/chardev.h>
#include <vouch/irq_line.h>
#include <vouch/types.h>

#define UART_PORTS 8u
#define UART_LSR   5u         /* line status, among them */
#define UART_FIFO  16u
#define UART_RING  256u       /* characters that wait outside the chip for room in its FIFO; power of two */

/* All there is to save. */
struct uart_state {
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t lsr;                  /* only OE is stored; the rest follows from the FIFO */
	uint8_t msr;                  /* delta bits and lines as last seen */
	uint8_t dll, dlm;
	bool thr_empty_irq;           /* the THRE interrupt is pending */
	uint8_t rx_head, rx_count;    /* receive FIFO; one deep while FIFOs are off */
	uint8_t rx[UART_FIFO];
	uint32_t ring_head, ring_tail; /* free running */
	uint8_t ring[UART_RING];
};

struct uart {
	struct irq_line irq;
	struct chardev out;
	bool requests;                /* the level of irq */
	struct uart_state s;
};

extern const struct vdev_ops uart_ops;  /* UART_PORTS long, byte accesses */

void uart_create(struct uart *u, const struct irq_line *irq, const struct chardev *out);
/* Power-on state; drops received characters. */
void uart_reset(struct uart *u);

/* The line status, if to read it changes nothing: as for the fast path. -1: uart_ops must. */
int uart_fast_status(const struct uart *u);

/*
 * Characters from the world. Takes as many of n as fit and returns how many; the caller keeps the rest and tries again
 * later. What is taken is lost only by the guest's own FIFO reset.
 */
size_t uart_receive(struct uart *u, const uint8_t *bytes, size_t n);

#endif
