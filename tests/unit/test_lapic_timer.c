/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer over a fake clock. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/lapic_rig.h"

#define VECTOR   0xecu
#define PERIODIC 0x20000u
#define DEADLINE 0x40000u
#define MASKED   0x10000u

static struct lapic_rig rig;

static int setup(void **state)
{
	(void)state;
	rig_create(&rig, 0, true);
	rig_enable(&rig);
	fake_clock_set(1000000);
	rig_write(&rig, LAPIC_TDCR, 0xb);
	return 0;
}

/* Takes and ends the timer's interrupt, if it is there. */
static bool taken(void)
{
	if (lapic_pending(&rig.l) != (int)VECTOR)
		return false;
	lapic_ack(&rig.l, VECTOR);
	rig_write(&rig, LAPIC_EOI, 0);
	assert_int_equal(lapic_pending(&rig.l), -1);
	return true;
}

static void drain(void)
{
	int vector;

	while ((vector = lapic_pending(&rig.l)) >= 0) {
		lapic_ack(&rig.l, (uint8_t)vector);
		rig_write(&rig, LAPIC_EOI, 0);
	}
}

static uint32_t count(void)
{
	return rig_read(&rig, LAPIC_TMCCT);
}

static void walk(uint64_t ns)
{
	fake_clock_walk(&rig.timers, ns);
}

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t val = 0;

	assert_int_equal(lapic_msr_read(&rig.l, msr, &val), 0);
	return val;
}

static void wrmsr(uint32_t msr, uint64_t val)
{
	assert_int_equal(lapic_msr_write(&rig.l, msr, val), 0);
}

static uint64_t tsc_at(uint64_t ns)
{
	return vclock_ns_to_tsc(&rig.clock, ns);
}

static void test_one_shot(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	rig_write(&rig, LAPIC_TMICT, 5000);
	assert_int_equal(rig_read(&rig, LAPIC_TMICT), 5000);
	assert_int_equal(count(), 5000);
	walk(1000001);
	assert_int_equal(count(), 4999);
	walk(1004999);
	assert_int_equal(count(), 1);
	assert_false(taken());
	walk(1005000);
	assert_int_equal(count(), 0);
	assert_true(taken());
	walk(9000000);
	assert_int_equal(count(), 0);
	assert_false(taken());                   /* once */
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	assert_int_equal(rig_read(&rig, LAPIC_TMICT), 5000);
}

static void test_divide(void **state)
{
	static const struct { uint32_t tdcr; unsigned int div; } all[] = {
		{ 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 }, { 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 },
	};
	uint64_t now = 1000000;

	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t end = now + 1000ull * all[i].div;

		rig_write(&rig, LAPIC_TDCR, all[i].tdcr | 0xfffffff4u);
		assert_int_equal(rig_read(&rig, LAPIC_TDCR), all[i].tdcr);
		rig_write(&rig, LAPIC_TMICT, 1000);
		walk(end - 500ull * all[i].div);
		assert_int_equal(count(), 500);
		walk(end - 1);
		assert_int_equal(count(), 1);
		assert_false(taken());
		walk(end);
		assert_true(taken());
		now = end;
	}
}

static void test_longest(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	rig_write(&rig, LAPIC_TDCR, 0xa);
	rig_write(&rig, LAPIC_TMICT, 0xffffffff);
	assert_true(vtimers_next(&rig.timers) == 1000000 + 0xffffffffull * 128);
	assert_true(count() == 0xffffffff);
	walk(1000000 + 0xffffffffull * 128 - 1);
	assert_false(taken());
	walk(1000000 + 0xffffffffull * 128);
	assert_true(taken());
}

static void test_divide_change_while_running(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	rig_write(&rig, LAPIC_TMICT, 1000);
	walk(1000400);
	assert_int_equal(count(), 600);
	rig_write(&rig, LAPIC_TDCR, 0x2);        /* by 8 */
	assert_int_equal(count(), 600);
	walk(1000400 + 8 * 600 - 1);
	assert_false(taken());
	walk(1000400 + 8 * 600);
	assert_true(taken());
	rig_write(&rig, LAPIC_TDCR, 0xb);        /* not running: nothing to arm */
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
}

