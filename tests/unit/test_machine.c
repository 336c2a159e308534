/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole PC built from a plan: who is on the buses, what reaches the CPU, what stops the guest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include <vouch/vcpu.h>

#include "arch/x86/dev/acpi.h"
#include "arch/x86/dev/layout.h"
#include "arch/x86/dev/machine.h"
#include "support/clock.h"
#include "support/dev_rig.h"
#include "support/log.h"
#include "support/pc_rig.h"

#define S     1000000000ull
#define EPOCH 1700000000ull

static struct rig {
	struct vm vm;
	struct vcpu cpu;
	struct lapic lapic;
	struct vcpu *vcpus[1];
	struct rig_chars console;
} r;

static void prepare(uint32_t devices)
{
	free(r.vm.machine);
	memset(&r, 0, sizeof(r));
	log_clear();
	strcpy(r.vm.name, "g");
	pc_rig(&r.vm, devices, 256ull << 20);
	r.vm.log_budget = 10;
	r.vm.console = rig_chars_to(&r.console);
	r.cpu.vm = &r.vm;
	r.cpu.lapic = &r.lapic;
	r.cpu.timers = &r.vm.timers;
	r.vcpus[0] = &r.cpu;
	r.vm.vcpu[0] = &r.cpu;
}

static void create(uint32_t devices)
{
	prepare(devices);
	assert_int_equal(machine_create(&r.vm, r.vcpus, 1, EPOCH), 0);
}

static int setup(void **state)
{
	(void)state;
	create(PLAN_STANDARD);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(r.vm.machine);
	r.vm.machine = NULL;
	return 0;
}

static void out(unsigned int port, unsigned int size, uint64_t val)
{
	bus_write(&r.vm.pio, port, size, val);
}

static uint64_t in(unsigned int port, unsigned int size)
{
	return bus_read(&r.vm.pio, port, size);
}

/* ICW1-4 as PC software has them: vectors from 0x20, all but the given IRQs masked. */
static void pic_init(uint16_t irqs)
{
	out(0x20, 1, 0x11);
	out(0x21, 1, 0x20);
	out(0x21, 1, 0x04);
	out(0x21, 1, 0x01);
	out(0xa0, 1, 0x11);
	out(0xa1, 1, 0x28);
	out(0xa1, 1, 0x02);
	out(0xa1, 1, 0x01);
	out(0x21, 1, (uint8_t)~(irqs | (irqs >> 8 ? 4 : 0)));
	out(0xa1, 1, (uint8_t)~(irqs >> 8));
}

static void pic_eoi(void)
{
	out(0xa0, 1, 0x20);
	out(0x20, 1, 0x20);
}

static void ioapic_route(unsigned int pin, uint32_t low)
{
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE, 4, 0x11 + 2 * pin);
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE + 0x10, 4, 0);
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE, 4, 0x10 + 2 * pin);
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE + 0x10, 4, low);
}

/* Takes an interrupt the way the run loop does: -1, or the vector. */
static int take(void)
{
	bool pending = machine_irq_pending(&r.cpu);
	int v = machine_irq_ack(&r.cpu);

	assert_int_equal(pending, v >= 0);
	return v;
}

static void lapic_eoi(void)
{
	lapic_mmio_write(r.cpu.lapic, 0xb0, 4, 0);
}

/* ---- the buses ---- */

static void table_is_sound(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < machine_table_rows; i++) {
		const struct machine_row *t = &machine_table[i];

		assert_true(t->device < PLAN_DEVICE_COUNT);
		assert_non_null(t->name);
		assert_non_null(t->ops);
		assert_true(t->dev < machine_size());
		for (unsigned int j = 0; j < i; j++)
			assert_false(t->mmio == machine_table[j].mmio &&
				     span_overlap(t->base, t->len, machine_table[j].base, machine_table[j].len));
	}
	/* All ignored ranges fit beside all devices. */
	assert_true(machine_table_rows + 1 + PLAN_IGNORE_MAX <= BUS_MAX_RANGES);
	assert_int_equal(machine_size(), sizeof(struct machine));
	/* The PM timer must come in one piece: between two the clock moves. */
	assert_true(bus_find(&r.vm.pio, LAYOUT_PM_BASE + PM_TMR_OFF)->sizes & 4);
}

