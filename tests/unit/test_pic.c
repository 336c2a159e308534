/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8259A pair, driven through its ports as a guest drives it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arch/x86/dev/pic.h"

struct rig {
	struct pic pic;
	unsigned int rises, falls;
	bool level;
};

static struct rig rig;

static void on_intr(void *ctx, bool level)
{
	struct rig *r = ctx;

	assert_true(level != r->level);
	r->level = level;
	if (level)
		r->rises++;
	else
		r->falls++;
}

static void out(unsigned int port, uint8_t val)
{
	const struct vdev_ops *ops = port >= 0x4d0 ? &pic_elcr_ops : port >= 0xa0 ? &pic_slave_ops : &pic_master_ops;

	ops->write(&rig.pic, port & 1, 1, val);
}

static uint8_t in(unsigned int port)
{
	const struct vdev_ops *ops = port >= 0x4d0 ? &pic_elcr_ops : port >= 0xa0 ? &pic_slave_ops : &pic_master_ops;
	uint64_t val = ops->read(&rig.pic, port & 1, 1);

	assert_true(val <= 0xff);
	return (uint8_t)val;
}

/* As a PC's firmware and Linux do it: vectors 0x30 and 0x38, everything unmasked. */
static void program(uint8_t icw4_master, uint8_t icw4_slave)
{
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 0x04);
	out(0x21, icw4_master);
	out(0xa0, 0x11);
	out(0xa1, 0x38);
	out(0xa1, 0x02);
	out(0xa1, icw4_slave);
	out(0x21, 0);
	out(0xa1, 0);
}

static int setup_raw(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	memset(&rig.pic, 0xa5, sizeof(rig.pic));
	pic_create(&rig.pic, on_intr, &rig);
	return 0;
}

static int setup(void **state)
{
	setup_raw(state);
	program(0x01, 0x01);
	return 0;
}

static void pulse(unsigned int irq)
{
	pic_set(&rig.pic, irq, true);
	pic_set(&rig.pic, irq, false);
}

static uint8_t isr(unsigned int port)
{
	out(port, 0x0b);
	return in(port);
}

static uint8_t irr(unsigned int port)
{
	out(port, 0x0a);
	return in(port);
}

static void expect_ack(uint8_t vector)
{
	assert_true(pic_pending(&rig.pic));
	assert_int_equal(pic_ack(&rig.pic), vector);
}

static void test_unprogrammed_is_silent(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		pic_set(&rig.pic, i, true);
	assert_false(pic_pending(&rig.pic));
	assert_int_equal(rig.rises, 0);
	assert_int_equal(in(0x21), 0xff);
	assert_int_equal(in(0xa1), 0xff);
}

static void test_silent_during_init(void **state)
{
	(void)state;
	out(0x20, 0x11);
	pulse(0);
	assert_false(pic_pending(&rig.pic));
	out(0x21, 0x30);
	assert_false(pic_pending(&rig.pic));
	out(0x21, 0x04);
	assert_false(pic_pending(&rig.pic));
	out(0x21, 0x01);
	expect_ack(0x30);
}

static void test_icw_sequences(void **state)
{
	(void)state;
	out(0x20, 0x13);           /* single, ICW4: no ICW3 */
	out(0x21, 0x47);           /* low three bits are the IR's */
	out(0x21, 0x01);
	out(0x21, 0xa5);           /* now an OCW1 */
	assert_int_equal(in(0x21), 0xa5);
	pulse(1);
	expect_ack(0x41);

	out(0x20, 0x10);           /* ICW3, no ICW4 */
	assert_int_equal(in(0x21), 0);
	out(0x21, 0x50);
	out(0x21, 0x04);
	out(0x21, 0x5a);
	assert_int_equal(in(0x21), 0x5a);

	out(0x20, 0x12);           /* neither */
	out(0x21, 0x60);
	out(0x21, 0x99);
	assert_int_equal(in(0x21), 0x99);

	out(0x20, 0x11);           /* started again half way */
	out(0x21, 0x70);
	out(0x20, 0x11);
	out(0x21, 0x78);
	out(0x21, 0x04);
	out(0x21, 0x01);
	out(0x21, 0x77);
	assert_int_equal(in(0x21), 0x77);
	pulse(3);
	expect_ack(0x7b);
}

