/* SPDX-License-Identifier: BSD-2-Clause */
/* Quieting PCI: made-up configuration space, USB controllers, and firmware that lets go of them, late, or never. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/host.h>

#include "arch/x86/cpu/pci.h"
#include "arch/x86/cpu/tsc.h"
#include "arch/x86/mm/paging.h"
#include "tests/unit/support/log.h"
#include "tests/unit/support/ports.h"

#define FUNCTIONS_MAX 16

struct function {
	uint32_t at;
	uint32_t reg[64];
	bool keeps_master;
};

static struct function functions[FUNCTIONS_MAX];
static unsigned int count;
static uint32_t selected;
static uint32_t usbcmd, usbintr;

/* One MMIO device of 64 KiB; its firmware answers when time passes. */
static uint32_t regs[0x10000 / 4];
static uint64_t passed_us;
static uint64_t lets_go_after;        /* us after it was asked; UINT64_MAX: never */
static enum { NONE, OHCI, EHCI, XHCI } kind;
static struct function *usb;

static struct function *function_at(uint32_t address)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (functions[i].at == (address & 0x80ffff00u))
			return &functions[i];
	return NULL;
}

static uint32_t bus_in(uint16_t port, unsigned int size)
{
	struct function *f = function_at(selected);

	assert_int_equal(size, 4);
	assert_int_equal(port, 0xcfc);
	return f ? f->reg[(selected & 0xfc) / 4] : UINT32_MAX;
}

static void function_write(struct function *f, unsigned int byte, unsigned int size, uint32_t v)
{
	uint32_t shift = 8 * (byte & 3), mask = (size == 4 ? UINT32_MAX : (1u << 8 * size) - 1) << shift;
	uint32_t *r = &f->reg[byte / 4];

	/* The status half of the command register must be left alone: ones clear it. */
	assert_false(byte / 4 == 1 && mask >> 16 && v << shift >> 16);
	*r = (*r & ~mask) | (v << shift & mask);
	if (f->keeps_master)
		f->reg[1] |= 4;
}

static void bus_out(uint16_t port, unsigned int size, uint32_t v)
{
	struct function *f = function_at(selected);

	if (port == 0xcf8) {
		assert_int_equal(size, 4);
		selected = v;
	} else if (port >= 0xcfc && port <= 0xcff) {
		assert_int_equal((port & 3) % size, 0);
		assert_non_null(f);
		function_write(f, (selected & 0xfc) + (port & 3), size, v);
	} else if (port == 0xc004) {
		usbintr = v;
	} else {
		assert_int_equal(port, 0xc000);
		usbcmd = v;
	}
}

void *mmio_map(hpa_t a, size_t len)
{
	assert_int_equal(a.v, 0x2fe000000ull);
	assert_in_range(len, 0x1000, 0x10000);
	return regs;
}

void host_delay_us(uint64_t us)
{
	passed_us += us;
	if (passed_us < lets_go_after)
		return;
	if (kind == OHCI && regs[2] & 8)
		regs[1] &= ~(1u << 8);
	if (kind == EHCI && usb->reg[0x68 / 4] & 1u << 24)
		usb->reg[0x68 / 4] &= ~(1u << 16);
	if (kind == XHCI && regs[0x504 / 4] & 1u << 24)
		regs[0x504 / 4] &= ~(1u << 16);
}

static struct function *add(unsigned int bus, unsigned int dev, unsigned int fn, uint32_t class, uint32_t command)
{
	struct function *f = &functions[count++];

	*f = (struct function){ .at = pci_address(bus, dev, fn) };
	f->reg[0] = 0x12348086;
	f->reg[1] = command;
	f->reg[2] = class << 8;
	return f;
}

static struct host host;

static int fresh(void **ctx)
{
	(void)ctx;
	memset(functions, 0, sizeof(functions));
	memset(regs, 0, sizeof(regs));
	memset(&host, 0, sizeof(host));
	count = 0;
	selected = 0;
	passed_us = 0;
	lets_go_after = 0;
	usbcmd = usbintr = 99;
	kind = NONE;
	log_clear();
	fake_ports = (struct fake_ports){ .in = bus_in, .out = bus_out, .tsc_step = 1 };
	return 0;
}

