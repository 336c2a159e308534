/* SPDX-License-Identifier: BSD-2-Clause */
/* A PC with four CPUs: whom a message reaches, by which way, and whose timers are whose. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/vcpu.h>

#include "arch/x86/dev/layout.h"
#include "arch/x86/dev/machine.h"
#include "arch/x86/dev/post.h"
#include "support/clock.h"
#include "support/pc_rig.h"
#include "support/poke.h"

#define CPUS 4u

static struct rig {
	struct vm vm;
	struct vcpu cpu[CPUS];
	struct vcpu *cpus[CPUS];
	struct lapic lapic[CPUS];
} r;

/* How often v has been told to look, since the last call. */
static unsigned int pokes(unsigned int i)
{
	unsigned int n = (unsigned int)r.cpu[i].task.switches;

	r.cpu[i].task.switches = 0;
	return n;
}

static int setup(void **state)
{
	(void)state;
	memset(&r, 0, sizeof(r));
	pc_rig(&r.vm, PLAN_STANDARD, 64ull << 20);
	r.vm.vcpus = CPUS;
	lock_init(&r.vm.lock, LOCK_VM, "test");
	for (unsigned int i = 0; i < CPUS; i++) {
		struct vcpu *v = r.vm.vcpu[i] = r.cpus[i] = &r.cpu[i];

		v->id = i;
		v->vm = &r.vm;
		v->lapic = &r.lapic[i];
		vtimers_init(&v->own_timers, &r.vm.clock);
		v->timers = &v->own_timers;
	}
	assert_int_equal(machine_create(&r.vm, r.cpus, CPUS, 0), 0);
	for (unsigned int i = 0; i < CPUS; i++)
		lapic_mmio_write(&r.lapic[i], 0xf0, 4, 0x1ff);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_false(lock_held(&r.vm.lock));
	free(r.vm.machine);
	return 0;
}

static void x2apic(void)
{
	for (unsigned int i = 0; i < CPUS; i++)
		assert_int_equal(lapic_msr_write(&r.lapic[i], MSR_APIC_BASE,
						 APIC_DEFAULT_BASE | (i ? 0 : APIC_BASE_BSP) | APIC_BASE_ENABLE | APIC_BASE_X2APIC), 0);
}

/* By the xAPIC page. */
static void send(unsigned int from, uint32_t icr, uint8_t dest)
{
	lapic_mmio_write(&r.lapic[from], 0x310, 4, (uint32_t)dest << 24);
	lapic_mmio_write(&r.lapic[from], 0x300, 4, icr);
}

static void send_x2(unsigned int from, uint32_t icr, uint32_t dest)
{
	assert_int_equal(lapic_msr_write(&r.lapic[from], MSR_X2APIC_ICR, (uint64_t)dest << 32 | icr), 0);
}

/* Who has that vector to take, a bit each; all look at what was posted, and it is taken and ended. */
static unsigned int receivers(uint8_t vector)
{
	unsigned int who = 0;

	for (unsigned int i = 0; i < CPUS; i++) {
		machine_take_posted(&r.cpu[i]);
		pokes(i);
		if (lapic_pending(&r.lapic[i]) != vector)
			continue;
		who |= 1u << i;
		assert_int_equal(machine_irq_ack(&r.cpu[i]), vector);
		lapic_mmio_write(&r.lapic[i], 0xb0, 4, 0);
		if (lapic_x2apic_enabled(&r.lapic[i]))
			assert_int_equal(lapic_msr_write(&r.lapic[i], MSR_X2APIC_EOI, 0), 0);
	}
	return who;
}

static void a_message_waits_until_its_cpu_looks(void **state)
{
	(void)state;
	send(0, 0x4040, 2);
	assert_int_equal(lapic_pending(&r.lapic[2]), -1);
	assert_int_equal(pokes(2), 1);
	send(1, 0x4041, 2);                       /* it knows already */
	assert_int_equal(pokes(0) + pokes(1) + pokes(2) + pokes(3), 0);
	machine_take_posted(&r.cpu[2]);
	assert_int_equal(machine_irq_ack(&r.cpu[2]), 0x41);
	lapic_mmio_write(&r.lapic[2], 0xb0, 4, 0);
	assert_int_equal(machine_irq_ack(&r.cpu[2]), 0x40);
	lapic_mmio_write(&r.lapic[2], 0xb0, 4, 0);
	send(0, 0x4042, 2);
	assert_int_equal(pokes(2), 1);
	assert_int_equal(receivers(0x42), 1u << 2);
	assert_int_equal(receivers(0x42), 0);
}

