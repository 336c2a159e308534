/* SPDX-License-Identifier: BSD-2-Clause */
/* The MC146818 on a fake clock; the host's own calendar functions are the reference for dates. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "arch/x86/dev/rtc.h"
#include "arch/x86/dev/ticks.h"
#include "support/clock.h"
#include "support/dev_rig.h"

#define S     1000000000ull
#define EPOCH 1700000000ull             /* Tue 2023-11-14 22:13:20 */

enum { SEC, SEC_A, MIN, MIN_A, HOUR, HOUR_A, DOW, DAY, MONTH, YEAR, A, B, C, D, CENT = 0x32 };
#define SET  0x80u
#define PIE  0x40u
#define AIE  0x20u
#define UIE  0x10u
#define DM   0x04u
#define H24  0x02u

static struct rig {
	struct rtc d;
	struct rig_line irq;
	struct vclock clock;
	struct vtimers timers;
} r;

static void create(uint64_t epoch, uint64_t low, uint64_t high)
{
	struct irq_line irq = rig_line_to(&r.irq, 0);

	memset(&r, 0, sizeof(r));
	vclock_init(&r.clock, 1000000);
	vtimers_init(&r.timers, &r.clock);
	rtc_create(&r.d, &irq, &r.clock, &r.timers, epoch, low, high);
	rtc_reset(&r.d);
}

static int setup(void **state)
{
	(void)state;
	create(EPOCH, 512ull << 20, 0);
	return 0;
}

static uint8_t in(unsigned int reg)
{
	rtc_ops.write(&r.d, 0, 1, reg);
	return (uint8_t)rtc_ops.read(&r.d, 1, 1);
}

static void out(unsigned int reg, unsigned int val)
{
	rtc_ops.write(&r.d, 0, 1, reg);
	rtc_ops.write(&r.d, 1, 1, val & 0xff);
}

static unsigned int bcd(unsigned int v)
{
	return v / 10 << 4 | v % 10;
}

/* All time registers, in BCD and 24 h, against the host's calendar. */
static void assert_shows(uint64_t epoch)
{
	time_t t = (time_t)epoch;
	struct tm tm;

	assert_non_null(gmtime_r(&t, &tm));
	assert_int_equal(in(SEC), bcd((unsigned int)tm.tm_sec));
	assert_int_equal(in(MIN), bcd((unsigned int)tm.tm_min));
	assert_int_equal(in(HOUR), bcd((unsigned int)tm.tm_hour));
	assert_int_equal(in(DOW), tm.tm_wday + 1);
	assert_int_equal(in(DAY), bcd((unsigned int)tm.tm_mday));
	assert_int_equal(in(MONTH), bcd((unsigned int)tm.tm_mon + 1));
	assert_int_equal(in(YEAR), bcd((unsigned int)tm.tm_year % 100));
	assert_int_equal(in(CENT), bcd((unsigned int)(tm.tm_year + 1900) / 100));
}

static void power_on(void **state)
{
	(void)state;
	assert_shows(EPOCH);
	assert_int_equal(in(A), 0x26);
	assert_int_equal(in(B), H24);
	assert_int_equal(in(C), 0);
	assert_int_equal(in(D), 0x80);
	assert_int_equal(rtc_ops.read(&r.d, 0, 1), 0xff);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
	assert_false(r.irq.level);
}

static void shows_any_date(void **state)
{
	static const uint64_t t[] = { 0, 1, 59, 86399, 86400, 951782399, 951782400, 951868800, 1078012800, 1709164800,
				      4107542400, 4107456000, 13574563200, 32503680000, RTC_EPOCH_MAX - 1 };
	uint64_t x = 88172645463325252ull;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		create(t[i], 0, 0);
		assert_shows(t[i]);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		create(x % RTC_EPOCH_MAX, 0, 0);
		assert_shows(x % RTC_EPOCH_MAX);
	}
	create(UINT64_MAX, 0, 0);
	assert_shows(RTC_EPOCH_MAX);
}

static void time_goes_on(void **state)
{
	(void)state;
	fake_clock_set(S - 1);
	assert_shows(EPOCH);
	fake_clock_set(S);
	assert_shows(EPOCH + 1);
	fake_clock_set(86400 * 400 * S);
	assert_shows(EPOCH + 86400 * 400);
	rtc_reset(&r.d);
	assert_shows(EPOCH + 86400 * 400);
	fake_clock_set(UINT64_MAX);
	(void)in(SEC);
}

