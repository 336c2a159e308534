/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 and port 61h on a fake clock. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/dev/pit.h"
#include "arch/x86/dev/ticks.h"
#include "support/clock.h"
#include "support/dev_rig.h"

#define S 1000000000ull

static struct rig {
	struct pit p;
	struct rig_line irq;
	struct vclock clock;
	struct vtimers timers;
} r;

static int setup(void **state)
{
	struct irq_line irq = rig_line_to(&r.irq, 0);

	(void)state;
	memset(&r, 0, sizeof(r));
	vclock_init(&r.clock, 1000000);
	vtimers_init(&r.timers, &r.clock);
	pit_create(&r.p, &irq, &r.clock, &r.timers);
	pit_reset(&r.p);
	return 0;
}

static void out(unsigned int reg, unsigned int val)
{
	pit_ops.write(&r.p, reg, 1, val & 0xff);
}

static uint8_t in(unsigned int reg)
{
	return (uint8_t)pit_ops.read(&r.p, reg, 1);
}

static void out61(unsigned int val)
{
	pit_port61_ops.write(&r.p, 0, 1, val & 0xff);
}

static uint8_t in61(void)
{
	return (uint8_t)pit_port61_ops.read(&r.p, 0, 1);
}

static void program(unsigned int ch, unsigned int mode, unsigned int count)
{
	out(3, ch << 6 | 0x30 | mode << 1);
	out(ch, count & 0xff);
	out(ch, count >> 8);
}

/* Sets the clock to the first ns of a tick, without running timers. */
static void at_tick(uint64_t tick)
{
	fake_clock_set(ticks_deadline(tick, PIT_HZ));
}

static void jump_to_tick(uint64_t tick)
{
	fake_clock_jump(&r.timers, ticks_deadline(tick, PIT_HZ));
}

static unsigned int count_of(unsigned int ch)
{
	unsigned int lo;

	out(3, ch << 6);
	lo = in(ch);
	return lo | (unsigned int)in(ch) << 8;
}

static uint8_t status_of(unsigned int ch)
{
	out(3, 0xc0 | 0x20 | 2u << ch);
	return in(ch);
}

static bool out_of(unsigned int ch)
{
	return status_of(ch) & 0x80;
}

static void ticks_convert(void **state)
{
	static const uint64_t hz[] = { 1, 18, 32768, PIT_HZ, 3579545, 999999999, NS_PER_S };
	static const uint64_t t[] = { 0, 1, 2, 65535, 65536, 1193182, 1ull << 40 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hz); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(t); j++) {
			uint64_t ns = ticks_deadline(t[j], hz[i]);

			if (ns == VTIMER_OFF)
				continue;
			assert_int_equal(ticks_at(ns, hz[i]), t[j]);
			if (ns)
				assert_true(ticks_at(ns - 1, hz[i]) < t[j]);
		}
		assert_true(ticks_deadline(UINT64_MAX, hz[i]) == VTIMER_OFF);
		assert_true(ticks_deadline(ticks_at(UINT64_MAX, hz[i]), hz[i]) == VTIMER_OFF);
	}
}

static void silent_after_reset(void **state)
{
	(void)state;
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
	fake_clock_walk(&r.timers, 10 * S);
	assert_int_equal(r.irq.rises, 0);
	assert_int_equal(count_of(0), 0);
	assert_int_equal(status_of(0), 0x40 | 0x30);    /* OUT low, null count, mode 0 */
	assert_int_equal(in(3), 0xff);
	out(0, 0x12);                                   /* a count without a control word: mode 0 of the reset */
	assert_int_equal(r.irq.rises, 0);
}

static void mode0_counts_once(void **state)
{
	(void)state;
	jump_to_tick(1000);
	program(0, 0, 500);
	assert_false(out_of(0));
	assert_int_equal(status_of(0), 0x30);
	at_tick(1100);
	assert_int_equal(count_of(0), 400);
	jump_to_tick(1499);
	assert_false(r.irq.level);
	assert_int_equal(count_of(0), 1);
	fake_clock_walk(&r.timers, ticks_deadline(1500, PIT_HZ));
	assert_true(r.irq.level);
	assert_int_equal(r.irq.rises, 1);
	assert_true(out_of(0));
	assert_int_equal(count_of(0), 0);
	at_tick(1502);
	assert_int_equal(count_of(0), 0xfffe);          /* counts on, silently */
	fake_clock_walk(&r.timers, 20 * S);
	assert_int_equal(r.irq.rises, 1);
	out(3, 0x30);                                   /* a new control word drops OUT */
	assert_false(r.irq.level);
}