static void shorthands(void **state)
{
	(void)state;
	send(1, 0x44050, 0);                      /* self: at once, nobody is told */
	assert_int_equal(lapic_pending(&r.lapic[1]), 0x50);
	assert_int_equal(r.cpu[1].posted.pending + pokes(0) + pokes(1) + pokes(2) + pokes(3), 0);
	assert_int_equal(receivers(0x50), 1u << 1);
	send(1, 0x84051, 0);
	assert_int_equal(receivers(0x51), 0xf);
	send(1, 0xc4052, 0);
	assert_int_equal(receivers(0x52), 0xd);
	send(3, 0x4053, 0xff);                    /* physical broadcast */
	assert_int_equal(receivers(0x53), 0xf);
	send(3, 0x4054, 9);                       /* nobody */
	assert_int_equal(receivers(0x54), 0);
	send(3, 0x4055, 3);                       /* itself, by its ID */
	assert_int_equal(receivers(0x55), 1u << 3);
}

static void logical_flat_and_cluster(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CPUS; i++)
		lapic_mmio_write(&r.lapic[i], 0xd0, 4, 1u << (24 + i));
	send(0, 0x4860, 0x0a);
	assert_int_equal(receivers(0x60), 0xa);
	send(0, 0x4861, 0xff);
	assert_int_equal(receivers(0x61), 0xf);
	/* Two clusters of two. */
	for (unsigned int i = 0; i < CPUS; i++) {
		lapic_mmio_write(&r.lapic[i], 0xe0, 4, 0x0fffffff);
		lapic_mmio_write(&r.lapic[i], 0xd0, 4, (i / 2) << 28 | 1u << (24 + i % 2));
	}
	send(0, 0x4862, 0x13);
	assert_int_equal(receivers(0x62), 0xc);
	send(0, 0x4863, 0x02);
	assert_int_equal(receivers(0x63), 0x2);
	send(0, 0x4864, 0x23);
	assert_int_equal(receivers(0x64), 0);
}

static void x2apic_ids(void **state)
{
	(void)state;
	x2apic();
	send_x2(0, 0x70, 3);
	assert_int_equal(receivers(0x70), 1u << 3);
	send_x2(0, 0x71, UINT32_MAX);
	assert_int_equal(receivers(0x71), 0xf);
	send_x2(2, 0x872, 0x0006);                /* logical: cluster 0, CPUs 1 and 2 */
	assert_int_equal(receivers(0x72), 0x6);
	send_x2(2, 0x873, 0x1ffff);               /* cluster 1: nobody */
	assert_int_equal(receivers(0x73), 0);
	send_x2(2, 0xc0074, 0);
	assert_int_equal(receivers(0x74), 0xb);
	assert_int_equal(lapic_msr_write(&r.lapic[1], MSR_X2APIC_SELF_IPI, 0x75), 0);
	assert_int_equal(receivers(0x75), 0x2);
}

static void lowest_priority(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CPUS; i++)
		lapic_mmio_write(&r.lapic[i], 0x80, 4, 0x40 - 0x10 * (i % 3));
	send(0, 0x84180 & ~0xc0000u, 0xff);
	assert_int_equal(receivers(0x80), 1u << 2);
	lapic_mmio_write(&r.lapic[2], 0xf0, 4, 0xff);        /* off by software: it would be lost there */
	send(0, 0x4181, 0xff);
	assert_int_equal(receivers(0x81), 1u << 1);
}

static void nmis(void **state)
{
	(void)state;
	send(0, 0xc4400, 0);
	for (unsigned int i = 0; i < CPUS; i++) {
		assert_false(r.cpu[i].nmi_pending);
		machine_take_posted(&r.cpu[i]);
		assert_int_equal(r.cpu[i].nmi_pending, i != 0);
	}
}

static void every_vector_arrives(void **state)
{
	(void)state;
	for (unsigned int vector = 16; vector < 256; vector++)
		send(0, 0x4000 | vector, 1);
	machine_take_posted(&r.cpu[1]);
	for (int vector = 255; vector >= 16; vector--) {
		assert_int_equal(machine_irq_ack(&r.cpu[1]), vector);
		lapic_mmio_write(&r.lapic[1], 0xb0, 4, 0);
	}
	assert_int_equal(machine_irq_ack(&r.cpu[1]), -1);
}

