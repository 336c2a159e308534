/* SPDX-License-Identifier: BSD-2-Clause */
/* The console channel: guests' output, everybody's input. Vouch's own lines are core/log.c. */
#include <vouch/console.h>

#include <vouch/options.h>
#include <vouch/platform.h>
#include <vouch/serial.h>
#include <vouch/smp.h>

#include "core/control_port.h"
#include "core/mux.h"

void console_init(struct console *c, const struct options *o)
{
	static const char dark[] = "Vouch runs. By its console= option it shows nothing more here.\r\n";
	unsigned int port;

	lock_init(&c->lock, LOCK_CONSOLE, "console");
	c->console_ports = o->console;
	c->log_ports = o->log;
	c->control_ports = o->control;
	c->level = o->loglevel;
	for (port = 0; port < SERIAL_PORTS; port++) {
		uint32_t bit = 1u << port;

		if ((o->console | o->log | o->control) & bit && !serial_init(port, ((o->console | o->control) & bit) != 0)) {
			c->console_ports &= ~bit;
			c->log_ports &= ~bit;
			c->control_ports &= ~bit;
		}
	}
	if (!c->screen.driver)
		c->console_ports &= ~OPT_SCREEN;
	else if (!(o->console & OPT_SCREEN))
		screen_print(&c->screen, dark, sizeof(dark) - 1);
	/* With every port it was told to use missing, Vouch would be mute: COM1 is as good as any, and then no control port. */
	if (!(c->console_ports | c->log_ports)) {
		c->console_ports = OPT_COM1;
		c->control_ports &= ~OPT_COM1;
	}
}

static void ports_write(uint32_t ports, const uint8_t *bytes, size_t n)
{
	unsigned int port;

	for (port = 0; port < SERIAL_PORTS; port++)
		if (ports & 1u << port)
			serial_write(port, bytes, n);
}

static void all_write(struct console *c, const uint8_t *bytes, size_t n)
{
	ports_write(c->console_ports, bytes, n);
	if (c->console_ports & OPT_SCREEN)
		screen_write(&c->screen, bytes, n);
}

static bool ports_ready(uint32_t ports)
{
	for (unsigned int port = 0; port < SERIAL_PORTS; port++)
		if (ports & 1u << port && !serial_ready(port))
			return false;
	return true;
}

size_t console_put(void *ctx, const uint8_t *bytes, size_t n, bool wait)
{
	struct console *c = ctx;
	size_t done = 0;

	if (wait) {
		all_write(c, bytes, n);
		return n;
	}
	while (done < n && ports_ready(c->console_ports)) {
		size_t part = n - done < SERIAL_FIFO ? n - done : SERIAL_FIFO;

		all_write(c, bytes + done, part);
		done += part;
	}
	return done;
}

/* True if that is new to the boot CPU and this is another one. */
static bool is_news(bool *flag)
{
	return !__atomic_exchange_n(flag, true, __ATOMIC_RELAXED) && this_cpu()->id != 0;
}

void console_wait(struct console *c)
{
	if (is_news(&c->waiting))
		cpu_kick(0);
}

static void call_operator(struct console *c)
{
	if (is_news(&c->called))
		cpu_kick(0);
}

/* After whatever changed something in the mux or at the control port. */
static void settle(struct console *c)
{
	const struct mux_place *m = c->mux ? c->mux->place[MUX_MONITOR] : NULL;
	bool waiting = (c->mux && mux_next(c->mux, host_tsc()) != UINT64_MAX) ||
		       (c->control && control_port_busy(c->control));

	if (waiting)
		console_wait(c);
	else
		__atomic_store_n(&c->waiting, false, __ATOMIC_RELAXED);
	if (m && (m->broken || m->in_head != m->in_tail))
		call_operator(c);
}

void console_share(struct console *c, struct mux *m)
{
	lock_take(&c->lock);
	c->mux = m;
	while (c->rx_tail != c->rx_head)
		mux_input(m, host_tsc(), c->rx[c->rx_tail++ % CONSOLE_RX_SIZE]);
	m->midline = c->guest_midline;
	settle(c);
	lock_drop(&c->lock);
}

void console_begin(struct console *c, unsigned int place, const char *name)
{
	lock_take(&c->lock);
	if (c->mux)
		mux_begin(c->mux, host_tsc(), place, name);
	lock_drop(&c->lock);
}

void console_end(struct console *c, unsigned int place)
{
	lock_take(&c->lock);
	if (c->mux) {
		mux_end(c->mux, host_tsc(), place);
		settle(c);
	}
	lock_drop(&c->lock);
}

void console_write(struct console *c, unsigned int place, const uint8_t *bytes, size_t n)
{
	if (!n)
		return;
	lock_take(&c->lock);
	if (c->mux) {
		mux_output(c->mux, host_tsc(), place, bytes, n);
		settle(c);
	} else {
		all_write(c, bytes, n);
		c->guest_midline = bytes[n - 1] != '\n';
	}
	lock_drop(&c->lock);
}

