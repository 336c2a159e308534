/* SPDX-License-Identifier: BSD-2-Clause */
/* Switching the machine off, and arming the LAPIC's timer: what is written where. Reboots cannot be tried here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "arch/x86/cpu/cpu.h"
#include "arch/x86/cpu/pci.h"
#include "arch/x86/cpu/tsc.h"
#include "arch/x86/mm/paging.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/ports.h"

static struct host host;
static struct pcpu_arch arch;
static uint32_t lapic[1024];
static uint16_t pm1a, pm1b;
static char wrote[256];
static unsigned int enable_after, delays;

static uint8_t sleep_register;

void *mmio_map(hpa_t a, size_t len)
{
	return a.v == 0xfed10040u && len == 1 ? &sleep_register : NULL;
}

void host_delay_us(uint64_t us)
{
	(void)us;
	if (++delays == enable_after)
		pm1a |= 1;
}

uint32_t pci_address(unsigned int bus, unsigned int dev, unsigned int fn)
{
	return bus | dev | fn;
}

void pci_write8(uint32_t function, uint8_t reg, uint8_t v)
{
	(void)function;
	(void)reg;
	(void)v;
}

static uint32_t pm_in(uint16_t port, unsigned int size)
{
	assert_int_equal(size, 2);
	return port == 0x604 ? pm1a : pm1b;
}

static void pm_out(uint16_t port, unsigned int size, uint32_t v)
{
	(void)size;
	snprintf(wrote + strlen(wrote), sizeof(wrote) - strlen(wrote), "%x=%x ", port, v);
}

static int fresh(void **ctx)
{
	(void)ctx;
	memset(&host, 0, sizeof(host));
	memset(lapic, 0, sizeof(lapic));
	host.platform = (struct platform){ .has_s5 = true, .pm1a_cnt = 0x604, .s5_a = 5, .s5_b = 6, .tsc_khz = 2000000,
					   .lapic_khz = 1000000 };
	arch = (struct pcpu_arch){ .lapic = lapic };
	pm1a = 1;
	pm1b = 0;
	wrote[0] = '\0';
	enable_after = delays = 0;
	fake_ports = (struct fake_ports){ .in = pm_in, .out = pm_out };
	return 0;
}

static bool answer;

static void off(void *arg)
{
	(void)arg;
	answer = host_poweroff();
}

static bool poweroff(void)
{
	wrote[0] = '\0';
	cpu_area_run(off, NULL, &host);
	return answer;
}

static void s5_goes_to_both_registers(void **ctx)
{
	(void)ctx;
	pm1a = 0x2c03;	/* another sleep type and its enable bit are still in it */
	assert_false(poweroff());
	assert_string_equal(wrote, "604=1403 604=3403 ");
	host.platform.pm1b_cnt = 0x704;
	pm1b = 0x10;
	poweroff();
	assert_string_equal(wrote, "604=1403 604=3403 704=1810 704=3810 ");
}

static void acpi_mode_comes_first(void **ctx)
{
	(void)ctx;
	host.platform.smi_cmd = 0xb2;
	host.platform.acpi_enable = 0xf1;
	pm1a = 0;
	enable_after = 3;
	poweroff();
	assert_string_equal(wrote, "b2=f1 604=1401 604=3401 ");
	/* In ACPI mode already: not asked again. */
	poweroff();
	assert_string_equal(wrote, "604=1401 604=3401 ");
	/* Firmware that never answers: bounded, and tried all the same. */
	pm1a = 0;
	delays = 0;
	enable_after = 0;
	poweroff();
	assert_string_equal(wrote, "b2=f1 604=1400 604=3400 ");
	assert_in_range(delays, 100, 2000);
}

/* No PM1 block, no ACPI mode to enter: the register that the FADT names for it, in ports or in memory. */
static void reduced_hardware_has_a_register_of_its_own(void **ctx)
{
	(void)ctx;
	host.platform = (struct platform){ .has_s5 = true, .s5_a = 5, .hw_reduced = true, .sleep_space = 1,
					   .sleep_addr = 0x404, .smi_cmd = 0xb2, .acpi_enable = 1 };
	assert_false(poweroff());
	assert_string_equal(wrote, "404=34 ");
	host.platform.sleep_space = 0;
	host.platform.sleep_addr = 0xfed10040u;
	assert_false(poweroff());
	assert_string_equal(wrote, "");
	assert_int_equal(sleep_register, 0x34);
}

static void without_s5_nothing_is_touched(void **ctx)
{
	(void)ctx;
	host.platform.has_s5 = false;
	assert_false(poweroff());
	assert_string_equal(wrote, "");
}

uint64_t host_tsc(void) { return fake_ports.tsc; }

static void arm(void *arg)
{
	this_cpu()->arch = &arch;
	host_timer_arm(*(uint64_t *)arg);
}

static uint32_t count_for(uint64_t now, uint64_t deadline)
{
	fake_ports.tsc = now;
	lapic[0x380 / 4] = 99;
	cpu_area_run(arm, &deadline, &host);
	return lapic[0x380 / 4];
}

static void timer_counts(void **ctx)
{
	(void)ctx;
	/* Half the TSC's rate, and never early for rounding. */
	assert_int_equal(count_for(1000, 3000), 1001);
	assert_int_equal(count_for(1000, 1001), 1);
	/* Past and present: at once. Zero would stop the timer. */
	assert_int_equal(count_for(1000, 1000), 1);
	assert_int_equal(count_for(1000, 0), 1);
	assert_int_equal(count_for(UINT64_MAX - 1, 5), 1);
	/* Off. */
	assert_int_equal(count_for(1000, UINT64_MAX), 0);
	/* Farther than the counter reaches: early. */
	assert_int_equal(count_for(1000, UINT64_MAX - 1), UINT32_MAX);
	assert_int_equal(count_for(0, 2ull * UINT32_MAX + 2), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(s5_goes_to_both_registers, fresh),
		cmocka_unit_test_setup(acpi_mode_comes_first, fresh),
		cmocka_unit_test_setup(reduced_hardware_has_a_register_of_its_own, fresh),
		cmocka_unit_test_setup(without_s5_nothing_is_touched, fresh),
		cmocka_unit_test_setup(timer_counts, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
