/* SPDX-License-Identifier: BSD-2-Clause */
/* See rig.h. Defines console_read(), console_poll() and host_timer_arm() for the sources under test. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/gpa.h>
#include <vouch/pcpu.h>

#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/kvmclock.h"
#include "arch/x86/exit/report.h"
#include "core/cpu_turn.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/flatmem.h"
#include "tests/unit/support/host_tsc.h"
#include "tests/unit/support/log.h"

#define TSC_KHZ 2500000u

struct rig rig;
static uint64_t tsc;

void rig_expect(bool x)
{
	if (!x)
		abort();
}

/* ---- the rest of Vouch ---- */

size_t console_read(struct console *c, unsigned int place, uint8_t *bytes, size_t n)
{
	size_t took = n < rig.typed_len ? n : rig.typed_len;

	(void)c;
	(void)place;
	memcpy(bytes, rig.typed, took);
	memmove(rig.typed, rig.typed + took, rig.typed_len - took);
	rig.typed_len -= took;
	return took;
}

void console_poll(struct console *c)
{
	(void)c;
}

void host_timer_arm(uint64_t at)
{
	(void)at;
}

/* ---- input ---- */

uint64_t rig_take(size_t n)
{
	size_t have = n < rig.in_left ? n : rig.in_left;
	uint64_t val = 0;

	memcpy(&val, rig.in, have);
	rig.in += have;
	rig.in_left -= have;
	return val;
}

uint64_t rig_number(void)
{
	uint64_t kind = rig_take(1);

	switch (kind & 7) {
	case 0: return kind >> 3;
	case 1: return 1ull << (kind >> 3 << 1 & 63);
	case 2: return (1ull << (kind >> 3 << 1 & 63)) - 1;
	case 3: return ~0ull;
	case 4: return rig_take(1);
	case 5: return rig_take(2);
	case 6: return rig_take(4);
	default: return rig_take(8);
	}
}

uint32_t rig_msr(void)
{
	static const uint32_t known[] = { MSR_TSC, MSR_APIC_BASE, MSR_UCODE_REV, MSR_MTRR_CAP, MSR_MTRR_PHYSBASE0,
					  MSR_MTRR_PHYSBASE0 + 15, MSR_MTRR_FIX64K, MSR_MTRR_FIX16K_A0, MSR_MTRR_FIX4K_F8,
					  MSR_PAT, MSR_MTRR_DEF_TYPE, MSR_TSC_DEADLINE, MSR_KVM_WALL_CLOCK,
					  MSR_KVM_SYSTEM_TIME, MSR_EFER, 0x179, 0xc0010015, 0xc0011029 };
	uint64_t which = rig_take(1);

	if (which < ARRAY_SIZE(known))
		return known[which];
	return which < 0x80 ? (uint32_t)rig_take(4) : MSR_X2APIC_FIRST + (uint32_t)(which & 0x7f);
}

uint16_t rig_port(void)
{
	uint64_t which = rig_take(1);

	for (unsigned int i = 0; which & 0x80 && i < rig.vm.pio.count; i++)
		if (i == (which & 0x7f) % rig.vm.pio.count)
			return (uint16_t)(rig.vm.pio.range[i].base + rig_take(1) % rig.vm.pio.range[i].len);
	return (uint16_t)(rig_take(1) | which << 8);
}

uint64_t rig_mmio(void)
{
	uint64_t which = rig_take(2);

	switch (which >> 14) {
	case 0:  return APIC_DEFAULT_BASE + (which & 0xff) * 16;
	case 1:  return IOAPIC_DEFAULT_BASE + (which & 0xff);
	case 2:  return APIC_DEFAULT_BASE + (which & 0xfff);
	default: return rig_take(8);
	}
}

/* ---- the guest ---- */

static void remember_shape(void)
{
	rig.timers = rig.vm.timers.count;
	for (unsigned int i = 0; i < rig.timers; i++)
		rig.timer[i] = rig.vm.timers.list[i];
	rig.port_ranges = rig.vm.pio.count;
	rig.mmio_ranges = rig.vm.mmio.count;
}

static void choose_plan(struct vm_plan *plan)
{
	uint64_t which = rig_take(1);

	plan->devices = PLAN_STANDARD;
	if (which & 1)
		plan->devices = (uint32_t)rig_take(2) | PLAN_ALWAYS;
	plan->devices &= PLAN_STANDARD;
	if (which & 2) {
		plan->ignore_count = 2;
		plan->ignore[0] = (struct plan_ignore){ .print = true, .start = 0x300, .end = 0x30f };
		plan->ignore[1] = (struct plan_ignore){ .mmio = true, .print = which & 4, .start = 0xd0000000,
							.end = 0xd0000fff };
	}
}

