/* SPDX-License-Identifier: BSD-2-Clause */
/* A test double of core/log.c: keeps the lines for the test to look at. */
#include "log.h"

#include <vouch/log.h>

#include <stdarg.h>
#include <stdio.h>

#include "core/log_port.h"

static char text[65536];
static size_t used;

const char *log_text(void)
{
	return text;
}

void log_clear(void)
{
	used = 0;
	text[0] = '\0';
}

static void add(const char *fmt, va_list ap)
{
	int n = vsnprintf(text + used, sizeof(text) - used, fmt, ap);

	if (n > 0)
		used += (size_t)n < sizeof(text) - used ? (size_t)n : sizeof(text) - used - 1;
}

static void add_words(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(fmt, ap);
	va_end(ap);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {
		[LOG_VERDICT] = "verdict", [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info",
		[LOG_DEBUG] = "debug",
	};
	va_list ap;

	add_words("%s: ", names[level]);
	va_start(ap, fmt);
	add(fmt, ap);
	va_end(ap);
	add_words("\n");
}

void log_emergency(const char *fmt, ...)
{
	va_list ap;

	add_words("emergency: ");
	va_start(ap, fmt);
	add(fmt, ap);
	va_end(ap);
	add_words("\n");
}

void log_stage(const char *fmt, ...)
{
	va_list ap;

	add_words("stage: ");
	va_start(ap, fmt);
	add(fmt, ap);
	va_end(ap);
	add_words("\n");
}
