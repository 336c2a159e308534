/* SPDX-License-Identifier: BSD-2-Clause */
/* The console channel: guests' output, everybody's input. Vouch's own lines are core/log.c. */
#include <vouch/console.h>

#include <vouch/options.h>
#include <vouch/serial.h>

void console_init(struct console *c, const struct options *o)
{
	static const char dark[] = "Vouch runs. By its console= option it shows nothing more here.\r\n";
	unsigned int port;

	lock_init(&c->lock, LOCK_CONSOLE, "console");
	c->console_ports = o->console;
	c->log_ports = o->log;
	c->level = o->loglevel;
	for (port = 0; port < SERIAL_PORTS; port++) {
		uint32_t bit = 1u << port;

		if ((o->console | o->log) & bit && !serial_init(port, (o->console & bit) != 0)) {
			c->console_ports &= ~bit;
			c->log_ports &= ~bit;
		}
	}
	if (!c->screen.driver)
		c->console_ports &= ~OPT_SCREEN;
	else if (!(o->console & OPT_SCREEN))
		screen_print(&c->screen, dark, sizeof(dark) - 1);
	/* With every port it was told to use missing, Vouch would be mute: COM1 is as good as any. */
	if (!(c->console_ports | c->log_ports))
		c->console_ports = OPT_COM1;
}

static void ports_write(uint32_t ports, const uint8_t *bytes, size_t n)
{
	unsigned int port;

	for (port = 0; port < SERIAL_PORTS; port++)
		if (ports & 1u << port)
			serial_write(port, bytes, n);
}

void console_write(struct console *c, const uint8_t *bytes, size_t n)
{
	if (!n)
		return;
	lock_take(&c->lock);
	ports_write(c->console_ports, bytes, n);
	if (c->console_ports & OPT_SCREEN)
		screen_write(&c->screen, bytes, n);
	c->guest_midline = bytes[n - 1] != '\n';
	lock_drop(&c->lock);
}

/* Drains the ports as far as there is room: what stays in a chip holds its sender back, or is the chip's to lose. */
static void console_fill(struct console *c)
{
	unsigned int port;

	for (port = 0; port < SERIAL_PORTS; port++) {
		if (!(c->console_ports & 1u << port))
			continue;
		while (c->rx_head - c->rx_tail < CONSOLE_RX_SIZE) {
			int byte = serial_read(port);

			if (byte < 0)
				break;
			c->rx[c->rx_head++ % CONSOLE_RX_SIZE] = (uint8_t)byte;
		}
	}
}

size_t console_read(struct console *c, uint8_t *bytes, size_t n)
{
	size_t got = 0;
	bool full;

	lock_take(&c->lock);
	full = c->rx_head - c->rx_tail == CONSOLE_RX_SIZE;
	while (got < n && c->rx_tail != c->rx_head)
		bytes[got++] = c->rx[c->rx_tail++ % CONSOLE_RX_SIZE];
	/* Nobody interrupts for bytes that were left in the chip. */
	if (full && got)
		console_fill(c);
	lock_drop(&c->lock);
	return got;
}

void console_poll(struct console *c)
{
	lock_take(&c->lock);
	console_fill(c);
	lock_drop(&c->lock);
}

void console_drain(const struct console *c)
{
	for (unsigned int port = 0; port < SERIAL_PORTS; port++)
		if ((c->console_ports | c->log_ports) & 1u << port)
			serial_drain(port);
}
