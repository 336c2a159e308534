/* SPDX-License-Identifier: BSD-2-Clause */
/* The page allocator with memory nodes and with CPUs that keep pages: whose page it is, and that blocks become whole again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/page.h>
#include <vouch/pcpu.h>

#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/cpu_threads.h"
#include "tests/unit/support/hostram.h"

#define GIB   (SIZE_1G >> PAGE_SHIFT)
#define TOTAL (4 * GIB)
#define CPUS  4u

static struct host host;
static uint8_t state[TOTAL];
static struct page_alloc pages;
static struct page_cache caches[CPUS];

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

/* Blocks of an order that are free */
static unsigned int free_blocks(unsigned int order)
{
	unsigned int n = 0;

	for (uint64_t f = 0; f < TOTAL; f++)
		n += state[f] == (0x80u | order);
	return n;
}

static void split_at_the_ranges(void **ctx)
{
	/* A border in the midst of a block of 1 GiB, one that is no border of 2 MiB, and memory nobody speaks of: node 0. */
	static const struct page_range r[] = {
		{ 0, GIB / 2, 1 }, { GIB / 2, GIB + 300, 2 }, { GIB + 300, 2 * GIB, 1 }, { 3 * GIB, 4 * GIB, 2 },
	};
	hpa_t a[3];

	(void)ctx;
	page_add(&pages, hpa(0), 4 * SIZE_1G);
	assert_int_equal(free_blocks(PAGE_ORDER_1G), 4);
	assert_true(page_get_near(&pages, 3, 0, &a[0]));
	page_put(&pages, a[0], 3);
	page_set_nodes(&pages, r, 4);
	assert_int_equal(pages.free_frames, TOTAL);
	assert_int_equal(free_blocks(PAGE_ORDER_1G), 2);
	for (unsigned int node = 0; node < 3; node++) {
		assert_true(page_get_near(&pages, 8, node, &a[node]));
		page_put(&pages, a[node], 8);
	}
	assert_in_range(a[0].v, 2 * SIZE_1G, 3 * SIZE_1G - 1);
	assert_true(a[1].v < SIZE_1G / 2 || (a[1].v >= SIZE_1G + 300 * PAGE_SIZE && a[1].v < 2 * SIZE_1G));
	assert_true((a[2].v >= SIZE_1G / 2 && a[2].v < SIZE_1G + 300 * PAGE_SIZE) || a[2].v >= 3 * SIZE_1G);
	assert_int_equal(pages.free_frames, TOTAL);
	assert_int_equal(free_blocks(PAGE_ORDER_1G), 2);
}

static void far_memory_is_better_than_none(void **ctx)
{
	static const struct page_range r[] = { { 0, GIB, 0 }, { GIB, 2 * GIB, 1 } };
	hpa_t a;

	(void)ctx;
	page_add(&pages, hpa(0), 2 * SIZE_1G);
	page_set_nodes(&pages, r, 2);
	assert_true(page_get_near(&pages, PAGE_ORDER_1G, 1, &a));
	assert_int_equal(a.v, SIZE_1G);
	assert_true(page_get_near(&pages, PAGE_ORDER_2M, 1, &a));
	assert_true(a.v < SIZE_1G);
	assert_false(page_get_near(&pages, PAGE_ORDER_1G, 1, &a));
	assert_false(page_get_near(&pages, 0, PAGE_NODES, &a));
}

/* Given out before the ranges were known, across a border: its halves come back to their nodes. */
static void old_blocks_come_back_in_parts(void **ctx)
{
	static const struct page_range r[] = { { 0, GIB / 2, 0 }, { GIB / 2, GIB, 1 } };
	hpa_t a;

	(void)ctx;
	page_add(&pages, hpa(0), SIZE_1G);
	assert_true(page_get_near(&pages, PAGE_ORDER_1G, 0, &a));
	page_set_nodes(&pages, r, 2);
	page_put(&pages, a, PAGE_ORDER_1G);
	assert_int_equal(pages.free_frames, GIB);
	assert_int_equal(free_blocks(PAGE_ORDER_1G - 1), 2);
	assert_true(page_get_near(&pages, PAGE_ORDER_1G - 1, 1, &a));
	assert_int_equal(a.v, SIZE_1G / 2);
}

/* ------------------------------------------------------------------------------------------------- caches */

static void some_pages(void *arg)
{
	hpa_t a[200];

	(void)arg;
	for (unsigned int i = 0; i < 200; i++)
		if (!page_get(&pages, 0, &a[i]))
			abort();
	for (unsigned int i = 0; i < 200; i++)
		page_put(&pages, a[i], 0);
}