static void plan_decides_who_is_there(void **state)
{
	(void)state;
	for (unsigned int d = 0; d < PLAN_DEVICE_COUNT; d++) {
		create(PLAN_STANDARD & ~(1u << d));
		for (unsigned int i = 0; i < machine_table_rows; i++) {
			const struct machine_row *t = &machine_table[i];
			const struct bus_range *at = bus_find(t->mmio ? &r.vm.mmio : &r.vm.pio, t->base);

			if (t->device == d)
				assert_null(at);
			else
				assert_ptr_equal(at->ops, t->ops);
		}
		assert_int_equal(bus_find(&r.vm.mmio, APIC_DEFAULT_BASE) != NULL, d != PLAN_LAPIC);
		assert_true(r.lapic.bsp && r.lapic.id == 0);
		machine_reset(&r.vm);
	}
}

static void buses_are_frozen(void **state)
{
	(void)state;
	assert_true(r.vm.pio.frozen && r.vm.mmio.frozen);
	assert_int_equal(in(0x1234, 4), 0xffffffff);
	assert_int_equal(r.vm.pio.unclaimed_reads, 1);
	/* The local APIC's page is nobody else's, but not read through the bus. */
	assert_int_equal(bus_read(&r.vm.mmio, APIC_DEFAULT_BASE + 0x20, 4), 0xffffffff);
	assert_int_equal(r.vm.mmio.unclaimed_reads, 0);
}

static void ignored_ranges(void **state)
{
	(void)state;
	prepare(PLAN_STANDARD);
	r.vm.plan.ignore_count = 3;
	r.vm.plan.ignore[0] = (struct plan_ignore){ .start = 0xc0, .end = 0xc7 };
	r.vm.plan.ignore[1] = (struct plan_ignore){ .start = 0x3b0, .end = 0x3bb, .print = true };
	r.vm.plan.ignore[2] = (struct plan_ignore){ .mmio = true, .start = 0xd0000000, .end = 0xd0000fff, .print = true };
	assert_int_equal(machine_create(&r.vm, r.vcpus, 1, EPOCH), 0);
	assert_int_equal(in(0xc0, 1), 0xff);
	assert_int_equal(in(0xc2, 4), 0xffffffff);
	out(0xc7, 1, 0);
	assert_int_equal(r.vm.pio.unclaimed_reads + r.vm.pio.unclaimed_writes, 0);
	assert_string_equal(log_text(), "");
	assert_int_equal(in(0x3b4, 2), 0xffff);
	out(0x3b4, 1, 0x5a);
	assert_true(bus_read(&r.vm.mmio, 0xd0000008, 8) == UINT64_MAX);
	assert_string_equal(log_text(), "info: guest g: ignored: 2-byte read of port 0x3b4\n"
					"info: guest g: ignored: 1-byte write of 0x5a to port 0x3b4\n"
					"info: guest g: ignored: 8-byte read of address 0xd0000008\n");
	for (unsigned int i = 0; i < 1000; i++)
		(void)in(0x3b4, 1);
	assert_int_equal(r.vm.log_budget, 0);     /* and no more lines than that */
}

