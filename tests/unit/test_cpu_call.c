/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls between CPUs, which are threads here: each comes once, in order, and its maker sees what it did. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>

#include <vouch/host.h>
#include <vouch/smp.h>

#include "tests/unit/support/cpu_threads.h"

#define CPUS   4u
#define ROUNDS 300u

static struct host host;
static unsigned int kicks[CPUS];
static unsigned int finished;
/* Of each CPU, written by it alone. */
static unsigned int served[CPUS], wrong[CPUS];

void cpu_kick(unsigned int cpu)
{
	__atomic_add_fetch(&kicks[cpu], 1, __ATOMIC_RELAXED);
}

static int fresh(void **ctx)
{
	(void)ctx;
	finished = 0;
	for (unsigned int i = 0; i < CPUS; i++)
		kicks[i] = served[i] = wrong[i] = 0;
	return 0;
}

/* A CPU without anything to do of its own, until all are in the same state. */
static void serve_to_the_end(void)
{
	__atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < host.cpus) {
		cpu_serve();
		sched_yield();
	}
	cpu_serve();
}

struct question {
	unsigned int to, answer;
};

static void answer(void *arg)
{
	struct question *q = arg;

	served[this_cpu()->id]++;
	wrong[this_cpu()->id] += q->to != this_cpu()->id;
	q->answer = 2 * q->to + 1;
}

static void ask_all(void *arg)
{
	unsigned int me = this_cpu()->id;

	(void)arg;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct question q = { .to = (me + i) % CPUS };

		cpu_call(q.to, answer, &q);
		wrong[me] += q.answer != 2 * q.to + 1;
	}
	serve_to_the_end();
}

static void calls_cross(void **ctx)
{
	unsigned int all = 0, kicked = 0;

	(void)ctx;
	cpu_threads_run(&host, CPUS, ask_all, NULL);
	for (unsigned int i = 0; i < CPUS; i++) {
		assert_int_equal(wrong[i], 0);
		all += served[i];
		kicked += kicks[i];
	}
	assert_int_equal(all, CPUS * ROUNDS);
	/* One call in CPUS was to itself. */
	assert_int_equal(kicked, CPUS * ROUNDS - CPUS * (ROUNDS / CPUS));
}

static unsigned int last[CPUS];

struct numbered {
	struct cpu_work w;
	unsigned int from, n;
};

static void in_order(void *arg)
{
	const struct numbered *m = arg;

	wrong[0] += m->n != last[m->from] + 1;
	last[m->from] = m->n;
	served[0]++;
}

static void post_many(void *arg)
{
	struct numbered m[64];
	unsigned int me = this_cpu()->id, i;

	(void)arg;
	for (i = 0; me && i < 64; i++) {
		m[i] = (struct numbered){ .w = { .fn = in_order, .arg = &m[i] }, .from = me, .n = i + 1 };
		cpu_post(0, &m[i].w);
	}
	for (i = 0; me && i < 64; i++)
		while (!cpu_work_done(&m[i].w))
			sched_yield();
	serve_to_the_end();
}

static void posts_keep_their_order(void **ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < CPUS; i++)
		last[i] = 0;
	cpu_threads_run(&host, CPUS, post_many, NULL);
	assert_int_equal(wrong[0], 0);
	assert_int_equal(served[0], 64 * (CPUS - 1));
	for (unsigned int i = 1; i < CPUS; i++)
		assert_int_equal(last[i], 64);
}

/* The first of two calls waits for the second, which this CPU has taken off its list together with it. */
static unsigned int waited, given_up;

static void wait_here(void *arg)
{
	const struct cpu_work *later = arg;

	for (unsigned int i = 0; i < 1000 && !cpu_work_done(later); i++)
		cpu_serve();
	if (cpu_work_done(later))
		waited++;
	else
		given_up++;
}

static void nothing(void *arg)
{
	served[0]++;
	(void)arg;
}

static void post_two(void *arg)
{
	struct cpu_work late = { .fn = nothing }, early = { .fn = wait_here, .arg = &late };

	(void)arg;
	cpu_post(0, &early);
	cpu_post(0, &late);
	cpu_serve();
	assert_true(cpu_work_done(&early) && cpu_work_done(&late));
}

static void a_call_may_wait_for_a_later_one(void **ctx)
{
	(void)ctx;
	waited = given_up = 0;
	cpu_threads_run(&host, 1, post_two, NULL);
	assert_int_equal(given_up, 0);
	assert_int_equal(waited, 1);
	assert_int_equal(served[0], 1);
}

static void count_all(void *arg)
{
	unsigned int *seen = arg;

	__atomic_add_fetch(&seen[this_cpu()->id], 1, __ATOMIC_RELAXED);
}

/* All CPUs call all at once, and each finds its own calls done on every one. */
static void ask_everybody(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int seen[CPUS] = { 0 };

		cpu_call_all(count_all, seen);
		for (unsigned int k = 0; k < CPUS; k++)
			wrong[this_cpu()->id] += __atomic_load_n(&seen[k], __ATOMIC_RELAXED) != 1;
	}
	serve_to_the_end();
}

static void all_are_called(void **ctx)
{
	(void)ctx;
	cpu_threads_run(&host, CPUS, ask_everybody, NULL);
	for (unsigned int i = 0; i < CPUS; i++) {
		assert_int_equal(wrong[i], 0);
		assert_int_equal(kicks[i], ROUNDS * (CPUS - 1));
	}
}

/* Those of a set are called, the caller's own CPU among them or not, and no others. */
static void ask_some(void *arg)
{
	unsigned int me = this_cpu()->id;

	(void)arg;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int seen[CPUS] = { 0 };
		struct cpu_set some = { 0 };

		for (unsigned int k = 0; k < CPUS; k++)
			if (i >> k & 1)
				cpu_set_add(&some, k);
		cpu_call_set(&some, count_all, seen);
		for (unsigned int k = 0; k < CPUS; k++)
			wrong[me] += __atomic_load_n(&seen[k], __ATOMIC_RELAXED) != (i >> k & 1);
	}
	serve_to_the_end();
}

static void a_set_is_called(void **ctx)
{
	(void)ctx;
	cpu_threads_run(&host, CPUS, ask_some, NULL);
	for (unsigned int i = 0; i < CPUS; i++)
		assert_int_equal(wrong[i], 0);
}

static void a_set_takes_and_gives_back(void **ctx)
{
	struct cpu_set s = { 0 };

	(void)ctx;
	cpu_set_add(&s, 0);
	cpu_set_add(&s, CPUS_MAX - 1);
	assert_true(cpu_set_has(&s, 0) && cpu_set_has(&s, CPUS_MAX - 1) && !cpu_set_has(&s, 1) && !cpu_set_has(&s, 64));
	cpu_set_remove(&s, 0);
	cpu_set_remove(&s, 64);
	assert_true(!cpu_set_has(&s, 0) && cpu_set_has(&s, CPUS_MAX - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(calls_cross, fresh),
		cmocka_unit_test_setup(posts_keep_their_order, fresh),
		cmocka_unit_test_setup(a_call_may_wait_for_a_later_one, fresh),
		cmocka_unit_test_setup(all_are_called, fresh),
		cmocka_unit_test_setup(a_set_is_called, fresh),
		cmocka_unit_test(a_set_takes_and_gives_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
