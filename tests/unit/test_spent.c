/* SPDX-License-Identifier: BSD-2-Clause */
/* Time spent, in one word: counted, stopped, read while it counts and by a clock that is behind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <vouch/spent.h>

static void counts_what_lies_between(void **state)
{
	uint64_t s = 0, at = 1ull << 63 | 1, sum = 0;

	(void)state;
	assert_false(spent_counts(&s));
	assert_int_equal(spent_so_far(&s, at), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		spent_begin(&s, at);
		assert_true(spent_counts(&s));
		assert_int_equal(spent_so_far(&s, at), sum);
		sum += 2 * i;
		at += 2 * i;
		assert_int_equal(spent_so_far(&s, at), sum);
		spent_end(&s, at);
		at += 12345678;
		assert_false(spent_counts(&s));
		assert_int_equal(spent_so_far(&s, at), sum);
	}
	assert_int_equal(sum, 999000);
}

static void odd_moments_lose_a_tick(void **state)
{
	uint64_t s = 0;

	(void)state;
	for (uint64_t at = 1; at < 1000; at += 10) {
		spent_begin(&s, at);
		spent_end(&s, at + 5);
	}
	assert_in_range(spent_so_far(&s, 0), 400, 600);
}

static void is_never_less_than_nothing(void **state)
{
	uint64_t s = 0;

	(void)state;
	spent_begin(&s, 1000);
	assert_int_equal(spent_so_far(&s, 900), 0);
	assert_int_equal(spent_so_far(&s, 1100), 100);
	spent_end(&s, 1100);
	spent_begin(&s, 2000);
	assert_int_equal(spent_so_far(&s, 1950), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_lies_between),
		cmocka_unit_test(odd_moments_lose_a_tick),
		cmocka_unit_test(is_never_less_than_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