static void refuses_ranges_that_overlap(void **state)
{
	static const struct { bool mmio; uint64_t start, end; int want; } t[] = {
		{ false, 0x3f8, 0x3ff, -EEXIST }, { false, 0x3ff, 0x3ff, -EEXIST }, { false, 0, 0xffff, -EEXIST },
		{ false, 0x400, 0x402, -EEXIST }, { false, 0x60b, 0x60b, -EEXIST }, { false, 0xcf0, 0xcf8, -EEXIST },
		{ true, 0xfec00fff, 0xfec01000, -EEXIST }, { true, 0xfee00000, 0xfee00000, -EEXIST },
		{ false, 0xfff0, 0x10000, -EINVAL }, { false, 0x20000, 0x20001, -EINVAL }, { false, 5, 4, -EINVAL },
		{ true, 0, UINT64_MAX, -EINVAL }, { true, UINT64_MAX, 0, -EINVAL }, { true, 1, UINT64_MAX, -EINVAL },
		{ false, 0x60c, 0x60c, 0 }, { false, 0xffff, 0xffff, 0 }, { true, 0xfec01000, 0xfedfffff, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		prepare(PLAN_STANDARD);
		r.vm.plan.ignore_count = 1;
		r.vm.plan.ignore[0] = (struct plan_ignore){ .mmio = t[i].mmio, .start = t[i].start, .end = t[i].end };
		assert_int_equal(machine_create(&r.vm, r.vcpus, 1, EPOCH), t[i].want);
		if (!t[i].want)
			continue;
		assert_int_equal(strncmp(log_text(), "error: guest g: ignored range at ", 33), 0);
		assert_non_null(strstr(log_text(), t[i].want == -EEXIST ? "overlaps" : "beyond the last address"));
		assert_int_equal(r.vm.pio.count + r.vm.mmio.count + r.vm.timers.count, 0);
		machine_destroy(&r.vm);
	}
}

static void refuses_ranges_that_overlap_each_other(void **state)
{
	(void)state;
	prepare(PLAN_STANDARD);
	r.vm.plan.ignore_count = 2;
	r.vm.plan.ignore[0] = (struct plan_ignore){ .start = 0x1000, .end = 0x10ff };
	r.vm.plan.ignore[1] = (struct plan_ignore){ .start = 0x10ff, .end = 0x1100 };
	assert_int_equal(machine_create(&r.vm, r.vcpus, 1, EPOCH), -EEXIST);
	assert_string_equal(log_text(), "error: guest g: ignored range at port 0x10ff, length 0x2, "
					"overlaps a device or another range\n");
}

static void counts_are_bounded(void **state)
{
	(void)state;
	prepare(PLAN_STANDARD);
	r.vm.plan.ignore_count = PLAN_IGNORE_MAX;
	for (unsigned int i = 0; i < PLAN_IGNORE_MAX; i++)
		r.vm.plan.ignore[i] = (struct plan_ignore){ .start = 0x1000 + 2 * i, .end = 0x1000 + 2 * i };
	assert_int_equal(machine_create(&r.vm, r.vcpus, 1, EPOCH), 0);
	prepare(PLAN_STANDARD);
	r.vm.plan.ignore_count = PLAN_IGNORE_MAX + 1;
	assert_int_equal(machine_create(&r.vm, r.vcpus, 1, EPOCH), -EINVAL);
	prepare(PLAN_STANDARD);
	assert_int_equal(machine_create(&r.vm, r.vcpus, 0, EPOCH), -EINVAL);
	assert_int_equal(machine_create(&r.vm, r.vcpus, VM_MAX_VCPUS + 1, EPOCH), -EINVAL);
}

static void can_be_made_again(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		machine_destroy(&r.vm);
		assert_int_equal(r.vm.pio.count + r.vm.timers.count, 0);
		memset(r.vm.machine, 0, machine_size());
		assert_int_equal(machine_create(&r.vm, r.vcpus, 1, EPOCH), 0);
	}
	assert_int_equal(in(0x3fd, 1), 0x60);
}

/* ---- interrupts ---- */

static void pit_through_the_pic(void **state)
{
	(void)state;
	pic_init(1u << 0);
	out(0x43, 1, 0x34);
	out(0x40, 1, 0xa9);                       /* 1193: 1 kHz */
	out(0x40, 1, 0x04);
	while (take() >= 0)                       /* OUT rises when the mode is set */
		pic_eoi();
	for (unsigned int i = 1; i <= 10; i++) {
		fake_clock_walk(&r.vm.timers, i * S / 1000);
		assert_int_equal(take(), 0x20);
		assert_int_equal(take(), -1);
		pic_eoi();
		assert_int_equal(take(), -1);
	}
}

