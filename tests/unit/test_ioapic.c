/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APIC, driven through its two registers as a guest drives it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arch/x86/dev/ioapic.h"

#define MASKED 0x10000u
#define LEVEL  0x8000u

static struct rig {
	struct ioapic io;
	unsigned int sent;
	bool nobody;                  /* takes it */
	struct apic_msg last;
} rig;

static bool on_send(void *ctx, const struct apic_msg *m)
{
	struct rig *r = ctx;

	r->sent++;
	r->last = *m;
	return !r->nobody;
}

static int setup(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	memset(&rig.io, 0xa5, sizeof(rig.io));
	ioapic_create(&rig.io, 5, on_send, &rig);
	return 0;
}

static void mmio_write(uint64_t off, unsigned int size, uint64_t val)
{
	ioapic_ops.write(&rig.io, off, size, val);
}

static uint64_t mmio_read(uint64_t off, unsigned int size)
{
	return ioapic_ops.read(&rig.io, off, size);
}

static uint32_t reg(unsigned int index)
{
	mmio_write(0, 4, index);
	return (uint32_t)mmio_read(0x10, 4);
}

static void set_reg(unsigned int index, uint32_t val)
{
	mmio_write(0, 4, index);
	mmio_write(0x10, 4, val);
}

/* Destination first, as guests do it. */
static void route(unsigned int pin, uint32_t low, uint8_t dest)
{
	set_reg(0x11 + 2 * pin, (uint32_t)dest << 24);
	set_reg(0x10 + 2 * pin, low);
}

static bool remote_irr(unsigned int pin)
{
	return reg(0x10 + 2 * pin) >> 14 & 1;
}

static void set(unsigned int pin, bool level)
{
	ioapic_set(&rig.io, pin, level);
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(reg(0), 5u << 24);
	assert_int_equal(reg(1), 0x00170011);
	assert_int_equal(reg(2), 5u << 24);
	set_reg(0, 0xffffffff);
	assert_int_equal(reg(0), 0x0f000000);
	assert_int_equal(reg(2), 0x0f000000);
	set_reg(1, 0);
	assert_int_equal(reg(1), 0x00170011);
	for (unsigned int i = 0; i < 24; i++) {
		assert_int_equal(reg(0x10 + 2 * i), MASKED);
		assert_int_equal(reg(0x11 + 2 * i), 0);
	}
}

static void test_entry_bits(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 24; i++) {
		set_reg(0x10 + 2 * i, 0xffffffff);
		set_reg(0x11 + 2 * i, 0xffffffff);
		assert_int_equal(reg(0x10 + 2 * i), 0x0001afff);   /* delivery status and Remote IRR are not writable */
		assert_int_equal(reg(0x11 + 2 * i), 0xff000000);
		set_reg(0x10 + 2 * i, MASKED | i);
		assert_int_equal(reg(0x11 + 2 * i), 0xff000000);   /* halves are independent */
	}
	for (unsigned int i = 0; i < 24; i++) {
		set_reg(0x11 + 2 * i, 0x5a00a5ff);
		assert_int_equal(reg(0x10 + 2 * i), MASKED | i);
		assert_int_equal(reg(0x11 + 2 * i), 0x5a000000);
	}
	assert_int_equal(rig.sent, 0);
}

static void test_no_such_register(void **state)
{
	struct ioapic before;

	(void)state;
	before = rig.io;
	for (unsigned int i = 0; i < 0x100; i++) {
		if (i < 3 || (i >= 0x10 && i < 0x40))
			continue;
		set_reg(i, 0xffffffff);
		assert_int_equal(reg(i), 0);
	}
	mmio_write(0, 4, before.select);
	for (unsigned int off = 1; off < 0x1000; off++) {
		if (off == 0x10)
			continue;
		mmio_write(off, 4, 0x5a5a5a5a);
		assert_int_equal(mmio_read(off, 4), 0);
	}
	assert_memory_equal(&before, &rig.io, sizeof(before));
}