static void test_icw1_clears(void **state)
{
	(void)state;
	out(0x21, 0x80);
	pulse(0);
	pulse(3);
	expect_ack(0x30);
	out(0x20, 0xc5);           /* IR5 lowest */
	out(0x20, 0x68);           /* special mask mode */
	out(0x20, 0x80);           /* rotate in AEOI */
	assert_int_equal(isr(0x20), 0x01);
	out(0x20, 0x0f);           /* poll, and ISR selected */
	out(0x20, 0x11);
	pulse(6);
	assert_int_equal(in(0x20), 0x40);        /* 3 is forgotten, IRR selected again, and no poll */
	assert_int_equal(isr(0x20), 0);
	out(0x20, 0x11);
	assert_int_equal(in(0x21), 0);
	assert_int_equal(rig.pic.chip[0].priority_add, 0);
	assert_false(rig.pic.chip[0].special_mask);
	assert_false(rig.pic.chip[0].rotate_on_auto_eoi);
	assert_false(pic_pending(&rig.pic));
}

/* Without ICW4 its functions are off. */
static void test_no_icw4(void **state)
{
	(void)state;
	program(0x13, 0x01);
	assert_true(rig.pic.chip[0].auto_eoi && rig.pic.chip[0].special_fully_nested);
	out(0x20, 0x10);
	out(0x21, 0x30);
	out(0x21, 0x04);
	assert_false(rig.pic.chip[0].auto_eoi || rig.pic.chip[0].special_fully_nested);
	pulse(4);
	expect_ack(0x34);
	assert_int_equal(isr(0x20), 0x10);
}

/* A line that stays high over ICW1 needs a new edge. */
static void test_icw1_needs_edge(void **state)
{
	(void)state;
	pic_set(&rig.pic, 4, true);
	program(0x01, 0x01);
	assert_false(pic_pending(&rig.pic));
	pic_set(&rig.pic, 4, true);
	assert_false(pic_pending(&rig.pic));
	pic_set(&rig.pic, 4, false);
	pic_set(&rig.pic, 4, true);
	expect_ack(0x34);
}

static void test_edge(void **state)
{
	(void)state;
	pulse(4);                                /* latched */
	assert_int_equal(irr(0x20), 0x10);
	expect_ack(0x34);
	assert_int_equal(isr(0x20), 0x10);
	assert_int_equal(irr(0x20), 0);
	pulse(4);                                /* again while in service: waits */
	assert_int_equal(irr(0x20), 0x10);
	assert_false(pic_pending(&rig.pic));
	out(0x20, 0x20);
	expect_ack(0x34);
	out(0x20, 0x20);
	assert_false(pic_pending(&rig.pic));
	assert_int_equal(isr(0x20), 0);
}

static void test_priority(void **state)
{
	(void)state;
	pulse(6);
	pulse(1);
	expect_ack(0x31);
	assert_false(pic_pending(&rig.pic));     /* 6 is below 1 */
	pulse(0);
	expect_ack(0x30);                        /* nests */
	out(0x20, 0x20);                         /* ends 0 */
	assert_int_equal(isr(0x20), 0x02);
	out(0x20, 0x20);                         /* ends 1 */
	expect_ack(0x36);
	out(0x20, 0x20);
	out(0x20, 0x20);                         /* nothing to end */
	assert_int_equal(isr(0x20), 0);
}

static void test_mask(void **state)
{
	(void)state;
	out(0x21, 0x10);
	pulse(4);
	assert_false(pic_pending(&rig.pic));
	assert_int_equal(irr(0x20), 0x10);       /* latched behind the mask */
	out(0x21, 0);
	assert_true(pic_pending(&rig.pic));
	out(0x21, 0x10);
	assert_false(pic_pending(&rig.pic));
	out(0x21, 0);
	expect_ack(0x34);
}

static void test_specific_eoi(void **state)
{
	(void)state;
	pulse(5);
	expect_ack(0x35);
	pulse(3);
	expect_ack(0x33);
	out(0x20, 0x65);                         /* end 5 out of order */
	assert_int_equal(isr(0x20), 0x08);
	out(0x20, 0x60);                         /* 0 is not in service */
	assert_int_equal(isr(0x20), 0x08);
	out(0x20, 0x40);                         /* no operation */
	assert_int_equal(isr(0x20), 0x08);
	out(0x20, 0x63);
	assert_int_equal(isr(0x20), 0);
	pulse(4);
	expect_ack(0x34);
	out(0x20, 0x20);
	assert_int_equal(rig.pic.chip[0].priority_add, 0);   /* no EOI rotated */
}

