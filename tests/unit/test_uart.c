/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550A as a driver sees it: registers, interrupts, FIFOs, and what Linux's probe asks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/dev/uart16550.h"
#include "support/dev_rig.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };

static struct rig {
	struct uart u;
	struct rig_line irq;
	struct rig_chars out;
} r;

static int setup(void **state)
{
	struct irq_line irq = rig_line_to(&r.irq, 0);
	struct chardev out = rig_chars_to(&r.out);

	(void)state;
	memset(&r, 0, sizeof(r));
	uart_create(&r.u, &irq, &out);
	uart_reset(&r.u);
	return 0;
}

static uint8_t in(unsigned int reg)
{
	return (uint8_t)uart_ops.read(&r.u, reg, 1);
}

static void out(unsigned int reg, unsigned int val)
{
	uart_ops.write(&r.u, reg, 1, val & 0xff);
}

static size_t receive(const char *s)
{
	return uart_receive(&r.u, (const uint8_t *)s, strlen(s));
}

static void power_on(void **state)
{
	(void)state;
	assert_int_equal(in(IER), 0);
	assert_int_equal(in(IIR), 0x01);
	assert_int_equal(in(LCR), 0);
	assert_int_equal(in(MCR), 0);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(MSR), 0xb0);
	assert_false(r.irq.level);
	assert_int_equal(r.irq.rises, 0);
}

/* The questions of Linux's 8250 autoconfiguration, in its order. */
static void linux_finds_a_16550a(void **state)
{
	uint8_t mcr, iir1, iir2;

	(void)state;
	out(IER, 0);
	assert_int_equal(in(IER) & 0x0f, 0);
	out(IER, 0x0f);
	assert_int_equal(in(IER), 0x0f);
	out(IER, 0);
	out(MCR, 0x10 | 0x0a);
	assert_int_equal(in(MSR) & 0xf0, 0x90);
	out(MCR, 0);
	out(LCR, 0xbf);
	out(FCR, 0);
	out(LCR, 0);
	out(FCR, 1);
	assert_int_equal(in(IIR) >> 6, 3);
	/* ... and nothing better than one: */
	out(LCR, 0x80);
	assert_int_not_equal(in(IIR), 0);         /* EFR of an ST16C650 */
	out(LCR, 0xbf);
	assert_int_not_equal(in(IIR), 0);         /* EFR of others */
	out(LCR, 0);
	mcr = in(MCR);
	out(LCR, 0xe0);
	assert_int_equal((in(IIR) ^ mcr) & 0x10, 0);
	out(LCR, 0);
	out(MCR, mcr ^ 0x10u);
	out(LCR, 0xe0);
	assert_int_equal((in(IIR) ^ mcr) & 0x10, 0);  /* NS16550A's EXCR1 */
	out(LCR, 0);
	out(MCR, mcr);
	out(FCR, 1 | 0x20);
	assert_int_equal(in(IIR) >> 5, 6);        /* 64-byte FIFO of a TI16750 */
	out(LCR, 0x80);
	out(FCR, 1 | 0x20);
	assert_int_equal(in(IIR) >> 5, 6);
	out(LCR, 0);
	out(IER, 0x40);
	assert_int_equal(in(IER), 0);             /* UUE of an XScale */
	/* Start-up's question: does each enable of THRE interrupt? */
	out(IER, 0x02);
	iir1 = in(IIR);
	out(IER, 0);
	out(IER, 0x02);
	iir2 = in(IIR);
	assert_int_equal(iir1 & 0x0f, 0x02);
	assert_int_equal(iir2 & 0x0f, 0x02);
}

static void registers_hold_what_they_have_bits_for(void **state)
{
	(void)state;
	for (unsigned int v = 0; v < 256; v++) {
		out(SCR, v);
		assert_int_equal(in(SCR), v);
		out(LCR, 0x80);
		out(DATA, v);
		out(IER, v ^ 0xff);
		assert_int_equal(in(DATA), v);
		assert_int_equal(in(IER), v ^ 0xff);
		out(LCR, v & 0x7f);
		assert_int_equal(in(LCR), v & 0x7f);
		out(IER, v);
		assert_int_equal(in(IER), v & 0x0f);
		out(MCR, v);
		assert_int_equal(in(MCR), v & 0x1f);
		out(LSR, v);
		out(MSR, v);
		assert_int_equal(in(LSR) & 0x60, 0x60);
	}
	assert_int_equal(r.out.n, 0);             /* the divisor was never sent */
}

