/* SPDX-License-Identifier: BSD-2-Clause */
/* What several CPUs do at once, under ThreadSanitizer: pages, log lines, console input, calls. The real lock. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/log.h>
#include <vouch/serial.h>
#include <vouch/smp.h>
#include <vouch/vcpu.h>
#include <vouch/vm.h>

#include "core/cpu_turn.h"
#include "core/hold.h"
#include "core/log_port.h"
#include "core/stopped.h"
#include "tests/unit/support/cpu_threads.h"
#include "tests/unit/support/host_tsc.h"
#include "tests/unit/support/hostram.h"

#define CPUS  4u
#define RAM   (32ull << 20)
#define TOTAL (RAM >> PAGE_SHIFT)

static struct host host;
static uint8_t state[TOTAL];
static struct page_cache caches[CPUS];

void cpu_kick(unsigned int cpu)
{
	(void)cpu;
}

static int ram_map(void **ctx)
{
	(void)ctx;
	hostram_map(RAM);
	return 0;
}

/* -------------------------------------------------------------------------------------------------- pages */

struct block {
	hpa_t at;
	unsigned int order;
	bool used;
};

/* What a CPU writes into its block nobody else writes: ThreadSanitizer sees whoever does. */
static void mark(const struct block *b)
{
	memset(hpa_to_ptr(b->at), (int)this_cpu()->id + 1, PAGE_SIZE << (b->order < 2 ? b->order : 2));
}

static void look(const struct block *b)
{
	const uint8_t *p = hpa_to_ptr(b->at);

	if (p[0] != this_cpu()->id + 1 || p[PAGE_SIZE - 1] != this_cpu()->id + 1)
		abort();
}

static void take_and_give(void *arg)
{
	struct block b[24] = { 0 };
	unsigned int seed = this_cpu()->id;

	(void)arg;
	for (unsigned int i = 0; i < 3000; i++) {
		struct block *one = &b[(unsigned int)rand_r(&seed) % 24];

		if (one->used) {
			look(one);
			page_put(&host.pages, one->at, one->order);
			one->used = false;
			continue;
		}
		one->order = rand_r(&seed) % 4 ? 0 : (unsigned int)rand_r(&seed) % 9;
		one->used = page_get(&host.pages, one->order, &one->at);
		if (one->used)
			mark(one);
	}
	for (unsigned int i = 0; i < 24; i++) {
		if (b[i].used)
			page_put(&host.pages, b[i].at, b[i].order);
	}
}

static void pages_are_one_cpus(void **ctx)
{
	hpa_t a;

	(void)ctx;
	page_alloc_init(&host.pages, state, TOTAL);
	page_add(&host.pages, hpa(0), RAM);
	page_set_caches(&host.pages, caches, CPUS);
	cpu_threads_run(&host, CPUS, take_and_give, NULL);
	assert_int_equal(host.pages.free_frames, TOTAL);
	assert_true(page_get_near(&host.pages, 13, 0, &a));
	assert_int_equal(a.v, 0);
	page_put(&host.pages, a, 13);
}

/* ------------------------------------------------------------------------------------- lines and the console */

static char out[400000];
static size_t out_used;
static unsigned int sent;

bool serial_init(unsigned int port, bool rx)
{
	(void)port;
	(void)rx;
	return true;
}

/* Byte by byte and without a lock of its own: the console's is there for that. */
bool serial_write(unsigned int port, const uint8_t *bytes, size_t n)
{
	(void)port;
	while (n-- && out_used < sizeof(out))
		out[out_used++] = (char)*bytes++;
	return true;
}

void serial_drain(unsigned int port)
{
	(void)port;
}

bool serial_ready(unsigned int port)
{
	(void)port;
	return true;
}

#define INPUT 5000u

/* The chip gives 0, 1, 2, ... and then nothing. */
int serial_read(unsigned int port)
{
	if (port || sent == INPUT)
		return -1;
	return (int)(sent++ & 0xff);
}

