/* SPDX-License-Identifier: BSD-2-Clause */
/* Library code needs no preparation on a host. One arena slot a thread. */
#include <vouch/lib.h>

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