static void every_function_loses_the_bus(void **ctx)
{
	struct function *a = add(0, 0, 0, 0x060000, 0x107), *b = add(0, 31, 7, 0x020000, 0xf2900406);
	struct function *c = add(255, 31, 0, 0x010601, 0x7), *d = add(3, 1, 0, 0x020000, 0x3);

	(void)ctx;
	/* Function 7 is only looked for because function 0 says that there are more. */
	add(0, 31, 0, 0x060100, 0)->reg[3] = 1u << 23;
	/* Nobody says so of device 7: what answers there is an echo of function 0. */
	add(0, 7, 0, 0x060100, 0);
	add(0, 7, 3, 0x060100, 4);
	pci_quiesce(&host);
	assert_int_equal(a->reg[1], 0x103);
	assert_int_equal(b->reg[1], 0xf2900402);
	assert_int_equal(c->reg[1], 0x3);
	assert_int_equal(d->reg[1], 0x3);
	assert_int_equal(host.platform.pci_functions, 6);
	assert_int_equal(host.platform.pci_quieted, 3);
	assert_int_equal(host.platform.usb_handoffs, 0);
	assert_string_equal(log_text(), "");
}

static void no_bus_at_all(void **ctx)
{
	(void)ctx;
	pci_quiesce(&host);
	assert_int_equal(host.platform.pci_functions, 0);
}

static void one_that_keeps_it_is_named(void **ctx)
{
	(void)ctx;
	add(2, 5, 0, 0x020000, 0x6)->keeps_master = true;
	pci_quiesce(&host);
	assert_int_equal(host.platform.pci_quieted, 0);
	assert_string_equal(log_text(), "warn: PCI 02:05.0 keeps bus mastering on\n");
	log_clear();
	functions[0].reg[2] = 0x06000002;	/* a host bridge: wired so */
	pci_quiesce(&host);
	assert_string_equal(log_text(), "debug: PCI 02:05.0 keeps bus mastering on\n");
}

static struct function *usb_add(uint32_t prog_if, uint32_t command)
{
	usb = add(0, 4, 0, 0x0c0300 | prog_if, command);
	usb->reg[4] = 0xfe000004;
	usb->reg[5] = 2;
	return usb;
}

static void uhci(void **ctx)
{
	(void)ctx;
	usb_add(0x00, 0x5)->reg[8] = 0xc001;
	pci_quiesce(&host);
	assert_int_equal(usb->reg[0x30] & 0xffff, 0x8f00);
	assert_int_equal(usbcmd, 0);
	assert_int_equal(usbintr, 0);
	assert_int_equal(host.platform.usb_handoffs, 1);
	assert_int_equal(usb->reg[1], 1);
}

static void ohci(void **ctx)
{
	(void)ctx;
	usb_add(0x10, 0x6);
	kind = OHCI;
	regs[1] = 0x1bf;
	lets_go_after = 300000;
	pci_quiesce(&host);
	assert_int_equal(regs[1], 0);
	assert_int_equal(regs[5], 0xffffffffu);
	assert_int_equal(host.platform.usb_handoffs, 1);
	assert_in_range(passed_us, 300000, 302000);
}

static void ehci(void **ctx)
{
	(void)ctx;
	usb_add(0x20, 0x6);
	kind = EHCI;
	regs[2] = 0x4000;		/* first capability at 40h */
	usb->reg[0x40 / 4] = 0x6802;	/* not the one: the next is at 68h */
	usb->reg[0x68 / 4] = 0x10001;
	usb->reg[0x6c / 4] = 0xe03f;
	lets_go_after = 5000;
	pci_quiesce(&host);
	assert_int_equal(usb->reg[0x68 / 4], 0x1000001);
	assert_int_equal(usb->reg[0x6c / 4], 0);
	assert_int_equal(host.platform.usb_handoffs, 1);
}

