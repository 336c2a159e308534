/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vCPU's run loop does between exits: due timers, the host's timer, the end of a turn. The clock is the test's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/dev/post.h"
#include "core/cpu_turn.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/host_tsc.h"

#define KHZ 2000000u
#define US  (KHZ / 1000)          /* host ticks */
#define T0  1000000ull

static struct rig {
	struct host host;
	struct vm vm;
	struct vcpu v;
	struct vtimer timer;
	unsigned int fired;
	uint64_t period;              /* guest ns; 0: once */
	unsigned int arms;            /* of the host's timer */
	uint64_t armed;               /* where it stands */
} r;

void host_timer_arm(uint64_t tsc)
{
	r.arms++;
	r.armed = tsc;
}

size_t console_read(struct console *c, unsigned int place, uint8_t *bytes, size_t n)
{
	(void)c, (void)place, (void)bytes, (void)n;
	return 0;
}

void console_poll(struct console *c) { (void)c; }
void guests_wake_typed(struct host *h) { (void)h; }
void machine_run_timers(struct vm *vm, uint64_t now) { (void)vm, (void)now; }
void machine_power_button(struct vm *vm) { (void)vm; }
void machine_take_posted(struct vcpu *v) { (void)v; }

size_t machine_console_input(struct vm *vm, const uint8_t *bytes, size_t n)
{
	(void)vm, (void)bytes;
	return n;
}

static void fire(void *ctx)
{
	(void)ctx;
	r.fired++;
	if (r.period)
		vtimer_arm(&r.timer, vclock_now(&r.vm.clock) + r.period);
}

static void pass(uint64_t ticks)
{
	host_tsc_set(host_tsc() + ticks);
}

/* A turn begins now that is to end at until, in host ticks from now on. */
static void begin(uint64_t until)
{
	this_cpu()->run_until = until == UINT64_MAX ? UINT64_MAX : host_tsc() + until;
	vcpu_begin_turn(&r.v);
}

/* The host's timer has gone off, and its handler has run. */
static void host_timer_fires(void)
{
	this_cpu()->host_event = true;
}

static void timer_in(uint64_t us)
{
	vtimer_arm(&r.timer, vclock_now(&r.vm.clock) + us * 1000);
}

static void due_is_armed_once(void *arg)
{
	(void)arg;
	begin(UINT64_MAX);
	timer_in(10);
	r.period = 100000;
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	assert_int_equal(r.arms, 1);
	assert_int_equal(r.armed, T0 + 10 * US);
	pass(10 * US);
	host_timer_fires();
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	assert_int_equal(r.fired, 1);
	assert_int_equal(r.arms, 2);
	assert_int_equal(r.armed, host_tsc() + 100 * US);
}

static void due_at_begin_is_armed_once(void *arg)
{
	(void)arg;
	timer_in(10);
	r.period = 100000;
	pass(20 * US);
	begin(UINT64_MAX);
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	assert_int_equal(r.fired, 1);
	assert_int_equal(r.arms, 1);
	assert_int_equal(r.armed, host_tsc() + 100 * US);
}

static void unchanged_is_not_armed(void *arg)
{
	(void)arg;
	begin(UINT64_MAX);
	timer_in(10);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(vcpu_service(&r.v), RUN_ON);
		pass(US);
	}
	assert_int_equal(r.arms, 1);
}

/* A kick, or anything else that may have stood in for the timer. */
static void event_arms_again(void *arg)
{
	(void)arg;
	begin(UINT64_MAX);
	timer_in(10);
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	pass(US);
	host_timer_fires();
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	assert_int_equal(r.arms, 2);
	assert_int_equal(r.armed, T0 + 10 * US);
}

static void end_of_turn_arms_nothing(void *arg)
{
	(void)arg;
	timer_in(1000);
	begin(300 * US);
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	assert_int_equal(r.armed, T0 + 300 * US);
	pass(299 * US);
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	pass(US);
	host_timer_fires();
	assert_int_equal(vcpu_service(&r.v), RUN_PREEMPTED);
	assert_int_equal(r.arms, 1);
	assert_int_equal(r.fired, 0);
	/* Where it is to wake for its own sake is known all the same. */
	assert_int_equal(r.v.due_tsc, T0 + 1000 * US);
}

static void late_turn_has_an_entry(void *arg)
{
	(void)arg;
	timer_in(10);
	this_cpu()->run_until = T0 + 5 * US;
	pass(20 * US);
	vcpu_begin_turn(&r.v);
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	assert_int_equal(r.fired, 1);
	assert_int_equal(r.arms, 1);
	assert_true(r.armed >= host_tsc() + 20 * US && r.armed <= host_tsc() + 100 * US);
	pass(100 * US);
	assert_int_equal(vcpu_service(&r.v), RUN_PREEMPTED);
}

static void turn_is_no_longer_than_asked(void *arg)
{
	(void)arg;
	begin(100 * US);
	assert_int_equal(this_cpu()->run_until, T0 + 100 * US);
	begin(UINT64_MAX);
	assert_true(this_cpu()->run_until == UINT64_MAX);
}

