/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's page tables, read back as the CPU would read them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "arch/x86/mm/hostmap.h"

#define RAM   (4ull << 20)
#define TOTAL (RAM >> PAGE_SHIFT)
#define GIB   (1ull << 30)
#define MIB   (1ull << 20)
#define VA    0xffffc00000000000ull

static uint8_t state[TOTAL];
static struct page_alloc pages;
static struct hostmap map;

static int ram_map(void **ctx)
{
	void *want = (void *)(uintptr_t)DIRECT_MAP_BASE;

	(void)ctx;
	return mmap(want, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == want ?
	       0 : -1;
}

static int fresh(void **ctx)
{
	(void)ctx;
	memset(state, 0, sizeof(state));
	page_alloc_init(&pages, state, TOTAL);
	page_add(&pages, hpa(0), RAM);
	map = (struct hostmap){ .pages = &pages, .has_1g = true };
	return page_get_zeroed(&pages, 0, &map.root) ? 0 : -1;
}

static void maps_to(uint64_t va, uint64_t pa, uint64_t flags)
{
	uint64_t got;
	hpa_t at;

	assert_true(hostmap_lookup(map.root, va, &at, &got));
	assert_int_equal(at.v, pa);
	assert_int_equal(got & ~PTE_PS, flags);
}

static void maps_nothing(uint64_t va)
{
	uint64_t got;
	hpa_t at;

	assert_false(hostmap_lookup(map.root, va, &at, &got));
}

/* Tables in use, the root among them. */
static uint64_t tables(void)
{
	return TOTAL - pages.free_frames;
}

static void single_pages(void **ctx)
{
	(void)ctx;
	assert_true(hostmap_add(&map, VA, 0x5000, 2 * PAGE_SIZE, MAP_R));
	maps_to(VA, 0x5000, MAP_R);
	maps_to(VA + 0x1fff, 0x6fff, MAP_R);
	maps_nothing(VA + 0x2000);
	maps_nothing(VA - 1);
	maps_nothing(0);
	assert_int_equal(tables(), 4);
}

static void the_largest_leaf_that_fits(void **ctx)
{
	(void)ctx;
	/* 4 KiB up to 2 MiB, 2 MiB up to 1 GiB, one 1 GiB, and down again. */
	assert_true(hostmap_add(&map, VA + 2 * MIB - PAGE_SIZE, 2 * MIB - PAGE_SIZE, 2 * GIB - 2 * MIB + 4 * MIB, MAP_RW));
	maps_to(VA + 2 * MIB - 1, 2 * MIB - 1, MAP_RW);
	maps_to(VA + GIB, GIB, MAP_RW);
	maps_to(VA + 2 * GIB + 2 * MIB - PAGE_SIZE - 1 + 2 * MIB - 2 * MIB, 2 * GIB + 2 * MIB - PAGE_SIZE - 1, MAP_RW);
	/* Root, PDPT; PD and PT below; none for the 1 GiB; PD and PT above. */
	assert_int_equal(tables(), 6);
}

static void no_1g_leaves_without_the_feature(void **ctx)
{
	(void)ctx;
	map.has_1g = false;
	assert_true(hostmap_add(&map, VA, 0, GIB, MAP_RW));
	maps_to(VA + GIB - 1, GIB - 1, MAP_RW);
	assert_int_equal(tables(), 3);
}

static void unequal_alignment_means_small_pages(void **ctx)
{
	(void)ctx;
	assert_true(hostmap_add(&map, VA, PAGE_SIZE, 2 * MIB, MAP_RW));
	maps_to(VA + 2 * MIB - 1, 2 * MIB + PAGE_SIZE - 1, MAP_RW);
	assert_int_equal(tables(), 4);
}

static void the_first_mapping_wins(void **ctx)
{
	(void)ctx;
	/* As paging_init() does: text read-only, then all RAM around it writable. */
	assert_true(hostmap_add(&map, VA + 2 * MIB, 2 * MIB, 3 * PAGE_SIZE, MAP_R));
	assert_true(hostmap_add(&map, VA, 0, 8 * MIB, MAP_RW));
	maps_to(VA + 2 * MIB - 1, 2 * MIB - 1, MAP_RW);
	maps_to(VA + 2 * MIB, 2 * MIB, MAP_R);
	maps_to(VA + 2 * MIB + 3 * PAGE_SIZE - 1, 2 * MIB + 3 * PAGE_SIZE - 1, MAP_R);
	maps_to(VA + 2 * MIB + 3 * PAGE_SIZE, 2 * MIB + 3 * PAGE_SIZE, MAP_RW);
	maps_to(VA + 8 * MIB - 1, 8 * MIB - 1, MAP_RW);
	/* From the middle of a large leaf: what it reaches is skipped, no more. */
	assert_true(hostmap_add(&map, VA + 7 * MIB, 7 * MIB, 2 * MIB, MAP_R));
	maps_to(VA + 7 * MIB, 7 * MIB, MAP_RW);
	maps_to(VA + 8 * MIB, 8 * MIB, MAP_R);
	maps_nothing(VA + 9 * MIB);
}

static void says_when_memory_is_out(void **ctx)
{
	hpa_t a;

	(void)ctx;
	while (pages.free_frames > 2)
		assert_true(page_get(&pages, 0, &a));
	assert_false(hostmap_add(&map, VA, 0, PAGE_SIZE, MAP_RW));
	maps_nothing(VA);
}

static void no_right_is_both_writable_and_executable(void **ctx)
{
	static const uint64_t rights[] = { MAP_RX, MAP_R, MAP_RW, MAP_UC };
	unsigned int i;

	(void)ctx;
	for (i = 0; i < 4; i++) {
		assert_true((rights[i] & PTE_P) && (rights[i] & PTE_G));
		assert_false((rights[i] & PTE_W) && !(rights[i] & PTE_NX));
		assert_false(rights[i] & 1u << 2);	/* user */
	}
}

static void ram_and_tables_are_in_the_direct_map(void **ctx)
{
	struct boot_info b = { .mem_count = 8, .mem = {
		{ hpa(0), 0x9fc00, BOOT_MEM_RAM }, { hpa(0x9fc00), 0x400, BOOT_MEM_RESERVED },
		{ hpa(0x100000), 7 * MIB + 0x800, BOOT_MEM_RAM }, { hpa(16 * MIB + 0x10), 0x10, BOOT_MEM_ACPI },
		{ hpa(17 * MIB), PAGE_SIZE, BOOT_MEM_NVS }, { hpa(18 * MIB), MIB, BOOT_MEM_BAD },
		{ hpa(UINT64_MAX - 0xfff), 0x1000, BOOT_MEM_RAM },
		/* No such address; its low 48 bits would be those of 20 MiB. */
		{ hpa((1ull << 53) + 20 * MIB), MIB, BOOT_MEM_RAM } } };

	(void)ctx;
	assert_true(hostmap_add_memory(&map, &b));
	maps_to(DIRECT_MAP_BASE, 0, MAP_RW);
	maps_to(DIRECT_MAP_BASE + 0x9efff, 0x9efff, MAP_RW);
	maps_nothing(DIRECT_MAP_BASE + 0x9f000);	/* RAM only in part */
	maps_nothing(DIRECT_MAP_BASE + 0xa0000);
	maps_to(DIRECT_MAP_BASE + 8 * MIB - 1, 8 * MIB - 1, MAP_RW);
	maps_nothing(DIRECT_MAP_BASE + 8 * MIB);
	maps_to(DIRECT_MAP_BASE + 16 * MIB, 16 * MIB, MAP_RW);
	maps_nothing(DIRECT_MAP_BASE + 16 * MIB + PAGE_SIZE);
	maps_to(DIRECT_MAP_BASE + 17 * MIB, 17 * MIB, MAP_RW);
	maps_nothing(DIRECT_MAP_BASE + 18 * MIB);
	maps_nothing(DIRECT_MAP_BASE + 20 * MIB);
}

static void an_entry_that_wraps_ends_at_the_top(void **ctx)
{
	struct boot_info b = { .mem_count = 1, .mem = { { hpa((1ull << 52) - GIB), UINT64_MAX, BOOT_MEM_RAM } } };

	(void)ctx;
	assert_true(hostmap_add_memory(&map, &b));
	assert_int_equal(tables(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(single_pages, fresh),
		cmocka_unit_test_setup(the_largest_leaf_that_fits, fresh),
		cmocka_unit_test_setup(no_1g_leaves_without_the_feature, fresh),
		cmocka_unit_test_setup(unequal_alignment_means_small_pages, fresh),
		cmocka_unit_test_setup(the_first_mapping_wins, fresh),
		cmocka_unit_test_setup(says_when_memory_is_out, fresh),
		cmocka_unit_test(no_right_is_both_writable_and_executable),
		cmocka_unit_test_setup(ram_and_tables_are_in_the_direct_map, fresh),
		cmocka_unit_test_setup(an_entry_that_wraps_ends_at_the_top, fresh),
	};

	return cmocka_run_group_tests(tests, ram_map, NULL);
}