void rig_reset(const struct hvm_ops *ops, const uint8_t *data, size_t size)
{
	static const struct vcpu no_vcpu;
	static struct vcpu *vcpus[1] = { &rig.vcpu };
	struct vm *vm = &rig.vm;

	memset(&rig, 0, sizeof(rig));
	rig.vcpu = no_vcpu;
	flatmem_reset(rig.ram, RIG_RAM, RIG_ROM);
	rig.in = data;
	rig.in_left = size;
	log_clear();
	tsc = 1000000;
	host_tsc_set(tsc);
	rig.host.hvm = ops;
	snprintf(vm->name, sizeof(vm->name), "fuzz");
	vm->host = &rig.host;
	vm->ram_bytes = RIG_RAM;
	vm->log_budget = 20;
	vm->phys_bits = 40;
	vm->epoch = 1700000000;
	vm->machine = &rig.machine;
	vm->vcpu[0] = &rig.vcpu;
	rig.vcpu.vm = vm;
	rig.vcpu.lapic = &rig.lapic;
	rig.vcpu.timers = &vm->timers;
	vm->vcpus = 1;
	rig.vcpu.xcr0 = 1;
	choose_plan(&vm->plan);
	bus_init(&vm->pio, "port", 0x10000);
	bus_init(&vm->mmio, "mmio", 1ull << 52);
	vclock_init(&vm->clock, TSC_KHZ);
	vtimers_init(&vm->timers, &vm->clock);
	rig_expect(machine_create(vm, vcpus, 1, vm->epoch) == 0);
	machine_reset(vm);
	remember_shape();
}

static void call(void *fn)
{
	(*(void (**)(void))fn)();
}

void rig_run(void (*fn)(void))
{
	cpu_area_run(call, &fn, &rig.host);
}

/* Nobody else is there who could be waiting for input. */
void guests_wake_typed(struct host *h) { (void)h; }

/* From a nanosecond to centuries: the scale is the input's. */
void rig_pass_time(void)
{
	uint64_t how = rig_take(1);

	tsc += (rig_take(1) + 1) << (how & 0x1f) << (how & 0x20 ? 16 : 0);
	host_tsc_set(tsc);
	if (how & 0x40 && rig.typed_len < sizeof(rig.typed))
		rig.typed[rig.typed_len++] = (uint8_t)rig_take(1);
	this_cpu()->host_event |= how & 0x80;
	if (vcpu_service(&rig.vcpu) == RUN_PREEMPTED)
		panic("a vCPU that nobody else waits for was preempted");
}

static void raise_pic_line(unsigned int irq)
{
	static const struct { uint8_t port, val; } icw[] = { { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 },
							     { 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 },
							     { 0x21, 0 }, { 0xa1, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(icw); i++)
		bus_write(&rig.vm.pio, icw[i].port, 1, icw[i].val);
	pic_set(&rig.machine.pic, irq, false);
	pic_set(&rig.machine.pic, irq, true);
}

void rig_raise_interrupt(void)
{
	uint64_t how = rig_take(1);

	if (how & 1)
		lapic_inject(rig.vcpu.lapic, (uint8_t)rig_take(1), how & 2);
	else
		raise_pic_line((unsigned int)how >> 1 & 15);
}

void rig_take_interrupt(void)
{
	int vector;

	if (!machine_irq_pending(&rig.vcpu))
		return;
	vector = machine_irq_ack(&rig.vcpu);
	rig_expect(vector >= -1 && vector < 256);
}

static bool printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!text[i])
			return i > 0;
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	}
	return false;
}

static void check_bus(const struct bus *b, unsigned int ranges)
{
	uint64_t end = 0;

	rig_expect(b->frozen && b->count == ranges);
	for (unsigned int i = 0; i < ranges; i++) {
		rig_expect(b->range[i].base >= end && b->range[i].len && b->range[i].ops);
		end = b->range[i].base + b->range[i].len;
	}
}

void rig_check(void)
{
	const struct vm *vm = &rig.vm;
	const struct vcpu *v = &rig.vcpu;

	check_bus(&vm->pio, rig.port_ranges);
	check_bus(&vm->mmio, rig.mmio_ranges);
	rig_expect(vm->timers.count == rig.timers && vm->timers.clock == &vm->clock);
	for (unsigned int i = 0; i < rig.timers; i++)
		rig_expect(vm->timers.list[i] == rig.timer[i]);
	rig_expect(vm->host == &rig.host && vm->machine == &rig.machine && vm->vcpu[0] == v);
	rig_expect(v->vm == vm && v->lapic == &rig.lapic && rig.machine.vm == vm && rig.machine.cpus == 1);
	rig_expect(vm->input_len <= sizeof(vm->input) && rig.typed_len <= sizeof(rig.typed));
	rig_expect(vm->stop.kind == STOP_NONE || printable(vm->stop.text, sizeof(vm->stop.text)));
	/* XCR0 as SDM 1 "Enabling the XSAVE Feature Set" has it: x87 always, AVX only with SSE. */
	rig_expect((v->xcr0 & 1) && (v->xcr0 & 6) != 4);
	rig_expect(lapic_cr8(v->lapic) < 16);
}

void rig_restart_if_stopped(void)
{
	if (rig.vm.stop.kind == STOP_NONE)
		return;
	vm_report(&rig.vm);
	rig.vm.stop.kind = STOP_NONE;
	machine_reset(&rig.vm);
	msr_reset(&rig.vcpu);
}
