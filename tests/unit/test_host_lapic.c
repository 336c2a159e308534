/* SPDX-License-Identifier: BSD-2-Clause */
/* This machine's LAPICs: their mode; their lines: which are masked, which are firmware's, which are not there. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "arch/x86/cpu/apic.h"
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/mm/paging.h"
#include "tests/unit/support/cpu_area.h"

#define VERSION 0x030u
#define CMCI    0x2f0u
#define TIMER   0x320u
#define THERMAL 0x330u
#define PERF    0x340u
#define LINT0   0x350u
#define LINT1   0x360u
#define ERROR   0x370u
#define MASKED  0x10000u
#define AS_IT_WAS 0xabcdu

static struct host host;
static struct pcpu_arch arch;
static uint32_t regs[1024];
static uint32_t thermal;

void *mmio_map(hpa_t a, size_t len)
{
	(void)a;
	(void)len;
	return NULL;
}

uint64_t host_tsc(void) { return 0; }

static void cpu_of(unsigned int lvts)
{
	memset(regs, 0, sizeof(regs));
	regs[VERSION / 4] = 0x14 | (lvts - 1) << 16;
	regs[CMCI / 4] = regs[THERMAL / 4] = regs[PERF / 4] = AS_IT_WAS;
	arch = (struct pcpu_arch){ .lapic = regs };
}

static void boot(void *arg)
{
	(void)arg;
	this_cpu()->arch = &arch;
	thermal = lapic_thermal_line();
	lapic_set_lines(thermal, true);
}

static void other(void *arg)
{
	this_cpu()->arch = &arch;
	lapic_set_lines(*(uint32_t *)arg, false);
}

static void lines_that_are_there_are_masked(void **ctx)
{
	(void)ctx;
	for (unsigned int lvts = 4; lvts <= 7; lvts++) {
		cpu_of(lvts);
		cpu_area_run(boot, NULL, &host);
		assert_int_equal(regs[TIMER / 4] & MASKED, MASKED);
		assert_int_equal(regs[LINT0 / 4], MASKED);
		assert_int_equal(regs[LINT1 / 4], 0x400);
		assert_int_equal(regs[ERROR / 4], MASKED);
		assert_int_equal(regs[PERF / 4], lvts > 4 ? MASKED : AS_IT_WAS);
		assert_int_equal(regs[THERMAL / 4], lvts > 5 ? MASKED : AS_IT_WAS);
		assert_int_equal(regs[CMCI / 4], lvts > 6 ? MASKED : AS_IT_WAS);
	}
}

static void a_thermal_smi_is_firmwares(void **ctx)
{
	static const struct {
		uint32_t was, is;
	} rows[] = {
		{ 0x00200, 0x00200 }, { 0x10200, 0x10200 },     /* SMI, and one that is masked yet */
		{ 0x01200, 0x00200 },                           /* one on its way: that bit is the CPU's to write */
		{ 0x000fa, 0x10000 }, { 0x100fa, 0x10000 },     /* an operating system's interrupt */
		{ 0x00400, 0x10000 }, { 0x00700, 0x10000 },     /* NMI, ExtINT */
		{ 0x10000, 0x10000 },                           /* as reset leaves it */
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		cpu_of(7);
		regs[THERMAL / 4] = rows[i].was;
		cpu_area_run(boot, NULL, &host);
		assert_int_equal(regs[THERMAL / 4], rows[i].is);
		assert_int_equal(thermal, rows[i].is);
	}
	/* Without that line, what stands in its place says nothing. */
	cpu_of(5);
	regs[THERMAL / 4] = 0x200;
	cpu_area_run(boot, NULL, &host);
	assert_int_equal(thermal, MASKED);
	assert_int_equal(regs[THERMAL / 4], 0x200);
}

/* INIT has masked theirs. */
static void other_cpus_get_the_boot_cpus(void **ctx)
{
	static const uint32_t lines[] = { 0x200, 0x10200, 0x10000 };

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		uint32_t line = lines[i];

		cpu_of(7);
		regs[THERMAL / 4] = MASKED;
		cpu_area_run(other, &line, &host);
		assert_int_equal(regs[THERMAL / 4], line);
		assert_int_equal(regs[CMCI / 4], MASKED);
		assert_int_equal(regs[LINT1 / 4], MASKED);
	}
}

#define BASE   0xfee00000ull
#define ENABLE 0x800ull
#define X2     0x400ull
#define BSP    0x100ull

static uint64_t mode(uint64_t base, bool has, bool asked, uint32_t top_id)
{
	return lapic_mode(&(struct lapic_facts){ .base = base, .has_x2apic = has, .asked = asked, .top_id = top_id });
}

/* 254 is the last ID that the page has room for: 255 means all. */
static void ids_demand_x2apic(void **ctx)
{
	static const struct {
		uint32_t top_id;
		bool has, asked;
		uint64_t is;
	} rows[] = {
		{ 0, true, false, 0 }, { 1, true, false, 0 }, { 253, true, false, 0 }, { 254, true, false, 0 },
		{ 255, true, false, X2 }, { 256, true, false, X2 }, { 0xfffffffe, true, false, X2 },
		{ 254, false, false, 0 }, { 255, false, false, 0 }, { 256, false, false, 0 },   /* where there is none */
		{ 0, true, true, X2 }, { 254, true, true, X2 }, { 255, true, true, X2 },        /* x2apic=on */
		{ 0, false, true, 0 }, { 255, false, true, 0 },
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t is = BASE | ENABLE | BSP | rows[i].is;

		assert_true(mode(BASE | ENABLE | BSP, rows[i].has, rows[i].asked, rows[i].top_id) == is);
		/* Firmware has left it off. */
		assert_true(mode(BASE | BSP, rows[i].has, rows[i].asked, rows[i].top_id) == is);
	}
}

/* From there xAPIC mode is reached over "off" only, and with LEGACY_XAPIC_DISABLED not at all. */
static void firmwares_x2apic_stays(void **ctx)
{
	const uint64_t left = 0xfed40000ull | ENABLE | X2 | BSP;

	(void)ctx;
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(mode(left, i & 1, i & 2, 0) == left);
		assert_true(mode(left, i & 1, i & 2, 300) == left);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_are_there_are_masked),
		cmocka_unit_test(a_thermal_smi_is_firmwares),
		cmocka_unit_test(other_cpus_get_the_boot_cpus),
		cmocka_unit_test(ids_demand_x2apic),
		cmocka_unit_test(firmwares_x2apic_stays),
	};

	return cmocka_run_group_tests_name("host_lapic", tests, NULL, NULL);
}