static void created_when_the_guest_already_runs(void **state)
{
	struct irq_line irq = rig_line_to(&r.irq, 0);

	(void)state;
	fake_clock_set(77 * S + S / 2);
	rtc_create(&r.d, &irq, &r.clock, &r.timers, EPOCH, 0, 0);
	assert_shows(EPOCH);
	fake_clock_set(78 * S);
	assert_shows(EPOCH + 1);
}

static void takes_any_date(void **state)
{
	uint64_t x = 88172645463325252ull;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		struct tm tm;
		time_t t;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		t = (time_t)(x % RTC_EPOCH_MAX);
		assert_non_null(gmtime_r(&t, &tm));
		out(B, SET | H24);
		out(SEC, bcd((unsigned int)tm.tm_sec));
		out(MIN, bcd((unsigned int)tm.tm_min));
		out(HOUR, bcd((unsigned int)tm.tm_hour));
		out(DAY, bcd((unsigned int)tm.tm_mday));
		out(MONTH, bcd((unsigned int)tm.tm_mon + 1));
		out(YEAR, bcd((unsigned int)tm.tm_year % 100));
		out(CENT, bcd((unsigned int)(tm.tm_year + 1900) / 100));
		out(B, H24);
		assert_shows((uint64_t)t);
		assert_int_equal(r.d.s.offset, t);
	}
}

static void hours_and_binary(void **state)
{
	(void)state;
	for (unsigned int h = 0; h < 24; h++) {
		unsigned int h12 = h % 12 ? h % 12 : 12, pm = h >= 12 ? 0x80 : 0;

		create(1700006400 - 1700006400 % 86400 + h * 3600, 0, 0);
		out(B, H24);
		assert_int_equal(in(HOUR), bcd(h));
		out(B, 0);
		assert_int_equal(in(HOUR), bcd(h12) | pm);
		out(B, DM);
		assert_int_equal(in(HOUR), h12 | pm);
		out(B, DM | H24);
		assert_int_equal(in(HOUR), h);
		/* And back in, each way. */
		for (unsigned int mode = 0; mode < 8; mode += 2) {
			out(B, SET | mode);
			out(HOUR, ((mode & DM ? 1 : 0) ? (mode & H24 ? h : h12 | pm)
						       : (mode & H24 ? bcd(h) : bcd(h12) | pm)));
			out(B, mode);
			out(B, DM | H24);
			assert_int_equal(in(HOUR), h);
		}
	}
}

static void set_freezes_and_takes_over(void **state)
{
	(void)state;
	fake_clock_set(S / 4);
	out(B, SET | H24 | UIE);
	assert_int_equal(in(B), SET | H24);       /* SET clears UIE */
	fake_clock_set(100 * S);
	assert_int_equal(in(SEC), 0x20);          /* frozen */
	assert_int_equal(in(A) & 0x80, 0);
	out(SEC, 0x58);
	out(MIN, 0x59);
	out(HOUR, 0x23);
	out(DAY, 0x29);
	out(MONTH, 0x02);
	out(YEAR, 0x24);
	out(CENT, 0x20);
	assert_int_equal(in(SEC), 0x58);
	out(B, H24);
	assert_shows(1709251198);                 /* 2024-02-29 23:59:58 */
	fake_clock_set(102 * S);
	assert_shows(1709251200);
}

/* How Linux sets it: SET, stop the divider, write, let go; the first update follows after half a second. */
static void linux_sets_the_time(void **state)
{
	uint8_t a;

	(void)state;
	fake_clock_set(3 * S + 123456789);
	out(B, in(B) | SET);
	a = in(A);
	out(A, a | 0x70);
	out(YEAR, 0x30);
	out(MONTH, 0x01);
	out(DAY, 0x01);
	out(HOUR, 0x00);
	out(MIN, 0x00);
	out(SEC, 0x00);
	fake_clock_set(4 * S + 123456789);
	out(B, in(B) & ~SET);
	out(A, a);
	assert_shows(1893456000);
	fake_clock_set(4 * S + 123456789 + S / 2 - 1);
	assert_shows(1893456000);
	assert_int_equal(in(A) & 0x80, 0x80);
	fake_clock_set(4 * S + 123456789 + S / 2);
	assert_shows(1893456001);
	assert_int_equal(in(A) & 0x80, 0);
}

