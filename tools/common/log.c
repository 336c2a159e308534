/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's side of what the loader calls: log lines go to stderr, library code needs no preparation. */
#include <vouch/log.h>

#include "cli.h"

#include <vouch/assert.h>
#include <vouch/lib.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const kind[] = {
		[LOG_VERDICT] = "verdict", [LOG_ERROR] = "error", [LOG_WARN] = "warning", [LOG_INFO] = "note",
	};
	va_list args;

	if (level > LOG_INFO)
		return;
	fflush(stdout);
	fprintf(stderr, "%s: %s: ", cli_program(), kind[level]);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void lib_enter(void)
{
}

void lib_exit(void)
{
}

void lib_assert(void)
{
}

void **lib_arena_slot(void)
{
	static _Thread_local void *slot;

	return &slot;
}

void panic(const char *fmt, ...)
{
	va_list args;

	fputs("vouch: internal error: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}