static void say(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 300; i++) {
		if (i % 10 == 9)
			log_emergency("cpu %u says %u of them all", this_cpu()->id, i);
		else
			log_info("cpu %u says %u of them all", this_cpu()->id, i);
	}
}

static void console_fresh(void)
{
	static const struct options o = { .console = OPT_COM1, .loglevel = LOG_INFO };

	memset(&host.console, 0, sizeof(host.console));
	console_init(&host.console, &o);
	out_used = 0;
}

static void lines_stay_whole(void **ctx)
{
	unsigned int next[CPUS] = { 0 }, lines = 0;
	char *at = out;

	(void)ctx;
	console_fresh();
	cpu_threads_run(&host, CPUS, say, NULL);
	assert_true(out_used < sizeof(out));
	for (out[out_used] = '\0'; *at; at = strstr(at, "\r\n") + 2, lines++) {
		unsigned int cpu, i, end = 0;

		if (sscanf(at, "vouch: cpu %u says %u of them all\r\n%n", &cpu, &i, &end) != 2 || !end)
			assert_int_equal(sscanf(at, "vouch: error: cpu %u says %u of them all", &cpu, &i), 2);
		assert_true(cpu < CPUS);
		assert_int_equal(i, next[cpu]);
		next[cpu]++;
	}
	assert_int_equal(lines, CPUS * 300);
}

static unsigned int got[CPUS], sum;

static void poll_or_read(void *arg)
{
	unsigned int me = this_cpu()->id;
	uint8_t bytes[16];

	(void)arg;
	while (__atomic_load_n(&sum, __ATOMIC_RELAXED) < INPUT) {
		size_t n = 0;

		if (me % 2)
			console_poll(&host.console);
		else
			n = console_read(&host.console, 0, bytes, sizeof(bytes));
		for (size_t i = 1; i < n; i++)
			if ((uint8_t)(bytes[i - 1] + 1) != bytes[i])
				abort();
		got[me] += (unsigned int)n;
		__atomic_add_fetch(&sum, (unsigned int)n, __ATOMIC_RELAXED);
		sched_yield();
	}
}

static void input_comes_once(void **ctx)
{
	(void)ctx;
	console_fresh();
	sent = sum = 0;
	memset(got, 0, sizeof(got));
	cpu_threads_run(&host, CPUS, poll_or_read, NULL);
	assert_int_equal(got[0] + got[2], INPUT);
	assert_int_equal(sent, INPUT);
}

/* -------------------------------------------------------------------------------------------------- calls */

static unsigned int tally[CPUS], at_the_end;

static void add_here(void *arg)
{
	tally[this_cpu()->id] += *(const unsigned int *)arg;
}

static void call_around(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 400; i++) {
		unsigned int one = 1;

		cpu_call(i % CPUS, add_here, &one);
	}
	__atomic_add_fetch(&at_the_end, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&at_the_end, __ATOMIC_ACQUIRE) < CPUS) {
		cpu_serve();
		sched_yield();
	}
	cpu_serve();
}

static void calls_carry_what_they_write(void **ctx)
{
	(void)ctx;
	cpu_threads_run(&host, CPUS, call_around, NULL);
	for (unsigned int i = 0; i < CPUS; i++)
		assert_int_equal(tally[i], 400);
}

/* ------------------------------------------------------------------------------------------------ held vCPUs */

#define HOLDS 2000u
#define DEAF  CPUS            /* a vCPU that leaves its CPU never */

static struct vm guest;
static struct vcpu vcpus[CPUS];
static uint32_t called[CPUS + 1], over;
static uint64_t by_cpus[CPUS], by_holder[CPUS], calls;

/* Time passes by it alone. */
void vcpu_call(struct vcpu *v)
{
	__atomic_store_n(&called[v->id], 1, __ATOMIC_RELAXED);
	if (v->id == DEAF)
		host_tsc_set(host_tsc() + host.platform.tsc_khz);
	calls++;
}

