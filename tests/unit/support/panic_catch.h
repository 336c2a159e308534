/* SPDX-License-Identifier: BSD-2-Clause */
/* A panic() that a test can expect. Instead of support/panic.c, not beside it. */
#ifndef TEST_SUPPORT_PANIC_CATCH_H
#define TEST_SUPPORT_PANIC_CATCH_H

/* Runs fn(arg): the text of the panic that ended it, or NULL if it returned. A panic elsewhere aborts. */
const char *panic_of(void (*fn)(void *arg), void *arg);

#endif
