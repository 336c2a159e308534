/* SPDX-License-Identifier: BSD-2-Clause */
/* Nested page tables, guest memory in its fixed layout, and the door to it, on host memory that stands for RAM. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <vouch/gpa.h>
#include <vouch/host.h>
#include <vouch/vm.h>

#include "arch/x86/mm/nested.h"
#include "core/gpa_build.h"
#include "core/ram.h"
#include "tests/unit/support/hostram.h"

#define HOST_RAM (8 * SIZE_1G)

static struct host host;
static struct vm vm;
static struct nested nested;

static void fresh_in(const struct nested_format *fmt, const struct nested_limits *limits)
{
	memset(&host, 0, sizeof(host));
	memset(&vm, 0, sizeof(vm));
	hostram_init(&host.pages, HOST_RAM);
	assert_int_equal(nested_init(&nested, fmt, &host.pages, limits), 0);
	vm.host = &host;
	vm.nested = &nested;
}

static void fresh(bool has_1g)
{
	fresh_in(&npt_format, &(struct nested_limits){ .largest = has_1g ? 2 : 1 });
}

static void done(void)
{
	nested_destroy(&nested);
	ram_destroy(&vm);
	assert_int_equal(hostram_missing(&host.pages), 0);
}

static void maps_in_the_largest_leaves(void **ctx)
{
	struct nested_hit hit;

	(void)ctx;
	fresh(true);
	assert_int_equal(nested_map(&nested, gpa(SIZE_1G), hpa(3 * SIZE_1G), SIZE_1G + SIZE_2M + PAGE_SIZE, NESTED_RWX), 0);
	assert_true(nested_lookup(&nested, gpa(SIZE_1G + 5), &hit));
	assert_int_equal(hit.level, 2);
	assert_int_equal(hit.hpa.v, 3 * SIZE_1G + 5);
	assert_int_equal(hit.left, SIZE_1G - 5);
	assert_true(nested_lookup(&nested, gpa(2 * SIZE_1G + 0x1234), &hit));
	assert_int_equal(hit.level, 1);
	assert_true(nested_lookup(&nested, gpa(2 * SIZE_1G + SIZE_2M + 7), &hit));
	assert_int_equal(hit.level, 0);
	assert_int_equal(hit.left, PAGE_SIZE - 7);
	assert_false(nested_lookup(&nested, gpa(2 * SIZE_1G + SIZE_2M + PAGE_SIZE), &hit));
	assert_false(nested_lookup(&nested, gpa(SIZE_1G - 1), &hit));
	done();
}

static void uses_no_1g_leaf_where_the_cpu_has_none(void **ctx)
{
	struct nested_hit hit;

	(void)ctx;
	fresh(false);
	assert_int_equal(nested_map(&nested, gpa(0), hpa(0), SIZE_1G, NESTED_RWX), 0);
	assert_true(nested_lookup(&nested, gpa(12345), &hit));
	assert_int_equal(hit.level, 1);
	done();
}

static void misaligned_host_pages_fall_back(void **ctx)
{
	struct nested_hit hit;

	(void)ctx;
	fresh(true);
	assert_int_equal(nested_map(&nested, gpa(SIZE_2M), hpa(SIZE_2M + PAGE_SIZE), SIZE_2M, NESTED_RWX), 0);
	assert_true(nested_lookup(&nested, gpa(SIZE_2M), &hit));
	assert_int_equal(hit.level, 0);
	assert_int_equal(hit.hpa.v, SIZE_2M + PAGE_SIZE);
	done();
}

static void refuses_what_cannot_be_mapped(void **ctx)
{
	(void)ctx;
	fresh(true);
	assert_int_equal(nested_map(&nested, gpa(1), hpa(0), PAGE_SIZE, NESTED_RWX), -EINVAL);
	assert_int_equal(nested_map(&nested, gpa(0), hpa(1), PAGE_SIZE, NESTED_RWX), -EINVAL);
	assert_int_equal(nested_map(&nested, gpa(0), hpa(0), 100, NESTED_RWX), -EINVAL);
	assert_int_equal(nested_map(&nested, gpa(1ull << 48), hpa(0), PAGE_SIZE, NESTED_RWX), -EINVAL);
	assert_int_equal(nested_map(&nested, gpa(0), hpa(0), SIZE_2M, NESTED_RWX), 0);
	assert_int_equal(nested_map(&nested, gpa(0), hpa(0), SIZE_2M, NESTED_RWX), -EEXIST);
	assert_int_equal(nested_map(&nested, gpa(PAGE_SIZE), hpa(0), PAGE_SIZE, NESTED_RWX), -EEXIST);
	done();
}

static void unmapping_takes_whole_leaves_and_is_counted(void **ctx)
{
	struct nested_hit hit;
	uint64_t tables;

	(void)ctx;
	fresh(true);
	assert_int_equal(nested_map(&nested, gpa(0), hpa(0), SIZE_2M + 4 * PAGE_SIZE, NESTED_RWX), 0);
	tables = nested.table_pages;
	assert_int_equal(nested_narrowed(&nested), 0);
	assert_int_equal(nested_unmap(&nested, gpa(SIZE_2M + PAGE_SIZE), 2 * PAGE_SIZE), 0);
	assert_int_equal(nested_narrowed(&nested), 1);
	assert_true(nested_lookup(&nested, gpa(SIZE_2M), &hit));
	assert_false(nested_lookup(&nested, gpa(SIZE_2M + PAGE_SIZE), &hit));
	assert_false(nested_lookup(&nested, gpa(SIZE_2M + 2 * PAGE_SIZE), &hit));
	assert_true(nested_lookup(&nested, gpa(SIZE_2M + 3 * PAGE_SIZE), &hit));
	/* Part of a large leaf, at either end: nothing at all is taken away. */
	assert_int_equal(nested_unmap(&nested, gpa(PAGE_SIZE), SIZE_2M), -EINVAL);
	assert_int_equal(nested_unmap(&nested, gpa(0), SIZE_2M - PAGE_SIZE), -EINVAL);
	assert_int_equal(nested_unmap(&nested, gpa(1), PAGE_SIZE), -EINVAL);
	assert_int_equal(nested_unmap(&nested, gpa(0), 1), -EINVAL);
	assert_int_equal(nested_unmap(&nested, gpa(1ull << 48), PAGE_SIZE), -EINVAL);
	assert_true(nested_lookup(&nested, gpa(SIZE_2M), &hit) && nested_lookup(&nested, gpa(0), &hit));
	/* Nothing there: nobody need flush. */
	assert_int_equal(nested_unmap(&nested, gpa(64 * SIZE_1G), 3 * SIZE_1G), 0);
	assert_int_equal(nested_unmap(&nested, gpa(0), 0), 0);
	assert_int_equal(nested_narrowed(&nested), 1);
	assert_int_equal(nested_unmap(&nested, gpa(0), SIZE_1G), 0);
	assert_int_equal(nested_narrowed(&nested), 2);
	assert_false(nested_lookup(&nested, gpa(0), &hit) || nested_lookup(&nested, gpa(SIZE_2M), &hit));
	assert_int_equal(nested.table_pages, tables);
	assert_int_equal(nested_map(&nested, gpa(SIZE_2M), hpa(0x5000), PAGE_SIZE, NESTED_RWX), 0);
	assert_int_equal(nested_narrowed(&nested), 2);
	done();
}