static void mode0_first_byte_stops(void **state)
{
	(void)state;
	program(0, 0, 500);
	at_tick(100);
	out(0, 0x34);
	at_tick(2000);
	fake_clock_jump(&r.timers, ticks_deadline(2000, PIT_HZ));
	assert_int_equal(r.irq.rises, 0);
	out(0, 0x12);
	assert_int_equal(count_of(0), 0x1234);
	fake_clock_walk(&r.timers, ticks_deadline(2000 + 0x1234, PIT_HZ));
	assert_int_equal(r.irq.rises, 1);
}

static void mode2_is_periodic(void **state)
{
	uint64_t count = 11932;                         /* 100 Hz, as old kernels want it */
	uint64_t seen = 0;

	(void)state;
	program(0, 2, (unsigned int)count);
	assert_true(out_of(0));
	for (uint64_t i = 1; i <= 100; i++) {
		seen += fake_clock_walk(&r.timers, ticks_deadline(i * count, PIT_HZ));
		assert_int_equal(seen, i);
		assert_int_equal(count_of(0), count);
		assert_true(r.irq.level);               /* held, for the PIC to find */
	}
	assert_in_range(r.irq.rises, 100, 101);         /* OUT rose when the mode was set */
	at_tick(100 * count + count - 1);
	assert_false(out_of(0));
	assert_int_equal(count_of(0), 1);
}

static void mode3_is_square(void **state)
{
	(void)state;
	program(2, 3, 10);
	out61(1);
	for (unsigned int i = 0; i < 30; i++) {
		at_tick(i);
		assert_int_equal(out_of(2), i % 10 < 5);
		assert_int_equal(count_of(2), 10 - 2 * (i % 5));
	}
	at_tick(100);
	program(2, 3, 7);
	for (unsigned int i = 0; i < 21; i++) {
		at_tick(100 + i);
		assert_int_equal(out_of(2), i % 7 < 4);
		assert_int_equal(count_of(2), 6 - 2 * (i % 7 < 4 ? i % 7 : i % 7 - 4));
	}
}

static void full_scale_counts(void **state)
{
	(void)state;
	program(0, 2, 0);
	assert_int_equal(count_of(0), 0);               /* 65536 */
	at_tick(1);
	assert_int_equal(count_of(0), 0xffff);
	assert_int_equal(fake_clock_walk(&r.timers, S), 18);
	out(3, 0x35);                                   /* BCD: 10000 */
	out(0, 0);
	out(0, 0);
	assert_int_equal(count_of(0), 0);
	fake_clock_set(S + ticks_deadline(2, PIT_HZ));
	assert_in_range(count_of(0), 0x9997, 0x9999);
	assert_int_equal(status_of(0) & 0x3f, 0x35);
}

static void bcd_counts_in_decimal(void **state)
{
	(void)state;
	out(3, 0xb1);                                   /* channel 2, both bytes, mode 0, BCD */
	out61(1);
	out(2, 0x00);
	out(2, 0x10);                                   /* 1000 */
	assert_int_equal(count_of(2), 0x1000);
	at_tick(1);
	assert_int_equal(count_of(2), 0x0999);
	at_tick(999);
	assert_int_equal(count_of(2), 0x0001);
	assert_false(out_of(2));
	at_tick(1000);
	assert_true(out_of(2));
	at_tick(1001);
	assert_int_equal(count_of(2), 0x9999);
	out(3, 0xb1);
	out(2, 0xff);                                   /* no decimal digits at all */
	out(2, 0xff);
	at_tick(1500);
	(void)count_of(2);
}