static void init_and_sipi_are_for_the_core(void **state)
{
	struct vcpu_posted got;

	(void)state;
	send(0, 0x4500, 1);
	assert_int_equal(pokes(1), 1);
	send(0, 0x4608, 1);
	send(0, 0x4609, 1);                       /* the second one does not count */
	post_take(&r.cpu[1].posted, &got);
	assert_int_equal(got.signals, POST_INIT | POST_SIPI | 8u << 24);
	send(0, 0x4608, 1);
	send(0, 0x4500, 1);                       /* undone */
	post_take(&r.cpu[1].posted, &got);
	assert_int_equal(got.signals, POST_INIT);
	send(0, 0xc500, 1);
	send(0, 0x8500, 1);                       /* INIT level de-assert: nothing, since long */
	post_take(&r.cpu[1].posted, &got);
	assert_int_equal(got.signals, POST_INIT);
	send(2, 0xc4500, 0);
	for (unsigned int i = 0; i < CPUS; i++)
		assert_int_equal(r.cpu[i].posted.signals, i == 2 ? 0 : POST_INIT);
	assert_int_equal(r.vm.machine->ignored_ipis, 0);
	send(0, 0x4200, 1);                       /* SMI */
	assert_int_equal(r.vm.machine->ignored_ipis, 1);
}

/* ---- the controllers ---- */

static void ioapic_write(unsigned int pin, uint32_t high, uint32_t low)
{
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE, 4, 0x11 + 2 * pin);
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE + 0x10, 4, high);
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE, 4, 0x10 + 2 * pin);
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE + 0x10, 4, low);
}

static uint64_t ioapic_low(unsigned int pin)
{
	bus_write(&r.vm.mmio, IOAPIC_DEFAULT_BASE, 4, 0x10 + 2 * pin);
	return bus_read(&r.vm.mmio, IOAPIC_DEFAULT_BASE + 0x10, 4);
}

static void a_level_ends_on_any_cpu(void **state)
{
	(void)state;
	ioapic_write(9, 3u << 24, 0x8070);
	bus_write(&r.vm.pio, 0x602, 2, 0x100);
	machine_power_button(&r.vm);
	assert_int_equal(pokes(3), 1);
	assert_true(ioapic_low(9) & IOAPIC_RTE_REMOTE_IRR);
	machine_take_posted(&r.cpu[3]);
	assert_int_equal(machine_irq_ack(&r.cpu[3]), 0x70);
	lapic_mmio_write(&r.lapic[3], 0xb0, 4, 0);           /* still up: again, posted */
	assert_int_equal(pokes(3), 1);
	assert_int_equal(lapic_pending(&r.lapic[3]), -1);
	machine_take_posted(&r.cpu[3]);
	assert_int_equal(machine_irq_ack(&r.cpu[3]), 0x70);
	bus_write(&r.vm.pio, 0x600, 2, 0x100);
	lapic_mmio_write(&r.lapic[3], 0xb0, 4, 0);
	assert_false(ioapic_low(9) & IOAPIC_RTE_REMOTE_IRR);
	assert_int_equal(receivers(0x70), 0);
}

/* Its IRQ 4, at vector 24h; v is whose CPU the test is, or NULL. */
static void the_pic_interrupts(const struct vcpu *v)
{
	static const struct { uint8_t port, val; } icw[] = { { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 },
							     { 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 } };

	poke_here = v;
	for (size_t i = 0; i < ARRAY_SIZE(icw); i++)
		bus_write(&r.vm.pio, icw[i].port, 1, icw[i].val);
	bus_write(&r.vm.pio, 0x21, 1, (uint8_t)~(1u << 4));
	lapic_mmio_write(&r.lapic[2], 0x350, 4, 0x700);
	bus_write(&r.vm.pio, 0x3f9, 1, 2);
	poke_here = NULL;
}

/* Whoever has LINT0 open may take it, and only one gets it. */
static void the_pic_interrupts_one(void **state)
{
	(void)state;
	the_pic_interrupts(NULL);
	assert_int_equal(pokes(0), 1);            /* as the firmware left it */
	assert_int_equal(pokes(1), 0);
	assert_int_equal(pokes(2), 1);
	assert_true(machine_irq_pending(&r.cpu[0]));
	assert_false(machine_irq_pending(&r.cpu[1]));
	assert_int_equal(machine_irq_ack(&r.cpu[2]), 0x24);
	assert_int_equal(machine_irq_ack(&r.cpu[0]), -1);
}

