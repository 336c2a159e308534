/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID's limit is taken off where there is one; the width of addresses under memory encryption, of made-up CPUs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/cpu/firmware.h"
#include "tests/unit/support/msrs.h"

#define MISC_ENABLE 0x1a0u
#define LIMIT       (1ull << 22)
#define OTHERS      0x850089ull              /* fast strings and the like */

static int fresh(void **state)
{
	(void)state;
	msrs_clear();
	return 0;
}

static void the_limit_is_taken_off(void **state)
{
	(void)state;
	msrs_put(MISC_ENABLE, OTHERS | LIMIT, ~0ull, false);
	assert_true(cpuid_unlimit(true, 3));
	assert_true(msrs_get(MISC_ENABLE) == OTHERS);
	assert_int_equal(msrs_writes(MISC_ENABLE), 1);
	assert_false(cpuid_unlimit(true, 3));           /* a CPU whose highest leaf is that */
	assert_int_equal(msrs_writes(MISC_ENABLE), 1);
}

static void what_is_no_limit_stays(void **state)
{
	(void)state;
	assert_false(cpuid_unlimit(true, 2));           /* no such MSR */
	msrs_put(MISC_ENABLE, OTHERS | LIMIT, ~0ull, false);
	assert_false(cpuid_unlimit(false, 1));          /* not Intel's: it means something else, or nothing */
	assert_false(cpuid_unlimit(true, 0xd));         /* set, but of no effect */
	assert_int_equal(msrs_writes(MISC_ENABLE), 0);
	msrs_clear();
	msrs_put(MISC_ENABLE, OTHERS | LIMIT, ~LIMIT, true);
	assert_false(cpuid_unlimit(true, 3));           /* it does not take the value */
}

static void keys_take_address_bits(void **state)
{
	static const struct {
		struct width_facts f;
		unsigned int bits, keys;
	} rows[] = {
		{ { .bits = 48 }, 48, 0 },
		{ { .bits = 0 }, 36, 0 }, { { .bits = 31 }, 36, 0 }, { { .bits = 53 }, 36, 0 },
		{ { .bits = 32 }, 32, 0 }, { { .bits = 52 }, 52, 0 },
		/* AMD: only where firmware has switched it on */
		{ { .bits = 48, .sme = true, .sme_bits = 5, .syscfg = 0x740000 }, 48, 0 },
		{ { .bits = 48, .sme = true, .sme_bits = 5, .syscfg = 0xf40000 }, 43, 5 },
		{ { .bits = 52, .sme = true, .sme_bits = 6, .syscfg = 0x800000 }, 46, 6 },
		{ { .bits = 48, .sme = true, .sme_bits = 0, .syscfg = 0x800000 }, 48, 0 },
		{ { .bits = 48, .sme = false, .sme_bits = 5, .syscfg = 0x800000 }, 48, 0 },
		/* Intel: locked and on; on; locked and off; on with one key, which takes none */
		{ { .bits = 46, .tme = true, .tme_activate = 6ull << 32 | 3 }, 40, 6 },
		{ { .bits = 52, .tme = true, .tme_activate = 15ull << 32 | 0x1000000000003ull }, 37, 15 },
		{ { .bits = 46, .tme = true, .tme_activate = 6ull << 32 | 1 }, 46, 0 },
		{ { .bits = 46, .tme = true, .tme_activate = 3 }, 46, 0 },
		{ { .bits = 46, .tme = false, .tme_activate = 6ull << 32 | 3 }, 46, 0 },
		/* What no CPU has is not believed. */
		{ { .bits = 36, .sme = true, .sme_bits = 5, .syscfg = 0x800000 }, 36, 0 },
		{ { .bits = 48, .sme = true, .sme_bits = 63, .syscfg = 0x800000 }, 48, 0 },
		{ { .bits = 37, .sme = true, .sme_bits = 5, .syscfg = 0x800000 }, 32, 5 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int keys = 99;

		assert_int_equal(width_of(&rows[i].f, &keys), rows[i].bits);
		assert_int_equal(keys, rows[i].keys);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_limit_is_taken_off, fresh),
		cmocka_unit_test_setup(what_is_no_limit_stays, fresh),
		cmocka_unit_test(keys_take_address_bits),
	};

	return cmocka_run_group_tests_name("firmware", tests, NULL, NULL);
}