static void entries_are_what_the_manual_says(void **ctx)
{
	uint64_t e[4];

	(void)ctx;
	fresh(true);
	assert_int_equal(nested_map(&nested, gpa(0x1000), hpa(0x7000), PAGE_SIZE, NESTED_RX), 0);
	assert_int_equal(nested_path(&nested, gpa(0x1000), e), 4);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(e[i] & 0xfff, 0x27);           /* P W U A */
	assert_int_equal(e[3], 0x7065);                         /* P U A D, no W */
	done();
}

/* Mapped for the CPU, which answers there by itself: to everybody else there is nothing. */
static void a_device_is_no_memory(void **ctx)
{
	const struct nested_limits limits = { .largest = 1, .mtrr = { .def_type = 6 } };
	struct nested_hit hit;
	uint64_t e[4];
	uint32_t val = 1;

	(void)ctx;
	fresh_in(&ept_format, &limits);
	assert_int_equal(nested_map(&nested, gpa(0xfee00000), hpa(0x7000), PAGE_SIZE, NESTED_DEVICE), 0);
	assert_int_equal(nested_path(&nested, gpa(0xfee00000), e), 4);
	assert_int_equal(e[3], 1ull << 52 | 0x7333);            /* R W A D, write-back; no X */
	assert_false(nested_lookup(&nested, gpa(0xfee00000), &hit));
	assert_false(gpa_is_ram(&vm, gpa(0xfee00080)));
	assert_int_equal(gpa_read(&vm, gpa(0xfee00000), &val, 4), -EFAULT);
	assert_int_equal(gpa_write(&vm, gpa(0xfee00000), &val, 4), -EFAULT);
	assert_int_equal(gpa_cmpxchg(&vm, gpa(0xfee00000), 4, 0, 1), -EFAULT);
	assert_int_equal(nested_map(&nested, gpa(0xfee00000), hpa(0x8000), PAGE_SIZE, NESTED_RWX), -EEXIST);
	assert_int_equal(nested_narrowed(&nested), 0);
	assert_int_equal(nested_unmap(&nested, gpa(0xfee00000), PAGE_SIZE), 0);
	assert_int_equal(nested_narrowed(&nested), 1);
	assert_int_equal(nested_path(&nested, gpa(0xfee00000), e), 4);
	assert_int_equal(e[3], 0);
	nested_destroy(&nested);
	assert_int_equal(hostram_missing(&host.pages), 0);
	fresh(true);
	assert_int_equal(nested_map(&nested, gpa(0xfee00000), hpa(0x7000), PAGE_SIZE, NESTED_DEVICE), 0);
	assert_int_equal(nested_path(&nested, gpa(0xfee00000), e), 4);
	assert_int_equal(e[3], 1ull << 52 | 0x7067);            /* P W U A D */
	assert_false(nested_lookup(&nested, gpa(0xfee00000), &hit));
	done();
}