static void test_access_sizes(void **state)
{
	(void)state;
	mmio_write(0, 1, 0x10);
	mmio_write(0x10, 1, 0x55);                 /* too small: ignored */
	mmio_write(0x10, 2, 0x5555);
	assert_int_equal(mmio_read(0x10, 4), MASKED);
	mmio_write(0x10, 8, 0xffffffff00010055ull);
	assert_int_equal(mmio_read(0x10, 4), 0x10055);
	assert_int_equal(mmio_read(0x10, 1), 0x55);
	assert_int_equal(mmio_read(0x10, 2), 0x55);
	assert_true(mmio_read(0x10, 8) == 0x10055);
	mmio_write(0, 4, 0xffffff11);              /* only 8 bits of the index exist */
	assert_int_equal(mmio_read(0, 4), 0x11);
	assert_int_equal(mmio_read(0x10, 4), 0);   /* the other half was left alone */
}

static void test_edge(void **state)
{
	(void)state;
	route(2, 0x30, 0x07);
	assert_int_equal(rig.sent, 0);
	set(2, true);
	assert_int_equal(rig.sent, 1);
	assert_int_equal(rig.last.mode, APIC_MODE_FIXED);
	assert_int_equal(rig.last.vector, 0x30);
	assert_int_equal(rig.last.dest, 7);
	assert_int_equal(rig.last.shorthand, APIC_DEST_FIELD);
	assert_false(rig.last.logical);
	assert_false(rig.last.level_trig);
	assert_true(rig.last.assert_);
	assert_false(remote_irr(2));
	set(2, true);                              /* no edge */
	set(2, false);
	assert_int_equal(rig.sent, 1);
	set(2, true);
	assert_int_equal(rig.sent, 2);
	ioapic_eoi(&rig.io, 0x30);                 /* means nothing for an edge */
	assert_int_equal(rig.sent, 2);
}

static void test_edge_masked_is_lost(void **state)
{
	(void)state;
	route(4, MASKED | 0x34, 0);
	set(4, true);
	set_reg(0x18, 0x34);
	assert_int_equal(rig.sent, 0);
	set(4, false);
	assert_int_equal(rig.sent, 0);
	set(4, true);
	assert_int_equal(rig.sent, 1);
}

static void test_level(void **state)
{
	(void)state;
	route(9, LEVEL | 0x900 | 0x59, 0x0f);      /* lowest priority, logical */
	set(9, true);
	assert_int_equal(rig.sent, 1);
	assert_int_equal(rig.last.mode, APIC_MODE_LOWEST);
	assert_true(rig.last.logical);
	assert_true(rig.last.level_trig);
	assert_int_equal(rig.last.dest, 0x0f);
	assert_true(remote_irr(9));
	set(9, false);
	set(9, true);                              /* not before the EOI */
	assert_int_equal(rig.sent, 1);
	ioapic_eoi(&rig.io, 0x58);                 /* another vector */
	assert_true(remote_irr(9));
	ioapic_eoi(&rig.io, 0x59);
	assert_int_equal(rig.sent, 2);             /* still asserted: again */
	assert_true(remote_irr(9));
	set(9, false);
	ioapic_eoi(&rig.io, 0x59);
	assert_int_equal(rig.sent, 2);
	assert_false(remote_irr(9));
	ioapic_eoi(&rig.io, 0x59);
	assert_int_equal(rig.sent, 2);
}

static void test_level_mask(void **state)
{
	(void)state;
	route(9, MASKED | LEVEL | 0x59, 0);
	set(9, true);
	assert_int_equal(rig.sent, 0);
	assert_false(remote_irr(9));
	set_reg(0x22, LEVEL | 0x59);               /* a level does wait for the unmasking */
	assert_int_equal(rig.sent, 1);
	set_reg(0x22, MASKED | LEVEL | 0x59);      /* masking does not end what was sent */
	assert_true(remote_irr(9));
	set_reg(0x22, LEVEL | 0x59);
	assert_int_equal(rig.sent, 1);
	set_reg(0x22, MASKED | LEVEL | 0x59);
	ioapic_eoi(&rig.io, 0x59);
	assert_false(remote_irr(9));
	assert_int_equal(rig.sent, 1);
	set_reg(0x22, LEVEL | 0x59);
	assert_int_equal(rig.sent, 2);
	set_reg(0x22, MASKED | LEVEL | 0x59);
	ioapic_eoi(&rig.io, 0x59);
	set(9, false);                             /* gone while masked: nothing left */
	set_reg(0x22, LEVEL | 0x59);
	assert_int_equal(rig.sent, 2);
}

