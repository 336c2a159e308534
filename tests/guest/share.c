/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much of a CPU this guest gets: works as hard as it can for three seconds and prints how much it got done. It is as busy
 * for a second before that and for tail=N seconds after it (1), so that another guest beside it, which starts or ends a little
 * earlier or later, is busy all the time that counts. What the figures have to be, the list of tests says.
 */
#include "lib/guest.h"

const char test_name[] = "share";

#define PM_HZ 3579545u

/* Units of work done in that time, which must pass by the PM timer: that one counts for all guests alike. */
static u64 work(u64 seconds)
{
	u16 port = acpi_power().pm_tmr;
	u64 done = 0, ticks = 0;
	u32 before = inl(port);

	while (ticks < seconds * PM_HZ) {
		u32 now;

		for (u64 left = 10000; left; left--)
			asm volatile("" : "+r"(left));
		now = inl(port);
		ticks += (now - before) & 0xffffff;
		before = now;
		done++;
	}
	return done;
}

void test_main(void)
{
	const char *tail = arg("tail");
	u64 done;

	work(1);
	done = work(3);
	work(tail ? (u64)(tail[0] - '0') : 1);
	print("work: %lu\n", done);
	report(done > 0, "some work was done");
}