/* LINT0 as an edge of a fixed vector: a pulse that is over when the CPU looks has still been one. */
static void the_pic_as_an_edge(void **state)
{
	(void)state;
	lapic_mmio_write(&r.lapic[0], 0x350, 4, 0x10700);
	lapic_mmio_write(&r.lapic[1], 0x350, 4, 0x0091);
	post_signal(&r.cpu[1].posted, POST_LINT0 | POST_ROSE);
	assert_int_equal(receivers(0x91), 1u << 1);
	assert_false(r.lapic[1].lint[0]);
	/* Its end is none. */
	post_signal(&r.cpu[1].posted, POST_LINT0);
	assert_int_equal(receivers(0x91), 0);
}

/* The PIC's output falls as it is acknowledged, and nobody looks again before the guest is entered. */
static void an_acknowledge_posts_nothing_to_oneself(void **state)
{
	(void)state;
	the_pic_interrupts(&r.cpu[0]);
	machine_take_posted(&r.cpu[0]);
	poke_here = &r.cpu[0];
	assert_int_equal(machine_irq_ack(&r.cpu[0]), 0x24);
	poke_here = NULL;
	assert_false(r.cpu[0].posted.pending);
	pokes(0);
	send(1, 0x4055, 0);
	assert_int_equal(pokes(0), 1);
}

/* An INIT between the look for one and the taking is not lost, nor the SIPI behind it. */
static void init_among_others_is_left(void **state)
{
	(void)state;
	post_message(&r.cpu[1].posted, &(struct apic_msg){ .mode = APIC_MODE_FIXED, .vector = 0x40 });
	post_signal(&r.cpu[1].posted, POST_INIT);
	post_signal(&r.cpu[1].posted, POST_SIPI | 0x12u << 24);
	machine_take_posted(&r.cpu[1]);
	assert_true(r.cpu[1].posted.pending);
	assert_int_equal(r.cpu[1].posted.signals, POST_INIT | POST_SIPI | 0x12u << 24);
}

/* ---- timers ---- */

static void timers_are_looked_after(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CPUS; i++)
		assert_int_equal(r.cpu[i].own_timers.count, 1);
	/* CPU 2's own: nobody else hears of it. */
	lapic_mmio_write(&r.lapic[2], 0x320, 4, 0x31);
	lapic_mmio_write(&r.lapic[2], 0x3e0, 4, 0xb);
	lapic_mmio_write(&r.lapic[2], 0x380, 4, 1000);
	assert_int_equal(vtimers_next(r.cpu[2].timers), 1000);
	assert_int_equal(vtimers_next(r.cpu[0].timers), VTIMER_OFF);
	vtimers_run(r.cpu[2].timers, 1000);
	assert_int_equal(receivers(0x31), 1u << 2);
	/* The PIT, by whichever CPU: vCPU 0 hears of it when it is due earlier than what it knew. */
	machine_enter(&r.vm);
	bus_write(&r.vm.pio, 0x43, 1, 0x38);
	bus_write(&r.vm.pio, 0x40, 1, 0);
	bus_write(&r.vm.pio, 0x40, 1, 0x80);
	machine_leave(&r.vm);
	pokes(0);
	assert_true(vtimers_next(&r.vm.timers) != VTIMER_OFF);
	machine_enter(&r.vm);
	machine_leave(&r.vm);
	assert_int_equal(pokes(0), 0);            /* nothing new */
	machine_enter(&r.vm);
	bus_write(&r.vm.pio, 0x40, 1, 10);
	bus_write(&r.vm.pio, 0x40, 1, 0);
	machine_leave(&r.vm);
	assert_int_equal(pokes(0), 1);
	ioapic_write(2, 1u << 24, 0x50);
	fake_clock_set(1000000);
	machine_run_timers(&r.vm, 1000000);
	assert_int_equal(receivers(0x50), 1u << 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_waits_until_its_cpu_looks, setup, teardown),
		cmocka_unit_test_setup_teardown(shorthands, setup, teardown),
		cmocka_unit_test_setup_teardown(logical_flat_and_cluster, setup, teardown),
		cmocka_unit_test_setup_teardown(x2apic_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(lowest_priority, setup, teardown),
		cmocka_unit_test_setup_teardown(nmis, setup, teardown),
		cmocka_unit_test_setup_teardown(every_vector_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(init_and_sipi_are_for_the_core, setup, teardown),
		cmocka_unit_test_setup_teardown(a_level_ends_on_any_cpu, setup, teardown),
		cmocka_unit_test_setup_teardown(the_pic_interrupts_one, setup, teardown),
		cmocka_unit_test_setup_teardown(the_pic_as_an_edge, setup, teardown),
		cmocka_unit_test_setup_teardown(an_acknowledge_posts_nothing_to_oneself, setup, teardown),
		cmocka_unit_test_setup_teardown(init_among_others_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(timers_are_looked_after, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
