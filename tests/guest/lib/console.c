/* SPDX-License-Identifier: BSD-2-Clause */
/* Printing on COM1, polled, and the PASS and FAIL lines. */
#include <stdarg.h>

#include "guest.h"

#define COM1 0x3f8

unsigned int passed, failed;

static void put(char c)
{
	unsigned int patience = 1000000;

	while (!(inb(COM1 + 5) & 0x20) && --patience)
		;
	outb(COM1, (u8)c);
}

static void put_string(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			put('\r');
		put(*s);
	}
}

static void put_number(u64 v, unsigned int base, unsigned int width, char pad)
{
	char buf[24];
	unsigned int n = 0;

	do {
		buf[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	for (; width > n; width--)
		put(pad);
	while (n)
		put(buf[--n]);
}

static void vprint(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		unsigned int width = 0;
		bool wide = false;
		char pad = ' ';
		if (*fmt != '%') {
			if (*fmt == '\n')
				put('\r');
			put(*fmt);
			continue;
		}
		fmt++;
		if (*fmt == '0')
			pad = *fmt++;
		while (*fmt >= '0' && *fmt <= '9')
			width = width * 10 + (unsigned int)(*fmt++ - '0');
		while (*fmt == 'l') {
			wide = true;
			fmt++;
		}
		switch (*fmt) {
		case 's':
			put_string(va_arg(ap, const char *));
			break;
		case 'c':
			put((char)va_arg(ap, int));
			break;
		case 'd': {
			int64_t v = wide ? va_arg(ap, int64_t) : va_arg(ap, int);

			if (v < 0)
				put('-');
			put_number(v < 0 ? -(u64)v : (u64)v, 10, width, pad);
			break;
		}
		case 'u':
			put_number(wide ? va_arg(ap, u64) : va_arg(ap, unsigned int), 10, width, pad);
			break;
		case 'x':
			put_number(wide ? va_arg(ap, u64) : va_arg(ap, unsigned int), 16, width, pad);
			break;
		default:
			put(*fmt);
		}
	}
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}

static void line(const char *verdict, const char *fmt, va_list ap)
{
	put_string(verdict);
	vprint(fmt, ap);
	put_string("\n");
}

/* must: a failure counts; else it is a note. */
static void judge(bool ok, bool must, const char *fmt, va_list ap)
{
	if (ok)
		passed++;
	else if (must)
		failed++;
	line(ok ? "PASS: " : must ? "FAIL: " : "NOTE: not so on this machine: ", fmt, ap);
}

void report(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	judge(ok, true, fmt, ap);
	va_end(ap);
}

void report_vouch(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	judge(ok, expect_vouch, fmt, ap);
	va_end(ap);
}

void report_cpu(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	judge(ok, arg_is("cpu", "real"), fmt, ap);
	va_end(ap);
}
