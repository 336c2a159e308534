/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks: mutual exclusion between threads, and the order check on one CPU. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include <vouch/lock.h>
#include <vouch/pcpu.h>

#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/panic_catch.h"

static struct lock vm, pages, console;
static const char *said;
static uint32_t held_after;

static void in_order(void *arg)
{
	(void)arg;
	lock_take(&vm);
	lock_take(&pages);
	lock_take(&console);
	lock_drop(&pages);
	lock_drop(&console);
	lock_drop(&vm);
}

static void out_of_order(void *arg)
{
	(void)arg;
	lock_take(&console);
	lock_take(&pages);
}

static void twice(void *arg)
{
	(void)arg;
	lock_take(&pages);
	lock_take(&pages);
}

static void same_rank(void *arg)
{
	struct lock other;

	(void)arg;
	lock_init(&other, LOCK_PAGES, "other");
	lock_take(&pages);
	lock_take(&other);
}

static void drop_unheld(void *arg)
{
	(void)arg;
	lock_drop(&pages);
}

/* Another CPU holds it; this one drops it. */
static void drop_anothers(void *arg)
{
	(void)arg;
	lock_take(&pages);
	this_cpu()->locks_held = 0;
	lock_drop(&pages);
}

static void judge(void *fn)
{
	void (*const run)(void *) = *(void (**)(void *))fn;
	const char *text = panic_of(run, NULL);

	said = text;
	held_after = this_cpu()->locks_held;
}

static const char *verdict(void (*fn)(void *))
{
	lock_init(&vm, LOCK_VM, "vm");
	lock_init(&pages, LOCK_PAGES, "pages");
	lock_init(&console, LOCK_CONSOLE, "console");
	cpu_area_run(judge, &fn, NULL);
	return said;
}

static void rising_ranks_are_right(void **ctx)
{
	(void)ctx;
	assert_null(verdict(in_order));
	assert_int_equal(held_after, 0);
	assert_false(lock_held(&vm));
	assert_false(lock_held(&pages));
}

static void falling_ranks_panic(void **ctx)
{
	(void)ctx;
	assert_non_null(verdict(out_of_order));
	assert_non_null(strstr(said, "lock pages"));
	assert_non_null(verdict(twice));
	assert_non_null(verdict(same_rank));
	assert_non_null(strstr(said, "lock other"));
}

static bool tried[3];

/* Whatever this CPU holds, and without waiting. */
static void try_all(void *arg)
{
	(void)arg;
	lock_take(&console);
	tried[0] = lock_try(&console);
	tried[1] = lock_try(&pages);
	tried[2] = console.holder == this_cpu()->id + 1 && pages.holder == this_cpu()->id + 1;
	lock_drop(&pages);
	lock_drop(&console);
}

static void tries_without_waiting(void **ctx)
{
	(void)ctx;
	assert_null(verdict(try_all));
	assert_false(tried[0]);
	assert_true(tried[1]);
	assert_true(tried[2]);
	assert_int_equal(held_after, 0);
	assert_int_equal(pages.holder, 0);
	assert_false(lock_held(&pages));
	assert_false(lock_held(&console));
}

static void wrong_drops_panic(void **ctx)
{
	(void)ctx;
	assert_non_null(verdict(drop_unheld));
	assert_non_null(verdict(drop_anothers));
	assert_non_null(strstr(said, "does not hold it"));
}

#define ROUNDS 20000

static struct lock shared;
static volatile unsigned long counter;

static void count(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		if (i % 4 || !lock_try(&shared))
			lock_take(&shared);
		counter = counter + 1;
		lock_drop(&shared);
	}
}

struct spin_area {
	_Alignas(CPU_AREA_SIZE) char bytes[CPU_AREA_SIZE];
};
static struct spin_area area[2];

static void *count_thread(void *arg)
{
	count(arg);
	return NULL;
}

/* A thread's stack is its CPU area: pthread takes the memory it is given. */
static void excludes_other_cpus(void **ctx)
{
	pthread_t thread[2];
	unsigned int i;

	(void)ctx;
	lock_init(&shared, LOCK_VM, "shared");
	counter = 0;
	for (i = 0; i < 2; i++) {
		pthread_attr_t attr;

		*(struct pcpu *)area[i].bytes = (struct pcpu){ .id = i };
		assert_int_equal(pthread_attr_init(&attr), 0);
		assert_int_equal(pthread_attr_setstack(&attr, area[i].bytes + PAGE_SIZE, CPU_AREA_SIZE - PAGE_SIZE), 0);
		assert_int_equal(pthread_create(&thread[i], &attr, count_thread, NULL), 0);
		pthread_attr_destroy(&attr);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(counter, 2 * ROUNDS);
	assert_false(lock_held(&shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rising_ranks_are_right),
		cmocka_unit_test(falling_ranks_panic),
		cmocka_unit_test(wrong_drops_panic),
		cmocka_unit_test(tries_without_waiting),
		cmocka_unit_test(excludes_other_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
