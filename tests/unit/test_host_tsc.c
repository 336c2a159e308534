/* SPDX-License-Identifier: BSD-2-Clause */
/* Measuring the TSC against clocks that run, wrap, stand still or are not there. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/host.h>

#include "arch/x86/cpu/tsc.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/panic_catch.h"
#include "tests/unit/support/ports.h"

#define PM_PORT 0x608u

static struct {
	uint64_t khz;
	bool pm, pit;
	uint32_t pm_start;
	uint16_t pit_count;
	unsigned int pit_bytes;
	uint8_t port61;
	uint64_t pit_from;
	unsigned int steal;           /* every so many PM readings, or only at the first so many, 5 ms pass on the way: */
	bool steal_once;              /* an emulator's other work */
	unsigned int readings;
} clk;

static uint32_t ticks(uint64_t since, uint64_t hz)
{
	return (uint32_t)mul_div(fake_ports.tsc - since, hz, clk.khz * 1000);
}

static uint32_t clk_in(uint16_t port, unsigned int size)
{
	if (port == PM_PORT) {
		assert_int_equal(size, 4);
		clk.readings++;
		if (clk.steal && (clk.steal_once ? clk.readings == clk.steal : clk.readings % clk.steal == 0))
			fake_ports.tsc += clk.khz * 5;
		return clk.pm ? (clk.pm_start + ticks(0, 3579545)) & 0xffffffu : 0xffffffffu;
	}
	if (port == 0x61 && clk.pit && clk.port61 & 1 && clk.pit_bytes == 2)
		return clk.port61 | (ticks(clk.pit_from, 1193182) >= clk.pit_count ? 0x20u : 0);
	return port == 0x61 ? clk.port61 : 0xff;
}

static void clk_out(uint16_t port, unsigned int size, uint32_t v)
{
	assert_int_equal(size, 1);
	if (port == 0x43) {
		assert_int_equal(v, 0xb0);
		clk.pit_bytes = 0;
	} else if (port == 0x42) {
		clk.pit_count = (uint16_t)(clk.pit_bytes++ ? clk.pit_count | v << 8 : v);
	} else if (port == 0x61) {
		if (v & 1 && !(clk.port61 & 1))
			clk.pit_from = fake_ports.tsc;
		clk.port61 = (uint8_t)v;
	}
}

static int fresh(void **ctx)
{
	(void)ctx;
	memset(&clk, 0, sizeof(clk));
	clk.khz = 2600000;
	clk.pm = clk.pit = true;
	clk.port61 = 0x30;
	fake_ports = (struct fake_ports){ .in = clk_in, .out = clk_out, .tsc_step = 1300 };  /* half a microsecond */
	return 0;
}

static void near(uint64_t khz)
{
	assert_in_range(khz, clk.khz - clk.khz / 1000, clk.khz + clk.khz / 1000);
}

static void by_the_pm_timer(void **ctx)
{
	struct platform p = { .pm_tmr = PM_PORT };

	(void)ctx;
	assert_string_equal(tsc_init(&p), "PM timer");
	near(p.tsc_khz);
}

static void across_the_pm_timers_wrap(void **ctx)
{
	struct platform p = { .pm_tmr = PM_PORT };

	(void)ctx;
	clk.pm_start = 0xffffff - 1000;
	assert_string_equal(tsc_init(&p), "PM timer");
	near(p.tsc_khz);
}

static void whatever_the_rate(void **ctx)
{
	static const uint64_t rates[] = { 100000, 800000, 1000000, 3500000, 6000000 };
	unsigned int i;

	(void)ctx;
	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		struct platform p = { .pm_tmr = PM_PORT };

		fresh(NULL);
		clk.khz = rates[i];
		fake_ports.tsc_step = rates[i] / 2000;
		assert_string_equal(tsc_init(&p), "PM timer");
		near(p.tsc_khz);
	}
}

static void stolen_time_does_no_harm(void **ctx)
{
	unsigned int steal;

	(void)ctx;
	for (steal = 2; steal < 16; steal++) {
		struct platform p = { .pm_tmr = PM_PORT };

		fresh(NULL);
		clk.steal = steal / 2;
		clk.steal_once = steal & 1 || steal == 2;
		assert_string_equal(tsc_init(&p), "PM timer");
		near(p.tsc_khz);
	}
}

static void by_the_pit_without_a_pm_timer(void **ctx)
{
	struct platform p = { 0 };

	(void)ctx;
	assert_string_equal(tsc_init(&p), "PIT");
	near(p.tsc_khz);
	/* Gate and speaker off again. */
	assert_int_equal(clk.port61 & 3, 0);
}

static void by_the_pit_when_the_pm_timer_stands(void **ctx)
{
	struct platform p = { .pm_tmr = PM_PORT };

	(void)ctx;
	clk.pm = false;
	assert_string_equal(tsc_init(&p), "PIT");
	near(p.tsc_khz);
}

static void init(void *arg)
{
	tsc_init(arg);
}

static void no_clock_at_all_is_the_end(void **ctx)
{
	struct platform p = { 0 };

	(void)ctx;
	clk.pit = false;
	assert_non_null(panic_of(init, &p));
}

static void wait_ms(void *arg)
{
	(void)arg;
	host_delay_us(1000);
}

static void delays_as_long_as_asked(void **ctx)
{
	static struct host h;

	(void)ctx;
	h.platform.tsc_khz = clk.khz;
	fake_ports.tsc = 0;
	cpu_area_run(wait_ms, NULL, &h);
	assert_in_range(fake_ports.tsc, clk.khz, clk.khz + 10 * fake_ports.tsc_step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(by_the_pm_timer, fresh),
		cmocka_unit_test_setup(across_the_pm_timers_wrap, fresh),
		cmocka_unit_test_setup(whatever_the_rate, fresh),
		cmocka_unit_test_setup(stolen_time_does_no_harm, fresh),
		cmocka_unit_test_setup(by_the_pit_without_a_pm_timer, fresh),
		cmocka_unit_test_setup(by_the_pit_when_the_pm_timer_stands, fresh),
		cmocka_unit_test_setup(no_clock_at_all_is_the_end, fresh),
		cmocka_unit_test_setup(delays_as_long_as_asked, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
