/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a guest that stops, with the operator's will against it: launches, turns and the operator are the test's
 * own. One guest, whose module is launched anew at each start.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/smp.h>

#include "arch/x86/exit/report.h"
#include "core/block.h"
#include "core/cpu_turn.h"
#include "core/guest.h"
#include "core/hold.h"
#include "core/identity.h"
#include "core/measured.h"
#include "core/operator.h"
#include "core/trust.h"
#include "core/vm.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/host_tsc.h"

static struct host host;
static struct vm vm;
static struct vcpu vcpu;
static const struct hvm_ops ops;
static unsigned int launches, destroyed, turns, ended;
static uint32_t asked;
static uint64_t ran_ns;               /* by the guest's clock, when it stops */

/* A turn of the boot CPU; then what the operator does. Each test sets both. */
static void (*turn)(void);
static void (*serve)(void);
static bool gone;                     /* the operator is */

static struct guest *guest(void)
{
	return &host.guests->guest[0];
}

static void stops(enum stop_kind kind)
{
	vm.stop.kind = kind;
}

/* Its last vCPU is out of its CPU. */
static void hands_over(void)
{
	assert_true(stopped_add(&host.guests->stopped, &vm));
}

/* ------------------------------------------------------------------ doubles */

void *block_get(struct page_alloc *pages, size_t bytes)
{
	(void)pages;
	return calloc(1, bytes);
}

void block_put(struct page_alloc *pages, void *p, size_t bytes)
{
	(void)pages;
	(void)bytes;
	free(p);
}

struct vm *launch_vm(struct host *h, unsigned int module, struct launch_names *names, struct vcpu_start *start,
		     struct launch_cost *cost, struct image_error *why)
{
	(void)module;
	(void)names;
	(void)start;
	(void)cost;
	(void)why;
	vm = (struct vm){ .name = "it", .host = h, .vcpus = 1, .vcpu = { &vcpu } };
	launches++;
	return &vm;
}

void vm_destroy(struct vm *which)
{
	assert_ptr_equal(which, &vm);
	destroyed++;
}

void vm_ask(struct vm *which, uint32_t what) { assert_ptr_equal(which, &vm); asked |= what; }
void console_end(struct console *c, unsigned int place) { (void)c; (void)place; ended++; }
void cpu_turn(struct pcpu *p, uint64_t until) { (void)p; (void)until; turns++; turn(); }
void operator_serve(struct host *h) { (void)h; serve(); }
bool operator_gone(const struct host *h) { (void)h; return gone; }
uint64_t vclock_now(const struct vclock *c) { (void)c; return ran_ns; }
uint64_t vclock_tsc(const struct vclock *c) { (void)c; return 0; }
void module_parse(struct module_options *m, const char *string) { (void)string; *m = (struct module_options){ .kind = MODULE_GUEST }; }

/* What has no part in it. */
bool measured_start(struct host *h) { (void)h; return true; }
bool measured_demand(const struct host *h) { (void)h; return true; }
bool trust_init(struct host *h) { (void)h; return true; }
bool identity_init(struct host *h) { (void)h; return true; }
void operator_init(struct host *h) { (void)h; }
void sched_init(struct sched *s, struct sched_queue *q, unsigned int n, uint64_t t) { (void)s; (void)q; (void)n; (void)t; }
void console_begin(struct console *c, unsigned int place, const char *name) { (void)c; (void)place; (void)name; }
void cpu_away(void) {}
void cpu_back(void) {}
void host_timer_arm(uint64_t tsc) { (void)tsc; }
void vclock_start(struct vclock *c) { (void)c; }
void vclock_stop(struct vclock *c) { (void)c; }
void vcpu_start(struct vcpu *v) { (void)v; }
void vcpu_call(struct vcpu *v) { (void)v; }
void vm_prepare(struct vm *which, const struct vcpu_start *s) { (void)which; (void)s; }
void vm_report(const struct vm *which) { (void)which; }
void vm_report_exits(const struct vm *which) { (void)which; }

