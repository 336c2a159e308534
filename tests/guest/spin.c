/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that spins, as if for a lock: longer than any filter for PAUSE loops waits, so that it exits where the CPU has
 * such a filter. The guest must not notice; the list of tests looks at what exited.
 */
#include "lib/guest.h"

const char test_name[] = "spin";

void test_main(void)
{
	const u64 rounds = 40000;
	u64 left = rounds, done = 0;

	asm volatile("1: pause; inc %1; dec %0; jnz 1b" : "+r"(left), "+r"(done) : : "cc");
	report(done == rounds && left == 0, "a loop of %lu PAUSEs is done to its end", rounds);
	asm volatile("sti; pause; cli" ::: "memory");
	report(true, "PAUSE in an interrupt shadow is passed");
}
