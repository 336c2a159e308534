/* SPDX-License-Identifier: BSD-2-Clause */
/* What makes two CPUs alike: this machine's own facts, and each of their bits changed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "arch/x86/cpu/cpu_facts.h"

static uint64_t msr_value;
static bool msr_exists;

bool msr_read_safe(uint32_t msr, uint64_t *v)
{
	if (!msr_exists)
		return false;
	*v = msr_value + msr;
	return true;
}

static struct cpu_facts boot, other;
static char why[160];

static int fresh(void **ctx)
{
	(void)ctx;
	memset(&boot, 0, sizeof(boot));
	why[0] = '\0';
	other = boot;
	return 0;
}

static bool same(void)
{
	return cpu_facts_same(&boot, &other, why, sizeof(why));
}

static void reads_the_same_twice(void **ctx)
{
	(void)ctx;
	msr_exists = true;
	msr_value = 0x700000000ull;
	cpu_facts_read(&boot);
	cpu_facts_read(&other);
	assert_true(same());
	assert_string_equal(why, "");
	assert_int_equal(boot.microcode, 7);
	assert_int_not_equal(boot.leaf[0].eax, 0);
	assert_true((boot.leaf[1].edx & 1u << 26) != 0);    /* SSE2, which every 64-bit CPU has */
	msr_exists = false;
	cpu_facts_read(&other);
	assert_int_equal(other.msr_there, 0);
	assert_int_equal(other.microcode, 0);
}

/* AMD's revision is in the lower half. */
static void microcode_is_not_compared(void **ctx)
{
	(void)ctx;
	msr_exists = true;
	msr_value = 0x0800820d - 0x8b;
	cpu_facts_read(&boot);
	assert_int_equal(boot.microcode, 0x0800820d);
	other = boot;
	other.microcode++;
	assert_true(same());
}

static void names_leaf_and_bit(void **ctx)
{
	(void)ctx;
	boot.leaf[3].ebx = 1u << 20 | 1u << 7;
	other.leaf[3].ebx = 1u << 7;
	assert_false(same());
	assert_string_equal(why, "CPUID leaf 7.0 EBX bit 20 is 0, on the boot CPU 1 (00000080, 00100080)");
	fresh(NULL);
	other.leaf[8].ecx = 1u << 2;
	assert_false(same());
	assert_string_equal(why, "CPUID leaf 80000001.0 ECX bit 2 is 1, on the boot CPU 0 (00000004, 00000000)");
}

/* IDs, OSXSAVE and OSPKE, the stepping, what XCR0 takes at the moment. */
static void leaves_out_what_is_a_cpus_own(void **ctx)
{
	(void)ctx;
	other.leaf[1] = (struct cpuid_regs){ .eax = 0xf, .ebx = 0xffff00ffu, .ecx = 1u << 27 };
	other.leaf[3].ecx = 1u << 4;
	other.leaf[6].ebx = 576;
	other.leaf[8].ebx = 0x40000000u;
	assert_true(same());
	other.leaf[1].eax = 0x10;
	assert_false(same());
	assert_non_null(strstr(why, "leaf 1.0 EAX bit 4"));
}

/* Each bit that counts is seen, by its own name, and the number of them is what the table promises at least. */
static void sees_every_bit(void **ctx)
{
	unsigned int seen = 0;

	(void)ctx;
	for (unsigned int row = 0; row < FACTS_CPUID; row++) {
		for (unsigned int bit = 0; bit < 128; bit++) {
			static const char *const names[] = { "EAX", "EBX", "ECX", "EDX" };
			char want[32];

			fresh(NULL);
			((uint32_t *)&other.leaf[row])[bit / 32] = 1u << bit % 32;
			if (same())
				continue;
			seen++;
			snprintf(want, sizeof(want), " %s bit %u is 1", names[bit / 32], bit % 32);
			assert_non_null(strstr(why, want));
		}
	}
	assert_true(seen > 900);
	for (unsigned int i = 0; i < FACTS_MSRS; i++) {
		for (unsigned int bit = 0; bit < 64; bit++) {
			char want[32];

			fresh(NULL);
			boot.msr_there = other.msr_there = ~0u >> (32 - FACTS_MSRS);
			boot.msr[i] = 1ull << bit;
			assert_false(same());
			snprintf(want, sizeof(want), "bit %u is 0, on the boot CPU 1", bit);
			assert_non_null(strstr(why, want));
		}
	}
}

static void sees_an_msr_that_one_lacks(void **ctx)
{
	(void)ctx;
	boot.msr_there = 1u << 3;
	assert_false(same());
	assert_string_equal(why, "MSR 0x483 is there on the boot CPU only");
	fresh(NULL);
	other.msr_there = 1u << (FACTS_MSRS - 1);
	assert_false(same());
	assert_string_equal(why, "MSR 0x10a is there on this CPU only");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_the_same_twice, fresh),
		cmocka_unit_test_setup(microcode_is_not_compared, fresh),
		cmocka_unit_test_setup(names_leaf_and_bit, fresh),
		cmocka_unit_test_setup(leaves_out_what_is_a_cpus_own, fresh),
		cmocka_unit_test_setup(sees_every_bit, fresh),
		cmocka_unit_test_setup(sees_an_msr_that_one_lacks, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
