/* SPDX-License-Identifier: BSD-2-Clause */
/* The small ports of a PC: keyboard controller, reset registers, PCI configuration without PCI, debug ports. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/dev/debugport.h"
#include "arch/x86/dev/i8042.h"
#include "arch/x86/dev/pciconfig.h"
#include "arch/x86/dev/reset.h"
#include "support/dev_rig.h"

static struct rig {
	struct i8042 k;
	struct reset reset;
	struct pciconfig pci;
	struct debugport debug;
	struct rig_line irq[2];
	struct rig_stop stop;
	struct rig_chars out;
} r;

static int setup(void **state)
{
	struct irq_line kbd = rig_line_to(r.irq, 0), aux = rig_line_to(r.irq, 1);
	struct vm_control control = rig_stop_to(&r.stop);
	struct chardev chars = rig_chars_to(&r.out);

	(void)state;
	memset(&r, 0, sizeof(r));
	i8042_create(&r.k, &kbd, &aux, &control);
	i8042_reset(&r.k);
	reset_create(&r.reset, &control);
	reset_reset(&r.reset);
	pciconfig_create(&r.pci, reset_cf9_read, reset_cf9_write, &r.reset);
	debugport_create(&r.debug, &chars);
	return 0;
}

static uint8_t data(void)
{
	return (uint8_t)i8042_data_ops.read(&r.k, 0, 1);
}

static uint8_t status(void)
{
	return (uint8_t)i8042_command_ops.read(&r.k, 0, 1);
}

static void put_data(unsigned int v)
{
	i8042_data_ops.write(&r.k, 0, 1, v);
}

static void command(unsigned int v)
{
	i8042_command_ops.write(&r.k, 0, 1, v);
}

/* ---- keyboard controller ---- */

static void i8042_self_tests(void **state)
{
	(void)state;
	assert_int_equal(status(), 0x14);
	command(0xaa);
	assert_int_equal(status(), 0x1d);
	assert_int_equal(data(), 0x55);
	assert_int_equal(status() & 1, 0);
	command(0xab);
	assert_int_equal(data(), 0x00);
	command(0xa9);
	assert_int_equal(data(), 0x00);
	assert_int_equal(r.irq[0].rises, 0);
	assert_int_equal(r.stop.count, 0);
}

static void i8042_config(void **state)
{
	(void)state;
	command(0x20);
	assert_int_equal(data(), 0x44);
	for (unsigned int v = 0; v < 256; v++) {
		command(0x60);
		put_data(v);
		assert_int_equal(status() & 0x04, v & 0x04);
		command(0x20);
		assert_int_equal(data(), v & 0x77);
	}
	command(0xa7);
	command(0xad);
	command(0x20);
	assert_int_equal(data() & 0x30, 0x30);
	command(0xa8);
	command(0xae);
	command(0x20);
	assert_int_equal(data() & 0x30, 0);
}

static void i8042_nobody_answers_for_a_keyboard(void **state)
{
	(void)state;
	command(0x60);
	put_data(0x47);                           /* both interrupts on */
	put_data(0xff);                           /* reset the keyboard */
	assert_int_equal(status() & 0x61, 0x41);
	assert_true(r.irq[0].level);
	assert_int_equal(data(), 0xfe);
	assert_false(r.irq[0].level);
	assert_int_equal(status() & 0x61, 0);
	command(0xd4);
	put_data(0xf2);
	assert_int_equal(status() & 0x61, 0x61);
	assert_true(r.irq[1].level);
	assert_false(r.irq[0].level);
	assert_int_equal(data(), 0xfe);
	assert_false(r.irq[1].level);
	/* A byte for the keyboard switches it on; one for the other port does not. */
	command(0xad);
	command(0xd4);
	put_data(0xf2);
	(void)data();
	command(0x20);
	assert_int_equal(data() & 0x10, 0x10);
	put_data(0xff);
	(void)data();
	command(0x20);
	assert_int_equal(data() & 0x10, 0);
}