static void sends_at_once(void **state)
{
	(void)state;
	out(DATA, 'H');
	out(DATA, 0);
	out(DATA, 0xff);
	assert_int_equal(r.out.n, 3);
	assert_memory_equal(r.out.bytes, "H\0\xff", 3);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(r.irq.rises, 0);         /* nothing enabled */
}

static void thre_interrupt_comes_and_goes(void **state)
{
	(void)state;
	out(IER, 0x02);
	assert_true(r.irq.level);
	assert_int_equal(in(IIR), 0x02);          /* reading takes it away */
	assert_false(r.irq.level);
	assert_int_equal(in(IIR), 0x01);
	out(IER, 0x02);                           /* no new edge of the enable: nothing */
	assert_false(r.irq.level);
	out(DATA, 'a');
	assert_true(r.irq.level);
	assert_int_equal(r.irq.rises, 2);
	out(DATA, 'b');                           /* unread: falls and rises, an edge for an edge-triggered pin */
	assert_int_equal(r.irq.rises, 3);
	assert_int_equal(r.irq.falls, 2);
	out(IER, 0);
	assert_false(r.irq.level);
}

static void receives_one_without_fifo(void **state)
{
	(void)state;
	out(IER, 0x01);
	assert_int_equal(receive("xyz"), 3);
	for (const char *c = "xyz"; *c; c++) {
		assert_int_equal(in(LSR) & 1, 1);
		assert_int_equal(in(IIR), 0x04);
		assert_true(r.irq.level);
		assert_int_equal(in(DATA), *c);
	}
	assert_int_equal(in(LSR) & 1, 0);
	assert_false(r.irq.level);
	assert_int_equal(in(IIR), 0x01);
	assert_int_equal(in(DATA), 0);
}

static void trigger_levels_and_timeout(void **state)
{
	static const unsigned int level[4] = { 1, 4, 8, 14 };

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		uart_reset(&r.u);
		out(FCR, 1 | i << 6);
		out(IER, 0x01);
		for (unsigned int n = 1; n <= UART_FIFO; n++) {
			assert_int_equal(receive("c"), 1);
			assert_int_equal(in(IIR), 0xc0 | (n >= level[i] ? 0x04 : 0x0c));
			assert_true(r.irq.level);
		}
		for (unsigned int n = UART_FIFO; n; n--) {
			assert_int_equal(in(IIR), 0xc0 | (n >= level[i] ? 0x04 : 0x0c));
			assert_int_equal(in(DATA), 'c');
		}
		assert_int_equal(in(IIR), 0xc1);
		assert_false(r.irq.level);
	}
}

static void identifies_by_priority(void **state)
{
	(void)state;
	out(FCR, 1);
	out(IER, 0x0f);
	out(MCR, 0x10);                           /* loopback drops CTS, DSR, DCD: deltas */
	for (unsigned int i = 0; i < UART_FIFO + 1; i++)
		out(DATA, 'a' + i);
	assert_int_equal(in(IIR), 0xc6);          /* overrun */
	assert_int_equal(in(LSR), 0x63);
	assert_int_equal(in(LSR), 0x61);          /* OE goes by reading */
	assert_int_equal(in(IIR), 0xc4);
	out(FCR, 1 | 2);                          /* the FIFO goes */
	assert_int_equal(in(IIR), 0xc2);
	assert_int_equal(in(IIR), 0xc0);
	assert_int_equal(in(MSR), 0x0b);
	assert_int_equal(in(IIR), 0xc1);
	assert_false(r.irq.level);
	assert_int_equal(r.out.n, 0);             /* nothing left the chip */
}

static void loopback(void **state)
{
	(void)state;
	out(FCR, 1);
	assert_int_equal(receive("w"), 1);
	assert_int_equal(in(DATA), 'w');
	out(MCR, 0x10);
	(void)in(MSR);
	out(MCR, 0x1f);
	assert_int_equal(in(MSR), 0xf0 | 0x0b);   /* RI rising is no event */
	assert_int_equal(in(MSR), 0xf0);
	out(MCR, 0x1b);
	assert_int_equal(in(MSR), 0xb0 | 0x04);   /* RI falling is */
	out(DATA, 'L');
	assert_int_equal(r.out.n, 0);
	assert_int_equal(receive("world"), 5);    /* the world waits outside */
	assert_int_equal(in(DATA), 'L');
	assert_int_equal(in(LSR) & 1, 0);
	out(MCR, 0x0b);
	assert_int_equal(in(LSR) & 1, 1);
	for (const char *c = "world"; *c; c++)
		assert_int_equal(in(DATA), *c);
}