void vcpu_wake(struct vcpu *v)
{
	(void)v;
}

/* Turns until it is called out. What a vCPU counts is plain memory: whoever has it may write it, and nobody else. */
static void take_turns(unsigned int cpu)
{
	struct vcpu *v = &vcpus[cpu];

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		__atomic_store_n(&called[cpu], 0, __ATOMIC_RELAXED);
		if (!vcpu_turn_begin(v, cpu)) {
			sched_yield();
			continue;
		}
		for (unsigned int i = 0; i < 1000 && !__atomic_load_n(&called[cpu], __ATOMIC_RELAXED); i++) {
			v->gpr[0]++;
			by_cpus[cpu]++;
		}
		vcpu_turn_end(v);
	}
}

static void turn_or_hold(void *arg)
{
	(void)arg;
	if (this_cpu()->id) {
		take_turns(this_cpu()->id);
		return;
	}
	for (unsigned int i = 0; i < HOLDS; i++) {
		struct vcpu *v = &vcpus[1 + i % (CPUS - 1)];

		if (i % 16 == 0) {
			while (!vm_hold(&guest))
				;
			for (unsigned int n = 0; n < guest.vcpus; n++)
				by_holder[n + 1] += guest.vcpu[n]->gpr[0]++ < UINT64_MAX;
		}
		while (!vcpu_hold(v))
			;
		v->gpr[0]++;
		by_holder[v->id]++;
		vcpu_release(v);
		if (i % 16 == 0)
			vm_release(&guest);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
}

static void who_holds_a_vcpu_has_it(void **ctx)
{
	(void)ctx;
	guest = (struct vm){ .host = &host };
	host.platform.tsc_khz = 100;
	for (unsigned int i = 0; i < CPUS; i++)
		vcpus[i] = (struct vcpu){ .id = i, .vm = &guest };
	for (unsigned int i = 1; i < CPUS; i++)
		guest.vcpu[guest.vcpus++] = &vcpus[i];
	cpu_threads_run(&host, CPUS, turn_or_hold, NULL);
	for (unsigned int i = 1; i < CPUS; i++) {
		assert_int_equal(vcpus[i].on_cpu, 0);
		assert_int_equal(vcpus[i].held, 0);
		assert_int_equal(vcpus[i].gpr[0], by_cpus[i] + by_holder[i]);
		assert_true(by_holder[i] > HOLDS / CPUS);
	}
}

static void hold_the_deaf(void *arg)
{
	struct vcpu *v = arg;

	calls = 0;
	assert_false(vcpu_hold(v));
	assert_int_equal(calls, HOLD_MS);
	assert_int_equal(v->held, 0);
	assert_false(vm_hold(&guest));
	assert_int_equal(v->held, 0);
	v->on_cpu = 0;
	assert_true(vm_hold(&guest));
	assert_false(vcpu_turn_begin(v, 1));
	assert_true(vcpu_hold(v));
	vm_release(&guest);
	assert_false(vcpu_turn_begin(v, 1));
	assert_int_equal(v->on_cpu, 0);
	vcpu_release(v);
	assert_true(vcpu_turn_begin(v, 1));
	assert_int_equal(v->on_cpu, 2);
}

/* It is asked once a millisecond, and not held in the end. */
static void who_does_not_come_is_not_held(void **ctx)
{
	struct vcpu deaf = { .id = DEAF, .vm = &guest, .on_cpu = 2 };

	(void)ctx;
	guest = (struct vm){ .host = &host, .vcpus = 1, .vcpu = { &deaf } };
	cpu_threads_run(&host, 1, hold_the_deaf, &deaf);
}

/* ------------------------------------------------------------------------------------------ VMs that have stopped */

#define LEFT 500u

static struct stopped stopped;
static struct vm left[LEFT];
static unsigned int seen[LEFT];

/* Three CPUs are done with each VM, in no particular order; the boot CPU gets it once, and sees what they have written. */
static void stop_or_take(void *arg)
{
	unsigned int me = this_cpu()->id, came = 0;

	(void)arg;
	for (unsigned int i = 0; me && i < LEFT; i++) {
		struct vm *vm = &left[me == 2 ? LEFT - 1 - i : i];

		vm->name[me] = 'x';
		came += stopped_add(&stopped, vm);
	}
	while (!me && came < LEFT) {
		for (struct vm *vm = stopped_take(&stopped); vm; vm = vm->next_stopped) {
			seen[vm - left]++;
			came += vm->name[1] + vm->name[2] + vm->name[3] == 3 * 'x';
		}
		sched_yield();
	}
}

static void a_vm_is_handed_over_once(void **ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < LEFT; i++)
		left[i] = (struct vm){ .live = CPUS - 1 };
	cpu_threads_run(&host, CPUS, stop_or_take, NULL);
	for (unsigned int i = 0; i < LEFT; i++)
		assert_int_equal(seen[i], 1);
	assert_null(stopped_take(&stopped));
}