static void xhci(void **ctx)
{
	(void)ctx;
	usb_add(0x30, 0x6);
	kind = XHCI;
	regs[4] = 0x500u / 4 << 16;
	regs[0x500 / 4] = 0x0102;	/* another kind; the next is four bytes on */
	regs[0x504 / 4] = 0x10001;
	regs[0x508 / 4] = 0xe011 | 1u << 20;
	lets_go_after = 999000;
	pci_quiesce(&host);
	assert_int_equal(regs[0x504 / 4], 0x1000001);
	assert_int_equal(regs[0x508 / 4], 7u << 29 | 1u << 20);
	assert_int_equal(host.platform.usb_handoffs, 1);
}

static void firmware_that_never_lets_go(void **ctx)
{
	static const uint32_t prog_if[] = { [OHCI] = 0x10, [EHCI] = 0x20, [XHCI] = 0x30 };
	unsigned int k;

	(void)ctx;
	for (k = OHCI; k <= XHCI; k++) {
		fresh(NULL);
		usb_add(prog_if[k], 0x6);
		kind = k;
		regs[1] = k == OHCI ? 1u << 8 : 0;
		regs[2] = k == EHCI ? 0x6800 : 0;
		regs[4] = k == XHCI ? 0x504u / 4 << 16 : 0;
		usb->reg[0x68 / 4] = 0x10001;
		regs[0x504 / 4] = 0x10001;
		lets_go_after = UINT64_MAX;
		pci_quiesce(&host);
		assert_int_equal(host.platform.usb_handoffs, 0);
		assert_non_null(strstr(log_text(), "PCI 00:04.0: the firmware keeps this USB controller"));
		assert_in_range(passed_us, 900000, 1100000);
		/* It loses the bus all the same. */
		assert_int_equal(usb->reg[1], 2);
	}
}

static void capability_lists_that_loop(void **ctx)
{
	(void)ctx;
	usb_add(0x20, 0x6);
	regs[2] = 0x6800;
	usb->reg[0x68 / 4] = 0x6805;
	assert_true(usb_handoff(usb->at, 0x20));
	/* The last capability that is whole lies at F8h; FCh would have its second word outside. */
	usb->reg[0x68 / 4] = 0xfc05;
	usb->reg[0xfc / 4] = 0x10001;
	assert_true(usb_handoff(usb->at, 0x20));
	assert_int_equal(usb->reg[0xfc / 4], 0x10001);
	/* xHCI: steps that lead out of the window end there. */
	regs[4] = 0xffff0000;
	assert_true(usb_handoff(usb->at, 0x30));
	regs[4] = 1u << 16;
	regs[1] = 0xff05;
	assert_true(usb_handoff(usb->at, 0x30));
}

static void one_that_is_not_decoded_is_left_alone(void **ctx)
{
	(void)ctx;
	usb_add(0x30, 0x0);
	regs[4] = 0x504u / 4 << 16;
	regs[0x504 / 4] = 0x10001;
	pci_quiesce(&host);
	assert_int_equal(regs[0x504 / 4], 0x10001);
	assert_int_equal(passed_us, 0);
	assert_int_equal(host.platform.usb_handoffs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_function_loses_the_bus, fresh),
		cmocka_unit_test_setup(no_bus_at_all, fresh),
		cmocka_unit_test_setup(one_that_keeps_it_is_named, fresh),
		cmocka_unit_test_setup(uhci, fresh),
		cmocka_unit_test_setup(ohci, fresh),
		cmocka_unit_test_setup(ehci, fresh),
		cmocka_unit_test_setup(xhci, fresh),
		cmocka_unit_test_setup(firmware_that_never_lets_go, fresh),
		cmocka_unit_test_setup(capability_lists_that_loop, fresh),
		cmocka_unit_test_setup(one_that_is_not_decoded_is_left_alone, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
