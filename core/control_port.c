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

/* Sends up to a FIFO's worth of what waits; false if the port did not take it in time. */
static bool send(struct control_port *c)
{
	const uint8_t *bytes;
	size_t part = min_u64(ring_span(&c->out, c->sent, &bytes), SERIAL_FIFO);

	if (!serial_write(c->port, bytes, part))
		return false;
	c->sent += part;
	return true;
}

bool control_port_poll(struct control_port *c)
{
	int byte;

	while (control_port_busy(c) && serial_ready(c->port))
		send(c);
	while (c->rx_head - c->rx_tail < CONTROL_RX && (byte = serial_read(c->port)) >= 0)
		c->rx[c->rx_head++ % CONTROL_RX] = (uint8_t)byte;
	return c->rx_head != c->rx_tail;
}

void control_port_drain(struct control_port *c)
{
	while (control_port_busy(c) && send(c))
		;
	serial_drain(c->port);
}

int control_port_read(struct control_port *c)
{
	if (c->rx_head == c->rx_tail)
		return -1;
	if (c->deaf) {
		/* The answer that was cut ends here, without its last line. */
		c->deaf = false;
		control_port_write(c, "\r\n", 2);
	}
	return c->rx[c->rx_tail++ % CONTROL_RX];
}

void control_port_write(struct control_port *c, const char *text, size_t n)
{
	while (n && !c->deaf) {
		size_t room = CONTROL_KEPT - (size_t)(c->out.head - c->sent), part = n < room ? n : room;

		ring_put(&c->out, (const uint8_t *)text, part);
		text += part;
		n -= part;
		/* No room: the answer waits for the port, a bounded time. */
		if (n)
			c->deaf = !send(c);
	}
}
