/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs on which CPU, and for how long: proportional share by EEVDF on a queue for each CPU, with work stealing
 * (docs/scheduling.md). Knows no hardware, no guest and no clock: times are passed in, in ticks of one clock that all CPUs
 * share; small differences between CPUs do no harm. Host tests and a simulator run the very same source.
 *
 * A decision's work is bounded: O(log n) in the tasks of two queues, and one look at each CPU where it would idle.
 * Every function takes locks of queues (LOCK_SCHED) by itself, one at a time, and is called with host events off.
 */
#ifndef VOUCH_SCHED_H
#define VOUCH_SCHED_H

#include <vouch/lock.h>
#include <vouch/pcpu.h>
#include <vouch/types.h>

#define SCHED_NEVER UINT64_MAX
#define SCHED_ANY   UINT32_MAX        /* no CPU in particular */

#define SCHED_WEIGHT     256u         /* what a task has by default */
#define SCHED_WEIGHT_MAX 10000u
#define SCHED_CAP_MAX    100u         /* percent of a CPU; 0: no cap */

/* In microseconds. A cap is kept over each period. */
#define SCHED_SLICE_US     4000u      /* the longest request */
#define SCHED_REQUEST_US   16u        /* the shortest: of a task that wakes up for little */
#define SCHED_TURN_US      64u        /* no turn ends sooner by itself while others wait for theirs */
#define SCHED_YIELD_US     250u       /* what a task that spins gives up */
#define SCHED_MARGIN_US    3000u      /* how far one CPU's tasks may be ahead of another's, at their mean weight */
#define SCHED_CLAIM_US     512000u    /* what a task may be behind those that it comes to, or ahead of them */
#define SCHED_CAP_US       20000u

enum sched_state {
	SCHED_OUT,                    /* not in the scheduler's hands */
	SCHED_ASLEEP,
	SCHED_WAITING,
	SCHED_RUNNING,
	SCHED_CAPPED,                 /* has used up its cap; waits for the next period */
	SCHED_MOVING,                 /* between two queues */
};

/* One vCPU, to the scheduler. Zeroed, then sched_task_init(). Guarded by its queue's lock but where said otherwise. */
struct sched_task {
	struct sched_task *left, *right;      /* in one of the queue's trees, ordered by key */
	unsigned int height;
	uint64_t key;                 /* due, or when to wake up */
	uint64_t least;               /* earliest vtime in this subtree */

	uint32_t weight, cap;         /* const once added; cap in percent */
	uint32_t home;                /* const once added: the one CPU it may run on, or SCHED_ANY */
	uint32_t cpu;                 /* atomic: whose queue it belongs to; changes under the lock of the old one */
	enum sched_state state;
	bool timed;                   /* asleep with a time to wake up: in the tree of sleepers */
	bool woken;                   /* while running: it must not go to sleep */
	uint64_t vtime;               /* service received, over weight, on its queue's scale */
	uint64_t deadline;            /* virtual: by when its request should be served */
	uint64_t due;                 /* virtual: what its place among those that wait is by; deadline, or sooner */
	uint64_t behind;              /* asleep: what it may be behind the virtual time when it is back */
	uint64_t request;             /* ticks it asks for at once */
	uint64_t burst;               /* ticks since it woke up */
	uint64_t period, used;        /* cap: when the period began, and what has been used of it */

	uint64_t ran, switches, moves;        /* totals: ticks, times it was chosen, changes of CPU */
};

