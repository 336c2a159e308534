/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs' TSC deadline timer is not used, by model, stepping and microcode. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/deadline.h"
#include "tests/unit/support/log.h"
#include "tests/unit/support/msrs.h"

#define UCODE_REV 0x8bu

static uint32_t needs(uint32_t signature, uint32_t microcode)
{
	const struct deadline_facts f = { .there = true, .intel = true, .signature = signature, .microcode = microcode };

	return deadline_needs(&f);
}

static void older_microcode_is_named(void **ctx)
{
	static const struct {
		uint32_t signature, first;
	} rows[] = {
		{ 0x306f2, 0x3a }, { 0x306f4, 0xf }, { 0x306c3, 0x22 }, { 0x40651, 0x20 }, { 0x40661, 0x17 },
		{ 0x306d4, 0x25 }, { 0x40671, 0x17 }, { 0x406f1, 0xb000020 }, { 0x50662, 0x11 }, { 0x50663, 0x700000e },
		{ 0x50664, 0xf00000c }, { 0x50665, 0xe000003 }, { 0x50653, 0x1000136 }, { 0x50654, 0x2000014 },
		{ 0x406e3, 0xb2 }, { 0x506e3, 0xb2 }, { 0x806e9, 0x52 }, { 0x806ea, 0x52 }, { 0x906e9, 0x52 },
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(needs(rows[i].signature, 1), rows[i].first);
		assert_int_equal(needs(rows[i].signature, rows[i].first - 1), rows[i].first);
		assert_int_equal(needs(rows[i].signature, rows[i].first), 0);
		assert_int_equal(needs(rows[i].signature, UINT32_MAX), 0);
		/* Reserved bits of the signature say nothing. */
		assert_int_equal(needs(rows[i].signature | 0xf000f000u, 1), rows[i].first);
	}
}

static void others_are_right_with_any(void **ctx)
{
	static const uint32_t signatures[] = {
		0x306a9, 0x306e4,            /* Ivy Bridge */
		0x306f1, 0x306f3, 0x306f5,   /* Haswell's other steppings */
		0x50661, 0x50666, 0x50652, 0x50655, 0x50657, 0x5065b,
		0x606a6, 0x706e5, 0x806c1, 0xa0655, 0xb06a2, 0x90672,
		0x1306f2, 0x307f2,           /* one more bit of model or family */
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(signatures); i++)
		assert_int_equal(needs(signatures[i], 1), 0);
}

static void only_who_has_the_erratum(void **ctx)
{
	const struct deadline_facts bad = { .there = true, .intel = true, .signature = 0x306c3, .microcode = 1 };
	struct deadline_facts f = bad;

	(void)ctx;
	assert_int_equal(deadline_needs(&f), 0x22);
	f.there = false;
	assert_int_equal(deadline_needs(&f), 0);
	f = bad;
	f.intel = false;
	assert_int_equal(deadline_needs(&f), 0);
	f = bad;
	f.hypervisor = true;
	assert_int_equal(deadline_needs(&f), 0);
	/* An emulated one. */
	f = bad;
	f.microcode = 0;
	assert_int_equal(deadline_needs(&f), 0);
}

/* On the CPU that this test runs on: without the MSR there is nothing to judge by; it is asked of nobody but Intel's. */
static void this_cpu_as_it_says(void **ctx)
{
	struct cpuid_regs one = cpuid_leaf(1, 0);
	bool there = one.ecx & 1u << 24, asked = cpuid_is_intel() && !(one.ecx & 1u << 31);

	(void)ctx;
	log_clear();
	msrs_clear();
	assert_int_equal(deadline_usable(), there);
	msrs_put(UCODE_REV, (uint64_t)UINT32_MAX << 32, 0, false);
	assert_int_equal(deadline_usable(), there);
	assert_int_equal(msrs_writes(UCODE_REV), asked);
	assert_string_equal(log_text(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(older_microcode_is_named),
		cmocka_unit_test(others_are_right_with_any),
		cmocka_unit_test(only_who_has_the_erratum),
		cmocka_unit_test(this_cpu_as_it_says),
	};

	return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
