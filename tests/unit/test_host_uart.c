/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's own serial ports: there, absent, stuck. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/serial.h>

#include "tests/unit/support/ports.h"

static struct {
	bool absent, stuck;
	unsigned int shifting;        /* looks at LSR before the last byte is out */
	uint8_t reg[8], divisor[2];
	char out[64];
	unsigned int used, room, burst_max;   /* room: what fits the FIFO; longest burst between two looks at LSR */
	unsigned int looks;
	const char *in;
} com1;

static uint32_t com1_in(uint16_t port, unsigned int size)
{
	assert_int_equal(size, 1);
	if (port < 0x3f8 || port > 0x3ff || com1.absent)
		return 0xff;
	if (port == 0x3fd) {
		com1.looks++;
		com1.room = com1.stuck ? 0 : 16;
		if (com1.shifting) {
			com1.shifting--;
			return 0x20;
		}
		return (com1.stuck ? 0 : 0x60u) | (com1.in && *com1.in ? 1u : 0);
	}
	if (port == 0x3f8)
		return com1.in && *com1.in ? (uint8_t)*com1.in++ : 0;
	return com1.reg[port - 0x3f8];
}

static void com1_out(uint16_t port, unsigned int size, uint32_t v)
{
	assert_int_equal(size, 1);
	if (port < 0x3f8 || port > 0x3ff || com1.absent)
		return;
	if (com1.reg[3] & 0x80 && port < 0x3fa) {
		com1.divisor[port - 0x3f8] = (uint8_t)v;
		return;
	}
	if (port == 0x3f8) {
		assert_true(com1.room > 0);	/* a byte for a full FIFO is lost */
		com1.room--;
		com1.out[com1.used++] = (char)v;
		return;
	}
	com1.reg[port - 0x3f8] = (uint8_t)v;
}

static int fresh(void **ctx)
{
	(void)ctx;
	memset(&com1, 0, sizeof(com1));
	fake_ports = (struct fake_ports){ .in = com1_in, .out = com1_out, .tsc_step = 1 };
	return 0;
}

static void sets_115200_8n1(void **ctx)
{
	(void)ctx;
	assert_true(serial_init(0, true));
	assert_int_equal(com1.divisor[0], 1);
	assert_int_equal(com1.divisor[1], 0);
	assert_int_equal(com1.reg[3], 3);
	assert_int_equal(com1.reg[1], 1);
	assert_int_equal(com1.reg[2] & 1, 1);
	assert_int_equal(com1.reg[4] & 8, 8);
	assert_true(serial_init(0, false));
	assert_int_equal(com1.reg[1], 0);
}

static void an_absent_port_swallows(void **ctx)
{
	(void)ctx;
	assert_false(serial_init(1, true));
	com1.absent = true;
	assert_false(serial_init(0, true));
	serial_write(0, (const uint8_t *)"text", 4);
	assert_int_equal(serial_read(0), -1);
	/* And costs next to nothing. */
	assert_true(fake_ports.tsc < 100);
}

static void fills_the_fifo_and_no_more(void **ctx)
{
	static const char text[] = "0123456789abcdef0123456789abcdef0123456";

	(void)ctx;
	serial_write(0, (const uint8_t *)text, 39);
	assert_string_equal(com1.out, text);
	assert_int_equal(com1.looks, 3);
	serial_write(0, (const uint8_t *)text, 0);
	assert_int_equal(com1.used, 39);
}

static void a_stuck_port_cannot_stop_vouch(void **ctx)
{
	(void)ctx;
	com1.stuck = true;
	assert_false(serial_write(0, (const uint8_t *)"lost", 4));
	assert_int_equal(com1.used, 0);
	assert_in_range(com1.looks, 1000, 100000);
	com1.stuck = false;
	assert_true(serial_write(0, (const uint8_t *)"back", 4));
	assert_string_equal(com1.out, "back");
}

static void drains_to_the_last_bit_but_not_for_ever(void **ctx)
{
	(void)ctx;
	serial_write(0, (const uint8_t *)"end", 3);
	com1.shifting = 40;
	com1.looks = 0;
	serial_drain(0);
	assert_int_equal(com1.looks, 41);
	com1.stuck = true;
	serial_drain(0);
	assert_in_range(com1.looks, 1000, 100000);
	com1.absent = true;
	serial_drain(0);
}

static void reads_what_came(void **ctx)
{
	(void)ctx;
	assert_int_equal(serial_read(0), -1);
	com1.in = "\xff!";
	assert_int_equal(serial_read(0), 0xff);
	assert_int_equal(serial_read(0), '!');
	assert_int_equal(serial_read(0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sets_115200_8n1, fresh),
		cmocka_unit_test_setup(an_absent_port_swallows, fresh),
		cmocka_unit_test_setup(fills_the_fifo_and_no_more, fresh),
		cmocka_unit_test_setup(a_stuck_port_cannot_stop_vouch, fresh),
		cmocka_unit_test_setup(drains_to_the_last_bit_but_not_for_ever, fresh),
		cmocka_unit_test_setup(reads_what_came, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
