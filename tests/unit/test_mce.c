/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine-check banks are switched on, and what they hold from before is said once and cleared. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arch/x86/cpu/mce.h"
#include "tests/unit/support/log.h"
#include "tests/unit/support/msrs.h"

#define MCG_CAP 0x179u
#define MCG_STATUS 0x17au
#define MCG_CTL 0x17bu
#define CTL(bank) (0x400u + 4 * (bank))
#define STATUS(bank) (0x401u + 4 * (bank))
#define ADDR(bank) (0x402u + 4 * (bank))
#define VALID (1ull << 63)

static void banks(unsigned int count, uint64_t cap)
{
	msrs_put(MCG_CAP, cap | count, 0, true);
	msrs_put(MCG_STATUS, 0, ~0ull, false);
	msrs_put(MCG_CTL, 0, ~0ull, false);
	for (unsigned int i = 0; i < count; i++) {
		msrs_put(CTL(i), 0, ~0ull, false);
		msrs_put(STATUS(i), 0, ~0ull, false);
	}
}

static int fresh(void **state)
{
	(void)state;
	msrs_clear();
	log_clear();
	return 0;
}

static void switched_on(void **state)
{
	(void)state;
	banks(3, 1u << 8);
	mce_enable();
	assert_int_equal(msrs_get(MCG_CTL), ~0ull);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(msrs_get(CTL(i)), ~0ull);
	assert_string_equal(log_text(), "");
}

static void without_global_control(void **state)
{
	(void)state;
	banks(1, 0);
	mce_enable();
	assert_int_equal(msrs_writes(MCG_CTL), 0);
	assert_int_equal(msrs_get(CTL(0)), ~0ull);
}

static void none_at_all(void **state)
{
	(void)state;
	mce_enable();
	assert_string_equal(log_text(), "");
}

static void said_once_and_cleared(void **state)
{
	(void)state;
	msrs_put(MCG_CAP, 2, 0, true);
	msrs_put(CTL(0), 0, ~0ull, false);
	msrs_put(STATUS(0), 0x135, ~0ull, false);                               /* not valid */
	msrs_put(CTL(1), 0, ~0ull, false);
	msrs_put(STATUS(1), VALID | 1ull << 61 | 1ull << 58 | 0x135, ~0ull, false);
	msrs_put(ADDR(1), 0x1234000, ~0ull, false);
	mce_enable();
	assert_null(strstr(log_text(), "bank 0"));
	assert_non_null(strstr(log_text(), "machine check bank 1: status a400000000000135 (code 0x135, uncorrected), address 0x1234000"));
	assert_non_null(strstr(log_text(), "machine check bank 1: that was before this boot"));
	assert_int_equal(msrs_get(STATUS(0)), 0);
	assert_int_equal(msrs_get(STATUS(1)), 0);
	assert_int_equal(msrs_get(CTL(1)), ~0ull);
	log_clear();
	mce_enable();
	assert_string_equal(log_text(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(switched_on, fresh),
		cmocka_unit_test_setup(without_global_control, fresh),
		cmocka_unit_test_setup(none_at_all, fresh),
		cmocka_unit_test_setup(said_once_and_cleared, fresh),
	};

	return cmocka_run_group_tests_name("mce", tests, NULL, NULL);
}