static void latches_hold(void **state)
{
	(void)state;
	program(0, 2, 1000);
	at_tick(1);
	out(3, 0x00);                                   /* latch */
	at_tick(10);
	out(3, 0x00);                                   /* ignored until read */
	out(3, 0xd2);                                   /* read back the count of channel 0: ignored too */
	assert_int_equal(in(0), 999 & 0xff);
	assert_int_equal(in(0), 999 >> 8);
	assert_int_equal(in(0), 990 & 0xff);            /* live again, byte by byte */
	assert_int_equal(in(0), 990 >> 8);
	/* Status and count together: status comes first. */
	out(3, 0xc2);
	at_tick(20);
	assert_int_equal(in(0), 0xb4);
	assert_int_equal(in(0), 990 & 0xff);
	assert_int_equal(in(0), 990 >> 8);
	/* Only what is selected. */
	out(3, 0xc0 | 0x08);
	assert_int_equal(in(0), 980 & 0xff);
	assert_int_equal(in(0), 980 >> 8);
}

static void byte_modes(void **state)
{
	(void)state;
	out(3, 0x14);                                   /* channel 0, low byte, mode 2 */
	out(0, 200);
	at_tick(1);
	assert_int_equal(in(0), 199);
	assert_int_equal(in(0), 199);
	out(3, 0x00);
	assert_int_equal(in(0), 199);
	assert_int_equal(in(0), 199);
	out(3, 0x24);                                   /* high byte */
	out(0, 2);
	assert_int_equal(in(0), 2);
	at_tick(2);
	assert_int_equal(in(0), 1);
	out(3, 0x00);
	assert_int_equal(in(0), 1);
}

static void new_count_waits_for_the_cycle(void **state)
{
	(void)state;
	program(0, 2, 1000);
	r.irq.rises = 0;
	fake_clock_walk(&r.timers, ticks_deadline(300, PIT_HZ));
	out(0, 400 & 0xff);
	out(0, 400 >> 8);
	assert_int_equal(count_of(0), 700);
	assert_int_equal(status_of(0) & 0x40, 0x40);    /* not yet loaded */
	fake_clock_walk(&r.timers, ticks_deadline(999, PIT_HZ));
	assert_int_equal(r.irq.rises, 0);
	fake_clock_walk(&r.timers, ticks_deadline(1000, PIT_HZ));
	assert_int_equal(r.irq.rises, 1);
	assert_int_equal(count_of(0), 400);
	assert_int_equal(status_of(0) & 0x40, 0);
	fake_clock_walk(&r.timers, ticks_deadline(1000 + 5 * 400, PIT_HZ));
	assert_int_equal(r.irq.rises, 6);
	/* Read long after: the old cycle's end still counts. */
	program(2, 2, 1000);
	out61(1);
	at_tick(3100);
	out(2, 100);
	out(2, 0);
	at_tick(3000 + 1000 + 50);
	assert_in_range(count_of(2), 1, 100);
}

/* What was missed in a short pause comes at four times the rate, then the old grid goes on: no tick is lost. */
static void catches_up_after_a_pause(void **state)
{
	(void)state;
	program(0, 2, 11931);                           /* 100 Hz */
	r.irq.rises = 0;
	fake_clock_walk(&r.timers, S + 1);
	assert_int_equal(r.irq.rises, 100);
	fake_clock_jump(&r.timers, S + S / 10 + 1);
	assert_int_equal(r.irq.rises, 101);
	fake_clock_walk(&r.timers, S + S / 10 + S / 100);
	assert_in_range(r.irq.rises, 104, 105);
	fake_clock_walk(&r.timers, 2 * S + 1);
	assert_int_equal(r.irq.rises, 200);
	fake_clock_walk(&r.timers, 10 * S + 1);
	assert_int_equal(r.irq.rises, 1000);
}

/* After a long one only a second's worth comes, never faster than that. */
static void no_storm_after_a_long_pause(void **state)
{
	(void)state;
	program(0, 2, 1193);                            /* about 1 kHz */
	r.irq.rises = 0;
	fake_clock_jump(&r.timers, 3600 * S);
	assert_int_equal(r.irq.rises, 1);
	fake_clock_walk(&r.timers, 3600 * S + S / 10);
	assert_in_range(r.irq.rises, 395, 405);
	fake_clock_walk(&r.timers, 3602 * S);
	assert_in_range(r.irq.rises, 2990, 3010);
	assert_int_equal(ticks_at(vtimers_next(&r.timers), PIT_HZ) % 1193, 0);
	/* A new program owes nothing of the old one. */
	fake_clock_jump(&r.timers, 3610 * S);
	program(0, 2, 0);
	r.irq.rises = 0;
	fake_clock_walk(&r.timers, 3611 * S);
	assert_int_equal(r.irq.rises, 18);
}