static bool has_room(struct console *c)
{
	return c->mux ? mux_room(c->mux, host_tsc()) : c->rx_head - c->rx_tail < CONSOLE_RX_SIZE;
}

static void take_byte(struct console *c, uint8_t byte)
{
	if (c->mux)
		mux_input(c->mux, host_tsc(), byte);
	else
		c->rx[c->rx_head++ % CONSOLE_RX_SIZE] = byte;
}

/* A port that has a new byte for ever must not keep us. */
#define FILL_MAX (2 * CONSOLE_RX_SIZE)

/* Drains the ports as far as there is room: what stays in a chip holds its sender back, or is the chip's to lose. */
static void console_fill(struct console *c)
{
	unsigned int port, left = FILL_MAX;

	for (port = 0; port < SERIAL_PORTS; port++) {
		if (!(c->console_ports & 1u << port))
			continue;
		while (left && has_room(c)) {
			int byte = serial_read(port);

			if (byte < 0)
				break;
			take_byte(c, (uint8_t)byte);
			left--;
		}
	}
}

static size_t rx_take(struct console *c, uint8_t *bytes, size_t n)
{
	size_t got = 0;

	while (got < n && c->rx_tail != c->rx_head)
		bytes[got++] = c->rx[c->rx_tail++ % CONSOLE_RX_SIZE];
	return got;
}

bool console_typed(struct console *c, unsigned int place)
{
	bool typed;

	lock_take(&c->lock);
	typed = c->mux ? mux_typed(c->mux, place) : c->rx_tail != c->rx_head;
	lock_drop(&c->lock);
	return typed;
}

/* What a reader fetched from the chip may have moved the focus and be another's: the boot CPU wakes that one. */
static void tell_focus(const struct console *c, unsigned int reader)
{
	struct pcpu *p = this_cpu();

	if (!c->mux || c->mux->focus == reader || !mux_typed(c->mux, c->mux->focus))
		return;
	if (p->id == 0)
		p->host_event = true;
	else
		cpu_kick(0);
}

size_t console_read(struct console *c, unsigned int place, uint8_t *bytes, size_t n)
{
	size_t got;
	bool full;

	lock_take(&c->lock);
	full = !has_room(c);
	got = c->mux ? mux_take(c->mux, place, bytes, n) : rx_take(c, bytes, n);
	/* Nobody interrupts for bytes that were left in the chip. */
	if (full && got) {
		console_fill(c);
		tell_focus(c, place);
	}
	settle(c);
	lock_drop(&c->lock);
	return got;
}

void console_poll(struct console *c)
{
	lock_take(&c->lock);
	console_fill(c);
	if (c->mux)
		mux_tick(c->mux, host_tsc());
	if (c->control && control_port_poll(c->control))
		call_operator(c);
	settle(c);
	lock_drop(&c->lock);
}

void console_drain(const struct console *c)
{
	if (c->mux)
		mux_flush(c->mux);
	for (unsigned int port = 0; port < SERIAL_PORTS; port++)
		if ((c->console_ports | c->log_ports) & 1u << port)
			serial_drain(port);
	if (c->control)
		control_port_drain(c->control);
}

void console_control(struct console *c, struct control_port *p)
{
	lock_take(&c->lock);
	c->control = p;
	lock_drop(&c->lock);
	/* A byte that came before its pin was routed holds the line up. */
	console_poll(c);
}

int console_control_read(struct console *c)
{
	int byte;

	lock_take(&c->lock);
	/* Whoever asks faster than he listens waits. */
	byte = control_port_busy(c->control) ? -1 : control_port_read(c->control);
	/* Nobody interrupts for bytes that were left in the chip. */
	if (byte >= 0 && control_port_poll(c->control))
		call_operator(c);
	settle(c);
	lock_drop(&c->lock);
	return byte;
}

void console_control_write(struct console *c, const char *text, size_t n)
{
	lock_take(&c->lock);
	control_port_write(c->control, text, n);
	settle(c);
	lock_drop(&c->lock);
}

bool console_redraw(struct console *c, unsigned int place)
{
	struct mux_place *p = c->mux->place[place];
	bool broken;

	lock_take(&c->lock);
	broken = p->broken && c->mux->focus == place;
	p->broken = false;
	lock_drop(&c->lock);
	return broken;
}

void console_leave(struct console *c)
{
	lock_take(&c->lock);
	if (c->mux->focus == MUX_MONITOR && c->mux->place[c->mux->back])
		mux_focus(c->mux, host_tsc(), c->mux->back);
	settle(c);
	lock_drop(&c->lock);
}

void console_count(struct console *c, unsigned int place, uint64_t *input, uint64_t *unseen)
{
	const struct mux_place *p = c->mux->place[place];

	lock_take(&c->lock);
	*input = p->in_head - p->in_tail;
	*unseen = min_u64(p->out.head - p->shown, p->out.size);
	lock_drop(&c->lock);
}