static void guest_memory_has_the_fixed_layout(void **ctx)
{
	struct nested_hit hit;

	(void)ctx;
	fresh(true);
	assert_int_equal(ram_create(&vm, 3 * SIZE_1G + (512ull << 20)), 0);
	assert_true(nested_lookup(&nested, gpa(0x9ffff), &hit) && hit.writable);
	assert_false(nested_lookup(&nested, gpa(0xa0000), &hit));
	assert_false(nested_lookup(&nested, gpa(0xbffff), &hit));
	for (uint64_t a = 0xc0000; a < 0xe0000; a += 8) {
		assert_true(nested_lookup(&nested, gpa(a), &hit) && !hit.writable);
		assert_true(*(const uint64_t *)hpa_to_ptr(hit.hpa) == UINT64_MAX);
	}
	assert_true(nested_lookup(&nested, gpa(0xe0000), &hit) && !hit.writable);
	assert_true(nested_lookup(&nested, gpa(0xfffff), &hit) && !hit.writable);
	assert_true(nested_lookup(&nested, gpa(0x100000), &hit) && hit.writable);
	assert_true(nested_lookup(&nested, gpa(GPA_MMIO_BASE - 1), &hit));
	assert_false(nested_lookup(&nested, gpa(GPA_MMIO_BASE), &hit));
	assert_false(nested_lookup(&nested, gpa(GPA_4G - 1), &hit));
	assert_true(nested_lookup(&nested, gpa(GPA_4G), &hit));
	assert_true(nested_lookup(&nested, gpa(GPA_4G + (512ull << 20) - 1), &hit));
	assert_false(nested_lookup(&nested, gpa(GPA_4G + (512ull << 20)), &hit));
	done();
}

static void odd_sizes_end_where_they_should(void **ctx)
{
	struct nested_hit hit;

	(void)ctx;
	for (uint64_t mib = 1; mib < 8; mib++) {
		fresh(true);
		assert_int_equal(ram_create(&vm, mib << 20), 0);
		assert_int_equal(nested_lookup(&nested, gpa((mib << 20) - 1), &hit), true);
		assert_false(nested_lookup(&nested, gpa(mib << 20), &hit));
		done();
	}
}

static void too_much_memory_is_refused_and_nothing_kept(void **ctx)
{
	(void)ctx;
	fresh(true);
	assert_int_equal(ram_create(&vm, HOST_RAM), -ENOMEM);
	assert_null(vm.ram);
	done();
}

static void memory_is_scrubbed_when_returned(void **ctx)
{
	struct nested_hit hit;

	(void)ctx;
	fresh(true);
	assert_int_equal(ram_create(&vm, 4ull << 20), 0);
	assert_int_equal(gpa_write(&vm, gpa(0x200123), "secret", 6), 0);
	assert_true(nested_lookup(&nested, gpa(0x200123), &hit));
	done();
	assert_memory_not_equal(hpa_to_ptr(hit.hpa), "secret", 6);
}

static void the_door_copies_across_pieces_or_not_at_all(void **ctx)
{
	uint8_t in[PAGE_SIZE * 3], out[PAGE_SIZE * 3];

	(void)ctx;
	fresh(true);
	assert_int_equal(ram_create(&vm, 5ull << 20), 0);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7);
	assert_int_equal(gpa_write(&vm, gpa(0x1ff000), in, sizeof(in)), 0);
	assert_int_equal(gpa_read(&vm, gpa(0x1ff000), out, sizeof(out)), 0);
	assert_memory_equal(in, out, sizeof(in));
	/* Into the hole: nothing is written. */
	assert_int_equal(gpa_write(&vm, gpa(0x9f800), in, 0x1000), -EFAULT);
	assert_int_equal(gpa_read(&vm, gpa(0x9f800), out, 0x800), 0);
	for (size_t i = 0; i < 0x800; i++)
		assert_int_equal(out[i], 0);
	assert_int_equal(gpa_read(&vm, gpa(0x9f800), out, 0x801), -EFAULT);
	assert_int_equal(gpa_read(&vm, gpa(UINT64_MAX - 3), out, 8), -EFAULT);
	assert_int_equal(gpa_read(&vm, gpa(5ull << 20), out, 1), -EFAULT);
	done();
}

