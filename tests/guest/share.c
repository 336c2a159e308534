/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much of a CPU this guest gets: works as hard as it can for three seconds and prints how much it got done. It is as busy
 * for a second before that and for tail=N seconds after it (1), so that another guest beside it, which starts or ends a little
 * earlier or later, is busy all the time that counts. What the figures have to be, the list of tests says. That it was this
 * guest's own work, a chain over all of it proves, and marks in memory that depend on seed=N (0).
 */
#include "lib/guest.h"

const char test_name[] = "share";

#define PM_HZ 3579545u

#define MARKS 65536u

static u64 marks[MARKS];
static u64 seed, units, chain, lost;

static u64 next(u64 c)
{
	return c * 6364136223846793005ull + seed * 2 + 1;
}

/* A mark of this unit takes the place of an older one, which must still be what was written. */
static void prove(void)
{
	u64 *mark = &marks[units % MARKS];

	lost += units >= MARKS && *mark != (seed ^ (units - MARKS));
	*mark = seed ^ units++;
	chain = next(chain);
}

static void check_proof(void)
{
	u64 again = 0;

	for (u64 i = 0; i < units; i++)
		again = next(again);
	for (u64 i = units < MARKS ? 0 : units - MARKS; i < units; i++)
		lost += marks[i % MARKS] != (seed ^ i);
	report(again == chain && !lost, "all of its own work is proven");
	print("proof: seed %lu, %lx\n", seed, chain);
}

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
		prove();
		done++;
	}
	return done;
}

void test_main(void)
{
	const char *tail = arg("tail"), *number = arg("seed");
	u64 done;

	seed = number ? (u64)(number[0] - '0') : 0;
	sti();                          /* nothing comes; but Bochs' SVM keeps the host's interrupts out of a guest with IF=0 */
	work(1);
	done = work(3);
	work(tail ? (u64)(tail[0] - '0') : 1);
	print("work: %lu\n", done);
	report(done > 0, "some work was done");
	check_proof();
}
