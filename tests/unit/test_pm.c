/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI fixed hardware on a fake clock. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/dev/pm.h"
#include "arch/x86/dev/ticks.h"
#include "support/clock.h"
#include "support/dev_rig.h"

#define S 1000000000ull
#define STS 0u
#define EN  2u
#define CNT 4u
#define TMR 8u
#define TMR_STS 0x0001u
#define PWRBTN  0x0100u

static struct rig {
	struct pm p;
	struct rig_line sci;
	struct rig_stop stop;
	struct vclock clock;
	struct vtimers timers;
} r;

static int setup(void **state)
{
	struct irq_line sci = rig_line_to(&r.sci, 0);
	struct vm_control control = rig_stop_to(&r.stop);

	(void)state;
	memset(&r, 0, sizeof(r));
	vclock_init(&r.clock, 1000000);
	vtimers_init(&r.timers, &r.clock);
	pm_create(&r.p, &sci, &control, &r.clock, &r.timers);
	pm_reset(&r.p);
	return 0;
}

static uint64_t in(uint64_t off, unsigned int size)
{
	return pm_ops.read(&r.p, off, size);
}

static void out(uint64_t off, unsigned int size, uint64_t val)
{
	pm_ops.write(&r.p, off, size, val);
}

static void power_on(void **state)
{
	(void)state;
	assert_int_equal(in(STS, 2), 0);
	assert_int_equal(in(EN, 2), 0);
	assert_int_equal(in(CNT, 2), 1);          /* ACPI mode from the start */
	assert_int_equal(in(CNT + 2, 2), 0);
	assert_int_equal(in(TMR, 4), 0);
	assert_false(r.sci.level);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
}

static void timer_runs_at_its_rate(void **state)
{
	(void)state;
	fake_clock_set(S);
	assert_int_equal(in(TMR, 4), PM_TMR_HZ);
	assert_int_equal(in(TMR, 2), PM_TMR_HZ & 0xffff);
	assert_int_equal(in(TMR + 2, 1), PM_TMR_HZ >> 16 & 0xff);
	fake_clock_set(ticks_deadline(1ull << 32, PM_TMR_HZ));
	assert_int_equal(in(TMR, 4), 0);          /* 32 bits */
	fake_clock_set(ticks_deadline((1ull << 32) - 1, PM_TMR_HZ));
	assert_int_equal(in(TMR, 4), 0xffffffff);
	out(TMR, 4, 0);                           /* read-only */
	assert_int_equal(in(TMR, 4), 0xffffffff);
}

static void overflow_sets_status_without_a_timer(void **state)
{
	(void)state;
	fake_clock_set(ticks_deadline((1ull << 31) - 1, PM_TMR_HZ));
	assert_int_equal(in(STS, 2), 0);
	fake_clock_set(ticks_deadline(1ull << 31, PM_TMR_HZ));
	assert_int_equal(in(STS, 2), TMR_STS);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);
	out(STS, 2, TMR_STS);
	assert_int_equal(in(STS, 2), 0);
	fake_clock_set(ticks_deadline(1ull << 32, PM_TMR_HZ));    /* falling counts too */
	assert_int_equal(in(STS, 2), TMR_STS);
	assert_int_equal(r.sci.rises, 0);
}

static void overflow_interrupts(void **state)
{
	(void)state;
	out(EN, 2, TMR_STS);
	fake_clock_walk(&r.timers, ticks_deadline((1ull << 31) - 1, PM_TMR_HZ));
	assert_false(r.sci.level);
	fake_clock_walk(&r.timers, ticks_deadline(1ull << 31, PM_TMR_HZ));
	assert_true(r.sci.level);
	assert_true(vtimers_next(&r.timers) == VTIMER_OFF);       /* pending: nothing more to wait for */
	fake_clock_walk(&r.timers, ticks_deadline(1ull << 33, PM_TMR_HZ));
	assert_int_equal(r.sci.rises, 1);
	out(STS, 1, TMR_STS);
	assert_false(r.sci.level);
	fake_clock_walk(&r.timers, ticks_deadline((1ull << 33) + (1ull << 31), PM_TMR_HZ));
	assert_int_equal(r.sci.rises, 2);
	out(EN, 2, 0);
	assert_false(r.sci.level);
}

