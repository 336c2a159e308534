/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor as a line protocol for programs, over a serial port of its own (docs/console.md, "The control port"). A
 * request is a line "ID COMMAND [GUEST]"; the answer is lines of JSON, the last of which has "done" or "error".
 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include <vouch/types.h>

#include "core/monitor.h"

struct control {
	const struct monitor *monitor;
	struct record_out out;        /* put and ctx are the caller's */
	size_t len;
	bool quit;                    /* the last request was to quit */
	bool bad;                     /* the line is too long, or not text: refused at its end */
	char line[MONITOR_LINE + 1];
};

void control_init(struct control *c, const struct monitor *m, void (*put)(void *ctx, const char *text, size_t n),
		  void *ctx);
/* One byte from the port. True: it ended a request, which was answered. */
bool control_byte(struct control *c, uint8_t byte);

#endif
