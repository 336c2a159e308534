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
	uint8_t pit_stuck;            /* bits of port 61h that stay 1 */
	uint32_t pm_start;
	uint16_t pit_count;
	unsigned int pit_bytes;
	uint8_t port61;
	uint64_t pit_from;
	unsigned int steal;           /* every so many PM readings, or only at the first so many, 5 ms pass on the way: */
	bool steal_once;              /* an emulator's other work */
	unsigned int readings;
} clk;

static struct tsc_facts facts;        /* what the CPU says */

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
	return port == 0x61 ? clk.port61 | clk.pit_stuck : 0xff;
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
	facts = (struct tsc_facts){ 0 };
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

static const char *init_tsc(struct platform *p)
{
	return tsc_init(p, &facts);
}

static void by_the_pm_timer(void **ctx)
{
	struct platform p = { .pm_tmr = PM_PORT };

	(void)ctx;
	assert_string_equal(init_tsc(&p), "PM timer");
	near(p.tsc_khz);
}

static void across_the_pm_timers_wrap(void **ctx)
{
	struct platform p = { .pm_tmr = PM_PORT };

	(void)ctx;
	clk.pm_start = 0xffffff - 1000;
	assert_string_equal(init_tsc(&p), "PM timer");
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
		assert_string_equal(init_tsc(&p), "PM timer");
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
		assert_string_equal(init_tsc(&p), "PM timer");
		near(p.tsc_khz);
	}
}

static void by_the_pit_without_a_pm_timer(void **ctx)
{
	struct platform p = { 0 };

	(void)ctx;
	assert_string_equal(init_tsc(&p), "PIT");
	near(p.tsc_khz);
	/* Gate and speaker off again. */
	assert_int_equal(clk.port61 & 3, 0);
}

static void by_the_pit_when_the_pm_timer_stands(void **ctx)
{
	struct platform p = { .pm_tmr = PM_PORT };

	(void)ctx;
	clk.pm = false;
	assert_string_equal(init_tsc(&p), "PIT");
	near(p.tsc_khz);
}

static struct tsc_facts says(uint32_t signature, uint32_t ratio, uint32_t by, uint32_t hz, uint32_t base_mhz)
{
	return (struct tsc_facts){ true, signature, { by, ratio, hz, 0 }, { base_mhz, 0, 0, 0 } };
}

/* Firmware has switched the PIT off, the PM timer is not there or stands: by CPUID, and soon. */
static void by_cpuid_when_no_clock_counts(void **ctx)
{
	static const struct {
		uint32_t signature, ratio, by, hz, base_mhz;
		uint64_t khz;
		const char *name;
	} rows[] = {
		{ 0xb0671, 83, 1, 38400000, 3200, 3187200, "CPUID 15h" },       /* a crystal that is named */
		{ 0xa06a4, 156, 2, 38400000, 1400, 2995200, "CPUID 15h" },      /* not the base frequency */
		{ 0x606a6, 168, 2, 25000000, 0, 2100000, "CPUID 15h" },
		{ 0x506e3, 334, 2, 0, 4000, 4008000, "CPUID 15h" },             /* Skylake, Kaby Lake: 24 MHz */
		{ 0x406e3, 200, 2, 0, 0, 2400000, "CPUID 15h" },
		{ 0x806ea, 150, 2, 0, 1800, 1800000, "CPUID 15h" },
		{ 0x906e9, 350, 2, 0, 4200, 4200000, "CPUID 15h" },
		{ 0x506c9, 171, 3, 0, 0, 1094400, "CPUID 15h" },                /* Goldmont: 19.2 MHz */
		{ 0x506f1, 168, 2, 0, 0, 2100000, "CPUID 15h" },                /* Denverton: 25 MHz */
		{ 0x50654, 168, 2, 0, 2100, 2100000, "CPUID 16h" },             /* 24 or 25 MHz: nobody knows */
		{ 0x50654, 168, 2, 999999, 2100, 2100000, "CPUID 16h" },        /* no such crystal */
		{ 0xb0671, 8300, 1, 38400000, 3200, 3200000, "CPUID 16h" },     /* no such TSC */
		{ 0xb0671, 83, 1, 1, 0xffff0c80, 3200000, "CPUID 16h" },        /* the upper half is reserved */
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct platform p = { .pm_tmr = i & 1 ? PM_PORT : 0 };

		fresh(NULL);
		clk.pm = clk.pit = false;
		facts = says(rows[i].signature, rows[i].ratio, rows[i].by, rows[i].hz, rows[i].base_mhz);
		assert_string_equal(init_tsc(&p), rows[i].name);
		assert_int_equal(p.tsc_khz, rows[i].khz);
		/* Not much more than a second at 2.6 GHz for both clocks. */
		assert_in_range(fake_ports.tsc, 0, 2ull * clk.khz * 1000);
	}
}