static void read_only_memory_is_readable_only(void **ctx)
{
	uint32_t v = 5;

	(void)ctx;
	fresh(true);
	assert_int_equal(ram_create(&vm, 4ull << 20), 0);
	assert_int_equal(gpa_read(&vm, gpa(0xf0000), &v, 4), 0);
	assert_int_equal(gpa_write(&vm, gpa(0xf0000), &v, 4), -EFAULT);
	assert_int_equal(gpa_cmpxchg(&vm, gpa(0xf0000), 4, 0, 1), -EFAULT);
	assert_true(gpa_is_ram(&vm, gpa(0xf0000)));
	assert_false(gpa_is_writable(&vm, gpa(0xf0000)));
	assert_true(gpa_is_writable(&vm, gpa(0x1000)));
	assert_false(gpa_is_writable(&vm, gpa(0xb0000)));
	assert_false(gpa_is_ram(&vm, gpa(0xb0000)));
	done();
}

static void compare_and_swap_is_exact(void **ctx)
{
	uint64_t v = 0x1122334455667788ull;

	(void)ctx;
	fresh(true);
	assert_int_equal(ram_create(&vm, 4ull << 20), 0);
	assert_int_equal(gpa_write(&vm, gpa(0x3000), &v, 8), 0);
	assert_int_equal(gpa_cmpxchg(&vm, gpa(0x3000), 8, v + 1, 9), -EAGAIN);
	assert_int_equal(gpa_cmpxchg(&vm, gpa(0x3000), 8, v, 9), 0);
	assert_int_equal(gpa_cmpxchg(&vm, gpa(0x3004), 4, 0, 0xabcd), 0);
	assert_int_equal(gpa_read(&vm, gpa(0x3000), &v, 8), 0);
	assert_int_equal(v, 0xabcd00000009ull);
	done();
}

static int count_up(void *ctx, void *chunk, size_t n)
{
	uint8_t *next = ctx, *to = chunk;

	assert_true(n <= GPA_BUILD_CHUNK);
	for (size_t i = 0; i < n; i++)
		to[i] = (*next)++;
	return 0;
}

/* Stage at 1 MiB, move up, down, and over itself: the payload arrives whole and nothing else stays. */
static void staged_files_move_whole(void **ctx)
{
	static const uint64_t to[] = { 0x100200, 0x101000, 0x180000, 0x300000, 0x40000 };
	const uint64_t len = 0x90123, from = 0x100400;
	static uint8_t buf[0x10000], got[0x400000], want[0x90123];

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		uint8_t next = 1;

		fresh(true);
		assert_int_equal(ram_create(&vm, 4ull << 20), 0);
		/* Room for the case that goes down into low memory: 0x40000-0x9ffff only. */
		uint64_t n = to[i] < GPA_LOW_RAM_END ? 0x50000 : len;

		assert_int_equal(gpa_build(&vm, gpa(0x100000), 0x400 + n, count_up, &next), 0);
		assert_int_equal(gpa_read(&vm, gpa(from), want, n), 0);
		assert_int_equal(gpa_build_move(&vm, gpa(0x100000), 0x400 + n, gpa(from), gpa(to[i]), n, buf, sizeof(buf)), 0);
		assert_int_equal(gpa_read(&vm, gpa(to[i]), got, n), 0);
		assert_memory_equal(got, want, n);
		assert_int_equal(gpa_read(&vm, gpa(0x100000), got, 0x300000), 0);
		for (uint64_t a = 0x100000; a < 0x400000; a++)
			if (a < to[i] || a >= to[i] + n)
				assert_int_equal(got[a - 0x100000], 0);
		done();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_in_the_largest_leaves),
		cmocka_unit_test(uses_no_1g_leaf_where_the_cpu_has_none),
		cmocka_unit_test(misaligned_host_pages_fall_back),
		cmocka_unit_test(refuses_what_cannot_be_mapped),
		cmocka_unit_test(unmapping_takes_whole_leaves_and_is_counted),
		cmocka_unit_test(entries_are_what_the_manual_says),
		cmocka_unit_test(a_device_is_no_memory),
		cmocka_unit_test(guest_memory_has_the_fixed_layout),
		cmocka_unit_test(odd_sizes_end_where_they_should),
		cmocka_unit_test(too_much_memory_is_refused_and_nothing_kept),
		cmocka_unit_test(memory_is_scrubbed_when_returned),
		cmocka_unit_test(the_door_copies_across_pieces_or_not_at_all),
		cmocka_unit_test(read_only_memory_is_readable_only),
		cmocka_unit_test(compare_and_swap_is_exact),
		cmocka_unit_test(staged_files_move_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