static void power_button(void **state)
{
	(void)state;
	pm_power_button(&r.p);
	assert_int_equal(in(STS, 2), PWRBTN);
	assert_false(r.sci.level);
	out(EN, 2, PWRBTN);
	assert_true(r.sci.level);
	out(STS, 2, (uint16_t)~PWRBTN);           /* others' ones leave it */
	assert_true(r.sci.level);
	out(STS + 1, 1, PWRBTN >> 8);
	assert_false(r.sci.level);
	assert_int_equal(in(STS, 2), 0);
	pm_power_button(&r.p);
	assert_int_equal(r.sci.rises, 2);
	pm_reset(&r.p);
	assert_false(r.sci.level);
	assert_int_equal(in(STS, 4), 0);
	assert_int_equal(r.stop.count, 0);        /* the button alone stops nobody */
}

static void rtc_alarm(void **state)
{
	(void)state;
	pm_rtc_alarm(&r.p);
	assert_int_equal(in(STS, 2), 0x400);
	assert_false(r.sci.level);
	out(EN, 2, 0x400);
	assert_true(r.sci.level);
	out(STS, 2, 0x400);
	assert_false(r.sci.level);
}

static void enables_have_only_real_bits(void **state)
{
	(void)state;
	out(EN, 2, 0xffff);
	assert_int_equal(in(EN, 2), 0x0521);
	out(EN, 1, 0);
	assert_int_equal(in(EN, 2), 0x0500);
	out(EN + 1, 1, 0);
	out(STS, 4, 0x00210000);                  /* status and enable at once */
	assert_int_equal(in(EN, 2), 0x0021);
	assert_int_equal(in(STS, 4), 0x00210000);
}

static void only_s5_sleeps(void **state)
{
	(void)state;
	for (unsigned int typ = 0; typ < 8; typ++) {
		out(CNT, 2, typ << 10);           /* SLP_TYP alone */
		assert_int_equal(r.stop.count, 0);
		assert_int_equal(in(CNT, 2), typ << 10 | 1);
		if (typ == PM_SLP_S5)
			continue;
		out(CNT, 2, typ << 10 | 0x2000);
		assert_int_equal(r.stop.count, 0);
		assert_int_equal(in(CNT, 2) & 0x2000, 0);
	}
	out(CNT, 2, 5u << 10);
	out(CNT, 1, 0);                           /* the other byte of the register */
	assert_int_equal(r.stop.count, 0);
	out(CNT, 2, 5u << 10 | 0x2000 | 1);
	assert_int_equal(r.stop.count, 1);
	assert_int_equal(r.stop.kind, STOP_POWEROFF);
	assert_string_equal(r.stop.text, "powered off (ACPI S5)");
}

static void s5_by_bytes_and_dwords(void **state)
{
	(void)state;
	out(CNT + 1, 1, 0x34);
	assert_int_equal(r.stop.count, 1);
	out(CNT, 4, 0x3400);
	assert_int_equal(r.stop.count, 2);
	out(CNT + 2, 2, 0x3400);                  /* beyond the register */
	out(TMR, 4, 0x34003400);
	out(STS, 4, 0x34003400);
	assert_int_equal(r.stop.count, 2);
}

static void any_traffic_is_survived(void **state)
{
	uint32_t x = 1;
	uint64_t now = 0;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int size;

		x = x * 1664525 + 1013904223;
		size = 1u << (x >> 29 & 3) % 3;
		now += (uint64_t)(x & 0xffff) * 100000;
		fake_clock_jump(&r.timers, now);
		if (x >> 31)
			(void)in((x >> 8) % PM_LEN / size * size, size);
		else
			out((x >> 8) % PM_LEN / size * size, size, x);
		assert_true(vtimers_next(&r.timers) > now);
		assert_int_equal(r.sci.level, (in(STS, 2) & in(EN, 2)) != 0);
	}
	assert_true(r.sci.rises > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(power_on, setup),
		cmocka_unit_test_setup(timer_runs_at_its_rate, setup),
		cmocka_unit_test_setup(overflow_sets_status_without_a_timer, setup),
		cmocka_unit_test_setup(overflow_interrupts, setup),
		cmocka_unit_test_setup(power_button, setup),
		cmocka_unit_test_setup(rtc_alarm, setup),
		cmocka_unit_test_setup(enables_have_only_real_bits, setup),
		cmocka_unit_test_setup(only_s5_sleeps, setup),
		cmocka_unit_test_setup(s5_by_bytes_and_dwords, setup),
		cmocka_unit_test_setup(any_traffic_is_survived, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
