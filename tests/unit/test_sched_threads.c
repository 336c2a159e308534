/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler on real threads, under ThreadSanitizer: each thread is a CPU that picks, runs for a moment, and puts, while
 * all of them wake each other's tasks. No task is ever on two CPUs, and none is lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include <vouch/sched.h>

#define CPUS  4u
#define TASKS 64u
#define TURNS 5000u

static struct sched s;
static struct sched_queue queue[CPUS];
static struct {
	struct sched_task t;
	uint32_t on;                  /* atomic: CPUs that run it */
	uint64_t turns;               /* not atomic: only who runs it may touch it */
} task[TASKS];
static uint64_t clock_us;             /* atomic */
static uint32_t kicked;               /* atomic */

static void take(const struct sched_kicks *k)
{
	for (unsigned int i = 0; i < CPUS; i++)
		if (k->cpu[i / 64] >> i % 64 & 1)
			__atomic_fetch_add(&kicked, 1, __ATOMIC_RELAXED);
}

static void turn(unsigned int cpu, uint64_t *seed)
{
	uint64_t now = __atomic_add_fetch(&clock_us, 100, __ATOMIC_RELAXED);
	struct sched_kicks k = { 0 };
	struct sched_turn r = sched_pick(&s, cpu, now, &k);
	unsigned int i;

	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	if (r.task) {
		i = (unsigned int)((char *)r.task - (char *)task) / (unsigned int)sizeof(task[0]);
		if (__atomic_fetch_add(&task[i].on, 1, __ATOMIC_RELAXED))
			fail_msg("task %u runs twice", i);
		task[i].turns++;
		__atomic_fetch_sub(&task[i].on, 1, __ATOMIC_RELAXED);
		now = __atomic_add_fetch(&clock_us, *seed >> 60 << 8, __ATOMIC_RELAXED);
		sched_put(&s, cpu, now, *seed >> 33 & 1 ? SCHED_SLEEP : SCHED_GO_ON,
			  *seed >> 34 & 1 ? now + (*seed >> 50) : SCHED_NEVER);
	}
	/* Away for as long as this thread is held up here. */
	if (*seed >> 59 == 0) {
		sched_away(&s, cpu, now, &k);
		sched_wake(&s, &task[(*seed >> 48) % TASKS].t, now, &k);
		sched_back(&s, cpu);
	}
	sched_wake(&s, &task[(*seed >> 40) % TASKS].t, now, &k);
	take(&k);
}

static void *cpu_main(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg;
	uint64_t seed = cpu;

	for (unsigned int n = 0; n < TURNS; n++)
		turn(cpu, &seed);
	return NULL;
}

static void tasks_on_threads(void **ctx)
{
	struct sched_kicks k = { 0 };
	uint64_t turns = 0;
	pthread_t thread[CPUS];

	(void)ctx;
	sched_init(&s, queue, CPUS, 1000);
	for (unsigned int i = 0; i < TASKS; i++) {
		sched_task_init(&task[i].t, 1 + i * 37, i % 7 ? 0 : 20, i % 5 ? SCHED_ANY : i % CPUS);
		sched_add(&s, &task[i].t, 0, &k);
	}
	for (uintptr_t i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, cpu_main, (void *)i), 0);
	for (unsigned int i = 0; i < CPUS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int i = 0; i < TASKS; i++) {
		turns += task[i].turns;
		assert_int_equal(task[i].turns, task[i].t.switches);
		sched_wake(&s, &task[i].t, clock_us, &k);
	}
	assert_true(turns > TURNS);
	/* All of them can be had once more, each once. */
	clock_us += 1000000;
	for (unsigned int n = 0, idle = 0; idle < CPUS * 100; n++) {
		struct sched_turn r = sched_pick(&s, n % CPUS, clock_us, &k);

		idle = r.task ? 0 : idle + 1;
		if (r.task)
			sched_put(&s, n % CPUS, clock_us, SCHED_GONE, SCHED_NEVER);
	}
	for (unsigned int i = 0; i < TASKS; i++)
		assert_int_equal(task[i].t.state, SCHED_OUT);
	assert_int_equal(s.tasks, 0);
	assert_int_equal(s.waiting, 0);
	assert_int_equal(s.owned, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_on_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