static void pit_through_the_ioapic_is_gsi_2(void **state)
{
	(void)state;
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	ioapic_route(2, 0x50);
	out(0x43, 1, 0x38);                       /* mode 4 */
	out(0x40, 1, 100);
	out(0x40, 1, 0);
	while (take() >= 0)
		lapic_eoi();
	fake_clock_walk(&r.vm.timers, S);
	assert_int_equal(take(), 0x50);
	lapic_eoi();
	assert_int_equal(take(), -1);
}

static void isa_pins_meet_both_controllers(void **state)
{
	static const struct { unsigned int irq; uint8_t port; } t[] = { { 4, 1 }, { 3, 2 }, { 8, 3 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		create(PLAN_STANDARD);
		lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
		pic_init((uint16_t)(1u << t[i].irq));
		ioapic_route(t[i].irq, 0x60);
		switch (t[i].port) {
		case 1:
			out(0x3f9, 1, 2);         /* THRE */
			break;
		case 2:
			out(0x2f9, 1, 2);
			break;
		default:
			out(0x70, 1, 0x0b);
			out(0x71, 1, 0x12);       /* update-ended */
			fake_clock_walk(&r.vm.timers, S);
		}
		/* The PIC through ExtINT first, then the IOAPIC's message. */
		assert_int_equal(take(), (t[i].irq < 8 ? 0x20 : 0x28) + (t[i].irq & 7));
		assert_int_equal(take(), 0x60);
		assert_int_equal(take(), -1);
	}
}

static void sci_is_a_level(void **state)
{
	(void)state;
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	ioapic_route(9, 0x8070);                  /* level */
	out(0x602, 2, 0x100);
	assert_int_equal(take(), -1);
	machine_power_button(&r.vm);
	assert_int_equal(take(), 0x70);
	lapic_eoi();                              /* still asserted: again */
	assert_int_equal(take(), 0x70);
	out(0x600, 2, 0x100);
	lapic_eoi();
	assert_int_equal(take(), -1);
}

static void rtc_reaches_pm(void **state)
{
	(void)state;
	out(0x70, 1, 0x0b);
	out(0x71, 1, 0x12);
	assert_int_equal(in(0x600, 2), 0);
	fake_clock_walk(&r.vm.timers, S);
	assert_int_equal(in(0x600, 2), 0x400);
	out(0x600, 2, 0x400);
	out(0x71, 1, 0x12);                       /* the line is still up: no new event */
	assert_int_equal(in(0x600, 2), 0);
	out(0x70, 1, 0x0c);
	(void)in(0x71, 1);
	fake_clock_walk(&r.vm.timers, 2 * S);
	assert_int_equal(in(0x600, 2), 0x400);
}

static void masked_lint0_keeps_the_pic_out(void **state)
{
	(void)state;
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	lapic_mmio_write(r.cpu.lapic, 0x350, 4, 0x10700);
	pic_init(1u << 4);
	out(0x3f9, 1, 2);
	assert_int_equal(take(), -1);
	lapic_mmio_write(r.cpu.lapic, 0x350, 4, 0x700);
	assert_int_equal(take(), 0x24);
}

/* An ExtINT message opens the way to the PIC for one interrupt. */
static void extint_by_message(void **state)
{
	(void)state;
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	lapic_mmio_write(r.cpu.lapic, 0x350, 4, 0x10700);
	pic_init(1u << 4 | 1u << 3);
	ioapic_route(4, 0x0700);
	out(0x3f9, 1, 2);
	assert_int_equal(take(), 0x24);
	pic_eoi();
	out(0x2f9, 1, 2);                         /* the PIC asks again, nobody told the CPU */
	assert_true(pic_pending(&r.vm.machine->pic));
	assert_int_equal(take(), -1);
}

static void works_without_an_apic(void **state)
{
	uint64_t base;

	(void)state;
	create(PLAN_STANDARD & ~(1u << PLAN_LAPIC | 1u << PLAN_IOAPIC));
	assert_int_equal(lapic_msr_read(r.cpu.lapic, MSR_APIC_BASE, &base), 0);
	assert_int_equal(base & APIC_BASE_ENABLE, 0);
	assert_false(lapic_xapic_enabled(r.cpu.lapic));
	pic_init(1u << 4);
	out(0x3f9, 1, 2);
	assert_int_equal(take(), 0x24);
}

static void works_without_a_pic(void **state)
{
	(void)state;
	create(PLAN_STANDARD & ~(1u << PLAN_PIC));
	out(0x3f9, 1, 2);
	assert_int_equal(take(), -1);
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	ioapic_route(4, 0x44);
	out(0x3f9, 1, 0);
	out(0x3f9, 1, 2);
	assert_int_equal(take(), 0x44);
}

static void ipis(void **state)
{
	(void)state;
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00044081);      /* self */
	assert_int_equal(take(), 0x81);
	lapic_eoi();
	lapic_mmio_write(r.cpu.lapic, 0x310, 4, 0);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00004082);      /* physical 0 */
	assert_int_equal(take(), 0x82);
	lapic_eoi();
	lapic_mmio_write(r.cpu.lapic, 0x310, 4, 5u << 24);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00004083);      /* nobody */
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x000c4084);      /* all others: nobody */
	assert_int_equal(take(), -1);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00084085);      /* all */
	assert_int_equal(take(), 0x85);
	lapic_eoi();
	assert_false(r.cpu.nmi_pending);
	lapic_mmio_write(r.cpu.lapic, 0x310, 4, 0);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00004400);      /* NMI */
	assert_true(r.cpu.nmi_pending);
	assert_int_equal(take(), -1);
	machine_reset(&r.vm);
	assert_false(r.cpu.nmi_pending);
}