static void writes_without_set_count_at_once(void **state)
{
	(void)state;
	out(MIN, 0x45);
	assert_shows(EPOCH - 13 * 60 + 45 * 60);
	fake_clock_set(10 * S);
	assert_shows(EPOCH - 13 * 60 + 45 * 60 + 10);
}

static void nonsense_times_are_some_time(void **state)
{
	(void)state;
	for (unsigned int v = 0; v < 256; v++) {
		for (unsigned int mode = 0; mode < 8; mode += 2) {
			out(B, SET | mode);
			for (unsigned int reg = 0; reg < A; reg++)
				out(reg, v);
			out(CENT, v ^ 0x5a);
			out(B, mode | H24);
			fake_clock_set((v + 1) * S);
			out(B, H24);
			/* What it shows is a time again. */
			assert_true(in(SEC) < 0x60 && in(MIN) < 0x60 && in(HOUR) < 0x24);
			assert_true(in(DAY) >= 1 && in(DAY) <= 0x31 && in(MONTH) >= 1 && in(MONTH) <= 0x12);
			assert_true(in(DOW) >= 1 && in(DOW) <= 7);
		}
	}
}

static void update_in_progress(void **state)
{
	(void)state;
	fake_clock_set(S - 244001);
	assert_int_equal(in(A) & 0x80, 0);
	fake_clock_set(S - 244000);
	assert_int_equal(in(A) & 0x80, 0x80);
	fake_clock_set(S);
	assert_int_equal(in(A) & 0x80, 0);
	out(A, 0xa6);                             /* UIP cannot be written */
	assert_int_equal(in(A), 0x26);
}

static void update_interrupt(void **state)
{
	(void)state;
	fake_clock_set(S / 2);
	(void)in(C);
	out(B, H24 | UIE);
	assert_int_equal(vtimers_next(&r.timers), S);
	fake_clock_walk(&r.timers, S);
	assert_true(r.irq.level);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
	fake_clock_walk(&r.timers, 60 * S);       /* not acknowledged: one is all it gets */
	assert_int_equal(r.irq.rises, 1);
	assert_int_equal(in(C) & 0xb0, 0x90);
	assert_false(r.irq.level);
	assert_int_equal(in(C), 0);
	assert_int_equal(vtimers_next(&r.timers), 61 * S);
	fake_clock_walk(&r.timers, 61 * S);
	assert_int_equal(r.irq.rises, 2);
	out(B, H24);                              /* disabling takes the line down, the flag stays */
	assert_false(r.irq.level);
	assert_int_equal(in(C) & 0x90, 0x10);
}

static void flags_rise_without_interrupts(void **state)
{
	(void)state;
	fake_clock_set(S / 2);
	assert_int_equal(in(C), 0x40);
	fake_clock_set(S + 1);
	assert_int_equal(in(C) & 0x10, 0x10);
	assert_int_equal(r.irq.rises, 0);
	out(A, 0x20);                             /* no rate: no periodic flag */
	(void)in(C);
	fake_clock_set(S + S / 2);
	assert_int_equal(in(C), 0);
}

static void periodic_rates(void **state)
{
	static const unsigned int hz[16] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2 };

	(void)state;
	for (unsigned int rs = 0; rs < 16; rs++) {
		unsigned int n = 0;
		uint64_t next;

		create(EPOCH, 0, 0);
		out(A, 0x20 | rs);
		out(B, H24 | PIE);
		while ((next = vtimers_next(&r.timers)) <= S) {
			fake_clock_jump(&r.timers, next);
			assert_true(r.irq.level);
			assert_int_equal(in(C) & 0xc0, 0xc0);
			n++;
		}
		assert_int_equal(n, hz[rs]);
	}
}

static void periodic_after_a_pause(void **state)
{
	(void)state;
	out(A, 0x23);
	out(B, H24 | PIE);
	fake_clock_jump(&r.timers, 3600 * S);
	assert_int_equal(r.irq.rises, 1);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
	(void)in(C);
	assert_in_range(vtimers_next(&r.timers) - 3600 * S, 1, 122071);
}

static void stopped_divider_stops_it(void **state)
{
	(void)state;
	out(B, H24 | PIE | UIE | AIE);
	out(A, 0x76);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
	(void)in(C);
	fake_clock_jump(&r.timers, 100 * S);
	assert_shows(EPOCH);
	assert_int_equal(in(C), 0);
	out(A, 0x26);
	fake_clock_walk(&r.timers, 101 * S);
	assert_shows(EPOCH + 1);
	assert_int_equal(in(C) & 0xd0, 0xd0);
}

