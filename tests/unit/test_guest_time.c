/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One guest's time on CPUs whose TSCs are out of step, which no emulator shows: as it moves, pauses and writes its TSC, what
 * RDTSC would give it goes on from where it was, and deadlines mean the same moment on every CPU.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <vouch/gpa.h>
#include <vouch/platform.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/kvmclock.h"
#include "arch/x86/exit/operand.h"
#include "tests/unit/support/seam.h"

#define CPUS 4u

static struct pcpu cpu[CPUS] = {
	{ .id = 0 }, { .id = 1, .tsc_delta = 123456789 }, { .id = 2, .tsc_delta = -987654321 },
	{ .id = 3, .tsc_delta = INT64_MIN / 4 },
};
static const struct pcpu *here;
static uint64_t real;         /* what the boot CPU's TSC reads */

static uint64_t tsc_here(void)
{
	return real + (uint64_t)here->tsc_delta;
}

uint64_t host_tsc(void)
{
	return host_tsc_of(here, tsc_here());
}

/* The guest's record, and the versions and flags that another vCPU could read between two stores. */
static uint8_t record[32];
static unsigned int stores;
static uint32_t version[8];
static uint64_t timestamp[8];

int gpa_write(struct vm *vm, gpa_t a, const void *buf, size_t len)
{
	(void)vm;
	if (a.v < 0x5000 || len > sizeof(record) || a.v - 0x5000 > sizeof(record) - len || stores == 8)
		return -EFAULT;
	memcpy(record + (a.v - 0x5000), buf, len);
	memcpy(&version[stores], record, 4);
	memcpy(&timestamp[stores++], record + 8, 8);
	return 0;
}

bool gpa_is_writable(struct vm *vm, gpa_t a)
{
	(void)vm;
	return a.v >= 0x5000 && a.v < 0x5000 + sizeof(record);
}

static struct lapic lapic = { .base = APIC_DEFAULT_BASE | APIC_BASE_ENABLE };

int lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *val)
{
	(void)l;
	(void)msr;
	(void)val;
	return -EINVAL;
}

int lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t val)
{
	(void)l;
	(void)msr;
	(void)val;
	return -EINVAL;
}

void lapic_set_cr8(struct lapic *l, uint8_t cr8)
{
	(void)l;
	(void)cr8;
}

void emu_reg_write(struct emu *m, unsigned int reg, unsigned int size, uint64_t val)
{
	(void)m; (void)reg; (void)size; (void)val;
}

void place_write(struct emu *m, const struct place *p, uint64_t val)
{
	(void)m; (void)p; (void)val;
}

bool emu_map_operand(struct emu *m, unsigned int size, int64_t delta, unsigned int access, struct place *p)
{
	(void)m;
	(void)size;
	(void)delta;
	(void)access;
	(void)p;
	return false;
}

uint64_t place_read(struct emu *m, const struct place *p)
{
	(void)m;
	(void)p;
	return 0;
}

/* As cpu_turn() does. */
static void turn_on(struct vcpu *v, unsigned int n)
{
	here = &cpu[n];
	v->tsc_delta = here->tsc_delta;
	vcpu_tsc_match(v);
}

static uint64_t rdtsc(void)
{
	return tsc_here() + seam.reg[HVM_TSC_OFFSET];
}

static void write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	v->gpr[REG_RCX] = msr;
	v->gpr[REG_RAX] = (uint32_t)val;
	v->gpr[REG_RDX] = val >> 32;
	assert_int_equal(exit_msr(v, true), EXIT_NEXT);
}

static struct vcpu *fresh(unsigned int on)
{
	seam_reset();
	memset(record, 0, sizeof(record));
	stores = 0;
	real = 5000000000ull;
	here = &cpu[on];
	seam.vm.plan.devices = PLAN_STANDARD;
	seam.vcpu.lapic = &lapic;
	vclock_init(&seam.vm.clock, 2000000);
	msr_reset(&seam.vcpu);
	turn_on(&seam.vcpu, on);
	return &seam.vcpu;
}

/* From any CPU to any other, its time goes on, and is the clock's. */
static void a_move_is_not_seen(void **ctx)
{
	(void)ctx;
	for (unsigned int first = 0; first < CPUS; first++) {
		struct vcpu *v = fresh(first);

		assert_true(rdtsc() == 0);
		for (unsigned int i = 0; i < 3 * CPUS; i++) {
			real += 1000;
			turn_on(v, (first + i * 3) % CPUS);
			assert_true(rdtsc() == 1000ull * (i + 1));
			assert_true(vclock_tsc(&seam.vm.clock) == rdtsc());
		}
	}
}

/* What it wrote goes with it, and what it reads by MSR is what it reads by RDTSC. */
static void a_written_tsc_moves_too(void **ctx)
{
	struct vcpu *v = fresh(1);

	(void)ctx;
	real += 700;
	write_msr(v, MSR_TSC, 1000000);
	assert_true(rdtsc() == 1000000);
	for (unsigned int i = 0; i < CPUS; i++) {
		real += 50;
		turn_on(v, i);
		assert_true(rdtsc() == 1000000 + 50ull * (i + 1));
		v->gpr[REG_RCX] = MSR_TSC;
		assert_int_equal(exit_msr(v, false), EXIT_NEXT);
		assert_true((v->gpr[REG_RDX] << 32 | v->gpr[REG_RAX]) == rdtsc());
	}
	write_msr(v, MSR_TSC, 0);
	turn_on(v, 2);
	assert_true(rdtsc() == 0);
}