/* A CPU whose own timer ends runs looks at the host's events now and then, though nothing is due; not if nobody could want it. */
static void turn_without_deadline_ends(void *arg)
{
	(void)arg;
	this_cpu()->sole = false;
	begin(UINT64_MAX);
	assert_true(this_cpu()->run_until == UINT64_MAX);
	r.v.own_timer = true;
	begin(100 * US);
	assert_int_equal(this_cpu()->run_until, T0 + 100 * US);
	begin(UINT64_MAX);
	assert_int_equal(this_cpu()->run_until, T0 + 100000 * US);
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	assert_int_equal(r.v.armed_own, T0 + 100000 * US);
	pass(100000 * US);
	assert_int_equal(vcpu_service(&r.v), RUN_PREEMPTED);
	this_cpu()->sole = true;
	begin(UINT64_MAX);
	assert_true(this_cpu()->run_until == UINT64_MAX);
}

/* It halts, and is picked again only when the console wants to be looked at: in the past there would be no end to that. */
static void busy_console_is_no_past(void *arg)
{
	(void)arg;
	r.host.console.polled = true;
	for (unsigned int i = 0; i < 3; i++) {
		begin(UINT64_MAX);
		assert_int_equal(vcpu_service(&r.v), RUN_ON);
		assert_true(r.v.due_tsc > host_tsc());
		pass(r.v.due_tsc - host_tsc());
	}
}

/* Both halted with interrupts off, but the first has been woken by something of its own. */
static void woken_is_not_lost(void *arg)
{
	static struct vcpu second;

	(void)arg;
	second = (struct vcpu){ .vm = &r.vm, .id = 1 };
	r.vm.vcpu[1] = &second;
	r.vm.vcpus = 2;
	r.v.halted = true;
	assert_false(vcpu_halted_for_good(&r.v));
	vcpu_wakes(&r.v);
	assert_false(r.v.halted);
	assert_false(vcpu_halted_for_good(&second));
	assert_true(vcpu_halted_for_good(&r.v));
}

/* What cannot wait does not wait for an entry. */
static void asked_comes_first(void *arg)
{
	(void)arg;
	begin(UINT64_MAX);
	r.vm.asked = VM_ASK_RESET;
	assert_int_equal(vcpu_service(&r.v), RUN_STOPPED);
	r.vm.stop.kind = STOP_NONE;
	begin(UINT64_MAX);
	this_cpu()->leave = this_cpu()->host_event = true;
	assert_int_equal(vcpu_service(&r.v), RUN_PREEMPTED);
	assert_int_equal(r.arms, 0);
}

static void own_timer_arms_none(void *arg)
{
	(void)arg;
	r.v.own_timer = true;
	begin(UINT64_MAX);
	timer_in(10);
	assert_int_equal(vcpu_service(&r.v), RUN_ON);
	assert_int_equal(r.arms, 0);
	assert_int_equal(r.v.armed_tsc, T0 + 10 * US);
}

static void with_rig(void (*fn)(void *arg))
{
	memset(&r, 0, sizeof(r));
	host_tsc_set(T0);
	r.host.platform.tsc_khz = KHZ;
	r.host.cpus = 1;
	r.vm.host = &r.host;
	r.vm.vcpus = 1;
	r.vm.vcpu[0] = &r.v;
	r.v.vm = &r.vm;
	vclock_init(&r.vm.clock, KHZ);
	vtimers_init(&r.vm.timers, &r.vm.clock);
	r.v.timers = &r.vm.timers;
	vtimer_register(&r.vm.timers, &r.timer, fire, NULL);
	cpu_area_run(fn, NULL, &r.host);
}

#define TEST(name) static void test_##name(void **state) { (void)state; with_rig(name); }

TEST(due_is_armed_once)
TEST(due_at_begin_is_armed_once)
TEST(unchanged_is_not_armed)
TEST(event_arms_again)
TEST(end_of_turn_arms_nothing)
TEST(late_turn_has_an_entry)
TEST(turn_is_no_longer_than_asked)
TEST(turn_without_deadline_ends)
TEST(asked_comes_first)
TEST(busy_console_is_no_past)
TEST(woken_is_not_lost)
TEST(own_timer_arms_none)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due_is_armed_once),
		cmocka_unit_test(test_due_at_begin_is_armed_once),
		cmocka_unit_test(test_unchanged_is_not_armed),
		cmocka_unit_test(test_event_arms_again),
		cmocka_unit_test(test_end_of_turn_arms_nothing),
		cmocka_unit_test(test_late_turn_has_an_entry),
		cmocka_unit_test(test_turn_is_no_longer_than_asked),
		cmocka_unit_test(test_turn_without_deadline_ends),
		cmocka_unit_test(test_asked_comes_first),
		cmocka_unit_test(test_busy_console_is_no_past),
		cmocka_unit_test(test_woken_is_not_lost),
		cmocka_unit_test(test_own_timer_arms_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
