/* SPDX-License-Identifier: BSD-2-Clause */
/* The page allocator and what is given to it, on host memory that stands for RAM at DIRECT_MAP_BASE. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/page.h>

#include "core/memory.h"
#include "tests/unit/support/hostram.h"
#include "tests/unit/support/panic_catch.h"

#define RAM   (64ull << 20)
#define TOTAL (RAM >> PAGE_SHIFT)

static uint8_t state[TOTAL];
static struct page_alloc pages;

static int ram_map(void **ctx)
{
	(void)ctx;
	hostram_map(4 * SIZE_1G);
	return 0;
}

static int fresh(void **ctx)
{
	(void)ctx;
	memset(state, 0, sizeof(state));
	page_alloc_init(&pages, state, TOTAL);
	return 0;
}

static void gives_all_and_no_more(void **ctx)
{
	hpa_t a;
	uint64_t n;

	(void)ctx;
	page_add(&pages, hpa(0), RAM);
	assert_int_equal(pages.total_frames, TOTAL);
	for (n = 0; n < TOTAL; n++)
		assert_true(page_get(&pages, PAGE_ORDER_4K, &a));
	assert_int_equal(pages.free_frames, 0);
	assert_false(page_get(&pages, PAGE_ORDER_4K, &a));
}

static void takes_only_whole_pages(void **ctx)
{
	hpa_t a;

	(void)ctx;
	page_add(&pages, hpa(0x1001), 0x2fff);	/* 0x2000 to 0x4000 are whole */
	assert_int_equal(pages.total_frames, 2);
	page_add(&pages, hpa(0x8001), 0xfff);
	page_add(&pages, hpa(0x9000), 0);
	page_add(&pages, hpa(UINT64_MAX - 0x2000), 0x2000);
	page_add(&pages, hpa(RAM), PAGE_SIZE);	/* beyond state[] */
	page_add(&pages, hpa(UINT64_MAX - 0x10), 0x5000);	/* aligned inward, it would begin at 0 */
	assert_int_equal(pages.total_frames, 2);
	assert_true(page_get(&pages, 1, &a));
	assert_int_equal(a.v, 0x2000);
	/* Three pages at a place that is aligned for four. */
	page_add(&pages, hpa(0x4000), 0x3000);
	assert_int_equal(pages.total_frames, 5);
}

static void aligns_every_order(void **ctx)
{
	unsigned int order;
	hpa_t a;

	(void)ctx;
	page_add(&pages, hpa(PAGE_SIZE), RAM - PAGE_SIZE);
	for (order = 0; order < 13; order++) {
		assert_true(page_get(&pages, order, &a));
		assert_int_equal(a.v & ((PAGE_SIZE << order) - 1), 0);
	}
	assert_false(page_get(&pages, PAGE_ORDER_1G, &a));
	assert_false(page_get(&pages, PAGE_ORDERS, &a));
}

static void joins_what_was_split(void **ctx)
{
	static hpa_t a[TOTAL];
	uint64_t n;

	(void)ctx;
	page_add(&pages, hpa(0), RAM);
	for (n = 0; n < TOTAL; n++)
		assert_true(page_get(&pages, 0, &a[n]));
	/* Odd ones first, so that every join waits for the second half. */
	for (n = 1; n < TOTAL; n += 2)
		page_put(&pages, a[n], 0);
	assert_null(pages.free[0][1]);
	for (n = 0; n < TOTAL; n += 2)
		page_put(&pages, a[n], 0);
	assert_int_equal(pages.free_frames, TOTAL);
	assert_true(page_get(&pages, 14, &a[0]));
	assert_int_equal(a[0].v, 0);
}

static void has_blocks_of_1g(void **ctx)
{
	uint64_t frames = 4 * SIZE_1G >> PAGE_SHIFT;
	uint8_t *big = calloc(1, frames);
	hpa_t a, b;

	(void)ctx;
	assert_non_null(big);
	page_alloc_init(&pages, big, frames);
	page_add(&pages, hpa(0x100000), 3 * SIZE_1G);
	assert_true(page_get(&pages, PAGE_ORDER_1G, &a));
	assert_true(page_get(&pages, PAGE_ORDER_1G, &b));
	assert_int_equal((a.v | b.v) & (SIZE_1G - 1), 0);
	assert_int_not_equal(a.v, b.v);
	assert_false(page_get(&pages, PAGE_ORDER_1G, &a));
	assert_true(page_get(&pages, PAGE_ORDER_2M, &a));
	free(big);
}

/* A model beside the allocator: who owns each frame. */
static uint16_t owner[TOTAL];