static void test_slave(void **state)
{
	(void)state;
	pulse(12);
	assert_int_equal(irr(0x20), 0x04);
	expect_ack(0x3c);
	assert_int_equal(isr(0x20), 0x04);
	assert_int_equal(isr(0xa0), 0x10);
	assert_int_equal(irr(0x20), 0);
	pulse(4);                                /* below the cascade */
	assert_false(pic_pending(&rig.pic));
	pulse(1);                                /* above it */
	expect_ack(0x31);
	out(0x20, 0x20);
	out(0xa0, 0x20);
	assert_int_equal(isr(0xa0), 0);
	out(0x20, 0x20);
	expect_ack(0x34);
	out(0x20, 0x20);
	assert_int_equal(isr(0x20), 0);
}

static void test_slave_in_turn(void **state)
{
	(void)state;
	pulse(14);
	pulse(15);
	expect_ack(0x3e);
	out(0xa0, 0x20);
	assert_int_equal(irr(0x20), 0x04);       /* 15 asks already, the master waits for its EOI */
	assert_false(pic_pending(&rig.pic));
	out(0x20, 0x20);
	expect_ack(0x3f);
	out(0x20, 0x20);                         /* the other order of EOIs */
	out(0xa0, 0x20);
	assert_false(pic_pending(&rig.pic));
	assert_int_equal(isr(0x20) | isr(0xa0), 0);
	pulse(8);
	expect_ack(0x38);
}

static void test_spurious_master(void **state)
{
	(void)state;
	assert_int_equal(pic_ack(&rig.pic), 0x37);
	assert_int_equal(isr(0x20), 0);
	out(0x4d0, 0x20);
	pic_set(&rig.pic, 5, true);
	assert_true(pic_pending(&rig.pic));
	pic_set(&rig.pic, 5, false);             /* taken back before the acknowledge */
	assert_false(pic_pending(&rig.pic));
	assert_int_equal(pic_ack(&rig.pic), 0x37);
	assert_int_equal(isr(0x20), 0);
	pulse(7);                                /* a real IR7 does set its bit */
	expect_ack(0x37);
	assert_int_equal(isr(0x20), 0x80);
}

/* The slave has nothing left when the master asks it: IRQ 15, and only the master has something to end. */
static void test_spurious_slave(void **state)
{
	(void)state;
	pulse(9);
	rig.pic.chip[1].irr = 0;                 /* as a restored state could have it */
	assert_int_equal(pic_ack(&rig.pic), 0x3f);
	assert_int_equal(isr(0xa0), 0);
	assert_int_equal(isr(0x20), 0x04);
	out(0x20, 0x20);
	assert_int_equal(isr(0x20), 0);
}

static void test_slave_takes_back(void **state)
{
	(void)state;
	pulse(10);
	assert_true(pic_pending(&rig.pic));
	out(0xa1, 0x04);
	assert_false(pic_pending(&rig.pic));
	assert_int_equal(irr(0x20), 0);
	out(0xa1, 0);
	expect_ack(0x3a);
}

static void test_level(void **state)
{
	(void)state;
	out(0x4d1, 0x02);
	pic_set(&rig.pic, 9, true);
	expect_ack(0x39);
	assert_int_equal(irr(0xa0), 0x02);       /* follows the line */
	out(0xa0, 0x20);
	out(0x20, 0x20);
	expect_ack(0x39);                        /* still high: again */
	pic_set(&rig.pic, 9, false);
	assert_int_equal(irr(0xa0), 0);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_false(pic_pending(&rig.pic));
}

static void test_elcr(void **state)
{
	(void)state;
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	assert_int_equal(in(0x4d0), 0xf8);
	assert_int_equal(in(0x4d1), 0xde);
	out(0x4d0, 0);
	out(0x4d1, 0);
	pic_set(&rig.pic, 5, true);
	expect_ack(0x35);
	out(0x20, 0x20);
	assert_false(pic_pending(&rig.pic));
	out(0x4d0, 0x20);                        /* becomes level: the line counts */
	assert_true(pic_pending(&rig.pic));
	out(0x4d0, 0);                           /* becomes edge: an edge is needed */
	assert_false(pic_pending(&rig.pic));
	pulse(3);
	out(0x4d0, 0x20);                        /* IR3 is not touched by IR5's change */
	assert_int_equal(irr(0x20), 0x28);
}

static void test_auto_eoi(void **state)
{
	(void)state;
	program(0x03, 0x03);
	pulse(4);
	pulse(13);
	pulse(14);
	expect_ack(0x3d);
	assert_int_equal(isr(0x20) | isr(0xa0), 0);
	expect_ack(0x3e);                        /* the slave's second request makes an edge of its own */
	expect_ack(0x34);
	assert_false(pic_pending(&rig.pic));
}