static void loopback_overrun_without_fifo(void **state)
{
	(void)state;
	out(MCR, 0x10);
	out(DATA, '1');
	out(DATA, '2');
	assert_int_equal(in(LSR), 0x63);
	assert_int_equal(in(DATA), '2');
	assert_int_equal(in(LSR), 0x60);
}

static void takes_what_fits_and_loses_nothing(void **state)
{
	uint8_t sent[2000], got[2000];
	size_t at = 0, n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + i / 256);
	out(FCR, 1);
	while (n < sizeof(sent)) {
		size_t took = uart_receive(&r.u, sent + at, sizeof(sent) - at);

		at += took;
		if (at < sizeof(sent))            /* full to the brim: no byte more */
			assert_int_equal(uart_receive(&r.u, sent + at, 1), 0);
		for (unsigned int k = 0; k < 37 && (in(LSR) & 1); k++)
			got[n++] = in(DATA);
		assert_int_equal(in(LSR) & 0x9e, 0);
	}
	assert_memory_equal(sent, got, sizeof(sent));
	assert_int_equal(uart_receive(&r.u, sent, 0), 0);
}

static void fifo_resets(void **state)
{
	(void)state;
	assert_int_equal(receive("ab"), 2);
	out(FCR, 1);                              /* switching on empties what was received; the rest comes in */
	assert_int_equal(in(DATA), 'b');
	assert_int_equal(receive("cd"), 2);
	out(FCR, 2);                              /* bit 0 clear: FIFOs off, and that empties too */
	assert_int_equal(in(LSR) & 1, 0);
	assert_int_equal(in(IIR), 0x01);
	assert_int_equal(receive("e"), 1);
	out(FCR, 0xc6);                           /* without bit 0 the other bits are not programmed */
	assert_int_equal(in(DATA), 'e');
	out(FCR, 0xc1);
	assert_int_equal(receive("fg"), 2);
	out(FCR, 0xc1 | 4);                       /* the transmitter's reset leaves the receiver */
	assert_int_equal(in(DATA), 'f');
	out(FCR, 0xc1 | 2);
	assert_int_equal(in(LSR) & 1, 0);
}

static void reset_forgets(void **state)
{
	(void)state;
	out(FCR, 1);
	out(IER, 0x0f);
	out(SCR, 0x55);
	assert_int_equal(receive("0123456789012345678901234567890123456789"), 40);
	assert_true(r.irq.level);
	uart_reset(&r.u);
	assert_false(r.irq.level);
	assert_int_equal(in(SCR), 0);
	assert_int_equal(in(IER), 0);
	assert_int_equal(in(IIR), 0x01);
	assert_int_equal(in(LSR), 0x60);
}

static void any_traffic_keeps_the_state_whole(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		x = x * 1664525 + 1013904223;
		switch (x >> 30) {
		case 0:
			(void)in(x >> 8 & 7);
			break;
		case 1:
			(void)uart_receive(&r.u, (const uint8_t *)"abcdefgh", x >> 8 & 7);
			break;
		default:
			out(x >> 8 & 7, x >> 16 & 0xff);
		}
		assert_true(r.u.s.rx_count <= (r.u.s.fcr & 1 ? UART_FIFO : 1));
		assert_true(r.u.s.ring_tail - r.u.s.ring_head <= UART_RING);
		if (!r.u.s.ier)
			assert_false(r.irq.level);
		/* The line says the same as IIR does: reading it may take the THRE request, and the line with it. */
		if (i % 16 == 0) {
			bool level = r.irq.level;

			assert_int_equal(!(in(IIR) & 1), level);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(power_on, setup),
		cmocka_unit_test_setup(linux_finds_a_16550a, setup),
		cmocka_unit_test_setup(registers_hold_what_they_have_bits_for, setup),
		cmocka_unit_test_setup(sends_at_once, setup),
		cmocka_unit_test_setup(thre_interrupt_comes_and_goes, setup),
		cmocka_unit_test_setup(receives_one_without_fifo, setup),
		cmocka_unit_test_setup(trigger_levels_and_timeout, setup),
		cmocka_unit_test_setup(identifies_by_priority, setup),
		cmocka_unit_test_setup(loopback, setup),
		cmocka_unit_test_setup(loopback_overrun_without_fifo, setup),
		cmocka_unit_test_setup(takes_what_fits_and_loses_nothing, setup),
		cmocka_unit_test_setup(fifo_resets, setup),
		cmocka_unit_test_setup(reset_forgets, setup),
		cmocka_unit_test_setup(any_traffic_keeps_the_state_whole, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