static void init_and_sipi_for_nobody_change_nothing(void **state)
{
	(void)state;
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	lapic_mmio_write(r.cpu.lapic, 0x310, 4, 0);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00044500);      /* by these shorthands INIT goes to no CPU */
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00084500);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x0000c500 ^ 0x4000);    /* level de-assert */
	assert_int_equal(r.vm.machine->ignored_ipis, 0);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x000c4500);      /* to all others */
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x000c4608);      /* SIPI */
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00004608);      /* to itself */
	lapic_mmio_write(r.cpu.lapic, 0x310, 4, 1u << 24);
	lapic_mmio_write(r.cpu.lapic, 0x300, 4, 0x00004500);      /* to a CPU that is not there */
	assert_int_equal(r.vm.machine->ignored_ipis, 4);
	assert_int_equal(r.vm.stop.kind, STOP_NONE);
	assert_int_equal(lapic_mmio_read(r.cpu.lapic, 0xf0, 4), 0x1ff);
	assert_int_equal(take(), -1);
}

static void init_for_the_only_cpu_is_a_reset(void **state)
{
	static const struct {
		uint32_t dest, icr;
	} rows[] = { { 0, 0x4500 }, { 0xff, 0x4500 }, { 1, 0x4d00 } };   /* its ID, all, its logical ID */

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		create(PLAN_STANDARD);
		lapic_mmio_write(r.cpu.lapic, 0xd0, 4, 1u << 24);
		assert_int_equal(r.vm.stop.kind, STOP_NONE);
		lapic_mmio_write(r.cpu.lapic, 0x310, 4, rows[i].dest << 24);
		lapic_mmio_write(r.cpu.lapic, 0x300, 4, rows[i].icr);
		assert_int_equal(r.vm.stop.kind, STOP_RESET);
	}
}

/* It asserts its line while no local APIC takes it: not lost, but sent when one does. */
static void a_level_waits_for_a_local_apic(void **state)
{
	(void)state;
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0xff);
	ioapic_route(9, 0x8070);
	out(0x602, 2, 0x100);
	machine_power_button(&r.vm);
	assert_int_equal(take(), -1);
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	assert_int_equal(take(), 0x70);
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1fe);            /* enabled already, and it waits for its EOI */
	assert_int_equal(take(), -1);
	out(0x600, 2, 0x100);
	lapic_eoi();
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0xff);
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	assert_int_equal(take(), -1);
}

static void lowest_priority_finds_its_cpu(void **state)
{
	(void)state;
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	lapic_mmio_write(r.cpu.lapic, 0xd0, 4, 1u << 24);
	ioapic_route(4, 0x0966 | 0);              /* lowest priority, logical; destination below */
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE, 4, 0x11 + 8);
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE + 0x10, 4, 1u << 24);
	out(0x3f9, 1, 2);
	assert_int_equal(take(), 0x66);
}