/* Lets two days pass: an alarm that is due in so many seconds rings, once as nobody reads C; 0: none does. */
static void assert_rings(uint64_t seconds)
{
	fake_clock_walk(&r.timers, 2 * 86400 * S);
	assert_int_equal(r.irq.level, seconds != 0);
	assert_int_equal(r.irq.rises, seconds != 0);
	assert_int_equal(in(C) & 0xa0, seconds ? 0xa0 : 0);
}

static void alarms(void **state)
{
	/* From 22:13:20. */
	static const struct { unsigned int h, m, s; uint64_t want; } t[] = {
		{ 0x22, 0x13, 0x21, 1 }, { 0x22, 0x13, 0x20, 86400 }, { 0x22, 0x13, 0x19, 86399 }, { 0x22, 0x14, 0x00, 40 },
		{ 0x23, 0x00, 0x00, 2800 }, { 0x00, 0x00, 0x00, 6400 }, { 0xff, 0xff, 0xff, 1 }, { 0xff, 0xff, 0x20, 60 },
		{ 0xff, 0xff, 0x00, 40 }, { 0xff, 0x00, 0x00, 2800 }, { 0xff, 0x13, 0x19, 3599 }, { 0x22, 0xc0, 0xc0, 1 },
		{ 0x10, 0xff, 0xff, 42400 }, { 0x22, 0xff, 0x10, 50 }, { 0x22, 0x12, 0xff, 86320 },
		/* Never. */
		{ 0x24, 0xff, 0xff, 0 }, { 0xff, 0x60, 0xff, 0 }, { 0xff, 0xff, 0x60, 0 }, { 0x99, 0x99, 0x99, 0 },
		{ 0xbf, 0xbf, 0xbf, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		create(EPOCH, 0, 0);
		out(HOUR_A, t[i].h);
		out(MIN_A, t[i].m);
		out(SEC_A, t[i].s);
		out(B, H24 | AIE);
		if (t[i].want)
			assert_int_equal(vtimers_next(&r.timers), t[i].want * S);
		else
			assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
		assert_rings(t[i].want);
	}
}

/* Every alarm found by the search is the first second that matches, from any time of day. */
static void alarm_search_is_exact(void **state)
{
	uint32_t x = 7;

	(void)state;
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int h, m, s, tod, at;

		x = x * 1664525 + 1013904223;
		h = x >> 8 & 3 ? 0xff : (x >> 10) % 24;
		m = x >> 16 & 3 ? 0xff : (x >> 18) % 60;
		s = x >> 24 & 1 ? 0xff : (x >> 25) % 60;
		x = x * 1664525 + 1013904223;
		tod = (x >> 4) % 86400;
		create(1700006400 - 1700006400 % 86400 + tod, 0, 0);
		out(HOUR_A, h);
		out(MIN_A, m);
		out(SEC_A, s);
		out(B, H24 | DM | AIE);
		for (at = 1; at <= 86400; at++) {
			unsigned int u = (tod + at) % 86400;

			if ((h == 0xff || u / 3600 == h) && (m == 0xff || u / 60 % 60 == m) && (s == 0xff || u % 60 == s))
				break;
		}
		assert_int_equal(vtimers_next(&r.timers), at * S);
	}
}

static void alarm_seen_late(void **state)
{
	(void)state;
	out(HOUR_A, 0xff);
	out(MIN_A, 0x14);
	out(SEC_A, 0x00);
	(void)in(C);
	fake_clock_set(39 * S);
	assert_int_equal(in(C) & 0x20, 0);
	fake_clock_set(41 * S);
	assert_int_equal(in(C) & 0x20, 0x20);     /* the flag, though nobody enabled it */
	fake_clock_set(50 * S);
	assert_int_equal(in(C) & 0x20, 0);
	assert_int_equal(in(MIN_A), 0x14);
}

static unsigned int cmos(unsigned int at, unsigned int n)
{
	unsigned int v = 0;

	while (n--)
		v = v << 8 | in(at + n);
	return v;
}