static void a_pause_is_not_seen(void **ctx)
{
	struct vcpu *v = fresh(2);

	(void)ctx;
	real += 3000;
	here = &cpu[0];                         /* the operator's CPU */
	vclock_stop(&seam.vm.clock);
	real += 1000000;
	here = &cpu[3];
	vclock_start(&seam.vm.clock);
	turn_on(v, 1);
	assert_true(rdtsc() == 3000);
	real += 5;
	turn_on(v, 2);
	assert_true(rdtsc() == 3005);
}

/* A guest's deadline, turned into host time anywhere, goes off on each CPU's own timer at the same moment. */
static void deadlines_compare(void **ctx)
{
	(void)ctx;
	for (unsigned int n = 0; n < CPUS; n++) {
		uint64_t due, own;

		fresh(n);
		due = vclock_ns_to_host(&seam.vm.clock, 1000000);       /* 2 million ticks */
		assert_true(due == real + 2000000);
		for (unsigned int i = 0; i < CPUS; i++) {
			own = own_tsc_of(&cpu[i], due);
			here = &cpu[i];
			assert_true(own == tsc_here() + 2000000);
			assert_true(host_tsc_of(&cpu[i], own) == due);
		}
	}
	/* What can't be told as this CPU's time is not at once. */
	assert_true(own_tsc_of(&cpu[1], UINT64_MAX - 5) == UINT64_MAX);
	assert_true(own_tsc_of(&cpu[0], UINT64_MAX) == UINT64_MAX);
}

/* The hardware is told only when there is something to tell. */
static void nothing_is_written_twice(void **ctx)
{
	struct vcpu *v = fresh(1);

	(void)ctx;
	seam.reg[HVM_TSC_OFFSET] = 42;
	turn_on(v, 1);
	assert_true(seam.reg[HVM_TSC_OFFSET] == 42);
	turn_on(v, 0);
	assert_true(seam.reg[HVM_TSC_OFFSET] == seam.vm.clock.tsc_offset);
}

static uint64_t kvmclock_ns(void)
{
	uint64_t stamp, ticks;
	uint32_t mul;
	int8_t shift;

	memcpy(&stamp, record + 8, 8);
	memcpy(&mul, record + 24, 4);
	shift = (int8_t)record[28];
	ticks = rdtsc() - stamp;
	return (uint64_t)((unsigned __int128)(shift < 0 ? ticks >> -shift : ticks << shift) * mul >> 32);
}

static void kvmclock_goes_on_over_moves(void **ctx)
{
	struct vcpu *v = fresh(3);

	(void)ctx;
	write_msr(v, MSR_KVM_SYSTEM_TIME, 0x5001);
	for (unsigned int i = 0; i < 2 * CPUS; i++) {
		real += 2000000;
		turn_on(v, i % CPUS);
		assert_in_range(kvmclock_ns() + 2, 1000000ull * (i + 1), 1000000ull * (i + 1) + 4);
		if (i == CPUS) {
			stores = 0;
			write_msr(v, MSR_TSC, 77);
		}
	}
}

/* Another vCPU may read the record while it is written: it finds an odd version then, and a new one afterwards. */
static void a_half_written_record_says_so(void **ctx)
{
	struct vcpu *v = fresh(0);

	(void)ctx;
	write_msr(v, MSR_KVM_SYSTEM_TIME, 0x5001);
	assert_true(stores >= 3 && version[stores - 1] == 2 && record[29] == 1);
	real += 100;
	stores = 0;
	write_msr(v, MSR_TSC, 1000);
	assert_true(stores >= 3);
	for (unsigned int i = 0; i < stores; i++) {
		/* Old and whole, odd, or new and whole. */
		if (version[i] == 2)
			assert_true(timestamp[i] == 0);
		else if (version[i] == 4)
			assert_true(timestamp[i] == 900);
		else
			assert_int_equal(version[i], 3);
	}
	assert_int_equal(version[0], 3);
	assert_int_equal(version[stores - 1], 4);
}

static void an_uneven_tsc_promises_nothing(void **ctx)
{
	struct vcpu *v = fresh(0);

	(void)ctx;
	seam.vm.clock.uneven = true;
	write_msr(v, MSR_KVM_SYSTEM_TIME, 0x5001);
	assert_int_equal(record[29], 0);
	v->gpr[REG_RAX] = 0x40000101;
	v->gpr[REG_RCX] = 0;
	assert_int_equal(exit_cpuid(v), EXIT_NEXT);
	assert_int_equal(v->gpr[REG_RAX] & 1u << 24, 0);
	v->gpr[REG_RAX] = 0x80000007;
	assert_int_equal(exit_cpuid(v), EXIT_NEXT);
	assert_int_equal(v->gpr[REG_RDX], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_move_is_not_seen),
		cmocka_unit_test(a_written_tsc_moves_too),
		cmocka_unit_test(a_pause_is_not_seen),
		cmocka_unit_test(deadlines_compare),
		cmocka_unit_test(nothing_is_written_twice),
		cmocka_unit_test(kvmclock_goes_on_over_moves),
		cmocka_unit_test(a_half_written_record_says_so),
		cmocka_unit_test(an_uneven_tsc_promises_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
