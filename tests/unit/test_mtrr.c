/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory types of ranges by MTRRs, and EPT leaves that follow them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arch/x86/mm/nested.h"
#include "tests/unit/support/hostram.h"

#define MEM_WC 1u                     /* write-combining: Vouch itself asks for none */

#define PHYS_MASK 0xfffffff000ull     /* 40 bits */

static struct page_alloc pages;
static struct nested nested;

static struct mtrr_range range(uint64_t base, uint64_t size, uint8_t type)
{
	return (struct mtrr_range){ base, ~(size - 1) & PHYS_MASK, type };
}

/* A PC of 5 GiB: 3 GiB low but for the last 2 MiB and 4 KiB, 2 GiB above 4 GiB; a device among the first MiB. */
static struct mtrr pc(void)
{
	struct mtrr m = { .def_type = MEM_UC, .fixed_on = true, .count = 5 };

	m.range[0] = range(0, 2 * SIZE_1G, MEM_WB);
	m.range[1] = range(2 * SIZE_1G, SIZE_1G, MEM_WB);
	m.range[2] = range(3 * SIZE_1G - SIZE_2M, SIZE_2M, MEM_UC);
	m.range[3] = range(3 * SIZE_1G - SIZE_2M - PAGE_SIZE, PAGE_SIZE, MEM_UC);
	m.range[4] = range(4 * SIZE_1G, 2 * SIZE_1G, MEM_WB);
	memset(m.fixed, MEM_WB, sizeof(m.fixed));
	memset(m.fixed + 16, MEM_UC, 8);        /* a0000-bffff */
	m.fixed[24] = MEM_WP;                   /* c0000-c0fff */
	m.fixed[87] = MEM_WT;                   /* ff000-fffff */
	return m;
}

static int type_of(const struct mtrr *m, uint64_t a, uint64_t len)
{
	uint8_t type;

	return mtrr_type(m, hpa(a), len, &type) ? type : -1;
}

static void a_range_has_its_type_or_must_be_split(void **ctx)
{
	struct mtrr m = pc();

	(void)ctx;
	assert_int_equal(type_of(&m, SIZE_1G, SIZE_1G), MEM_WB);
	assert_int_equal(type_of(&m, 2 * SIZE_1G, SIZE_1G), -1);
	assert_int_equal(type_of(&m, 2 * SIZE_1G, SIZE_2M), MEM_WB);
	assert_int_equal(type_of(&m, 3 * SIZE_1G - SIZE_2M, SIZE_2M), MEM_UC);
	assert_int_equal(type_of(&m, 3 * SIZE_1G - 2 * SIZE_2M, SIZE_2M), -1);
	assert_int_equal(type_of(&m, 3 * SIZE_1G - SIZE_2M - PAGE_SIZE, PAGE_SIZE), MEM_UC);
	assert_int_equal(type_of(&m, 3 * SIZE_1G - SIZE_2M - 2 * PAGE_SIZE, PAGE_SIZE), MEM_WB);
	assert_int_equal(type_of(&m, 3 * SIZE_1G, SIZE_1G), MEM_UC);
	assert_int_equal(type_of(&m, 4 * SIZE_1G, SIZE_1G), MEM_WB);
	assert_int_equal(type_of(&m, 6 * SIZE_1G, SIZE_1G), MEM_UC);
	m.def_type = MEM_WB;
	assert_int_equal(type_of(&m, 6 * SIZE_1G, SIZE_1G), MEM_WB);
}

static void the_first_mib_goes_by_fixed_ranges(void **ctx)
{
	struct mtrr m = pc();

	(void)ctx;
	assert_int_equal(type_of(&m, 0, SIZE_1G), -1);
	assert_int_equal(type_of(&m, 0, SIZE_2M), -1);
	assert_int_equal(type_of(&m, 0x7f000, PAGE_SIZE), MEM_WB);
	assert_int_equal(type_of(&m, 0x9f000, PAGE_SIZE), MEM_WB);
	assert_int_equal(type_of(&m, 0xa0000, PAGE_SIZE), MEM_UC);
	assert_int_equal(type_of(&m, 0xbf000, PAGE_SIZE), MEM_UC);
	assert_int_equal(type_of(&m, 0xc0000, PAGE_SIZE), MEM_WP);
	assert_int_equal(type_of(&m, 0xc1000, PAGE_SIZE), MEM_WB);
	assert_int_equal(type_of(&m, 0xff000, PAGE_SIZE), MEM_WT);
	assert_int_equal(type_of(&m, 0x100000, PAGE_SIZE), MEM_WB);
	m.fixed_on = false;
	assert_int_equal(type_of(&m, 0, SIZE_1G), MEM_WB);
	assert_int_equal(type_of(&m, 0xa0000, PAGE_SIZE), MEM_WB);
}