static void test_stop_by_zero(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 50000);
	rig_write(&rig, LAPIC_TMICT, 0);
	assert_int_equal(count(), 0);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	walk(9000000);
	assert_false(taken());
}

static void test_restart(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	rig_write(&rig, LAPIC_TMICT, 1000);
	walk(1000900);
	rig_write(&rig, LAPIC_TMICT, 1000);
	walk(1001899);
	assert_false(taken());
	walk(1001900);
	assert_true(taken());
}

static void test_masked(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | MASKED);
	rig_write(&rig, LAPIC_TMICT, 1000);
	walk(1000500);
	assert_int_equal(count(), 500);          /* counts on */
	walk(1001000);
	assert_false(taken());
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	assert_false(taken());                   /* what a mask swallowed does not come back */

	rig_write(&rig, LAPIC_TMICT, 1000);      /* only the mask at the end counts */
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | MASKED);
	walk(1001500);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	walk(1002000);
	assert_true(taken());
}

static void test_periodic(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 100000);
	for (uint64_t i = 1; i <= 1000; i++) {
		walk(1000000 + i * 100000 - 1);
		assert_false(taken());
		assert_int_equal(count(), 1);
		walk(1000000 + i * 100000);
		assert_true(taken());
		assert_int_equal(count(), 100000);
	}
}

/* Served late each time, by a different amount: the ends stay on the grid. */
static void test_periodic_does_not_drift(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 100000);
	for (uint64_t i = 1; i <= 1000; i++) {
		fake_clock_jump(&rig.timers, 1000000 + i * 100000 + i * 97 % 99999);
		assert_true(taken());
		assert_true(vtimers_next(&rig.timers) == 1000000 + (i + 1) * 100000);
	}
}

static void test_periodic_missed(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 100000);
	fake_clock_jump(&rig.timers, 1000000 + 7 * 100000 + 30000);
	assert_true(taken());
	assert_int_equal(count(), 70000);
	assert_true(vtimers_next(&rig.timers) == 1000000 + 8 * 100000);
	vtimers_run(&rig.timers, 1000000 + 7 * 100000 + 30000);
	assert_false(taken());                   /* one for all that was missed */
	fake_clock_jump(&rig.timers, 1000000 + 20 * 100000);   /* just on an end: the next one is due later */
	assert_true(taken());
	assert_true(vtimers_next(&rig.timers) == 1000000 + 21 * 100000);
	fake_clock_jump(&rig.timers, 1000000 + 22 * 100000);   /* exactly one period late */
	assert_true(taken());
	assert_true(vtimers_next(&rig.timers) == 1000000 + 23 * 100000);
	fake_clock_jump(&rig.timers, 3600ull * 1000000000);    /* an hour later */
	assert_true(taken());
	assert_true(vtimers_next(&rig.timers) - 3600ull * 1000000000 <= 100000);
}

static void test_periodic_floor(void **state)
{
	unsigned int due;

	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 1);
	assert_int_equal(count(), 1);
	due = fake_clock_walk(&rig.timers, 1000000 + 1000000);
	assert_int_equal(due, 1000000 / LAPIC_TIMER_MIN_PERIOD_NS);
	assert_true(taken());
	rig_write(&rig, LAPIC_TMICT, 5000);
	for (unsigned int i = 0; i < 40000; i += 100) {
		walk(2000000 + i);
		assert_in_range(count(), 1, 5000);
	}
	rig_write(&rig, LAPIC_TMICT, LAPIC_TIMER_MIN_PERIOD_NS + 1);   /* above: exact */
	assert_true(vtimers_next(&rig.timers) == 2039900 + LAPIC_TIMER_MIN_PERIOD_NS + 1);
}

