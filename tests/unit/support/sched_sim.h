/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs and tasks in simulated time, driven by the scheduler under test: each event is one decision of one CPU. A tick is a
 * microsecond. Holds the scheduler to what must be true at any moment: no task on two CPUs, none runs past its turn.
 */
#ifndef TESTS_UNIT_SUPPORT_SCHED_SIM_H
#define TESTS_UNIT_SUPPORT_SCHED_SIM_H

#include <vouch/sched.h>

#define SIM_MS 1000ull
#define SIM_S  1000000ull

struct sim_task {
	struct sched_task t;
	/* The load: 0, 0 never sleeps; else after burst ticks of work it sleeps until the next multiple of period. */
	uint64_t burst, period, phase;
	uint64_t left;                /* of the burst at hand */
	uint64_t seed, burst_most;    /* not 0: each burst is any up to burst_most, each sleep any up to period */
	uint64_t spins;               /* not 0: yields each time it has run for so long */
	uint64_t due;                 /* when it woke up, or will */
	bool fresh;                   /* has not run since */
	bool outside;                 /* is woken by somebody else: sched_wake(), not a time given to sched_put() */
	bool gone;
	uint64_t worst, late, runs;   /* longest wait from waking up to running; sum; how often */
};

struct sim_cpu {
	struct sim_task *task;
	uint64_t from, until;         /* of the turn */
	bool kicked;
};

struct sim {
	struct sched s;
	struct sched_queue queue[CPUS_MAX];
	struct sim_cpu cpu[CPUS_MAX];
	struct sim_task *task;
	unsigned int tasks;
	uint64_t now;
	uint64_t decisions, idle;     /* idle: ticks, of all CPUs */
};

void sim_init(struct sim *m, unsigned int cpus, struct sim_task *task, unsigned int tasks);
/* Fills task number i; it may run from now on. burst 0: never sleeps. */
void sim_add(struct sim *m, unsigned int i, uint32_t weight, uint32_t cap, uint32_t home, uint64_t burst, uint64_t period);
/* A CPU that runs it, or will next, lets it go. */
void sim_remove(struct sim *m, unsigned int i);
/* Up to that time; all tasks are charged then. */
void sim_run(struct sim *m, uint64_t until);

#endif