static void own(hpa_t a, unsigned int order, uint16_t from, uint16_t to)
{
	uint64_t f = a.v >> PAGE_SHIFT, k;

	for (k = 0; k < 1ull << order; k++) {
		assert_int_equal(owner[f + k], from);
		owner[f + k] = to;
	}
}

static void agrees_with_a_model(void **ctx)
{
	struct { hpa_t a; unsigned int order; bool used; } slot[200] = { 0 };
	uint64_t used = 0;
	unsigned int i;

	(void)ctx;
	srand(1);
	memset(owner, 0, sizeof(owner));
	page_add(&pages, hpa(0), RAM);
	for (i = 0; i < 20000; i++) {
		unsigned int s = (unsigned int)rand() % 200;

		if (slot[s].used) {
			own(slot[s].a, slot[s].order, (uint16_t)(s + 1), 0);
			page_put(&pages, slot[s].a, slot[s].order);
			used -= 1ull << slot[s].order;
			slot[s].used = false;
		} else {
			slot[s].order = (unsigned int)rand() % 8;
			slot[s].used = page_get(&pages, slot[s].order, &slot[s].a);
			if (!slot[s].used)
				continue;
			own(slot[s].a, slot[s].order, 0, (uint16_t)(s + 1));
			used += 1ull << slot[s].order;
		}
		assert_int_equal(pages.free_frames, TOTAL - used);
	}
	for (i = 0; i < 200; i++)
		if (slot[i].used)
			page_put(&pages, slot[i].a, slot[i].order);
	assert_true(page_get(&pages, 14, &slot[0].a));
}

static void scrubs(void **ctx)
{
	hpa_t a;
	uint8_t *p;
	size_t i;

	(void)ctx;
	page_add(&pages, hpa(0), RAM);
	assert_true(page_get(&pages, 2, &a));
	p = hpa_to_ptr(a);
	memset(p, 0x5a, PAGE_SIZE << 2);
	page_scrub(a, 2);
	for (i = 0; i < PAGE_SIZE << 2; i++)
		assert_int_equal(p[i], 0);
	page_put(&pages, a, 2);
	/* Debug builds poison; the head holds the list's links. */
	assert_int_equal(p[PAGE_SIZE], 0xdf);
	assert_true(page_get_zeroed(&pages, 2, &a));
	p = hpa_to_ptr(a);
	for (i = 0; i < PAGE_SIZE << 2; i++)
		assert_int_equal(p[i], 0);
}

struct put_args { uint64_t at; unsigned int order; };

static void put(void *arg)
{
	struct put_args *p = arg;

	page_put(&pages, hpa(p->at), p->order);
}

static void refuses_wrong_frees(void **ctx)
{
	hpa_t a;

	(void)ctx;
	page_add(&pages, hpa(0), RAM);
	assert_true(page_get(&pages, 1, &a));
	assert_non_null(panic_of(put, &(struct put_args){ a.v + 1, 1 }));
	assert_non_null(panic_of(put, &(struct put_args){ RAM, 1 }));
	assert_non_null(panic_of(put, &(struct put_args){ a.v, PAGE_ORDERS }));
	assert_null(panic_of(put, &(struct put_args){ a.v, 1 }));
	assert_non_null(panic_of(put, &(struct put_args){ a.v, 1 }));
}

static void refuses_the_wrong_order(void **ctx)
{
	hpa_t a;

	(void)ctx;
	page_add(&pages, hpa(0), RAM);
	assert_true(page_get(&pages, 1, &a));
	assert_non_null(panic_of(put, &(struct put_args){ a.v, 0 }));
}

static void refuses_what_it_never_gave(void **ctx)
{
	(void)ctx;
	page_add(&pages, hpa(0), RAM / 2);
	assert_non_null(panic_of(put, &(struct put_args){ RAM / 2 + PAGE_SIZE, 0 }));
}

static void add_twice(void *arg)
{
	(void)arg;
	page_add(&pages, hpa(0x4000), 0x4000);
	page_add(&pages, hpa(0x4000), 0x1000);
}

static void refuses_the_same_memory_twice(void **ctx)
{
	(void)ctx;
	assert_non_null(panic_of(add_twice, NULL));
}

/* ----------------------------------------------------------------------------------------- core/memory.c */

#define MIB (1ull << 20)

static struct boot_info boot;
static struct memory_reserved reserved;

static void mem(uint64_t base, uint64_t len, uint32_t type)
{
	boot.mem[boot.mem_count++] = (struct boot_mem){ hpa(base), len, type };
}

static int fresh_boot(void **ctx)
{
	memset(&boot, 0, sizeof(boot));
	memset(&reserved, 0, sizeof(reserved));
	return fresh(ctx);
}

static uint64_t frames_of(uint64_t bytes)
{
	return bytes >> PAGE_SHIFT;
}