static void period_has_a_floor(void **state)
{
	(void)state;
	for (unsigned int count = 1; count < 300; count++) {
		uint64_t start = count * S;

		fake_clock_jump(&r.timers, start);
		program(0, count % 2 ? 2 : 3, count);
		r.irq.rises = 0;
		fake_clock_walk(&r.timers, start + S / 100);
		assert_in_range(r.irq.rises, 10, S / 100 / PIT_FLOOR_NS + 2);
	}
	/* Above the floor nothing is lost. */
	fake_clock_jump(&r.timers, 400 * S);
	program(0, 2, 128);
	r.irq.rises = 0;
	fake_clock_walk(&r.timers, 401 * S);
	assert_in_range(r.irq.rises, PIT_HZ / 128 - 1, PIT_HZ / 128 + 1);
}

static void mode4_strobes(void **state)
{
	(void)state;
	program(0, 4, 100);                             /* Linux's one-shot event device */
	r.irq.rises = 0;
	assert_true(out_of(0));
	at_tick(100);
	assert_false(out_of(0));
	fake_clock_walk(&r.timers, ticks_deadline(100, PIT_HZ));
	assert_int_equal(r.irq.rises, 0);               /* it is the strobe's end that rises */
	fake_clock_walk(&r.timers, ticks_deadline(101, PIT_HZ));
	assert_true(out_of(0));
	assert_int_equal(r.irq.rises, 1);
	fake_clock_walk(&r.timers, 5 * S);
	assert_int_equal(r.irq.rises, 1);
	out(0, 50);                                     /* the next shot needs only a count */
	out(0, 0);
	fake_clock_walk(&r.timers, 6 * S);
	assert_int_equal(r.irq.rises, 2);
}

static void gate_of_channel_2(void **state)
{
	(void)state;
	program(2, 0, 1000);                            /* gate low: loaded, not counting */
	at_tick(500);
	assert_int_equal(count_of(2), 1000);
	out61(1);
	at_tick(800);
	assert_int_equal(count_of(2), 700);
	out61(0);
	at_tick(5000);
	assert_int_equal(count_of(2), 700);
	assert_int_equal(in61() & 0x20, 0);
	out61(1);
	at_tick(5699);
	assert_int_equal(in61() & 0x20, 0);
	at_tick(5700);
	assert_int_equal(in61() & 0x20, 0x20);          /* Linux's TSC calibration waits for this */
	/* Between the two bytes of a new count the gate does not start the old one. */
	out(2, 0x10);
	out61(0);
	out61(1);
	at_tick(9000);
	assert_int_equal(in61() & 0x20, 0);
	out(2, 0);
	at_tick(9000 + 16);
	assert_int_equal(in61() & 0x20, 0x20);
}

static void mode1_is_triggered(void **state)
{
	(void)state;
	program(2, 1, 100);
	assert_true(out_of(2));
	at_tick(50);
	assert_true(out_of(2));
	out61(1);
	assert_false(out_of(2));
	at_tick(149);
	assert_false(out_of(2));
	out61(0);                                       /* the level does not matter */
	out61(1);                                       /* the edge starts it again */
	at_tick(248);
	assert_false(out_of(2));
	out(2, 10);                                     /* a new count waits for the next trigger */
	out(2, 0);
	at_tick(249);
	assert_true(out_of(2));
	out61(0);
	out61(1);
	assert_false(out_of(2));
	at_tick(259);
	assert_true(out_of(2));
}

static void mode5_strobes_after_a_trigger(void **state)
{
	(void)state;
	program(2, 5, 100);
	at_tick(100);
	assert_true(out_of(2));
	out61(1);
	at_tick(200);
	assert_false(out_of(2));
	at_tick(201);
	assert_true(out_of(2));
	/* On channel 0 nothing can trigger. */
	program(0, 5, 10);
	r.irq.rises = 0;
	fake_clock_walk(&r.timers, S);
	program(0, 1, 10);
	fake_clock_walk(&r.timers, 2 * S);
	assert_int_equal(r.irq.rises, 0);
}