/* What no test gets to: several guests at once, pauses, figures. */
bool vm_hold(struct vm *which) { (void)which; abort(); }
void vm_release(struct vm *which) { (void)which; abort(); }
uint64_t vm_exits(const struct vm *which) { (void)which; abort(); }
uint64_t vm_exits_of(const struct vm *which, unsigned int kind) { (void)which; (void)kind; abort(); }
void cpu_call_all(void (*fn)(void *arg), void *arg) { (void)fn; (void)arg; abort(); }
void cpu_serve(void) { abort(); }
struct launch *launch_read(struct host *h, unsigned int module, struct launch_names *n, struct image_error *why)
{
	(void)h;
	(void)module;
	(void)n;
	(void)why;
	abort();
}
bool launch_refused(const struct launch *l) { (void)l; abort(); }
void launch_ask(const struct launch *l, struct launch_wants *w) { (void)l; (void)w; abort(); }
void launch_no_room(struct launch *l, uint64_t left) { (void)l; (void)left; abort(); }
void launch_build(struct launch *l) { (void)l; abort(); }
bool launch_help(struct launch *l) { (void)l; abort(); }
bool launch_built(const struct launch *l) { (void)l; abort(); }
bool launch_give_back(struct launch *l) { (void)l; abort(); }
struct vm *launch_finish(struct launch *l, struct vcpu_start *s, struct launch_cost *c, struct image_error *why)
{
	(void)l;
	(void)s;
	(void)c;
	(void)why;
	abort();
}
void launch_drop(struct launch *l) { (void)l; abort(); }

/* ------------------------------------------------------------------ the tests */

static void run_guests(void *arg)
{
	(void)arg;
	guests_run(&host);
}

static void run(void (*t)(void), void (*s)(void))
{
	host = (struct host){ .hvm = &ops, .cpus = 1, .options.guests = GUESTS_SEQUENTIAL };
	host.boot.module_count = 1;
	host.platform.tsc_khz = 1000;
	launches = destroyed = turns = ended = 0;
	asked = 0;
	gone = false;
	ran_ns = 5000000000ull;
	turn = t;
	serve = s;
	host_tsc_set(1000);
	cpu_area_run(run_guests, NULL, &host);
	assert_int_equal(launches, destroyed);
	assert_int_equal(guest()->state, GUEST_OFF);
	free(host.guests);
}

static void nothing(void) {}

/* A reset is a start anew; what is switched off stays so. */
static void reset_then_off(void)
{
	stops(turns == 1 ? STOP_RESET : STOP_POWEROFF);
	hands_over();
}

static void test_reset_starts_again(void **state)
{
	(void)state;
	run(reset_then_off, nothing);
	assert_int_equal(launches, 2);
	assert_int_equal(ended, 1);
}

/*
 * The guest's reset has begun, the first stop counts, and its last vCPU is not out of its CPU yet: then the operator destroys
 * it. That must hold, and the operator may start it again, whose next reset is a reset.
 */
static void reset_takes_time(void)
{
	if (turns == 1) {
		stops(STOP_RESET);
	} else if (turns == 2) {
		hands_over();
	} else if (turns == 4) {
		stops(STOP_RESET);
		hands_over();
	} else if (turns == 5) {
		stops(STOP_POWEROFF);
		hands_over();
	} else {
		assert_int_equal(turns, 3);
	}
}

static void destroy_meanwhile(void)
{
	if (turns == 1) {
		assert_null(guest_destroy(&host, guest()));
		assert_int_equal(asked, VM_ASK_DESTROY);
	} else if (turns == 2 || turns == 3) {
		assert_int_equal(guest()->state, GUEST_OFF);
		assert_int_equal(launches, 1);
		assert_int_equal(destroyed, 1);
		assert_int_equal(ended, 1);
		assert_string_equal(guest_destroy(&host, guest()), "it does not run");
	}
	if (turns == 3)
		assert_null(guest_start(&host, guest()));
	if (turns == 5)
		gone = true;
}

static void test_destroy_outlasts_reset(void **state)
{
	(void)state;
	run(reset_takes_time, destroy_meanwhile);
	assert_int_equal(turns, 5);
	assert_int_equal(launches, 3);
	assert_int_equal(ended, 2);
}

/* One that resets at once, again and again, waits between two starts: a destroy then is the end, too. */
static void reset_at_once(void)
{
	assert_int_equal(guest()->state, GUEST_RUNNING);
	ran_ns = 1;
	stops(STOP_RESET);
	hands_over();
}

static void destroy_waiting(void)
{
	if (guest()->state != GUEST_WAITING || guest()->restart_at <= 1000)
		return;
	assert_int_equal(guest()->restart_at, 1000 + 100 * 1000);
	assert_null(guest_destroy(&host, guest()));
	assert_int_equal(guest()->state, GUEST_OFF);
	host_tsc_set(1000000);
	gone = true;
}

static void test_destroy_between_starts(void **state)
{
	(void)state;
	run(reset_at_once, destroy_waiting);
	assert_int_equal(launches, 11);
	assert_int_equal(asked, 0);
	assert_int_equal(ended, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset_starts_again),
		cmocka_unit_test(test_destroy_outlasts_reset),
		cmocka_unit_test(test_destroy_between_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
