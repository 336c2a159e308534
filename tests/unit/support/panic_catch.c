/* SPDX-License-Identifier: BSD-2-Clause */
/* panic() that jumps back into the test that expects it. */
#include "panic_catch.h"

#include <vouch/assert.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf back;
static bool armed;
static char text[512];

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!armed) {
		fprintf(stderr, "panic: %s\n", text);
		abort();
	}
	longjmp(back, 1);
}

const char *panic_of(void (*fn)(void *arg), void *arg)
{
	if (setjmp(back)) {
		armed = false;
		return text;
	}
	armed = true;
	fn(arg);
	armed = false;
	return NULL;
}