static void test_one_shot_and_periodic_switch(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	rig_write(&rig, LAPIC_TMICT, 100000);
	walk(1050000);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	assert_int_equal(count(), 50000);        /* goes on */
	walk(1100000);
	assert_true(taken());
	assert_int_equal(count(), 100000);       /* and starts again */
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	walk(1200000);
	assert_true(taken());
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);   /* ended before: stays so */
	assert_int_equal(count(), 0);
	walk(2000000);
	assert_false(taken());
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);              /* a tiny one-shot turned periodic does not storm */
	rig_write(&rig, LAPIC_TMICT, 1);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	assert_true(fake_clock_walk(&rig.timers, 3000000) <= 51);
}

/* Registers are right even if nobody ran the timers yet. */
static void test_read_before_run(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	rig_write(&rig, LAPIC_TMICT, 1000);
	fake_clock_set(1002000);
	assert_int_equal(count(), 0);
	assert_true(taken());
	vtimers_run(&rig.timers, 1002000);
	assert_false(taken());
	rig_write(&rig, LAPIC_TMICT, 1000);
	fake_clock_set(1004000);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | MASKED);     /* it was due before the mask */
	assert_true(taken());
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 30000);
	fake_clock_set(1004000 + 3 * 30000 + 10000);
	assert_int_equal(count(), 20000);
	assert_true(taken());
	fake_clock_set(1004000 + 4 * 30000);                   /* just at the end */
	assert_int_equal(count(), 30000);
	assert_true(taken());
}

static void test_msrs_before_run(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1500000));
	fake_clock_set(1600000);
	assert_true(rdmsr(MSR_TSC_DEADLINE) == 0);
	assert_int_equal(lapic_pending(&rig.l), VECTOR);
	drain();
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1700000));
	fake_clock_set(1800000);
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1900000));              /* the first one was due before */
	assert_true(taken());
	wrmsr(MSR_TSC_DEADLINE, 0);
	wrmsr(MSR_APIC_BASE, APIC_DEFAULT_BASE | APIC_BASE_BSP | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	wrmsr(0x832, VECTOR);
	wrmsr(0x838, 1000);
	fake_clock_set(1801000);
	assert_true(rdmsr(0x839) == 0);
	assert_int_equal(lapic_pending(&rig.l), VECTOR);
	lapic_ack(&rig.l, VECTOR);
	wrmsr(0x80b, 0);
	wrmsr(0x838, 1000);
	fake_clock_set(1802000);
	wrmsr(0x832, VECTOR | MASKED);
	assert_int_equal(lapic_pending(&rig.l), VECTOR);
}

static void test_deadline(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1500000));
	assert_true(rdmsr(MSR_TSC_DEADLINE) == tsc_at(1500000));
	assert_int_equal(count(), 0);
	walk(1499999);
	assert_false(taken());
	walk(1500001);
	assert_true(vclock_tsc(&rig.clock) >= tsc_at(1500000));
	assert_true(taken());
	assert_true(rdmsr(MSR_TSC_DEADLINE) == 0);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	walk(9000000);
	assert_false(taken());
}

/* For every phase of the TSC against the nanosecond: never early, never more than 2 ns late. */
static void test_deadline_never_early(void **state)
{
	uint64_t start = tsc_at(2000000);

	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	for (uint64_t i = 0; i < 50; i++) {
		uint64_t deadline = start + 1000 * i + i;

		wrmsr(MSR_TSC_DEADLINE, deadline);
		fake_clock_set(vtimers_next(&rig.timers));
		assert_true(vclock_tsc(&rig.clock) >= deadline);
		assert_true(vclock_tsc(&rig.clock) - deadline <= 5);
		vtimers_run(&rig.timers, vclock_now(&rig.clock));
		assert_true(taken());
	}
}

static void test_deadline_past(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, 1);
	assert_true(taken());
	assert_true(rdmsr(MSR_TSC_DEADLINE) == 0);
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1000000));              /* just now */
	assert_true(taken());
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1000000) + 1);
	assert_false(taken());
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE | MASKED);
	wrmsr(MSR_TSC_DEADLINE, 1);                            /* masked: used up silently */
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	walk(9000000);
	assert_false(taken());
}

