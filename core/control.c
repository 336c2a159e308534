/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests from the control port. They are words, not JSON: a grammar of two or three words needs no parser that could be
 * wrong, while answers, which Vouch only writes, are JSON.
 */
#include "core/control.h"

#include <string.h>

#define ID_DIGITS 9u          /* fits 32 bits */

void control_init(struct control *c, const struct monitor *m, void (*put)(void *ctx, const char *text, size_t n),
		  void *ctx)
{
	memset(c, 0, sizeof(*c));
	c->monitor = m;
	c->out = (struct record_out){ .put = put, .ctx = ctx, .json = true };
}

static void hello(struct control *c)
{
	static const struct record_kind kind = {
		"vouch", RECORD_LIST, 1, { { "protocol", "protocol", 0 } },
	};

	record_begin(&c->out, &kind);
	record_number(&c->out, RECORD_PROTOCOL);
	record_end(&c->out);
	record_done(&c->out, NULL);
}

/* The digits at the line's begin; NULL if it has none, or too many, or nothing behind them. */
static const char *read_id(const char *line, uint32_t *id)
{
	unsigned int n;

	*id = 0;
	for (n = 0; line[n] >= '0' && line[n] <= '9'; n++) {
		if (n == ID_DIGITS)
			return NULL;
		*id = *id * 10 + (uint32_t)(line[n] - '0');
	}
	return n && line[n] == ' ' ? line + n + 1 : NULL;
}

static void answer(struct control *c)
{
	uint32_t id;
	const char *command;

	c->line[c->len] = '\0';
	c->quit = false;
	command = c->bad ? NULL : read_id(c->line, &id);
	c->out.id = command ? id : 0;
	if (c->bad)
		record_done(&c->out, "the request is too long, or not printable ASCII");
	else if (!command)
		record_done(&c->out, "a request is: ID COMMAND [GUEST]");
	else if (strcmp(command, "hello") == 0)
		hello(c);
	else
		c->quit = !monitor_do(c->monitor, &c->out, command);
}

bool control_byte(struct control *c, uint8_t byte)
{
	if (byte != '\n') {
		/* A carriage return before the newline is none of our business, one elsewhere is a blank. */
		if (byte == '\r')
			byte = ' ';
		if (byte < 0x20 || byte > 0x7e || c->len == MONITOR_LINE)
			c->bad = true;
		else
			c->line[c->len++] = (char)byte;
		return false;
	}
	while (c->len && c->line[c->len - 1] == ' ')
		c->len--;
	/* An empty line is no request: programs send one to be rid of what another has left half written. */
	if (!c->len && !c->bad)
		return false;
	answer(c);
	c->len = 0;
	c->bad = false;
	return true;
}