static void test_rotate_auto_eoi(void **state)
{
	(void)state;
	program(0x03, 0x01);
	out(0x20, 0x80);
	pulse(3);
	expect_ack(0x33);
	pulse(3);
	pulse(4);
	expect_ack(0x34);                        /* 3 is the lowest now */
	expect_ack(0x33);
	out(0x20, 0x00);
	pulse(5);
	expect_ack(0x35);
	assert_int_equal(rig.pic.chip[0].priority_add, 4);
}

static void test_rotate(void **state)
{
	(void)state;
	pulse(3);
	expect_ack(0x33);
	out(0x20, 0xa0);                         /* rotate on non-specific EOI */
	assert_int_equal(isr(0x20), 0);
	pulse(3);
	pulse(4);
	expect_ack(0x34);
	out(0x20, 0xe4);                         /* rotate on specific EOI */
	assert_int_equal(rig.pic.chip[0].priority_add, 5);
	expect_ack(0x33);
	out(0x20, 0x20);
	out(0x20, 0xc7);                         /* set priority: the order at start */
	pulse(7);
	pulse(0);
	expect_ack(0x30);
	out(0x20, 0x20);
	expect_ack(0x37);
	out(0x20, 0xa0);
	assert_int_equal(rig.pic.chip[0].priority_add, 0);
	out(0x20, 0xa0);                         /* nothing in service: no rotation */
	assert_int_equal(rig.pic.chip[0].priority_add, 0);
}

static void test_nested_after_rotation(void **state)
{
	(void)state;
	out(0x20, 0xc3);                         /* 3 lowest, 4 highest */
	pulse(0);
	expect_ack(0x30);
	pulse(3);
	assert_false(pic_pending(&rig.pic));
	pulse(5);
	expect_ack(0x35);
	out(0x20, 0x20);                         /* ends 5, the highest in this order */
	assert_int_equal(isr(0x20), 0x01);
}

static void test_special_mask(void **state)
{
	(void)state;
	pulse(1);
	expect_ack(0x31);
	pulse(6);
	assert_false(pic_pending(&rig.pic));
	out(0x21, 0x02);
	assert_false(pic_pending(&rig.pic));     /* masking alone does not help */
	out(0x20, 0x68);
	expect_ack(0x36);
	out(0x20, 0x20);                         /* does not see the masked 1 */
	assert_int_equal(isr(0x20), 0x02);
	out(0x20, 0x20);
	assert_int_equal(isr(0x20), 0x02);
	out(0x20, 0x61);
	assert_int_equal(isr(0x20), 0);
	out(0x20, 0x08);                         /* ESMM clear: unchanged */
	assert_true(rig.pic.chip[0].special_mask);
	out(0x20, 0x48);
	assert_false(rig.pic.chip[0].special_mask);
}

static void test_special_fully_nested(void **state)
{
	(void)state;
	pulse(14);
	expect_ack(0x3e);
	pulse(8);
	assert_false(pic_pending(&rig.pic));     /* not without the mode */

	program(0x11, 0x01);
	pulse(14);
	expect_ack(0x3e);
	pulse(15);
	assert_false(pic_pending(&rig.pic));     /* below 14 */
	pulse(3);
	assert_false(pic_pending(&rig.pic));     /* and IR3 stays below the cascade */
	pulse(8);
	expect_ack(0x38);
	assert_int_equal(isr(0xa0), 0x41);
	out(0xa0, 0x20);
	out(0xa0, 0x20);
	expect_ack(0x3f);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	expect_ack(0x33);
}

static void test_poll(void **state)
{
	(void)state;
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0);           /* nothing */
	assert_int_equal(in(0x20), 0);           /* one read only: IRR again */
	pulse(0);
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0x80);
	out(0x20, 0x20);
	pulse(5);
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0x85);
	assert_int_equal(isr(0x20), 0x20);       /* an acknowledge */
	assert_false(pic_pending(&rig.pic));
	out(0x20, 0x20);
	pulse(11);
	out(0x20, 0x0c);
	assert_int_equal(in(0x21), 0x82);        /* at either address */
	assert_int_equal(in(0x21), 0);
	out(0xa0, 0x0c);
	assert_int_equal(in(0xa0), 0x83);
	assert_int_equal(isr(0xa0), 0x08);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_false(pic_pending(&rig.pic));
}

/* Polled on the slave alone, the request leaves the master too. */
static void test_poll_slave(void **state)
{
	(void)state;
	pulse(11);
	assert_true(pic_pending(&rig.pic));
	out(0xa0, 0x0c);
	assert_int_equal(in(0xa0), 0x83);
	assert_false(pic_pending(&rig.pic));
	assert_int_equal(irr(0x20) | isr(0x20), 0);
}