/* Linux proves the auxiliary port's interrupt with this loop. */
static void i8042_loops_bytes(void **state)
{
	(void)state;
	command(0x60);
	put_data(0x47);
	command(0xd3);
	put_data(0x5a);
	assert_int_equal(status() & 0x21, 0x21);
	assert_true(r.irq[1].level);
	command(0xd2);                            /* the next one replaces it, with an edge of its own */
	put_data(0xa5);
	assert_false(r.irq[1].level);
	assert_true(r.irq[0].level);
	assert_int_equal(status() & 0x21, 0x01);
	command(0xd2);
	put_data(0x5b);
	assert_int_equal(r.irq[0].rises, 2);
	assert_int_equal(data(), 0x5b);
	assert_int_equal(data(), 0x5b);           /* the buffer keeps it; nothing is new */
	assert_int_equal(status() & 1, 0);
	i8042_reset(&r.k);
	assert_false(r.irq[0].level || r.irq[1].level);
}

static void i8042_outport(void **state)
{
	(void)state;
	command(0xd0);
	assert_int_equal(data(), 0x03);
	command(0xd1);
	put_data(0x01);                           /* A20 off */
	command(0xd0);
	assert_int_equal(data(), 0x01);
	assert_int_equal(r.stop.count, 0);
	command(0xd1);
	put_data(0xfe);
	assert_int_equal(r.stop.count, 1);
	assert_int_equal(r.stop.kind, STOP_RESET);
}

static void i8042_resets(void **state)
{
	(void)state;
	for (unsigned int v = 0xf0; v < 0x100; v++) {
		r.stop.count = 0;
		command(v);
		assert_int_equal(r.stop.count, !(v & 1));
	}
	assert_int_equal(r.stop.kind, STOP_RESET);
	assert_string_equal(r.stop.text, "reset by port 0x64");
	for (unsigned int v = 0; v < 0xf0; v++) {
		r.stop.count = 0;
		command(v);
		assert_int_equal(r.stop.count, 0);
	}
}

static void i8042_a_new_command_forgets_the_old(void **state)
{
	(void)state;
	command(0xd1);
	command(0x20);
	put_data(0x00);                           /* a keyboard byte, not the output port */
	assert_int_equal(r.stop.count, 0);
}

/* ---- reset registers ---- */

static void cf9_resets(void **state)
{
	(void)state;
	for (unsigned int v = 0; v < 256; v++) {
		r.stop.count = 0;
		pciconfig_ops.write(&r.pci, 1, 1, v);
		assert_int_equal(r.stop.count, (v & 4) != 0);
		assert_int_equal(pciconfig_ops.read(&r.pci, 1, 1), v & 0x0a);
	}
	assert_int_equal(r.stop.kind, STOP_RESET);
	assert_string_equal(r.stop.text, "reset by port 0xcf9");
	assert_true(RESET_CF9_VALUE & 4);
}

static void only_a_byte_is_cf9(void **state)
{
	(void)state;
	pciconfig_ops.write(&r.pci, 0, 4, 0xffffffff);
	pciconfig_ops.write(&r.pci, 0, 2, 0xffff);
	pciconfig_ops.write(&r.pci, 0, 1, 0xff);
	pciconfig_ops.write(&r.pci, 2, 1, 0xff);
	pciconfig_ops.write(&r.pci, 4, 4, 0xffffffff);
	assert_int_equal(r.stop.count, 0);
}

static void pci_reads_as_ones(void **state)
{
	struct pciconfig bare;

	(void)state;
	pciconfig_ops.write(&r.pci, 0, 4, 0x80000000);
	assert_int_equal(pciconfig_ops.read(&r.pci, 0, 4), 0xffffffff);
	assert_int_equal(pciconfig_ops.read(&r.pci, 4, 4), 0xffffffff);
	assert_int_equal(pciconfig_ops.read(&r.pci, 6, 2), 0xffff);
	assert_int_equal(pciconfig_ops.read(&r.pci, 7, 1), 0xff);
	assert_int_equal(pciconfig_ops.read(&r.pci, 0, 2), 0xffff);
	pciconfig_create(&bare, NULL, NULL, NULL);
	assert_int_equal(pciconfig_ops.read(&bare, 1, 1), 0xff);
	pciconfig_ops.write(&bare, 1, 1, 6);
	assert_int_equal(r.stop.count, 0);
}