/* Unmasked before it has its destination: the pin is not dead for that. */
static void test_nobody_takes_it(void **state)
{
	(void)state;
	rig.nobody = true;
	set_reg(0x10 + 2 * 9, LEVEL | 0x800 | 0x39);
	ioapic_set(&rig.io, 9, true);
	assert_int_equal(rig.sent, 1);
	assert_false(remote_irr(9));
	rig.nobody = false;
	set_reg(0x11 + 2 * 9, 1u << 24);
	assert_int_equal(rig.sent, 2);
	assert_int_equal(rig.last.dest, 1);
	assert_true(remote_irr(9));
	set_reg(0x11 + 2 * 9, 2u << 24);
	assert_int_equal(rig.sent, 2);
}

/* What Linux does to a pin stuck behind Remote IRR when the chip has no EOI register. */
static void test_edge_clears_remote_irr(void **state)
{
	(void)state;
	route(10, LEVEL | 0x5a, 0);
	set(10, true);
	assert_true(remote_irr(10));
	set_reg(0x24, MASKED | 0x5a);
	assert_false(remote_irr(10));
	set_reg(0x24, MASKED | LEVEL | 0x5a);
	assert_int_equal(rig.sent, 1);
	set_reg(0x24, LEVEL | 0x5a);
	assert_int_equal(rig.sent, 2);
}

static void test_trigger_change(void **state)
{
	(void)state;
	route(11, 0x5b, 0);
	set(11, true);
	assert_int_equal(rig.sent, 1);
	set_reg(0x26, LEVEL | 0x5b);               /* edge to level while asserted */
	assert_int_equal(rig.sent, 2);
	set_reg(0x26, 0x5b);
	assert_int_equal(rig.sent, 2);
}

static void test_shared_vector(void **state)
{
	(void)state;
	route(16, LEVEL | 0x60, 0);
	route(17, LEVEL | 0x60, 0);
	route(18, LEVEL | 0x61, 0);
	set(16, true);
	set(17, true);
	set(18, true);
	assert_int_equal(rig.sent, 3);
	set(17, false);
	ioapic_eoi(&rig.io, 0x60);
	assert_int_equal(rig.sent, 4);
	assert_true(remote_irr(16));
	assert_false(remote_irr(17));
	assert_true(remote_irr(18));
}

/* The vector is changed while the old one is in service: its EOI finds nobody, until the guest goes through edge. */
static void test_vector_change(void **state)
{
	(void)state;
	route(16, LEVEL | 0x60, 0);
	set(16, true);
	set_reg(0x30, LEVEL | 0x70);
	ioapic_eoi(&rig.io, 0x60);
	assert_true(remote_irr(16));
	assert_int_equal(rig.sent, 1);
	ioapic_eoi(&rig.io, 0x70);
	assert_int_equal(rig.sent, 2);
	assert_int_equal(rig.last.vector, 0x70);
}

/* A wire carries "asserted"; active low must not make an idle device interrupt. */
static void test_polarity_is_only_kept(void **state)
{
	(void)state;
	route(9, LEVEL | 0x2000 | 0x59, 0);
	assert_int_equal(rig.sent, 0);
	assert_int_equal(reg(0x22), LEVEL | 0x2000 | 0x59);
	set(9, true);
	assert_int_equal(rig.sent, 1);
	set(9, false);
	ioapic_eoi(&rig.io, 0x59);
	assert_int_equal(rig.sent, 1);
}