static void blocks_become_whole(void **ctx)
{
	unsigned int kept = 0;
	hpa_t a[4];

	(void)ctx;
	page_add(&pages, hpa(0), 2 * SIZE_1G);
	page_set_caches(&pages, caches, CPUS);
	cpu_threads_run(&host, CPUS, some_pages, NULL);
	assert_int_equal(pages.free_frames, 2 * GIB);
	for (unsigned int i = 0; i < CPUS; i++) {
		assert_in_range(caches[i].count, 1, PAGE_CACHE_MAX);
		kept += caches[i].count;
	}
	assert_int_equal(free_blocks(PAGE_ORDER_1G), 1);
	/* What the caches keep is no reason to refuse a large block. */
	assert_true(page_get_near(&pages, PAGE_ORDER_1G, 0, &a[0]));
	assert_true(page_get_near(&pages, PAGE_ORDER_1G, 0, &a[1]));
	assert_int_equal(pages.free_frames, 0);
	for (unsigned int i = 0; i < CPUS; i++)
		assert_int_equal(caches[i].count, 0);
	assert_true(kept > 0);
	assert_false(page_get_near(&pages, 0, 0, &a[2]));
}

/* A block of 2 MiB that only lacks what caches keep is made whole before one of 1 GiB is split. */
static void no_large_block_is_split_for_one(void **ctx)
{
	hpa_t a;

	(void)ctx;
	page_add(&pages, hpa(0), SIZE_2M);
	page_add(&pages, hpa(SIZE_1G), SIZE_1G);
	page_set_caches(&pages, caches, CPUS);
	cpu_threads_run(&host, CPUS, some_pages, NULL);
	assert_true(page_get_near(&pages, PAGE_ORDER_2M, 0, &a));
	if (free_blocks(PAGE_ORDER_1G))
		assert_int_equal(a.v, 0);
	page_put(&pages, a, PAGE_ORDER_2M);
	assert_int_equal(pages.free_frames, GIB + 512);
	assert_true(page_get_near(&pages, PAGE_ORDER_1G, 0, &a));
	assert_int_equal(a.v, SIZE_1G);
}

static void one_page(void *arg)
{
	hpa_t *a = arg;

	if (this_cpu()->id == 0 && !page_get(&pages, 0, a))
		abort();
}

static void back_and_again(void *arg)
{
	hpa_t *a = arg, b;

	if (this_cpu()->id)
		return;
	page_put(&pages, *a, 0);
	/* At hand is what came last; debug builds poison it. */
	if (!page_get(&pages, 0, &b) || b.v != a->v || *((uint8_t *)hpa_to_ptr(b) + 100) != 0xdf)
		abort();
	page_put(&pages, b, 0);
}

static void a_cpu_gets_its_own_back(void **ctx)
{
	hpa_t a = hpa(0);

	(void)ctx;
	page_add(&pages, hpa(0), SIZE_2M);
	page_set_caches(&pages, caches, CPUS);
	cpu_threads_run(&host, 1, one_page, &a);
	cpu_threads_run(&host, 1, back_and_again, &a);
	assert_int_equal(state[a.v >> PAGE_SHIFT], 0x20);
	assert_int_equal(pages.free_frames, 512);
}

/* Each CPU is of a node: its pages are near, and far ones do not stay with it. */
static void near_pages(void *arg)
{
	hpa_t *far = arg, a;

	this_cpu()->node = this_cpu()->id % 2;
	for (unsigned int i = 0; i < 100; i++) {
		if (!page_get(&pages, 0, &a) || (a.v >= SIZE_1G) != (this_cpu()->node == 1))
			abort();
		page_put(&pages, a, 0);
	}
	if (this_cpu()->id == 0)
		page_put(&pages, *far, 0);
}

static void caches_hold_near_pages(void **ctx)
{
	static const struct page_range r[] = { { 0, GIB, 0 }, { GIB, 2 * GIB, 1 } };
	hpa_t far;

	(void)ctx;
	page_add(&pages, hpa(0), 2 * SIZE_1G);
	page_set_nodes(&pages, r, 2);
	page_set_caches(&pages, caches, CPUS);
	assert_true(page_get_near(&pages, 0, 1, &far));
	cpu_threads_run(&host, CPUS, near_pages, &far);
	for (unsigned int i = 0; i < CPUS; i++)
		for (unsigned int k = 0; k < caches[i].count; k++)
			assert_int_equal(caches[i].frame[k] >= GIB, i % 2);
	assert_int_equal(pages.free_frames, 2 * GIB);
}

/* The real lock asks this_cpu() who takes it: on a plain stack that is whatever lies there. */
static void run_all(void *failed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(split_at_the_ranges, fresh),
		cmocka_unit_test_setup(far_memory_is_better_than_none, fresh),
		cmocka_unit_test_setup(old_blocks_come_back_in_parts, fresh),
		cmocka_unit_test_setup(blocks_become_whole, fresh),
		cmocka_unit_test_setup(no_large_block_is_split_for_one, fresh),
		cmocka_unit_test_setup(a_cpu_gets_its_own_back, fresh),
		cmocka_unit_test_setup(caches_hold_near_pages, fresh),
	};

	*(int *)failed = cmocka_run_group_tests(tests, ram_map, NULL);
}

int main(void)
{
	int failed = 1;

	cpu_area_run(run_all, &failed, &host);
	return failed;
}
