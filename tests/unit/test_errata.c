/* SPDX-License-Identifier: BSD-2-Clause */
/* Which bits are set on which CPU model, and what is said of one that does not take them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arch/x86/cpu/errata.h"
#include "arch/x86/exit/policy.h"
#include "tests/unit/support/log.h"
#include "tests/unit/support/msrs.h"

#define INT_PENDING 0xc0010055u
#define LS_CFG 0xc0011020u
#define DC_CFG 0xc0011022u
#define DE_CFG 0xc0011029u
#define BP_CFG 0xc001102eu

bool policy_by_amd(void) { return true; }

static int fresh(void **state)
{
	(void)state;
	msrs_clear();
	log_clear();
	return 0;
}

static void all_there(uint64_t value)
{
	msrs_put(INT_PENDING, value | 7ull << 26, ~0ull, false);
	msrs_put(LS_CFG, value, ~0ull, false);
	msrs_put(DC_CFG, value, ~0ull, false);
	msrs_put(DE_CFG, value, ~0ull, false);
	msrs_put(BP_CFG, value, ~0ull, false);
}

/* What each model's MSRs hold afterwards, of 0x1000 in all (and C1E's bits set). */
static void models(void **state)
{
	static const uint64_t was = 0x1000, lfence = 1 << 1, zen2 = 1 << 9, btb = 1 << 5;
	static const struct {
		struct cpu_model m;
		uint64_t de, bp, dc, ls, pending;
		const char *says;
	} rows[] = {
		{ { true, 0x10, 0x04, false, false }, was | lfence, was, was | 1ull << 47, was, was | 1u << 26,
		  "info: CPU errata seen to: LFENCE 383 400\n" },
		{ { true, 0x11, 0x03, false, false }, was, was, was, was, was | 7u << 26, "" },
		{ { true, 0x15, 0x02, false, false }, was | lfence, was, was, was, was | 7u << 26,
		  "info: CPU errata seen to: LFENCE\n" },
		{ { true, 0x16, 0x0f, false, false }, was | lfence, was, was, was | 1u << 15, was | 7u << 26,
		  "info: CPU errata seen to: LFENCE 793\n" },
		{ { true, 0x16, 0x30, false, false }, was | lfence, was, was, was, was | 7u << 26,
		  "info: CPU errata seen to: LFENCE\n" },
		{ { true, 0x17, 0x08, false, false }, was | lfence, was, was, was, was | 7u << 26,      /* Zen+ */
		  "info: CPU errata seen to: LFENCE\n" },
		{ { true, 0x17, 0x31, false, false }, was | lfence | zen2, was, was, was, was | 7u << 26,
		  "info: CPU errata seen to: LFENCE Zenbleed\n" },
		{ { true, 0x17, 0x71, false, false }, was | lfence | zen2, was, was, was, was | 7u << 26,
		  "info: CPU errata seen to: LFENCE Zenbleed\n" },
		{ { true, 0x17, 0x90, false, false }, was | lfence | zen2, was, was, was, was | 7u << 26,
		  "info: CPU errata seen to: LFENCE Zenbleed\n" },
		{ { true, 0x17, 0xa0, false, false }, was | lfence | zen2, was, was, was, was | 7u << 26,
		  "info: CPU errata seen to: LFENCE Zenbleed\n" },
		{ { true, 0x18, 0x31, false, false }, was | lfence, was, was, was, was | 7u << 26,      /* Hygon */
		  "info: CPU errata seen to: LFENCE\n" },
		{ { true, 0x19, 0x01, false, true }, was, was, was, was, was | 7u << 26, "" },          /* Zen 3 */
		{ { true, 0x19, 0x11, false, true }, was, was | btb, was, was, was | 7u << 26,          /* Zen 4 */
		  "info: CPU errata seen to: 1485\n" },
		{ { true, 0x19, 0x61, false, true }, was, was | btb, was, was, was | 7u << 26,
		  "info: CPU errata seen to: 1485\n" },
		{ { true, 0x1a, 0x11, false, true }, was, was, was, was, was | 7u << 26, "" },
		{ { true, 0x17, 0x31, true, false }, was, was, was, was, was | 7u << 26, "" },          /* a hypervisor's */
		{ { false, 0x17, 0x31, false, false }, was, was, was, was, was | 7u << 26, "" },        /* not AMD's */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh(state);
		all_there(was);
		errata_mend(&rows[i].m, true);
		if (msrs_get(DE_CFG) != rows[i].de || msrs_get(BP_CFG) != rows[i].bp || msrs_get(DC_CFG) != rows[i].dc ||
		    msrs_get(LS_CFG) != rows[i].ls || msrs_get(INT_PENDING) != rows[i].pending)
			fail_msg("row %u: an MSR", i);
		if (strcmp(log_text(), rows[i].says))
			fail_msg("row %u: %s", i, log_text());
	}
}

static void done_before(void **state)
{
	const struct cpu_model zen2 = { .amd = true, .family = 0x17, .model = 0x31 };

	(void)state;
	all_there(1u << 9 | 1u << 1);
	errata_mend(&zen2, true);
	assert_int_equal(msrs_writes(DE_CFG), 0);
	assert_string_equal(log_text(), "");
}

static void on_others_in_silence(void **state)
{
	const struct cpu_model zen2 = { .amd = true, .family = 0x17, .model = 0x31 };

	(void)state;
	all_there(0);
	errata_mend(&zen2, false);
	assert_int_equal(msrs_get(DE_CFG), 1u << 9 | 1u << 1);
	assert_string_equal(log_text(), "");
}

static void not_there(void **state)
{
	const struct cpu_model zen2 = { .amd = true, .family = 0x17, .model = 0x31 };

	(void)state;
	errata_mend(&zen2, true);
	assert_string_equal(log_text(), "");
}

static void not_taken(void **state)
{
	const struct cpu_model zen2 = { .amd = true, .family = 0x17, .model = 0x31 };

	(void)state;
	msrs_put(DE_CFG, 0, 1u << 1, false);
	errata_mend(&zen2, true);
	assert_string_equal(log_text(), "warn: CPU erratum Zenbleed: MSR 0xc0011029 does not take 0x202\n"
					"info: CPU errata seen to: LFENCE\n");
	fresh(state);
	msrs_put(DE_CFG, 0, 1u << 1, true);
	errata_mend(&zen2, true);
	assert_string_equal(log_text(), "warn: CPU erratum Zenbleed: MSR 0xc0011029 does not take 0x202\n"
					"info: CPU errata seen to: LFENCE\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(models, fresh),
		cmocka_unit_test_setup(done_before, fresh),
		cmocka_unit_test_setup(on_others_in_silence, fresh),
		cmocka_unit_test_setup(not_there, fresh),
		cmocka_unit_test_setup(not_taken, fresh),
	};

	return cmocka_run_group_tests_name("errata", tests, NULL, NULL);
}
