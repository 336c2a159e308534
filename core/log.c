/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vouch's own lines, to the log ports if there are any, else to the console ports; to the screen always, if it is one.
 * Host programs and tests link another version of these functions. Cuts a line that is too long and marks the cut.
 */
#include <vouch/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/platform.h>
#include <vouch/serial.h>

#include "core/mux.h"
#include "log_port.h"

#define LINE_MAX_LEN 400

static size_t line_end(char *line, size_t size, size_t used, int more)
{
	size_t n;

	if (more < 0) {
		n = used;
	} else if ((size_t)more > size - used - 3) {
		n = size - 3;
		memcpy(line + n - 3, "...", 3);
	} else {
		n = used + (size_t)more;
	}
	line[n] = '\r';
	line[n + 1] = '\n';
	return n + 2;
}

/* The caller holds the console's lock, or is past caring. */
static void ports_put(struct console *c, const char *text, size_t n)
{
	uint32_t ports = c->log_ports ? c->log_ports | (c->console_ports & OPT_SCREEN) : c->console_ports;
	unsigned int port;

	for (port = 0; port < SERIAL_PORTS; port++) {
		if (!(ports & 1u << port))
			continue;
		if (c->guest_midline && c->console_ports & 1u << port)
			serial_write(port, (const uint8_t *)"\r\n", 2);
		serial_write(port, (const uint8_t *)text, n);
	}
	if (ports & OPT_SCREEN) {
		if (c->mux ? c->screen.col != 0 : c->guest_midline)
			screen_print(&c->screen, "\r\n", 2);
		screen_print(&c->screen, text, n);
	}
	if (ports & c->console_ports)
		c->guest_midline = false;
}

/* Returns the length. */
static size_t line_make(char line[LINE_MAX_LEN], const char *prefix, const char *fmt, va_list ap)
{
	size_t used = strlen(prefix);
	int more;

	memcpy(line, prefix, used);
	more = vsnprintf(line + used, LINE_MAX_LEN - used - 2, fmt, ap);
	return line_end(line, LINE_MAX_LEN, used, more);
}

/* n: with the CR and LF at its end. */
static void keep(struct console *c, const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (line[i] != '\r')
			c->log_kept[c->log_head++ % CONSOLE_LOG_SIZE] = line[i];
}

static void line_put(struct console *c, const char *prefix, const char *fmt, va_list ap)
{
	char line[LINE_MAX_LEN];
	size_t n = line_make(line, prefix, fmt, ap);

	keep(c, line, n);
	if (!c->mux || c->log_ports) {
		ports_put(c, line, n);
		return;
	}
	mux_log(c->mux, host_tsc(), line, n);
	console_wait(c);
}

static const char *level_prefix(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:
		return "vouch: error: ";
	case LOG_WARN:
		return "vouch: warning: ";
	case LOG_DEBUG:
		return "vouch: debug: ";
	default:
		return "vouch: ";
	}
}

static void tap(const struct log_tap *t, const char *fmt, va_list ap)
{
	char line[LINE_MAX_LEN];

	vsnprintf(line, sizeof(line), fmt, ap);
	t->line(t->ctx, line);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	struct console *c = &this_cpu()->host->console;
	va_list ap;

	if (level > c->level)
		return;
	va_start(ap, fmt);
	if (level == LOG_VERDICT && this_cpu()->log_tap) {
		tap(this_cpu()->log_tap, fmt, ap);
		va_end(ap);
		return;
	}
	lock_take(&c->lock);
	line_put(c, level_prefix(level), fmt, ap);
	lock_drop(&c->lock);
	va_end(ap);
}

void log_stage(const char *fmt, ...)
{
	struct console *c = &this_cpu()->host->console;
	char prefix[32];
	va_list ap;

	va_start(ap, fmt);
	lock_take(&c->lock);
	snprintf(prefix, sizeof(prefix), "vouch: [%2u] ", ++c->stage);
	line_put(c, prefix, fmt, ap);
	lock_drop(&c->lock);
	va_end(ap);
}

/* Copies the next line from *at on, and moves *at behind it; false: there is none. */
static bool latest_line(struct console *c, uint64_t *at, char line[LINE_MAX_LEN])
{
	size_t n = 0;

	lock_take(&c->lock);
	if (c->log_head - *at > CONSOLE_LOG_SIZE)
		*at = c->log_head - CONSOLE_LOG_SIZE;
	while (*at != c->log_head && n < LINE_MAX_LEN - 1) {
		char byte = c->log_kept[(*at)++ % CONSOLE_LOG_SIZE];

		if (byte == '\n')
			break;
		line[n++] = byte;
	}
	lock_drop(&c->lock);
	line[n] = '\0';
	return n > 0;
}

void log_latest(void (*line)(void *ctx, const char *text), void *ctx)
{
	struct console *c = &this_cpu()->host->console;
	uint64_t end = c->log_head, at = end > CONSOLE_LOG_SIZE ? end - CONSOLE_LOG_SIZE : 0;
	bool cut = at != 0;
	char text[LINE_MAX_LEN];

	/* Lines that come meanwhile are for the next time: whoever reads them may cause some. */
	while (at < end && latest_line(c, &at, text)) {
		if (!cut)
			line(ctx, text);
		cut = false;
	}
}

/* Around the mux, which may be in the midst of something; what it holds comes first. */
static void bypass(struct console *c)
{
	struct mux *m = c->mux;
	size_t held = m->held_len;

	if (c->log_ports)
		return;
	c->guest_midline = m->midline;
	m->midline = false;
	m->held_len = 0;
	if (held && held <= sizeof(m->held))
		ports_put(c, m->held, held);
}

/* Some milliseconds: longer than a line takes on a serial port that works. A test whose CPUs are threads, which can be
 * set aside for as long as the machine likes while they hold the lock, gives its own. */
#ifndef EMERGENCY_SPINS
#define EMERGENCY_SPINS 200000u
#endif

/* False if this CPU has it already, below us on the stack, or whoever has it keeps it: stopped perhaps, for good. */
static bool lock_soon(struct lock *l)
{
	for (unsigned int i = 0; i < EMERGENCY_SPINS; i++) {
		if (__atomic_load_n(&l->holder, __ATOMIC_RELAXED) == this_cpu()->id + 1)
			return false;
		if (lock_try(l))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

void log_emergency(const char *fmt, ...)
{
	struct console *c = &this_cpu()->host->console;
	char line[LINE_MAX_LEN];
	uint32_t held = this_cpu()->locks_held;
	bool locked = lock_soon(&c->lock);
	va_list ap;

	if (c->mux)
		bypass(c);
	va_start(ap, fmt);
	ports_put(c, line, line_make(line, level_prefix(LOG_ERROR), fmt, ap));
	va_end(ap);
	if (locked)
		lock_drop(&c->lock);
	/* In an NMI that came while this very lock was being taken: its bit was there before, and stays. */
	this_cpu()->locks_held = held;
}
