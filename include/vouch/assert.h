/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own bugs. Never assert on a value that a guest, a module or a manifest can choose. ASSERT stays in release
 * builds and ends in panic(); ASSERT_SLOW only exists in debug builds (-DVOUCH_DEBUG).
 */
#ifndef VOUCH_ASSERT_H
#define VOUCH_ASSERT_H

#include <vouch/types.h>

/* Prints the reason, registers and backtrace, stops this CPU. Host tests link one that aborts. */
__noreturn void panic(const char *fmt, ...) __printf(1, 2);

#define ASSERT(x) ((x) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #x))
#ifdef VOUCH_DEBUG
#define DEBUG_BUILD true              /* for checks that have more to say than ASSERT_SLOW */
#define ASSERT_SLOW(x) ASSERT(x)
#else
#define DEBUG_BUILD false
#define ASSERT_SLOW(x) ((void)sizeof(!(x)))
#endif

#endif