static void test_deadline_zero_and_rewrite(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1500000));
	wrmsr(MSR_TSC_DEADLINE, 0);
	assert_true(rdmsr(MSR_TSC_DEADLINE) == 0);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1500000));
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1700000));              /* the last one counts */
	walk(1600000);
	assert_false(taken());
	walk(1700001);
	assert_true(taken());
}

static void test_deadline_far(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, UINT64_MAX);
	assert_true(rdmsr(MSR_TSC_DEADLINE) == UINT64_MAX);
	assert_false(taken());
	assert_true(vtimers_next(&rig.timers) > 1ull << 62);
	rig_create(&rig, 0, true);
	rig.clock.host_khz = 100;                              /* so slow that the deadline in ns does not fit */
	rig_enable(&rig);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, UINT64_MAX - 1);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	assert_true(rdmsr(MSR_TSC_DEADLINE) == UINT64_MAX - 1);
	assert_false(taken());
}

static void test_deadline_in_other_modes(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	wrmsr(MSR_TSC_DEADLINE, tsc_at(1500000));
	assert_true(rdmsr(MSR_TSC_DEADLINE) == 0);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	rig_write(&rig, LAPIC_TMICT, 1000);
	wrmsr(MSR_TSC_DEADLINE, 0);                            /* does not stop a count */
	walk(1001000);
	assert_true(taken());
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	rig_write(&rig, LAPIC_TMICT, 1000);                    /* and the other way round */
	assert_int_equal(rig_read(&rig, LAPIC_TMICT), 0);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
}

static void test_mode_switch_disarms(void **state)
{
	static const uint32_t other[] = { 0, PERIODIC };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | other[i]);
		rig_write(&rig, LAPIC_TMICT, 100000);
		rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
		assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
		assert_int_equal(rig_read(&rig, LAPIC_TMICT), 0);
		wrmsr(MSR_TSC_DEADLINE, tsc_at(5000000));
		rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | other[i]);
		assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
		assert_true(rdmsr(MSR_TSC_DEADLINE) == 0);
		rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
		assert_true(rdmsr(MSR_TSC_DEADLINE) == 0);
	}
	wrmsr(MSR_TSC_DEADLINE, tsc_at(5000000));
	rig_write(&rig, LAPIC_LVT_TIMER, (VECTOR - 1) | DEADLINE);   /* not a change of mode: stays armed */
	walk(5000001);
	assert_int_equal(lapic_pending(&rig.l), VECTOR - 1);
}

static void test_reserved_mode(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	rig_write(&rig, LAPIC_TMICT, 100000);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC | DEADLINE);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	rig_write(&rig, LAPIC_TMICT, 100000);
	wrmsr(MSR_TSC_DEADLINE, 1);
	assert_int_equal(count(), 0);
	walk(9000000);
	assert_false(taken());
}

static void test_software_disable(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 100000);
	rig_write(&rig, LAPIC_SVR, 0xff);
	walk(1100000);
	assert_int_equal(lapic_pending(&rig.l), -1);
	rig_enable(&rig);
	assert_int_equal(rig_read(&rig, LAPIC_LVT_TIMER), VECTOR | PERIODIC | MASKED);
	walk(1200000);
	assert_false(taken());
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	walk(1300000);
	assert_true(taken());
}

static void test_resets_stop_it(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 100000);
	lapic_reset_registers(&rig.l);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	rig_enable(&rig);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, tsc_at(2000000));
	lapic_reset(&rig.l);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
	assert_true(rdmsr(MSR_TSC_DEADLINE) == 0);
	rig_enable(&rig);
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR);
	rig_write(&rig, LAPIC_TMICT, 100000);
	wrmsr(MSR_APIC_BASE, APIC_DEFAULT_BASE | APIC_BASE_BSP);
	assert_true(vtimers_next(&rig.timers) == VTIMER_OFF);
}

