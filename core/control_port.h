/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial port of core/control.c: bytes in and out, neither of which anybody waits for. Guarded by the console's lock, as
 * the ports' interrupt serves both.
 */
#ifndef CORE_CONTROL_PORT_H
#define CORE_CONTROL_PORT_H

#include "core/ring.h"

#define CONTROL_RX   256u     /* power of two */
#define CONTROL_KEPT 0x8000u  /* an answer that is longer waits for the port */

struct control_port {
	unsigned int port;
	uint32_t rx_head, rx_tail;    /* free running */
	uint8_t rx[CONTROL_RX];
	struct ring out;
	uint64_t sent;                /* position in out */
	bool deaf;                    /* nobody reads: the rest of the answer is dropped, not waited for */
};

/* kept[CONTROL_KEPT] is the caller's, to stay. The port is set up. */
void control_port_init(struct control_port *c, unsigned int port, uint8_t *kept);

/* Receives what there is room for, and sends what the port takes now. True: something was received and not taken yet. */
bool control_port_poll(struct control_port *c);
/* Whether something waits to be sent. */
static inline bool control_port_busy(const struct control_port *c) { return c->sent != c->out.head; }

/* Sends all that waits, until a FIFO's worth of it is not taken within a bounded time. */
void control_port_drain(struct control_port *c);

/* The next byte, or -1. Nothing waits to be sent. */
int control_port_read(struct control_port *c);
/* What is not taken in time is dropped, and all that is written until the next byte is read; then a line of its own begins. */
void control_port_write(struct control_port *c, const char *text, size_t n);

#endif