static void port92_resets(void **state)
{
	(void)state;
	assert_int_equal(reset_port92_ops.read(&r.reset, 0, 1), 2);
	reset_port92_ops.write(&r.reset, 0, 1, 0xfe);
	assert_int_equal(reset_port92_ops.read(&r.reset, 0, 1), 2);
	reset_port92_ops.write(&r.reset, 0, 1, 0);
	assert_int_equal(reset_port92_ops.read(&r.reset, 0, 1), 0);
	assert_int_equal(r.stop.count, 0);
	reset_port92_ops.write(&r.reset, 0, 1, 3);
	assert_int_equal(r.stop.count, 1);
	assert_int_equal(r.stop.kind, STOP_RESET);
	assert_string_equal(r.stop.text, "reset by port 0x92");
	pciconfig_ops.write(&r.pci, 1, 1, 2);
	reset_reset(&r.reset);
	assert_int_equal(reset_port92_ops.read(&r.reset, 0, 1), 2);
	assert_int_equal(reset_cf9_read(&r.reset), 0);
}

/* ---- debug ports ---- */

static void say(const struct vdev_ops *ops, uint64_t port, const char *s)
{
	for (; *s; s++)
		ops->write(&r.debug, port, 1, (uint8_t)*s);
}

static void debug_lines(void **state)
{
	(void)state;
	assert_int_equal(debugport_e9_ops.read(&r.debug, 0, 1), 0xe9);
	assert_int_equal(debugport_bios_ops.read(&r.debug, 2, 1), 0xff);
	say(&debugport_e9_ops, 0, "hel");
	assert_int_equal(r.out.puts, 0);
	say(&debugport_bios_ops, 2, "lo,");
	say(&debugport_bios_ops, 3, " you\r\n");
	assert_int_equal(r.out.puts, 1);
	assert_int_equal(r.out.n, 10);
	assert_memory_equal(r.out.bytes, "hello, you", 10);
	say(&debugport_e9_ops, 0, "\n\r\n\n");    /* empty lines are not worth one */
	say(&debugport_bios_ops, 0, "x");         /* a line number */
	say(&debugport_bios_ops, 1, "x\n");
	assert_int_equal(r.out.puts, 1);
}

static void debug_long_lines(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5 * DEBUGPORT_LINE; i++)
		debugport_e9_ops.write(&r.debug, 0, 1, 'a' + i % 26);
	assert_int_equal(r.out.puts, 5);
	assert_int_equal(r.out.n, 5 * DEBUGPORT_LINE);
	say(&debugport_e9_ops, 0, "rest");
	debugport_reset(&r.debug);
	assert_int_equal(r.out.n, 5 * DEBUGPORT_LINE + 4);
	debugport_reset(&r.debug);
	assert_int_equal(r.out.puts, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(i8042_self_tests, setup),
		cmocka_unit_test_setup(i8042_config, setup),
		cmocka_unit_test_setup(i8042_nobody_answers_for_a_keyboard, setup),
		cmocka_unit_test_setup(i8042_loops_bytes, setup),
		cmocka_unit_test_setup(i8042_outport, setup),
		cmocka_unit_test_setup(i8042_resets, setup),
		cmocka_unit_test_setup(i8042_a_new_command_forgets_the_old, setup),
		cmocka_unit_test_setup(cf9_resets, setup),
		cmocka_unit_test_setup(only_a_byte_is_cf9, setup),
		cmocka_unit_test_setup(pci_reads_as_ones, setup),
		cmocka_unit_test_setup(port92_resets, setup),
		cmocka_unit_test_setup(debug_lines, setup),
		cmocka_unit_test_setup(debug_long_lines, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