/* ---- the world outside ---- */

static void console_both_ways(void **state)
{
	(void)state;
	out(0x3f8, 1, 'h');
	out(0x3f8, 1, 'i');
	out(0x2f8, 1, 'x');                       /* COM2 ends nowhere */
	assert_int_equal(r.console.n, 2);
	assert_memory_equal(r.console.bytes, "hi", 2);
	assert_int_equal(machine_console_input(&r.vm, (const uint8_t *)"abc", 3), 3);
	assert_int_equal(in(0x3f8, 1), 'a');
	assert_int_equal(in(0x2fd, 1) & 1, 0);
	create(PLAN_ALWAYS);
	assert_int_equal(machine_console_input(&r.vm, (const uint8_t *)"abc", 3), 3);
}

static void debug_port_logs_escaped(void **state)
{
	static const char text[] = "a\x1b[2J\\z\n";

	(void)state;
	for (const char *c = text; *c; c++)
		out(0xe9, 1, (uint8_t)*c);
	assert_string_equal(log_text(), "info: guest g: debug port: a\\x1b[2J\\x5cz\n");
	assert_int_equal(in(0xe9, 1), 0xe9);
}

static void ways_to_stop(void **state)
{
	static const struct { unsigned int port, size; uint64_t val; enum stop_kind kind; const char *text; } t[] = {
		{ 0x64, 1, 0xfe, STOP_RESET, "reset by port 0x64" },
		{ 0x92, 1, 0x01, STOP_RESET, "reset by port 0x92" },
		{ 0xcf9, 1, 0x06, STOP_RESET, "reset by port 0xcf9" },
		{ 0x604, 2, 0x3400, STOP_POWEROFF, "powered off (ACPI S5)" },
		{ 0xcf8, 4, 0x80000600, STOP_NONE, "" },
		{ 0xcf8, 2, 0x0600, STOP_NONE, "" },
		{ 0x604, 2, 0x2000, STOP_NONE, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		create(PLAN_STANDARD);
		out(t[i].port, t[i].size, t[i].val);
		assert_int_equal(r.vm.stop.kind, t[i].kind);
		assert_string_equal(r.vm.stop.text, t[i].text);
	}
}

static void reset_is_power_on(void **state)
{
	struct machine fresh;
	struct lapic lapic = r.lapic;

	(void)state;
	memcpy(&fresh, r.vm.machine, sizeof(fresh));
	pic_init(0xffff);
	lapic_mmio_write(r.cpu.lapic, 0xf0, 4, 0x1ff);
	ioapic_route(4, 0x44);
	out(0x43, 1, 0x34);
	out(0x40, 1, 1);
	out(0x40, 1, 1);
	out(0x3f9, 1, 0x0f);
	out(0x3fa, 1, 0x01);
	out(0x602, 2, 0x101);
	out(0x64, 1, 0x60);
	out(0x61, 1, 3);
	out(0x70, 1, 0x0b);
	out(0x71, 1, 0x72);
	out(0x92, 1, 0);
	out(0xcf9, 1, 2);
	machine_power_button(&r.vm);
	(void)machine_console_input(&r.vm, (const uint8_t *)"abc", 3);
	assert_true(machine_irq_pending(&r.cpu));
	machine_reset(&r.vm);
	assert_false(machine_irq_pending(&r.cpu));
	assert_memory_equal(&r.vm.machine->pit.s, &fresh.pit.s, sizeof(fresh.pit.s));
	assert_memory_equal(&r.vm.machine->pm.s, &fresh.pm.s, sizeof(fresh.pm.s));
	assert_memory_equal(&r.vm.machine->rtc.s, &fresh.rtc.s, sizeof(fresh.rtc.s));
	assert_memory_equal(&r.vm.machine->reset, &fresh.reset, sizeof(fresh.reset));
	assert_memory_equal(&r.vm.machine->com1.s, &fresh.com1.s, sizeof(fresh.com1.s));
	assert_memory_equal(&r.vm.machine->i8042.s, &fresh.i8042.s, sizeof(fresh.i8042.s));
	assert_memory_equal(&r.vm.machine->pic.chip, &fresh.pic.chip, sizeof(fresh.pic.chip));
	assert_memory_equal(&r.vm.machine->ioapic, &fresh.ioapic, sizeof(fresh.ioapic));
	assert_memory_equal(r.lapic.reg, lapic.reg, sizeof(lapic.reg));
	assert_memory_equal(r.lapic.page, lapic.page, sizeof(lapic.page));
}

static void rom_matches_the_plan(void **state)
{
	static uint8_t rom[ACPI_ROM_SIZE];

	(void)state;
	machine_rom(&r.vm, rom, sizeof(rom));
	assert_memory_equal(rom + ACPI_RSDP_OFF, "RSD PTR ", 8);
}

/* Random accesses all over a standard machine; ASan and UBSan watch. */
static void any_traffic_is_survived(void **state)
{
	uint32_t x = 99;
	uint64_t now = 0;

	(void)state;
	for (unsigned int i = 0; i < 300000; i++) {
		const struct machine_row *t;
		struct bus *b;
		uint64_t addr;
		unsigned int size;

		x = x * 1664525 + 1013904223;
		t = &machine_table[(x >> 8) % machine_table_rows];
		x = x * 1664525 + 1013904223;
		b = t->mmio ? &r.vm.mmio : &r.vm.pio;
		size = 1u << (x >> 6 & 3) % (t->mmio ? 4 : 3);
		addr = t->base + (x >> 12) % (t->mmio ? 0x20 : t->len);
		now += x >> 4 & 0xffff;
		fake_clock_jump(&r.vm.timers, now);
		if (x >> 31)
			(void)bus_read(b, addr, size);
		else
			bus_write(b, addr, size, (uint64_t)x << 20 ^ x >> 7);
		if (i % 5 == 0)
			lapic_mmio_write(r.cpu.lapic, x >> 10 & 0xff0, 4, x * 7);
		if (i % 3 == 0)
			(void)take();
		assert_true(vtimers_next(&r.vm.timers) > now);
		r.vm.stop.kind = STOP_NONE;
		if (i % 10000 == 0)
			machine_reset(&r.vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(table_is_sound, setup, teardown),
		cmocka_unit_test_setup_teardown(plan_decides_who_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(buses_are_frozen, setup, teardown),
		cmocka_unit_test_setup_teardown(ignored_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_ranges_that_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_ranges_that_overlap_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(can_be_made_again, setup, teardown),
		cmocka_unit_test_setup_teardown(pit_through_the_pic, setup, teardown),
		cmocka_unit_test_setup_teardown(pit_through_the_ioapic_is_gsi_2, setup, teardown),
		cmocka_unit_test_setup_teardown(isa_pins_meet_both_controllers, setup, teardown),
		cmocka_unit_test_setup_teardown(sci_is_a_level, setup, teardown),
		cmocka_unit_test_setup_teardown(rtc_reaches_pm, setup, teardown),
		cmocka_unit_test_setup_teardown(masked_lint0_keeps_the_pic_out, setup, teardown),
		cmocka_unit_test_setup_teardown(extint_by_message, setup, teardown),
		cmocka_unit_test_setup_teardown(works_without_an_apic, setup, teardown),
		cmocka_unit_test_setup_teardown(works_without_a_pic, setup, teardown),
		cmocka_unit_test_setup_teardown(ipis, setup, teardown),
		cmocka_unit_test_setup_teardown(init_and_sipi_for_nobody_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(init_for_the_only_cpu_is_a_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(a_level_waits_for_a_local_apic, setup, teardown),
		cmocka_unit_test_setup_teardown(lowest_priority_finds_its_cpu, setup, teardown),
		cmocka_unit_test_setup_teardown(console_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(debug_port_logs_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(ways_to_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_is_power_on, setup, teardown),
		cmocka_unit_test_setup_teardown(rom_matches_the_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(any_traffic_is_survived, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