static void memory_sizes(void **state)
{
	unsigned int sum = 0;

	(void)state;
	create(EPOCH, 512ull << 20, 0);
	assert_int_equal(cmos(0x15, 2), 640);
	assert_int_equal(cmos(0x17, 2), 0xffff);
	assert_int_equal(cmos(0x30, 2), 0xffff);
	assert_int_equal(cmos(0x34, 2), (512 - 16) * 16);
	assert_int_equal(cmos(0x5b, 3), 0);
	for (unsigned int i = 0x10; i <= 0x2d; i++)
		sum += in(i);
	assert_int_equal(in(0x2e) << 8 | in(0x2f), sum);
	create(EPOCH, 3ull << 30, 5ull << 30);
	assert_int_equal(cmos(0x34, 2), (3072 - 16) * 16);
	assert_int_equal(cmos(0x5b, 3), 5 * 1024 * 16);
	create(EPOCH, 8ull << 20, 0);
	assert_int_equal(cmos(0x17, 2), 7 * 1024);
	assert_int_equal(cmos(0x34, 2), 0);
	create(EPOCH, 1ull << 20, 1ull << 60);
	assert_int_equal(cmos(0x17, 2), 0);
	assert_int_equal(cmos(0x5b, 3), 0xffffff);
}

static void memory_keeps_what_is_written(void **state)
{
	(void)state;
	for (unsigned int i = 0x0e; i < 0x80; i++)
		if (i != CENT)
			out(i, i ^ 0x5a);
	out(0x80 | 0x20, 0x77);                   /* bit 7 of the index is the NMI mask */
	rtc_reset(&r.d);
	for (unsigned int i = 0x0e; i < 0x80; i++)
		if (i != CENT)
			assert_int_equal(in(i | 0x80), i == 0x20 ? 0x77 : i ^ 0x5a);
	out(C, 0xff);
	out(D, 0);
	assert_int_equal(in(C), 0);
	assert_int_equal(in(D), 0x80);
}

static void reset_disables(void **state)
{
	(void)state;
	out(B, H24 | PIE | UIE | AIE | DM);
	fake_clock_walk(&r.timers, S);
	assert_true(r.irq.level);
	rtc_reset(&r.d);
	assert_false(r.irq.level);
	assert_int_equal(in(B), H24 | DM);
	assert_int_equal(in(C), 0);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
}

static void any_traffic_is_survived(void **state)
{
	uint32_t x = 1;
	uint64_t now = 0;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		x = x * 1664525 + 1013904223;
		now += (uint64_t)(x & 0xfff) * (x >> 12 & 0xfff) * 100;
		fake_clock_jump(&r.timers, now);
		if (x >> 31)
			(void)in(x >> 24 & 15);
		else
			out(x >> 24 & 15, x >> 16 & 0xff);
		if (x >> 20 & 1)
			out(CENT, x >> 8 & 0xff);
		assert_true(vtimers_next(&r.timers) > now);
		assert_int_equal(r.irq.level, (r.d.s.cmos[B] & r.d.s.cmos[C] & 0x70) != 0);
	}
	assert_true(r.irq.rises > 100);
	fake_clock_jump(&r.timers, UINT64_MAX);
	(void)in(C);
	(void)in(YEAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(power_on, setup),
		cmocka_unit_test_setup(shows_any_date, setup),
		cmocka_unit_test_setup(time_goes_on, setup),
		cmocka_unit_test_setup(created_when_the_guest_already_runs, setup),
		cmocka_unit_test_setup(takes_any_date, setup),
		cmocka_unit_test_setup(hours_and_binary, setup),
		cmocka_unit_test_setup(set_freezes_and_takes_over, setup),
		cmocka_unit_test_setup(linux_sets_the_time, setup),
		cmocka_unit_test_setup(writes_without_set_count_at_once, setup),
		cmocka_unit_test_setup(nonsense_times_are_some_time, setup),
		cmocka_unit_test_setup(update_in_progress, setup),
		cmocka_unit_test_setup(update_interrupt, setup),
		cmocka_unit_test_setup(flags_rise_without_interrupts, setup),
		cmocka_unit_test_setup(periodic_rates, setup),
		cmocka_unit_test_setup(periodic_after_a_pause, setup),
		cmocka_unit_test_setup(stopped_divider_stops_it, setup),
		cmocka_unit_test_setup(alarms, setup),
		cmocka_unit_test_setup(alarm_search_is_exact, setup),
		cmocka_unit_test_setup(alarm_seen_late, setup),
		cmocka_unit_test_setup(memory_sizes, setup),
		cmocka_unit_test_setup(memory_keeps_what_is_written, setup),
		cmocka_unit_test_setup(reset_disables, setup),
		cmocka_unit_test_setup(any_traffic_is_survived, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
