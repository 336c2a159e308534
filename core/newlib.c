/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What newlib and Debian's libexpat.a ask of a system below them. Vouch gives them no heap, no files and no
 * environment: newlib's formatted output works in the caller's buffer, and the parser brings its own allocator. What
 * must never be reached panics and says which it was.
 */
#include "newlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/lib.h>

#include "arch/x86/cpu/entropy.h"

void *sbrk(ptrdiff_t increment)
{
	panic("the C library asked for %ld bytes of heap: Vouch has none", (long)increment);
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
