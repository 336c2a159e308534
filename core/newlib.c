/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What newlib and Debian's libexpat.a ask of a system below them. Vouch gives them no heap, no files and no
 * environment: newlib's formatted output works in the caller's buffer, and the parser brings its own allocator. What
 * must never be reached panics and says which it was.
 *
 * newlib keeps errno, and more, in one structure for all that call it. What would draw that in is defined here, so that
 * there is none: no CPU writes what another one reads.
 */
#include "newlib.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/lib.h>

#include "arch/x86/cpu/entropy.h"

/*
 * newlib's own take the structure of all callers to hand it on; these give it one that ends with the call. Formatting
 * writes to nothing in it but errno.
 */
int vsnprintf(char *dst, size_t size, const char *fmt, va_list ap)
{
	struct _reent state;
	FILE f;
	int n;

	if (size > INT_MAX)
		return -1;
	state._errno = 0;
	f._flags = __SWR | __SSTR;
	f._file = -1;
	f._bf._base = f._p = (unsigned char *)dst;
	f._bf._size = f._w = size ? (int)size - 1 : 0;
	n = _svfprintf_r(&state, &f, fmt, ap);
	if (size)
		*f._p = '\0';
	return n;
}

int snprintf(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	return n;
}

/* expat reads its debugging switches with it, if there are any. */
unsigned long strtoul(const char *text, char **end, int base)
{
	(void)end;
	(void)base;
	panic("a library function wants a number from: %s", text);
}

/* Formatted output asks for memory where it makes its own buffer (asprintf). */
void *_malloc_r(struct _reent *state, size_t n)
{
	(void)state;
	panic("newlib asks for %lu bytes: Vouch has no heap", (unsigned long)n);
}

void *_realloc_r(struct _reent *state, void *p, size_t n)
{
	(void)state;
	panic("newlib asks for %lu bytes at %p: Vouch has no heap", (unsigned long)n, p);
}

void _free_r(struct _reent *state, void *p)
{
	(void)state;
	panic("newlib frees %p: Vouch has no heap", p);
}

void *malloc(size_t n)
{
	panic("malloc(%lu) called: Vouch has no heap", (unsigned long)n);
}

void *realloc(void *p, size_t n)
{
	panic("realloc(%p, %lu) called: Vouch has no heap", p, (unsigned long)n);
}

void free(void *p)
{
	panic("free(%p) called: Vouch has no heap", p);
}

/* True: there is no environment. expat asks for its debugging switches. */
char *getenv(const char *name)
{
	(void)name;
	return NULL;
}

/* expat's hash salt. */
void arc4random_buf(void *buf, size_t n)
{
	uint8_t *at = buf;

	lib_assert();
	while (n) {
		uint64_t word = entropy_read();
		size_t part = n < sizeof(word) ? n : sizeof(word);

		memcpy(at, &word, part);
		at += part;
		n -= part;
	}
}

void __assert_fail(const char *expr, const char *file, unsigned int line, const char *func)
{
	panic("library assertion failed: %s in %s at %s:%u", expr, func, file, line);
}

void __stack_chk_fail(void)
{
	panic("a library function's stack canary was overwritten");
}

int *__errno_location(void)
{
	panic("a library function looked at errno");
}

/* The object that glibc calls stderr; newlib's is a macro. Nothing reads it: see the functions below. */
#undef stderr
extern void *const stderr;
void *const stderr = NULL;

int fputs(const char *text, FILE *file)
{
	(void)file;
	panic("a library function wants to print: %s", text);
}

size_t fwrite(const void *data, size_t size, size_t n, FILE *file)
{
	(void)data;
	(void)file;
	panic("a library function wants to print %lu bytes", (unsigned long)(size * n));
}

int __fprintf_chk(FILE *file, int flag, const char *fmt, ...)
{
	(void)file;
	(void)flag;
	panic("a library function wants to print: %s", fmt);
}
