/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What newlib asks of a system below it. Vouch gives it nothing: its formatted output works in the caller's buffer, and
 * the paths that would allocate are not taken. Whoever gets here has called a function that Vouch must not use.
 */
#include "newlib.h"

#include <vouch/assert.h>

void *sbrk(ptrdiff_t increment)
{
	panic("the C library asked for %ld bytes of heap: Vouch has none", (long)increment);
}
