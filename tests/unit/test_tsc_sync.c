/* SPDX-License-Identifier: BSD-2-Clause */
/* How far apart two clocks are, from readings with delays; and the exchange itself between two threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/tsc_sync.h"

static uint64_t clock_now;
static _Thread_local int64_t ahead;

/* One clock for both threads, of which one sees it as far ahead as the test says. */
uint64_t tsc_read(void)
{
	return __atomic_add_fetch(&clock_now, 100, __ATOMIC_SEQ_CST) + (uint64_t)ahead;
}

static int64_t measured(int64_t delta, unsigned int rounds, unsigned int delay, bool *steady)
{
	struct tsc_bounds b;
	uint64_t now = 1000000;

	tsc_bounds_init(&b);
	while (rounds--) {
		uint64_t before = now, there = now + (uint64_t)rand() % delay, after = there + (uint64_t)rand() % delay;

		tsc_bounds_add(&b, before, there + (uint64_t)delta, after);
		now = after + 10;
	}
	return tsc_bounds_delta(&b, steady);
}

static void finds_the_difference(void **ctx)
{
	static const int64_t deltas[] = { 5000, -5000, 1 << 30, -(1 << 30), INT64_MAX / 2, INT64_MIN / 2 };
	bool steady;

	(void)ctx;
	srand(3);
	for (unsigned int i = 0; i < ARRAY_SIZE(deltas); i++) {
		int64_t found = measured(deltas[i], 16, 400, &steady);

		assert_true(steady);
		assert_true(found - deltas[i] < 400 && deltas[i] - found < 400);
	}
}

static void in_step_is_zero(void **ctx)
{
	bool steady;

	(void)ctx;
	srand(4);
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(measured(0, 16, 1 + (unsigned int)rand() % 100000, &steady), 0);
		assert_true(steady);
	}
}

/* Never 0 when the difference is larger than any delay. */
static void out_of_step_is_not_zero(void **ctx)
{
	bool steady;

	(void)ctx;
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_not_equal(measured(rand() % 2 ? 1001 : -1001, 16, 1000, &steady), 0);
}

static void says_when_a_clock_runs_unevenly(void **ctx)
{
	struct tsc_bounds b;
	bool steady;

	(void)ctx;
	tsc_bounds_init(&b);
	tsc_bounds_add(&b, 1000, 1500, 1100);   /* 400 to 500 ahead */
	tsc_bounds_add(&b, 2000, 2050, 2100);   /* within 50 */
	assert_int_equal(tsc_bounds_delta(&b, &steady), 225);
	assert_false(steady);
	tsc_bounds_init(&b);
	tsc_bounds_add(&b, 0, (uint64_t)INT64_MAX, 0);
	tsc_bounds_add(&b, 0, (uint64_t)INT64_MIN, 0);
	(void)tsc_bounds_delta(&b, &steady);
	assert_false(steady);
}

struct other {
	struct tsc_sync sync;
	int64_t ahead;
};

static void *answer(void *arg)
{
	struct other *o = arg;

	ahead = o->ahead;
	tsc_sync_answer(&o->sync);
	return NULL;
}

static void two_threads_agree(void **ctx)
{
	static const int64_t deltas[] = { 0, 1000000000, -1000000000 };

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(deltas); i++) {
		struct other o = { .ahead = deltas[i] };
		struct tsc_bounds b;
		pthread_t t;
		bool steady;
		int64_t found;

		clock_now = 5000000000ull;
		assert_int_equal(pthread_create(&t, NULL, answer, &o), 0);
		assert_true(tsc_sync_ask(&o.sync, &b, UINT64_MAX / 1000));
		assert_int_equal(pthread_join(t, NULL), 0);
		found = tsc_bounds_delta(&b, &steady);
		assert_true(steady);
		if (!deltas[i])
			assert_int_equal(found, 0);
		assert_true(llabs(found - deltas[i]) < 500000000);
	}
}

static void gives_up_on_silence(void **ctx)
{
	struct tsc_sync s = { 0 };
	struct tsc_bounds b;

	(void)ctx;
	assert_false(tsc_sync_ask(&s, &b, 10));
	assert_int_equal(s.asked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_difference), cmocka_unit_test(in_step_is_zero),
		cmocka_unit_test(out_of_step_is_not_zero), cmocka_unit_test(says_when_a_clock_runs_unevenly),
		cmocka_unit_test(two_threads_agree), cmocka_unit_test(gives_up_on_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