static void where_ranges_meet_the_stricter_wins(void **ctx)
{
	static const struct { uint8_t a, b, both; } rows[] = {
		{ MEM_WB, MEM_UC, MEM_UC }, { MEM_UC, MEM_WB, MEM_UC }, { MEM_WT, MEM_WB, MEM_WT },
		{ MEM_WB, MEM_WT, MEM_WT }, { MEM_WB, MEM_WB, MEM_WB }, { MEM_WC, MEM_WC, MEM_WC },
		{ MEM_WC, MEM_WB, MEM_UC }, { MEM_WP, MEM_WT, MEM_UC },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mtrr m = { .def_type = MEM_WB, .count = 2 };

		m.range[0] = range(0, 4 * SIZE_1G, rows[i].a);
		m.range[1] = range(SIZE_1G, SIZE_1G, rows[i].b);
		assert_int_equal(type_of(&m, SIZE_1G, SIZE_1G), rows[i].both);
		assert_int_equal(type_of(&m, 0, SIZE_1G), rows[i].a);
	}
}

/* The manual allows masks with holes: every other page is in the range. */
static void masks_may_have_holes(void **ctx)
{
	struct mtrr m = { .def_type = MEM_WB, .count = 1, .range = { { 0x1000, 0x1000, MEM_UC } } };

	(void)ctx;
	assert_int_equal(type_of(&m, 0, SIZE_1G), -1);
	assert_int_equal(type_of(&m, 0x40000000, SIZE_2M), -1);
	assert_int_equal(type_of(&m, 0x40000000, PAGE_SIZE), MEM_WB);
	assert_int_equal(type_of(&m, 0x40001000, PAGE_SIZE), MEM_UC);
}

static uint64_t leaf_at(uint64_t g, unsigned int *levels)
{
	uint64_t e[4] = { 0 };

	*levels = nested_path(&nested, gpa(g), e);
	return e[*levels - 1];
}

static void leaves_are_what_the_manual_says_and_of_one_type(void **ctx)
{
	struct nested_limits limits = { .largest = 2, .mtrr = pc() };
	struct nested_hit hit;
	unsigned int levels;
	uint64_t e[4];

	(void)ctx;
	hostram_init(&pages, SIZE_1G);
	assert_int_equal(nested_init(&nested, &ept_format, &pages, &limits), 0);
	/* GPA 0 is HPA 1 GiB: one leaf of 1 GiB, then leaves of 2 MiB down to where 4 KiB are uncached. */
	assert_int_equal(nested_map(&nested, gpa(0), hpa(SIZE_1G), 2 * SIZE_1G, NESTED_RWX), 0);
	assert_int_equal(leaf_at(0x1234, &levels), SIZE_1G | 0x3b7);     /* R W X, WB, large, A, D */
	assert_int_equal(levels, 2);
	assert_int_equal(leaf_at(SIZE_1G, &levels), 2 * SIZE_1G | 0x3b7);
	assert_int_equal(levels, 3);
	assert_int_equal(leaf_at(2 * SIZE_1G - SIZE_2M, &levels), (3 * SIZE_1G - SIZE_2M) | 0x387);
	assert_int_equal(levels, 3);
	assert_int_equal(leaf_at(2 * SIZE_1G - SIZE_2M - PAGE_SIZE, &levels), (3 * SIZE_1G - SIZE_2M - PAGE_SIZE) | 0x307);
	assert_int_equal(levels, 4);
	assert_int_equal(leaf_at(2 * SIZE_1G - 2 * SIZE_2M, &levels), (3 * SIZE_1G - 2 * SIZE_2M) | 0x337);
	assert_int_equal(levels, 4);
	/* Tables: R W X and A, no type; read-only leaves: R X. */
	assert_int_equal(nested_map(&nested, gpa(8 * SIZE_1G), hpa(5 * SIZE_1G), PAGE_SIZE, NESTED_RX), 0);
	assert_int_equal(nested_path(&nested, gpa(8 * SIZE_1G), e), 4);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(e[i] & 0xfff, 0x107);
	assert_int_equal(e[3], 5 * SIZE_1G | 0x335);
	assert_true(nested_lookup(&nested, gpa(8 * SIZE_1G + 9), &hit));
	assert_false(hit.writable);
	assert_int_equal(hit.hpa.v, 5 * SIZE_1G + 9);
	assert_true(nested_lookup(&nested, gpa(SIZE_1G - 1), &hit));
	assert_true(hit.writable);
	assert_int_equal(hit.hpa.v, 2 * SIZE_1G - 1);
	assert_int_equal(hit.level, 2);
	nested_destroy(&nested);
	assert_int_equal(hostram_missing(&pages), 0);
}

static void a_cpu_without_large_leaves_gets_none(void **ctx)
{
	struct nested_limits limits = { .largest = 0, .mtrr = { .def_type = MEM_WB } };
	struct nested_hit hit;

	(void)ctx;
	hostram_init(&pages, SIZE_1G);
	assert_int_equal(nested_init(&nested, &ept_format, &pages, &limits), 0);
	assert_int_equal(nested_map(&nested, gpa(0), hpa(0), SIZE_2M, NESTED_RWX), 0);
	assert_true(nested_lookup(&nested, gpa(0), &hit));
	assert_int_equal(hit.level, 0);
	nested_destroy(&nested);
	assert_int_equal(hostram_missing(&pages), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_has_its_type_or_must_be_split),
		cmocka_unit_test(the_first_mib_goes_by_fixed_ranges),
		cmocka_unit_test(where_ranges_meet_the_stricter_wins),
		cmocka_unit_test(masks_may_have_holes),
		cmocka_unit_test(leaves_are_what_the_manual_says_and_of_one_type),
		cmocka_unit_test(a_cpu_without_large_leaves_gets_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
