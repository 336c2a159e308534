/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader knows where the machine's devices are: plan_check() refuses what the bus would refuse later, and no more. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/manifest.h>

#include "arch/x86/dev/machine.h"

/* The table only takes their addresses. */
#define OPS(name) extern const struct vdev_ops name; const struct vdev_ops name
OPS(pic_master_ops); OPS(pic_slave_ops); OPS(pic_elcr_ops); OPS(pit_ops); OPS(pit_port61_ops); OPS(i8042_data_ops);
OPS(i8042_command_ops); OPS(uart_ops); OPS(debugport_e9_ops); OPS(debugport_bios_ops); OPS(rtc_ops); OPS(pm_ops);
OPS(reset_port92_ops); OPS(pciconfig_ops); OPS(ioapic_ops);

static struct image_error err;

/* The verdict on a plan with all devices and this one range. */
static enum image_err judge(uint32_t devices, bool mmio, uint64_t start, uint64_t end)
{
	static const struct image img = { .file_count = 1 };
	struct vm_plan plan = {
		.memory_mib = 64, .cores = 1, .devices = devices, .has_boot = true, .kernel = 0, .initrd = -1,
		.ignore_count = 1, .ignore = { { .mmio = mmio, .start = start, .end = end } },
	};

	return plan_check(&plan, &img, &err) ? err.code : IMG_OK;
}

static void every_device(void **state)
{
	(void)state;
	assert_true(machine_table_rows > 10);
	for (unsigned int i = 0; i < machine_table_rows; i++) {
		const struct machine_row *r = &machine_table[i];

		assert_int_equal(judge(PLAN_STANDARD, r->mmio, r->base, r->base), IMG_ERR_PLAN_OVERLAP);
		assert_int_equal(judge(PLAN_STANDARD, r->mmio, r->base + r->len - 1, r->base + r->len - 1),
				 IMG_ERR_PLAN_OVERLAP);
	}
	assert_int_equal(judge(PLAN_STANDARD, true, 0xfee00000, 0xfee00fff), IMG_ERR_PLAN_OVERLAP);
}

static bool on_table(uint64_t port)
{
	for (unsigned int i = 0; i < machine_table_rows; i++) {
		const struct machine_row *r = &machine_table[i];

		if (!r->mmio && port >= r->base && port < r->base + r->len)
			return true;
	}
	return false;
}

static void every_port(void **state)
{
	(void)state;
	for (uint64_t port = 0; port <= 0xffff; port++)
		assert_int_equal(judge(PLAN_STANDARD, false, port, port), on_table(port) ? IMG_ERR_PLAN_OVERLAP : IMG_OK);
}

/* A device that is not in the plan leaves its place free. */
static void absent_devices(void **state)
{
	uint32_t devices = PLAN_ALWAYS | 1u << PLAN_PIC;

	(void)state;
	for (unsigned int i = 0; i < machine_table_rows; i++) {
		const struct machine_row *r = &machine_table[i];
		bool there = devices >> r->device & 1;

		assert_int_equal(judge(devices, r->mmio, r->base, r->base + r->len - 1),
				 there ? IMG_ERR_PLAN_OVERLAP : IMG_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_device), cmocka_unit_test(every_port), cmocka_unit_test(absent_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
