/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest buses: what may be registered, who is found, and how accesses are cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vouch/bus.h>

/* A device that writes down each access; reads give the low bytes of `answer` shifted by the offset. */
struct probe {
	char log[256];
	uint64_t answer;
	bool junk;                    /* sets all upper bytes, against the contract */
};

static uint64_t probe_read(void *dev, uint64_t off, unsigned int size)
{
	struct probe *p = dev;
	size_t n = strlen(p->log);

	snprintf(p->log + n, sizeof(p->log) - n, "r%llx/%u ", (unsigned long long)off, size);
	return p->junk ? UINT64_MAX : size == 8 ? p->answer : p->answer & ((1ull << (size * 8)) - 1);
}

static void probe_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct probe *p = dev;
	size_t n = strlen(p->log);

	snprintf(p->log + n, sizeof(p->log) - n, "w%llx/%u=%llx ", (unsigned long long)off, size, (unsigned long long)val);
}

static const struct vdev_ops probe_ops = { .read = probe_read, .write = probe_write };

static void refuses_bad_ranges(void **state)
{
	struct bus b;
	struct probe p = { 0 };

	(void)state;
	bus_init(&b, "port", 0x10000);
	assert_int_equal(bus_register(&b, 0x10, 0, 1, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_register(&b, 0xffff, 2, 1, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_register(&b, 0x10000, 1, 1, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_register(&b, UINT64_MAX, 2, 1, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_register(&b, 1, UINT64_MAX, 1, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_register(&b, 0x10, 1, 0, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_register(&b, 0x10, 1, 16, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_register(&b, 0x10, 1, 3 | 32, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_register(&b, 0x10, 1, 1, NULL, &p), -EINVAL);
	assert_int_equal(b.count, 0);
	assert_int_equal(bus_register(&b, 0xffff, 1, 1, &probe_ops, &p), 0);
	bus_freeze(&b);
	assert_int_equal(bus_register(&b, 0x10, 1, 1, &probe_ops, &p), -EBUSY);
	assert_int_equal(b.count, 1);
}

static void refuses_overlap(void **state)
{
	/* Against [0x20, 0x30) and [0x40, 0x41). */
	static const struct { uint64_t base, len; int want; } t[] = {
		{ 0x20, 0x10, -EEXIST }, { 0x1f, 2, -EEXIST }, { 0x2f, 1, -EEXIST }, { 0x10, 0x40, -EEXIST },
		{ 0x28, 1, -EEXIST }, { 0, 0x10000, -EEXIST }, { 0x30, 0x11, -EEXIST }, { 0x40, 1, -EEXIST },
		{ 0x1f, 1, 0 }, { 0x30, 0x10, 0 }, { 0x41, 1, 0 },
	};
	struct bus b;
	struct probe p = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		bus_init(&b, "port", 0x10000);
		assert_int_equal(bus_register(&b, 0x40, 1, 1, &probe_ops, &p), 0);
		assert_int_equal(bus_register(&b, 0x20, 0x10, 1, &probe_ops, &p), 0);
		assert_int_equal(bus_register(&b, t[i].base, t[i].len, 1, &probe_ops, &p), t[i].want);
	}
}

static void holds_as_many_as_it_says(void **state)
{
	struct bus b;
	struct probe p = { 0 };

	(void)state;
	bus_init(&b, "port", 0x10000);
	/* From the top down, so that each insertion moves all others. */
	for (unsigned int i = BUS_MAX_RANGES; i-- > 0;)
		assert_int_equal(bus_register(&b, i * 4u, 2, 1, &probe_ops, &p), 0);
	assert_int_equal(bus_register(&b, 0x8000, 1, 1, &probe_ops, &p), -ENOSPC);
	for (unsigned int i = 0; i < BUS_MAX_RANGES * 4u; i++) {
		const struct bus_range *r = bus_find(&b, i);

		if (i % 4 < 2) {
			assert_non_null(r);
			assert_int_equal(r->base, i / 4 * 4);
		} else {
			assert_null(r);
		}
	}
	assert_null(bus_find(&b, UINT64_MAX));
}

static void cuts_accesses(void **state)
{
	/* One range [0x100, 0x110) of each kind; an access, and what the device must see. */
	static const struct { unsigned int sizes; uint64_t addr; unsigned int size; const char *want; } t[] = {
		{ 1, 0x100, 4, "r0/1 r1/1 r2/1 r3/1 " },
		{ 1 | 2 | 4, 0x100, 4, "r0/4 " },
		{ 1 | 2 | 4, 0x101, 4, "r1/1 r2/2 r4/1 " },
		{ 1 | 2 | 4, 0x102, 4, "r2/2 r4/2 " },
		{ 1 | 2 | 4, 0x100, 8, "r0/4 r4/4 " },
		{ 1 | 2 | 4 | 8, 0x108, 8, "r8/8 " },
		{ 4, 0x104, 4, "r4/4 " },
		{ 4, 0x104, 8, "r4/4 r8/4 " },
		{ 4, 0x104, 2, "" },
		{ 4, 0x104, 1, "" },
		{ 4, 0x102, 8, "r4/4 " },       /* two bytes nobody takes, four, two again */
		{ 1 | 4, 0x106, 4, "r6/1 r7/1 r8/1 r9/1 " },
		{ 1 | 2 | 4, 0x10e, 4, "re/2 " },       /* over the end */
		{ 1 | 2 | 4, 0xfe, 4, "r0/2 " },        /* from before */
	};
	struct bus b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct probe p = { 0 };

		bus_init(&b, "mmio", 0x100000);
		assert_int_equal(bus_register(&b, 0x100, 0x10, t[i].sizes, &probe_ops, &p), 0);
		(void)bus_read(&b, t[i].addr, t[i].size);
		assert_string_equal(p.log, t[i].want);
	}
}

static void puts_bytes_together(void **state)
{
	struct bus b;
	struct probe lo = { .answer = 0x11 }, hi = { .answer = 0x22, .junk = true };

	(void)state;
	bus_init(&b, "port", 0x10000);
	assert_int_equal(bus_register(&b, 0x10, 1, 1, &probe_ops, &lo), 0);
	assert_int_equal(bus_register(&b, 0x12, 1, 1, &probe_ops, &hi), 0);
	/* Claimed, nobody's, claimed (by one that answers too much), nobody's. */
	assert_int_equal(bus_read(&b, 0x10, 4), 0xffffff11);
	assert_int_equal(b.unclaimed_reads, 1);
	assert_int_equal(b.unclaimed.row[0].at, 0x11);
	hi.junk = false;
	assert_int_equal(bus_read(&b, 0x10, 4), 0xff22ff11);
	lo.log[0] = hi.log[0] = 0;
	bus_write(&b, 0x10, 4, 0xffffffff44332211);
	assert_string_equal(lo.log, "w0/1=11 ");
	assert_string_equal(hi.log, "w0/1=33 ");
	assert_int_equal(b.unclaimed_writes, 1);
	/* A claimed access counts nothing. */
	(void)bus_read(&b, 0x10, 1);
	bus_write(&b, 0x12, 1, 0);
	assert_int_equal(b.unclaimed_reads, 2);
	assert_int_equal(b.unclaimed_writes, 1);
}

static void unclaimed_reads_as_ones(void **state)
{
	struct bus b;

	(void)state;
	bus_init(&b, "mmio", UINT64_MAX);
	assert_int_equal(bus_read(&b, 0, 1), 0xff);
	assert_int_equal(bus_read(&b, 0, 2), 0xffff);
	assert_int_equal(bus_read(&b, 0, 4), 0xffffffff);
	assert_true(bus_read(&b, 0, 8) == UINT64_MAX);
	bus_write(&b, 0x1234, 8, 1);
	assert_int_equal(b.unclaimed_reads, 4);
	assert_int_equal(b.unclaimed_writes, 1);
	assert_int_equal(b.unclaimed.row[1].at, 0x1234);
}

static void does_not_wrap_at_the_top(void **state)
{
	struct bus b;
	struct probe low = { 0 }, top = { .answer = 0x5a };

	(void)state;
	bus_init(&b, "mmio", UINT64_MAX);
	assert_int_equal(bus_register(&b, 0, 8, 1, &probe_ops, &low), 0);
	assert_int_equal(bus_register(&b, UINT64_MAX - 2, 2, 1, &probe_ops, &top), 0);
	assert_true(bus_read(&b, UINT64_MAX - 2, 8) == 0xffffffffffff5a5aull);
	assert_string_equal(low.log, "");
	assert_string_equal(top.log, "r0/1 r1/1 ");
	bus_write(&b, UINT64_MAX, 4, 0);
	assert_string_equal(low.log, "");
	/* The byte past the last port is nobody's, not port 0. */
	bus_init(&b, "port", 0x10000);
	assert_int_equal(bus_register(&b, 0, 4, 1, &probe_ops, &low), 0);
	assert_int_equal(bus_read(&b, 0xffff, 4), 0xffffffff);
	assert_string_equal(low.log, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bad_ranges),
		cmocka_unit_test(refuses_overlap),
		cmocka_unit_test(holds_as_many_as_it_says),
		cmocka_unit_test(cuts_accesses),
		cmocka_unit_test(puts_bytes_together),
		cmocka_unit_test(unclaimed_reads_as_ones),
		cmocka_unit_test(does_not_wrap_at_the_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
