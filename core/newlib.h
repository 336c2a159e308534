/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that archives from outside call by name and that no newlib header declares; nobody in Vouch calls them. */
#ifndef CORE_NEWLIB_H
#define CORE_NEWLIB_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* newlib's formatted output into a string that f describes. */
int _svfprintf_r(struct _reent *state, FILE *f, const char *fmt, va_list ap);
void arc4random_buf(void *buf, size_t n);
__attribute__((noreturn)) void __assert_fail(const char *expr, const char *file, unsigned int line, const char *func);
__attribute__((noreturn)) void __stack_chk_fail(void);
int *__errno_location(void);
int __fprintf_chk(FILE *file, int flag, const char *fmt, ...);

#endif
