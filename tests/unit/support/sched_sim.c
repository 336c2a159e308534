/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulator: the next event is the earliest end of a turn, kick or wake-up from outside. */
#include "sched_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/types.h>

static void fail(const struct sim *m, const char *why, unsigned int cpu)
{
	fprintf(stderr, "sched_sim: %s, CPU %u at %llu us\n", why, cpu, (unsigned long long)m->now);
	abort();
}

static void take_kicks(struct sim *m, const struct sched_kicks *k)
{
	for (unsigned int i = 0; i < m->s.cpus; i++)
		if (k->cpu[i / 64] >> i % 64 & 1)
			m->cpu[i].kicked = true;
}

void sim_init(struct sim *m, unsigned int cpus, struct sim_task *task, unsigned int tasks)
{
	memset(m, 0, sizeof(*m));
	memset(task, 0, tasks * sizeof(*task));
	sched_init(&m->s, m->queue, cpus, SIM_MS);
	m->task = task;
	m->tasks = tasks;
	for (unsigned int i = 0; i < cpus; i++)
		m->cpu[i].kicked = true;
}

void sim_add(struct sim *m, unsigned int i, uint32_t weight, uint32_t cap, uint32_t home, uint64_t burst, uint64_t period)
{
	struct sim_task *t = &m->task[i];
	struct sched_kicks k = { 0 };

	*t = (struct sim_task){ .burst = burst, .period = period, .left = burst, .due = m->now, .fresh = true };
	sched_task_init(&t->t, weight, cap, home);
	sched_add(&m->s, &t->t, m->now, &k);
	take_kicks(m, &k);
}

void sim_remove(struct sim *m, unsigned int i)
{
	m->task[i].gone = true;
	for (unsigned int c = 0; c < m->s.cpus; c++)
		if (m->cpu[c].task == &m->task[i])
			m->cpu[c].kicked = true;
}

/* Below most, by the task's own seed. */
static uint64_t any(struct sim_task *t, uint64_t most)
{
	t->seed = t->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (t->seed >> 33) % most;
}

/* The task on this CPU has run up to now. */
static void end_turn(struct sim *m, unsigned int cpu)
{
	struct sim_cpu *c = &m->cpu[cpu];
	struct sim_task *t = c->task;
	uint64_t ran = m->now - c->from;

	if (!t) {
		m->idle += ran;
		return;
	}
	c->task = NULL;
	if (t->gone) {
		sched_put(&m->s, cpu, m->now, SCHED_GONE, SCHED_NEVER);
		return;
	}
	if (t->spins) {
		sched_put(&m->s, cpu, m->now, ran < t->spins ? SCHED_GO_ON : SCHED_YIELD, SCHED_NEVER);
		return;
	}
	if (!t->burst || ran < t->left) {
		t->left -= t->burst ? ran : 0;
		sched_put(&m->s, cpu, m->now, SCHED_GO_ON, SCHED_NEVER);
		return;
	}
	if (t->seed) {
		t->burst = 1 + any(t, t->burst_most);
		t->due = m->now + 1 + any(t, t->period);
	} else {
		t->due = (m->now - t->phase) / t->period * t->period + t->period + t->phase;
	}
	t->left = t->burst;
	t->fresh = true;
	sched_put(&m->s, cpu, m->now, SCHED_SLEEP, t->outside ? SCHED_NEVER : t->due);
}

static void begin_turn(struct sim *m, unsigned int cpu)
{
	struct sched_kicks k = { 0 };
	struct sched_turn r = sched_pick(&m->s, cpu, m->now, &k);
	struct sim_cpu *c = &m->cpu[cpu];

	m->decisions++;
	c->kicked = false;
	k.cpu[cpu / 64] &= ~(1ull << cpu % 64);
	take_kicks(m, &k);
	c->from = m->now;
	c->until = r.until;
	c->task = r.task ? container_of(r.task, struct sim_task, t) : NULL;
	if (!c->task)
		return;
	for (unsigned int i = 0; i < m->s.cpus; i++)
		if (i != cpu && m->cpu[i].task == c->task)
			fail(m, "a task runs on two CPUs", cpu);
	if (c->task->t.home != SCHED_ANY && c->task->t.home != cpu)
		fail(m, "a pinned task is elsewhere", cpu);
	if (c->task->fresh) {
		uint64_t wait = m->now - c->task->due;

		c->task->worst = max_u64(c->task->worst, wait);
		c->task->late += wait;
		c->task->runs++;
		c->task->fresh = false;
	}
	if (c->task->gone)
		c->kicked = true;
}

static uint64_t turn_end(const struct sim *m, const struct sim_cpu *c)
{
	uint64_t at = c->until;

	if (c->kicked)
		return m->now;
	if (c->task && c->task->spins)
		at = min_u64(at, c->from + c->task->spins);
	if (c->task && c->task->burst)
		at = min_u64(at, c->from + c->task->left);
	return max_u64(at, m->now);
}

/* Those who sleep without a time of their own. */
static uint64_t wake_outside(struct sim *m, uint64_t end)
{
	uint64_t next = end;

	for (unsigned int i = 0; i < m->tasks; i++) {
		struct sim_task *t = &m->task[i];
		struct sched_kicks k = { 0 };

		if (!t->outside || t->t.state != SCHED_ASLEEP)
			continue;
		if (t->due > m->now) {
			next = min_u64(next, t->due);
			continue;
		}
		sched_wake(&m->s, &t->t, m->now, &k);
		take_kicks(m, &k);
	}
	return next;
}

static bool has_outside(const struct sim *m)
{
	for (unsigned int i = 0; i < m->tasks; i++)
		if (m->task[i].outside)
			return true;
	return false;
}

void sim_run(struct sim *m, uint64_t until)
{
	bool outside = has_outside(m);

	while (m->now < until) {
		uint64_t next = outside ? wake_outside(m, until) : until;
		unsigned int who = 0;

		for (unsigned int i = 0; i < m->s.cpus; i++) {
			uint64_t at = turn_end(m, &m->cpu[i]);

			if (at >= next)
				continue;
			next = at;
			who = i + 1;
		}
		m->now = next;
		if (!who)
			continue;
		end_turn(m, who - 1);
		begin_turn(m, who - 1);
	}
	for (unsigned int i = 0; i < m->s.cpus; i++) {
		end_turn(m, i);
		begin_turn(m, i);
	}
}