static void gives_out_what_nobody_claims(void **ctx)
{
	(void)ctx;
	mem(0, 0x9fc00, BOOT_MEM_RAM);
	mem(0x9fc00, 0x400, BOOT_MEM_RESERVED);
	mem(MIB, 31 * MIB, BOOT_MEM_RAM);
	mem(40 * MIB, MIB, BOOT_MEM_ACPI);
	boot.module_count = 1;
	boot.module[0].start = hpa(8 * MIB);
	boot.module[0].len = 0x1001;	/* two pages */
	boot.info = hpa(9 * MIB + 8);
	boot.info_len = 16;
	boot.screen.base = hpa(12 * MIB);       /* of main memory: three pages and a line's rest */
	boot.screen.pitch = 0x400;
	boot.screen.height = 13;
	memory_reserve_boot(&reserved, &boot);
	memory_reserve(&reserved, 2 * MIB, MIB);
	memory_add(&pages, &boot, &reserved, 0, MEMORY_TOP);
	assert_int_equal(pages.total_frames, frames_of(30 * MIB) - 2 - 1 - 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(state[frames_of(12 * MIB) + i], 0);
	assert_int_equal(state[0], 0);
	assert_int_equal(state[frames_of(8 * MIB)], 0);
	assert_int_equal(memory_end(&boot), 32 * MIB);
}

static void reserved_wins_over_ram(void **ctx)
{
	(void)ctx;
	mem(4 * MIB, 8 * MIB, BOOT_MEM_RAM);
	mem(6 * MIB + 1, 1, BOOT_MEM_RESERVED);
	mem(0, 5 * MIB, 77);	/* a type nobody knows */
	memory_reserve_boot(&reserved, &boot);
	memory_add(&pages, &boot, &reserved, 0, MEMORY_TOP);
	assert_int_equal(pages.total_frames, frames_of(7 * MIB) - 1);
}

static void overlapping_ram_is_given_once(void **ctx)
{
	(void)ctx;
	mem(4 * MIB, 4 * MIB, BOOT_MEM_RAM);
	mem(6 * MIB, 4 * MIB, BOOT_MEM_RAM);
	mem(5 * MIB, MIB, BOOT_MEM_RAM);
	mem(4 * MIB, 4 * MIB, BOOT_MEM_RAM);
	memory_reserve_boot(&reserved, &boot);
	memory_add(&pages, &boot, &reserved, 0, MEMORY_TOP);
	assert_int_equal(pages.total_frames, frames_of(6 * MIB));
}

static void reserved_in_any_order(void **ctx)
{
	(void)ctx;
	mem(4 * MIB, 8 * MIB, BOOT_MEM_RAM);
	/* Each span begins where the one after it in the list ends. */
	memory_reserve(&reserved, 6 * MIB, MIB);
	memory_reserve(&reserved, 5 * MIB, MIB);
	memory_reserve(&reserved, 4 * MIB, MIB);
	memory_add(&pages, &boot, &reserved, 0, MEMORY_TOP);
	assert_int_equal(pages.total_frames, frames_of(5 * MIB));
}

static void two_passes_give_all_once(void **ctx)
{
	(void)ctx;
	mem(4 * MIB, 8 * MIB, BOOT_MEM_RAM);
	memory_reserve_boot(&reserved, &boot);
	memory_add(&pages, &boot, &reserved, 0, 7 * MIB);
	assert_int_equal(pages.total_frames, frames_of(3 * MIB));
	memory_add(&pages, &boot, &reserved, 7 * MIB, MEMORY_TOP);
	assert_int_equal(pages.total_frames, frames_of(8 * MIB));
}

static void entries_that_wrap_do_no_harm(void **ctx)
{
	(void)ctx;
	mem(UINT64_MAX - 0xfff, 0x2000, BOOT_MEM_RAM);
	mem(60 * MIB, UINT64_MAX, BOOT_MEM_RAM);
	mem(62 * MIB, UINT64_MAX, BOOT_MEM_RESERVED);
	mem(50 * MIB, 0, BOOT_MEM_RAM);
	boot.module_count = 1;
	boot.module[0].start = hpa(61 * MIB);
	boot.module[0].len = 1;
	memory_reserve_boot(&reserved, &boot);
	memory_add(&pages, &boot, &reserved, 0, MEMORY_TOP);
	assert_int_equal(pages.total_frames, frames_of(2 * MIB) - 1);
	assert_int_equal(memory_end(&boot), MEMORY_TOP);
}

static void finds_the_lowest_place(void **ctx)
{
	uint64_t at = 0;

	(void)ctx;
	mem(32 * MIB, 8 * MIB, BOOT_MEM_RAM);
	mem(MIB, 7 * MIB, BOOT_MEM_RAM);
	memory_reserve_boot(&reserved, &boot);
	memory_reserve(&reserved, 2 * MIB, 4 * MIB);
	assert_true(memory_find(&boot, &reserved, MIB, 64 * MIB, &at));
	assert_int_equal(at, MIB);
	assert_true(memory_find(&boot, &reserved, 2 * MIB, 64 * MIB, &at));
	assert_int_equal(at, 6 * MIB);
	assert_true(memory_find(&boot, &reserved, 2 * MIB + 1, 64 * MIB, &at));
	assert_int_equal(at, 32 * MIB);
	assert_false(memory_find(&boot, &reserved, 2 * MIB + 1, 33 * MIB, &at));
	assert_false(memory_find(&boot, &reserved, 9 * MIB, 64 * MIB, &at));
}

/* Where another CPU begins: RAM below 640 KiB that nobody claims, never the first page. */
static void finds_a_page_to_start_in(void **ctx)
{
	uint64_t at = 0;

	(void)ctx;
	mem(0, 0x9f000, BOOT_MEM_RAM);
	mem(MIB, 31 * MIB, BOOT_MEM_RAM);
	assert_true(memory_find_start(&boot, &at));
	assert_int_equal(at, 0x1000);
	boot.module_count = 1;
	boot.module[0].start = hpa(0x1800);
	boot.module[0].len = 0x1000;
	boot.info = hpa(0x3010);
	boot.info_len = 8;
	assert_true(memory_find_start(&boot, &at));
	assert_int_equal(at, 0x4000);
	mem(0x4000, 0x9a001, BOOT_MEM_NVS);
	assert_false(memory_find_start(&boot, &at));
}

/* As where memory encryption takes address bits, and a map from before that. */
static void beyond_the_address_width_is_nothing(void **ctx)
{
	(void)ctx;
	mem(0, 8 * MIB, BOOT_MEM_RAM);
	mem(32 * MIB, 8 * MIB, BOOT_MEM_RAM);
	mem(64 * MIB, 8 * MIB, BOOT_MEM_RAM + 1);
	mem(~0ull - MIB + 1, 2 * MIB, BOOT_MEM_RAM + 1);
	assert_int_equal(memory_limit(&boot, 1ull << 40), 0);
	assert_int_equal(memory_limit(&boot, 40 * MIB), 0);
	assert_int_equal(memory_end(&boot), 40 * MIB);
	assert_int_equal(memory_limit(&boot, 36 * MIB), 4 * MIB);
	assert_int_equal(memory_end(&boot), 36 * MIB);
	assert_int_equal(memory_limit(&boot, 32 * MIB), 4 * MIB);
	assert_int_equal(memory_end(&boot), 8 * MIB);
	assert_int_equal(memory_limit(&boot, 16 * MIB), 0);
	/* What is no RAM stays what it was. */
	assert_int_equal(boot.mem[2].len, 8 * MIB);
	assert_int_equal(boot.mem[3].len, 2 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(gives_all_and_no_more, fresh),
		cmocka_unit_test_setup(takes_only_whole_pages, fresh),
		cmocka_unit_test_setup(aligns_every_order, fresh),
		cmocka_unit_test_setup(joins_what_was_split, fresh),
		cmocka_unit_test_setup(has_blocks_of_1g, fresh),
		cmocka_unit_test_setup(agrees_with_a_model, fresh),
		cmocka_unit_test_setup(scrubs, fresh),
		cmocka_unit_test_setup(refuses_wrong_frees, fresh),
		cmocka_unit_test_setup(refuses_the_wrong_order, fresh),
		cmocka_unit_test_setup(refuses_what_it_never_gave, fresh),
		cmocka_unit_test_setup(refuses_the_same_memory_twice, fresh),
		cmocka_unit_test_setup(gives_out_what_nobody_claims, fresh_boot),
		cmocka_unit_test_setup(reserved_wins_over_ram, fresh_boot),
		cmocka_unit_test_setup(overlapping_ram_is_given_once, fresh_boot),
		cmocka_unit_test_setup(reserved_in_any_order, fresh_boot),
		cmocka_unit_test_setup(two_passes_give_all_once, fresh_boot),
		cmocka_unit_test_setup(entries_that_wrap_do_no_harm, fresh_boot),
		cmocka_unit_test_setup(finds_the_lowest_place, fresh_boot),
		cmocka_unit_test_setup(finds_a_page_to_start_in, fresh_boot),
		cmocka_unit_test_setup(beyond_the_address_width_is_nothing, fresh_boot),
	};

	return cmocka_run_group_tests(tests, ram_map, NULL);
}
