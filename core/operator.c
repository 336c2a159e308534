/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the console's multiplexer, the monitor and the control port, and brings what is typed to them. What a command does is
 * steer.c's and monitor.c's subject.
 */
#include "core/operator.h"

#include <vouch/host.h>

#include "core/block.h"
#include "core/control.h"
#include "core/control_port.h"
#include "core/guest.h"
#include "core/line_edit.h"
#include "core/mux.h"
#include "core/steer.h"

#define SERVE_BYTES 64u       /* taken from each at once: a paste must not keep the guests waiting */

struct operator {
	struct host *host;
	struct monitor monitor;
	struct line_edit edit;
	struct record_out out;
	struct control control;
	struct control_port port;
	bool gone;
};

static void monitor_put(void *ctx, const char *text, size_t n)
{
	struct host *h = ctx;

	console_write(&h->console, MUX_MONITOR, (const uint8_t *)text, n);
}

static void control_put(void *ctx, const char *text, size_t n)
{
	struct host *h = ctx;

	console_control_write(&h->console, text, n);
}

static const char *operator_word(void *ctx, const char *line, size_t at, unsigned int index)
{
	struct host *h = ctx;

	return monitor_word(&h->operator->monitor, line, at, index);
}

static bool add_place(struct host *h, struct mux *m, unsigned int place)
{
	struct mux_place *p = block_get(&h->pages, sizeof(*p));
	uint8_t *kept = block_get(&h->pages, MUX_OUTPUT);

	if (!p || !kept) {
		block_put(&h->pages, p, sizeof(*p));
		block_put(&h->pages, kept, MUX_OUTPUT);
		return false;
	}
	mux_add(m, place, p, kept);
	return true;
}

static bool add_places(struct host *h, struct mux *m)
{
	enum mux_mode mode = h->options.consoles == CONSOLES_PREFIX ? MUX_PREFIX : MUX_FOCUS;

	mux_init(m, mode, h->platform.tsc_khz, console_put, &h->console);
	for (unsigned int i = 0; i < h->guests->count; i++)
		if (!add_place(h, m, i))
			return false;
	return add_place(h, m, MUX_MONITOR);
}

static void open_control(struct host *h, struct operator *o)
{
	uint8_t *kept;

	if (!h->options.control)
		return;
	kept = block_get(&h->pages, CONTROL_KEPT);
	if (!h->console.control_ports || !kept) {
		log_warn("no control port: %s", kept ? "the one that control= names is missing, or the only console" : "not enough memory");
		block_put(&h->pages, kept, CONTROL_KEPT);
		return;
	}
	control_init(&o->control, &o->monitor, control_put, h);
	control_port_init(&o->port, (unsigned int)__builtin_ctz(h->console.control_ports), kept);
	console_control(&h->console, &o->port);
}

void operator_init(struct host *h)
{
	struct mux *m = block_get(&h->pages, sizeof(*m));
	struct operator *o = block_get(&h->pages, sizeof(*o));

	if (!m || !o || !add_places(h, m)) {
		/* Places that were made stay: it is a machine with hardly any memory. */
		log_warn("not enough memory for a monitor: guests write to the console as they come");
		return;
	}
	o->host = h;
	o->monitor = (struct monitor){ &steer_ops, h };
	o->out = (struct record_out){ .put = monitor_put, .ctx = h };
	o->edit = (struct line_edit){ .put = monitor_put, .word = operator_word, .ctx = h, .prompt = "vouch> " };
	h->operator = o;
	console_share(&h->console, m);
	line_edit_begin(&o->edit);
	open_control(h, o);
}

/* ------------------------------------------------------------------ serving */

static bool guest_runs(const struct host *h)
{
	for (unsigned int i = 0; i < h->guests->count; i++)
		if (h->guests->guest[i].state != GUEST_OFF)
			return true;
	return false;
}

static void quit(struct host *h, struct operator *o)
{
	if (!guest_runs(h))
		o->gone = true;
	console_leave(&h->console);
}

static void monitor_byte(struct host *h, struct operator *o, uint8_t byte)
{
	if (line_edit_byte(&o->edit, byte) != LINE_READY)
		return;
	if (!monitor_do(&o->monitor, &o->out, o->edit.line))
		quit(h, o);
	line_edit_begin(&o->edit);
}

static void serve_monitor(struct host *h, struct operator *o)
{
	uint8_t bytes[SERVE_BYTES];
	size_t n;

	if (console_redraw(&h->console, MUX_MONITOR))
		line_edit_redraw(&o->edit);
	n = console_read(&h->console, MUX_MONITOR, bytes, sizeof(bytes));
	for (size_t i = 0; i < n; i++)
		monitor_byte(h, o, bytes[i]);
	if (n == sizeof(bytes))
		__atomic_store_n(&h->console.called, true, __ATOMIC_RELAXED);
}

static void serve_control(struct host *h, struct operator *o)
{
	for (unsigned int i = 0; i < SERVE_BYTES; i++) {
		int byte = console_control_read(&h->console);

		if (byte < 0)
			return;
		if (control_byte(&o->control, (uint8_t)byte) && o->control.quit && !guest_runs(h))
			o->gone = true;
	}
	__atomic_store_n(&h->console.called, true, __ATOMIC_RELAXED);
}

void operator_serve(struct host *h)
{
	struct operator *o = h->operator;

	if (!o || !__atomic_exchange_n(&h->console.called, false, __ATOMIC_RELAXED))
		return;
	/* Answers may take their time. */
	if (h->hvm->cpu_let_go)
		h->hvm->cpu_let_go();
	serve_monitor(h, o);
	if (h->console.control)
		serve_control(h, o);
}

bool operator_gone(const struct host *h)
{
	return !h->operator || h->operator->gone;
}
