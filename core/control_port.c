/* SPDX-License-Identifier: BSD-2-Clause */
/* Two rings between the control port's chip and those who use it. */
#include "core/control_port.h"

#include <string.h>

#include <vouch/serial.h>

void control_port_init(struct control_port *c, unsigned int port, uint8_t *kept)
{
	memset(c, 0, sizeof(*c));
	c->port = port;
	c->out = (struct ring){ .bytes = kept, .size = CONTROL_KEPT };
}

/* Sends at most n bytes that wait; returns how many. */
static size_t send(struct control_port *c, size_t n)
{
	const uint8_t *bytes;
	size_t part = min_u64(ring_span(&c->out, c->sent, &bytes), n);

	serial_write(c->port, bytes, part);
	c->sent += part;
	return part;
}

bool control_port_poll(struct control_port *c)
{
	int byte;

	while (control_port_busy(c) && serial_ready(c->port))
		send(c, SERIAL_FIFO);
	while (c->rx_head - c->rx_tail < CONTROL_RX && (byte = serial_read(c->port)) >= 0)
		c->rx[c->rx_head++ % CONTROL_RX] = (uint8_t)byte;
	return c->rx_head != c->rx_tail;
}

void control_port_drain(struct control_port *c)
{
	while (control_port_busy(c))
		send(c, SERIAL_FIFO);
	serial_drain(c->port);
}

int control_port_read(struct control_port *c)
{
	return c->rx_head == c->rx_tail ? -1 : c->rx[c->rx_tail++ % CONTROL_RX];
}

void control_port_write(struct control_port *c, const char *text, size_t n)
{
	while (n) {
		size_t room = CONTROL_KEPT - (size_t)(c->out.head - c->sent), part = n < room ? n : room;

		ring_put(&c->out, (const uint8_t *)text, part);
		text += part;
		n -= part;
		/* No room: the answer waits for the port, a bounded time for each FIFO's worth. */
		if (n)
			send(c, SERIAL_FIFO);
	}
}