static void gate_restarts_periodic_modes(void **state)
{
	(void)state;
	out61(1);
	program(2, 2, 100);
	at_tick(30);
	out61(0);
	assert_true(out_of(2));
	at_tick(99);
	assert_true(out_of(2));
	out61(1);
	assert_int_equal(count_of(2), 100);
	at_tick(99 + 99);
	assert_false(out_of(2));
}

static void modes_6_and_7_are_2_and_3(void **state)
{
	(void)state;
	program(0, 6, 100);
	assert_int_equal(status_of(0) & 0x0e, 0x04);
	program(0, 7, 100);
	assert_int_equal(status_of(0) & 0x0e, 0x06);
}

static void port61_bits(void **state)
{
	unsigned int toggles = 0;
	uint8_t last;

	(void)state;
	out61(0xff);
	assert_int_equal(in61() & 0x0f, 0x0f);
	assert_int_equal(in61() & 0xc0, 0);
	out61(0);
	assert_int_equal(in61() & 0x0f, 0);
	last = in61() & 0x10;
	for (uint64_t t = 0; t < S / 1000; t += 1000) {
		fake_clock_set(t);
		toggles += (in61() & 0x10) != last;
		last = in61() & 0x10;
	}
	assert_in_range(toggles, 65, 67);               /* 15.085 us */
}

static void end_of_time(void **state)
{
	(void)state;
	fake_clock_set(UINT64_MAX - 1000);
	program(0, 2, 0);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
	fake_clock_set(UINT64_MAX);
	(void)count_of(0);
	program(0, 0, 1);
	program(0, 4, 0xffff);
	(void)in61();
}

static void any_traffic_is_survived(void **state)
{
	uint32_t x = 1;
	uint64_t now = 0;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		x = x * 1664525 + 1013904223;
		if (x >> 31)
			now += (x >> 4 & 0xffff) * (x >> 20 & 15);
		fake_clock_jump(&r.timers, now);
		switch (x >> 29 & 3) {
		case 0:
			(void)in(x >> 8 & 3);
			break;
		case 1:
			out61(x >> 8);
			(void)in61();
			break;
		default:
			out(x >> 8 & 3, x >> 16);
		}
		/* What is armed lies ahead. */
		assert_true(vtimers_next(&r.timers) > now);
	}
	assert_true(r.irq.rises > 100);
	pit_reset(&r.p);
	assert_false(r.irq.level);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_convert),
		cmocka_unit_test_setup(silent_after_reset, setup),
		cmocka_unit_test_setup(mode0_counts_once, setup),
		cmocka_unit_test_setup(mode0_first_byte_stops, setup),
		cmocka_unit_test_setup(mode2_is_periodic, setup),
		cmocka_unit_test_setup(mode3_is_square, setup),
		cmocka_unit_test_setup(full_scale_counts, setup),
		cmocka_unit_test_setup(bcd_counts_in_decimal, setup),
		cmocka_unit_test_setup(latches_hold, setup),
		cmocka_unit_test_setup(byte_modes, setup),
		cmocka_unit_test_setup(new_count_waits_for_the_cycle, setup),
		cmocka_unit_test_setup(catches_up_after_a_pause, setup),
		cmocka_unit_test_setup(no_storm_after_a_long_pause, setup),
		cmocka_unit_test_setup(period_has_a_floor, setup),
		cmocka_unit_test_setup(mode4_strobes, setup),
		cmocka_unit_test_setup(gate_of_channel_2, setup),
		cmocka_unit_test_setup(mode1_is_triggered, setup),
		cmocka_unit_test_setup(mode5_strobes_after_a_trigger, setup),
		cmocka_unit_test_setup(gate_restarts_periodic_modes, setup),
		cmocka_unit_test_setup(modes_6_and_7_are_2_and_3, setup),
		cmocka_unit_test_setup(port61_bits, setup),
		cmocka_unit_test_setup(end_of_time, setup),
		cmocka_unit_test_setup(any_traffic_is_survived, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