static void test_modes(void **state)
{
	static const uint8_t sent[] = { APIC_MODE_SMI, APIC_MODE_NMI, APIC_MODE_INIT, APIC_MODE_EXTINT };

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		route(0, LEVEL | (uint32_t)sent[i] << 8 | 0x20, 0);   /* an edge, whatever the trigger bit says */
		set(0, true);
		assert_int_equal(rig.sent, i + 1);
		assert_int_equal(rig.last.mode, sent[i]);
		assert_false(rig.last.level_trig);
		assert_false(remote_irr(0));
		set(0, false);
	}
	assert_int_equal(rig.io.refused, 0);
	route(0, APIC_MODE_RESERVED << 8, 0);
	set(0, true);
	set(0, false);
	route(0, APIC_MODE_SIPI << 8, 0);
	set(0, true);
	assert_int_equal(rig.sent, 4);
	assert_int_equal(rig.io.refused, 2);
}

/* From level and waiting to a mode that never gets an EOI. */
static void test_mode_change_clears_remote_irr(void **state)
{
	(void)state;
	route(3, LEVEL | 0x33, 0);
	set(3, true);
	assert_true(remote_irr(3));
	set_reg(0x16, LEVEL | APIC_MODE_NMI << 8);
	assert_false(remote_irr(3));
	assert_int_equal(rig.sent, 1);
}

static void test_bad_pins(void **state)
{
	(void)state;
	set(24, true);
	set(31, true);
	set(32, true);
	set(0xffffffffu, true);
	assert_int_equal(rig.io.lines, 0);
	assert_int_equal(rig.sent, 0);
}

static void test_reset(void **state)
{
	(void)state;
	route(9, LEVEL | 0x59, 3);
	set_reg(0, 0x0f000000);
	set(9, true);
	mmio_write(0, 4, 0x22);
	ioapic_reset(&rig.io);
	assert_int_equal(mmio_read(0, 4), 0);
	assert_int_equal(reg(0), 5u << 24);
	assert_int_equal(reg(0x22), MASKED);
	assert_int_equal(reg(0x23), 0);
	ioapic_eoi(&rig.io, 0x59);
	assert_int_equal(rig.sent, 1);
	route(9, LEVEL | 0x59, 3);                 /* the line was kept */
	assert_int_equal(rig.sent, 2);
}

/* Whatever a guest writes: Remote IRR only on level pins, reserved bits stay 0, work per call is bounded. */
static void test_random(void **state)
{
	uint32_t x = 99;

	(void)state;
	for (unsigned int i = 0; i < 300000; i++) {
		unsigned int before = rig.sent;

		x = x * 1664525u + 1013904223u;
		switch (x >> 30) {
		case 0:
			mmio_write(0, 1, x >> 8 & 0x3f);
			break;
		case 1:
			mmio_write(0x10, 4, x << 7 ^ x >> 9);
			break;
		case 2:
			set(x >> 8 & 31, x >> 16 & 1);
			break;
		default:
			ioapic_eoi(&rig.io, (uint8_t)(x >> 8));
		}
		assert_true(rig.sent - before <= 24);
	}
	assert_true(rig.sent > 1000);
	for (unsigned int pin = 0; pin < 24; pin++) {
		uint64_t rte = rig.io.rte[pin];

		assert_false(rte & ~0xff0000000001efffull);
		if (rte & IOAPIC_RTE_REMOTE_IRR)
			assert_true((rte & IOAPIC_RTE_LEVEL) && (rte >> 8 & 7) <= 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_entry_bits, setup),
		cmocka_unit_test_setup(test_no_such_register, setup),
		cmocka_unit_test_setup(test_access_sizes, setup),
		cmocka_unit_test_setup(test_edge, setup),
		cmocka_unit_test_setup(test_edge_masked_is_lost, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_level_mask, setup),
		cmocka_unit_test_setup(test_nobody_takes_it, setup),
		cmocka_unit_test_setup(test_edge_clears_remote_irr, setup),
		cmocka_unit_test_setup(test_trigger_change, setup),
		cmocka_unit_test_setup(test_shared_vector, setup),
		cmocka_unit_test_setup(test_vector_change, setup),
		cmocka_unit_test_setup(test_polarity_is_only_kept, setup),
		cmocka_unit_test_setup(test_modes, setup),
		cmocka_unit_test_setup(test_mode_change_clears_remote_irr, setup),
		cmocka_unit_test_setup(test_bad_pins, setup),
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