/* The earliest comes first. */
static void stopped_vms_keep_their_order(void **ctx)
{
	struct vm vm[3] = { { .live = 1 }, { .live = 2 }, { .live = 1 } };

	(void)ctx;
	assert_true(stopped_add(&stopped, &vm[0]));
	assert_false(stopped_add(&stopped, &vm[1]));
	assert_true(stopped_add(&stopped, &vm[2]));
	assert_true(stopped_add(&stopped, &vm[1]));
	assert_true(stopped_any(&stopped));
	assert_ptr_equal(stopped_take(&stopped), &vm[0]);
	assert_ptr_equal(vm[0].next_stopped, &vm[2]);
	assert_ptr_equal(vm[2].next_stopped, &vm[1]);
	assert_null(vm[1].next_stopped);
	assert_false(stopped_any(&stopped));
}

/* ------------------------------------------------------------------------------------------------ stops */

#define STOPS 2000u

static struct vm stopping[STOPS];

/* All stop each VM, each with a text of its own, and each reads the one that won: whole, and of its kind. */
static void stop_each(void *arg)
{
	unsigned int me = this_cpu()->id;
	char want[sizeof(((struct stop *)0)->text)];

	(void)arg;
	for (unsigned int i = 0; i < STOPS; i++) {
		struct vm *vm = &stopping[i];

		if (!vm_stopped(vm) && me)
			vm_stop(vm, STOP_POWEROFF + me, "CPU %u stopped VM %u, %0100u", me, i, me);
		while (!vm_stopped(vm))
			sched_yield();
		snprintf(want, sizeof(want), "CPU %u stopped VM %u, %0100u", vm->stop.kind - STOP_POWEROFF, i,
			 vm->stop.kind - STOP_POWEROFF);
		if (strcmp(vm->stop.text, want) || vm->stop.vcpu != STOP_BY_NONE)
			abort();
	}
}

static void who_sees_a_stop_sees_why(void **ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < STOPS; i++) {
		stopping[i].vcpus = 1;
		lock_init(&stopping[i].stop_lock, LOCK_STOP, "a VM's stop");
	}
	cpu_threads_run(&host, CPUS, stop_each, NULL);
	for (unsigned int i = 0; i < STOPS; i++)
		assert_in_range(stopping[i].stop.kind, STOP_POWEROFF + 1, STOP_POWEROFF + CPUS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_one_cpus),
		cmocka_unit_test(lines_stay_whole),
		cmocka_unit_test(input_comes_once),
		cmocka_unit_test(calls_carry_what_they_write),
		cmocka_unit_test(who_holds_a_vcpu_has_it),
		cmocka_unit_test(who_does_not_come_is_not_held),
		cmocka_unit_test(a_vm_is_handed_over_once),
		cmocka_unit_test(stopped_vms_keep_their_order),
		cmocka_unit_test(who_sees_a_stop_sees_why),
	};

	return cmocka_run_group_tests(tests, ram_map, NULL);
}