static void test_intr_edges(void **state)
{
	(void)state;
	pulse(1);
	pulse(0);
	assert_int_equal(rig.rises, 1);          /* told once */
	expect_ack(0x30);
	assert_int_equal(rig.falls, 1);
	out(0x20, 0x20);
	assert_int_equal(rig.rises, 2);
	program(0x03, 0x01);
	pulse(1);
	pulse(2 + 1);
	rig.rises = rig.falls = 0;
	expect_ack(0x31);
	assert_int_equal(rig.falls, 1);          /* a new edge for what is left: an IOAPIC may sit behind */
	assert_int_equal(rig.rises, 1);
	expect_ack(0x33);
	assert_false(rig.level);
}

static void test_bad_lines(void **state)
{
	(void)state;
	pic_set(&rig.pic, 2, true);
	pic_set(&rig.pic, 16, true);
	pic_set(&rig.pic, 0xffffffffu, true);
	assert_false(pic_pending(&rig.pic));
	assert_int_equal(irr(0x20) | irr(0xa0), 0);
}

static void test_reset(void **state)
{
	(void)state;
	out(0x4d0, 0x20);
	pic_set(&rig.pic, 5, true);
	pulse(9);
	out(0x20, 0x0c);
	assert_true(rig.level);
	pic_reset(&rig.pic);
	assert_false(rig.level);
	assert_int_equal(rig.falls, 1);
	assert_int_equal(in(0x20), 0);
	assert_int_equal(in(0x4d0), 0);
	assert_int_equal(in(0x21), 0xff);
	assert_true(rig.pic.chip[0].is_master);
	assert_false(rig.pic.chip[1].is_master);
	program(0x01, 0x01);
	out(0x4d0, 0x20);                        /* the line was kept */
	expect_ack(0x35);
}

/* Whatever a guest writes: outputs agree with the chips, and every vector comes from a base. */
static void test_random(void **state)
{
	static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };
	uint32_t x = 12345;
	unsigned int acks = 0;

	(void)state;
	for (unsigned int i = 0; i < 400000; i++) {
		x = x * 1664525u + 1013904223u;
		switch (x >> 30) {
		case 0:
			out(ports[(x >> 8) % 6], (uint8_t)(x >> 20));
			break;
		case 1:
			(void)in(ports[(x >> 8) % 6]);
			break;
		case 2:
			pic_set(&rig.pic, x >> 8 & 15, x >> 16 & 1);
			break;
		default:
			if (pic_pending(&rig.pic)) {
				uint8_t v = pic_ack(&rig.pic);

				assert_true((v & 0xf8) == rig.pic.chip[0].irq_base ||
					    (v & 0xf8) == rig.pic.chip[1].irq_base);
				acks++;
			}
		}
		assert_true(pic_pending(&rig.pic) == rig.level);
		assert_true(rig.pic.chip[0].priority_add < 8);
		assert_true(rig.pic.chip[1].int_output == (bool)(rig.pic.chip[0].lines & 4));
	}
	assert_true(acks > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_unprogrammed_is_silent, setup_raw),
		cmocka_unit_test_setup(test_silent_during_init, setup_raw),
		cmocka_unit_test_setup(test_icw_sequences, setup),
		cmocka_unit_test_setup(test_icw1_clears, setup),
		cmocka_unit_test_setup(test_no_icw4, setup),
		cmocka_unit_test_setup(test_icw1_needs_edge, setup),
		cmocka_unit_test_setup(test_edge, setup),
		cmocka_unit_test_setup(test_priority, setup),
		cmocka_unit_test_setup(test_mask, setup),
		cmocka_unit_test_setup(test_specific_eoi, setup),
		cmocka_unit_test_setup(test_slave, setup),
		cmocka_unit_test_setup(test_slave_in_turn, setup),
		cmocka_unit_test_setup(test_spurious_master, setup),
		cmocka_unit_test_setup(test_spurious_slave, setup),
		cmocka_unit_test_setup(test_slave_takes_back, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_elcr, setup),
		cmocka_unit_test_setup(test_auto_eoi, setup),
		cmocka_unit_test_setup(test_rotate_auto_eoi, setup),
		cmocka_unit_test_setup(test_rotate, setup),
		cmocka_unit_test_setup(test_nested_after_rotation, setup),
		cmocka_unit_test_setup(test_special_mask, setup),
		cmocka_unit_test_setup(test_special_fully_nested, setup),
		cmocka_unit_test_setup(test_poll, setup),
		cmocka_unit_test_setup(test_poll_slave, setup),
		cmocka_unit_test_setup(test_intr_edges, setup),
		cmocka_unit_test_setup(test_bad_lines, setup),
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