/* A CPU's own. */
struct sched_queue {
	struct lock lock;             /* LOCK_SCHED: guards all but the hints */
	struct sched_task *current;
	struct sched_task *waiting[2];        /* by virtual deadline: those that may go elsewhere, and those that may not */
	struct sched_task *asleep;    /* by time: sleepers that have one, and capped tasks */
	uint64_t base;                /* virtual time: the tasks' mean vtime by weight, as of the last settling */
	int64_t sum;                  /* weight * (vtime - base) over current and waiting tasks */
	uint64_t weight;              /* of these */
	unsigned int count;           /* and how many they are */
	uint64_t offset;              /* virtual time here + offset compares with other queues' */
	uint64_t since;               /* up to when current has been charged */
	unsigned int look;            /* whose queue to look at next */
	/* Hints: atomic, written under the lock, read by other CPUs without. */
	uint64_t vtime;               /* base + offset */
	uint64_t least;               /* vtime - margin: what other queues may be behind this one */
	uint64_t floor;               /* vtime - 2 margins: where a queue is brought that is behind and has nobody to give */
	uint64_t load;                /* weight */
	uint32_t movable;             /* tasks in waiting[0] */
	uint32_t homes;               /* live tasks that have this CPU for their home */
} __attribute__((aligned(64)));

struct sched {
	struct sched_queue *queue;    /* one a CPU */
	unsigned int cpus;
	uint64_t slice, request, turn_min, yield, cap_period, margin, claim; /* ticks */
	/* Atomic: */
	uint64_t recent;              /* vtime of the queue that decided last */
	uint32_t waiting;             /* sum of the queues' movable */
	uint32_t tasks;               /* added and not gone */
	uint32_t owned;               /* CPUs with just one task at home */
	uint64_t idle[CPUS_MAX / 64]; /* CPUs without a task */
	uint64_t quiet[CPUS_MAX / 64];        /* CPUs that were told to run their task without an end */
	uint64_t away[CPUS_MAX / 64];         /* CPUs between sched_away() and sched_back() */
};

/* CPUs that must decide again: whoever gets one of these sends the interrupts. A bit may be the caller's own CPU's. */
struct sched_kicks {
	uint64_t cpu[CPUS_MAX / 64];
};

enum sched_how {
	SCHED_GO_ON,
	SCHED_YIELD,                  /* it could run, but others had better: it gives up SCHED_YIELD_US of its share */
	SCHED_SLEEP,
	SCHED_GONE,
};

/* What a CPU is to do. */
struct sched_turn {
	struct sched_task *task;      /* NULL: nothing */
	uint64_t until;               /* decide again then, at the latest; SCHED_NEVER: when kicked, or the task is done */
	bool sole;                    /* nothing but a kick can bring another task here: it may as well halt in place */
};

/* queue[cpus] is the caller's, for ever. ticks_per_ms: of the clock that all times are of. */
void sched_init(struct sched *s, struct sched_queue *queue, unsigned int cpus, uint64_t ticks_per_ms);

/* weight 1 to SCHED_WEIGHT_MAX, cap 0 to SCHED_CAP_MAX, home below cpus or SCHED_ANY. */
void sched_task_init(struct sched_task *t, uint32_t weight, uint32_t cap, uint32_t home);

/* A task that was never added, or is gone, may run from now on. Kicks are added to *k, here and below. */
void sched_add(struct sched *s, struct sched_task *t, uint64_t now, struct sched_kicks *k);

/*
 * Something happened to t. Asleep, it may run again; running, it will not be put to sleep before it was chosen again. From
 * any CPU. t must not go away meanwhile.
 */
void sched_wake(struct sched *s, struct sched_task *t, uint64_t now, struct sched_kicks *k);

/*
 * This CPU has no task in turn and decides nothing up to sched_back(). Who sleeps here does so elsewhere from now on, and nobody
 * is put here, but for pinned tasks, and where no other CPU is left. Work: all that sleep here with a time to wake up.
 */
void sched_away(struct sched *s, unsigned int cpu, uint64_t now, struct sched_kicks *k);
void sched_back(struct sched *s, unsigned int cpu);

/* The task that ran on this CPU has left it. wake_at: when to wake up by itself; counts for SCHED_SLEEP only. */
void sched_put(struct sched *s, unsigned int cpu, uint64_t now, enum sched_how how, uint64_t wake_at);

/* What this CPU does next. Before it, the task that ran was put; it may be chosen again. */
struct sched_turn sched_pick(struct sched *s, unsigned int cpu, uint64_t now, struct sched_kicks *k);

#endif