/* A clock that counts is believed before the CPU. */
static void measured_before_said(void **ctx)
{
	struct platform p = { .pm_tmr = PM_PORT };

	(void)ctx;
	facts = says(0xb0671, 83, 1, 38400000, 3200);
	assert_string_equal(init_tsc(&p), "PM timer");
	near(p.tsc_khz);
	clk.pm = false;
	assert_string_equal(init_tsc(&p), "PIT");
	near(p.tsc_khz);
}

/* An output that is high from the start would make a TSC of some kHz; that of port 61h not there at all, too. */
static void a_stuck_pit_measures_nothing(void **ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < 2; i++) {
		struct platform p = { 0 };

		fresh(NULL);
		clk.pit = false;
		clk.pit_stuck = i ? 0xff : 0x20;
		facts = says(0xb0671, 83, 1, 38400000, 3200);
		assert_string_equal(init_tsc(&p), "CPUID 15h");
	}
}

/* The PIT's gate is closed again, whether it counts or not. */
static void the_gate_is_left_closed(void **ctx)
{
	struct platform p = { 0 };

	(void)ctx;
	clk.pit = false;
	facts = says(0xb0671, 83, 1, 38400000, 3200);
	init_tsc(&p);
	assert_int_equal(clk.port61 & 3, 0);
}

static void init(void *arg)
{
	init_tsc(arg);
}

static void no_clock_at_all_is_the_end(void **ctx)
{
	static const struct tsc_facts none[] = {
		{ 0 },
		{ false, 0xb0671, { 1, 83, 38400000, 0 }, { 3200, 0, 0, 0 } },  /* not Intel's leaves */
		{ true, 0xb0671, { 0, 83, 38400000, 0 }, { 3200, 0, 0, 0 } },
		{ true, 0xb0671, { 1, 0, 38400000, 0 }, { 3200, 0, 0, 0 } },
		{ true, 0xb0671, { 1, 83, 1000000001, 0 }, { 0, 0, 0, 0 } },
		{ true, 0xb0671, { UINT32_MAX, 1, 38400000, 0 }, { 0, 0, 0, 0 } },
		{ true, 0xb0671, { 1, UINT32_MAX, 1000000000, 0 }, { 10001, 0, 0, 0 } },
		{ true, 0x306c3, { 1, 83, 0, 0 }, { 0, 0, 0, 0 } },
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
		struct platform p = { .pm_tmr = i & 1 ? PM_PORT : 0 };
		const char *why;

		fresh(NULL);
		clk.pm = clk.pit = false;
		facts = none[i];
		why = panic_of(init, &p);
		assert_non_null(why);
		assert_non_null(strstr(why, p.pm_tmr ? "the PM timer stands" : "there is no PM timer"));
	}
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
		cmocka_unit_test_setup(by_cpuid_when_no_clock_counts, fresh),
		cmocka_unit_test_setup(measured_before_said, fresh),
		cmocka_unit_test_setup(a_stuck_pit_measures_nothing, fresh),
		cmocka_unit_test_setup(the_gate_is_left_closed, fresh),
		cmocka_unit_test_setup(no_clock_at_all_is_the_end, fresh),
		cmocka_unit_test_setup(delays_as_long_as_asked, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