/* The count survives the change to x2APIC mode, where the same registers are MSRs. */
static void test_x2apic(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	rig_write(&rig, LAPIC_TMICT, 100000);
	walk(1040000);
	wrmsr(MSR_APIC_BASE, APIC_DEFAULT_BASE | APIC_BASE_BSP | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	assert_true(rdmsr(0x839) == 60000);
	assert_true(rdmsr(0x838) == 100000);
	wrmsr(0x838, 200000);
	walk(1240000);
	assert_int_equal(lapic_pending(&rig.l), VECTOR);
	wrmsr(0x832, VECTOR | DEADLINE);
	assert_true(rdmsr(0x838) == 0);
	assert_true(rdmsr(0x839) == 0);
}

/* Whatever a guest writes: a timer that runs has a future end, and no more than one firing per 20 us of its own. */
static void test_random(void **state)
{
	static const uint8_t regs[] = { LAPIC_LVT_TIMER, LAPIC_TMICT, LAPIC_TDCR, LAPIC_SVR };
	uint64_t x = 7, now = 1000000;
	unsigned int due = 0, writes = 0;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		switch (x >> 61) {
		case 0:
		case 1:
			rig_write(&rig, regs[x >> 40 & 3], (uint32_t)(x >> 20) >> (x >> 50 & 31));
			writes++;
			break;
		case 2:
			wrmsr(MSR_TSC_DEADLINE, tsc_at(now) + (x >> 30 & 0xfffff) - 1000);
			writes++;
			break;
		case 3:
			rig_write(&rig, LAPIC_SVR, 0x1ff);
			rig_write(&rig, LAPIC_LVT_TIMER, VECTOR | (uint32_t)(x >> 33 & 3) << 17);
			break;
		default:
			now += x >> 40 & 0xffff;
			due += fake_clock_walk(&rig.timers, now);
		}
		drain();
		assert_true(count() <= rig_read(&rig, LAPIC_TMICT));
		assert_true(rig.l.timer_end == VTIMER_OFF || rig.l.timer_end > now);
		assert_true(rig.l.timer.deadline == rig.l.timer_end);
	}
	assert_true(due > 1000);
	assert_true(due <= writes + (now - 1000000) / LAPIC_TIMER_MIN_PERIOD_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_shot, setup),
		cmocka_unit_test_setup(test_divide, setup),
		cmocka_unit_test_setup(test_longest, setup),
		cmocka_unit_test_setup(test_divide_change_while_running, setup),
		cmocka_unit_test_setup(test_stop_by_zero, setup),
		cmocka_unit_test_setup(test_restart, setup),
		cmocka_unit_test_setup(test_masked, setup),
		cmocka_unit_test_setup(test_periodic, setup),
		cmocka_unit_test_setup(test_periodic_does_not_drift, setup),
		cmocka_unit_test_setup(test_periodic_missed, setup),
		cmocka_unit_test_setup(test_periodic_floor, setup),
		cmocka_unit_test_setup(test_one_shot_and_periodic_switch, setup),
		cmocka_unit_test_setup(test_read_before_run, setup),
		cmocka_unit_test_setup(test_msrs_before_run, setup),
		cmocka_unit_test_setup(test_deadline, setup),
		cmocka_unit_test_setup(test_deadline_never_early, setup),
		cmocka_unit_test_setup(test_deadline_past, setup),
		cmocka_unit_test_setup(test_deadline_zero_and_rewrite, setup),
		cmocka_unit_test_setup(test_deadline_far, setup),
		cmocka_unit_test_setup(test_deadline_in_other_modes, setup),
		cmocka_unit_test_setup(test_mode_switch_disarms, setup),
		cmocka_unit_test_setup(test_reserved_mode, setup),
		cmocka_unit_test_setup(test_software_disable, setup),
		cmocka_unit_test_setup(test_resets_stop_it, setup),
		cmocka_unit_test_setup(test_x2apic, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
