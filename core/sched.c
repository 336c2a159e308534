/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EEVDF on each CPU's queue: I. Stoica, H. Abdel-Wahab, "Earliest Eligible Virtual Deadline First: A Flexible and Accurate
 * Mechanism for Proportional Share Resource Allocation", Old Dominion University, TR-95-22, 1995. A task is eligible while
 * it has had no more than its share; of the eligible ones, the one whose request is due first runs. One that wakes up is due
 * sooner, by a warp: K. J. Duda, D. R. Cheriton, "Borrowed-Virtual-Time (BVT) Scheduling", SOSP 1999. The virtual time is the
 * tasks' mean by weight, so their lags sum up to zero at any moment. Between queues: stealing, by comparing virtual times, as T. Li,
 * D. Baumberger, S. Hahn, "Efficient and Scalable Multiprocessor Fair Scheduling Using Distributed Weighted Round-Robin", PPoPP
 * 2009, do with rounds; whoever moves keeps its lag.
 *
 * Two queues' locks are never held at once: a task on its way between them is SCHED_MOVING, and nobody else touches it.
 */
#include <vouch/sched.h>

#include <vouch/assert.h>

#include "core/sched_tree.h"

#define UNIT       4096u              /* virtual time that a task of weight 1 gets for a tick */
#define CHARGE_MAX (1ull << 40)       /* ticks; more at once could overflow, and who ran so long ran alone */
#define LOOKS      8u                 /* other queues looked at in a decision */
#define PATIENCE   2u                 /* margins that a queue may be behind for good */
#define WAKES      16u                /* sleepers woken in a decision; the rest at the next one, which is at once */

/* ------------------------------------------------------------------ sets of CPUs */

static void bit_set(uint64_t *bits, unsigned int cpu)
{
	__atomic_fetch_or(&bits[cpu / 64], 1ull << cpu % 64, __ATOMIC_SEQ_CST);
}

static void bit_clear(uint64_t *bits, unsigned int cpu)
{
	if (__atomic_load_n(&bits[cpu / 64], __ATOMIC_RELAXED) & 1ull << cpu % 64)
		__atomic_fetch_and(&bits[cpu / 64], ~(1ull << cpu % 64), __ATOMIC_SEQ_CST);
}

static bool bit_test(const uint64_t *bits, unsigned int cpu)
{
	return __atomic_load_n(&bits[cpu / 64], __ATOMIC_SEQ_CST) >> cpu % 64 & 1;
}

static void kick(struct sched_kicks *k, unsigned int cpu)
{
	k->cpu[cpu / 64] |= 1ull << cpu % 64;
}

/* ------------------------------------------------------------------ small questions */

static bool is_movable(const struct sched_task *t)
{
	return t->home == SCHED_ANY;
}

/* A CPU that one pinned task has for itself: others stay away. Not where that would leave no CPU for the rest. */
static bool is_owned(const struct sched *s, unsigned int cpu)
{
	return __atomic_load_n(&s->queue[cpu].homes, __ATOMIC_RELAXED) == 1 &&
	       __atomic_load_n(&s->owned, __ATOMIC_RELAXED) < s->cpus;
}

/* Nobody who could go elsewhere is put there. */
static bool is_closed(const struct sched *s, unsigned int cpu)
{
	return is_owned(s, cpu) || bit_test(s->away, cpu);
}

static uint64_t virtual(uint64_t ticks, uint32_t weight)
{
	return min_u64(ticks, CHARGE_MAX) * UNIT / weight;
}

static int64_t clamp(int64_t v, int64_t limit)
{
	return v < -limit ? -limit : v > limit ? limit : v;
}

/* ------------------------------------------------------------------ one queue's virtual time; its lock is held */

/* How far q may be ahead of others, in virtual time. */
static uint64_t margin(const struct sched *s, const struct sched_queue *q)
{
	return q->weight ? s->margin * UNIT / max_u64(q->weight / q->count, 1) : 0;
}

/* Brings base up to date: it is the virtual time then. */
static void settle(const struct sched *s, struct sched_queue *q)
{
	uint64_t behind;

	if (q->weight) {
		int64_t weight = (int64_t)q->weight, step = q->sum / weight;

		if (q->sum % weight < 0)
			step--;
		q->base += (uint64_t)step;
		q->sum -= step * weight;
	}
	behind = margin(s, q);
	__atomic_store_n(&q->vtime, q->base + q->offset, __ATOMIC_RELAXED);
	__atomic_store_n(&q->least, q->base + q->offset - behind, __ATOMIC_RELAXED);
	__atomic_store_n(&q->floor, q->base + q->offset - PATIENCE * behind, __ATOMIC_RELAXED);
	__atomic_store_n(&q->load, q->weight, __ATOMIC_RELAXED);
}

static void count(struct sched_queue *q, const struct sched_task *t)
{
	q->sum += (int64_t)(t->vtime - q->base) * t->weight;
	q->weight += t->weight;
	q->count++;
}

static void discount(struct sched_queue *q, const struct sched_task *t)
{
	q->sum -= (int64_t)(t->vtime - q->base) * t->weight;
	q->weight -= t->weight;
	q->count--;
}

/* A queue that was empty has missed what went on elsewhere meanwhile. */
static void catch_up(const struct sched *s, struct sched_queue *q)
{
	uint64_t recent = __atomic_load_n(&s->recent, __ATOMIC_RELAXED);

	if (!q->weight && sched_before(q->base + q->offset, recent))
		q->offset = recent - q->base;
}

static void request(struct sched_task *t)
{
	t->deadline = t->vtime + max_u64(virtual(t->request, t->weight), 1);
	t->due = t->deadline;
}

/*
 * One that comes from sleep is due sooner, once, by what it asks for less than the most: so it goes before all that have long
 * requests, whatever is left of those. This is its place only; what it gets it has to be eligible for, as all do.
 */
static void request_soon(const struct sched *s, struct sched_task *t)
{
	request(t);
	t->due -= virtual(s->slice - t->request, t->weight);
}

static void insert(struct sched *s, struct sched_queue *q, struct sched_task *t)
{
	bool movable = is_movable(t);

	t->key = t->due;
	t->state = SCHED_WAITING;
	sched_tree_add(&q->waiting[!movable], t);
	if (movable) {
		__atomic_store_n(&q->movable, q->movable + 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&s->waiting, 1, __ATOMIC_SEQ_CST);
	}
}

static void extract(struct sched *s, struct sched_queue *q, struct sched_task *t)
{
	bool movable = is_movable(t);

	sched_tree_remove(&q->waiting[!movable], t);
	if (movable) {
		__atomic_store_n(&q->movable, q->movable - 1, __ATOMIC_RELAXED);
		__atomic_fetch_sub(&s->waiting, 1, __ATOMIC_SEQ_CST);
	}
}

/*
 * Has it had what it asked for? A rest that is no turn's worth does not count: whoever wakes up for less would have to wait
 * for all of that turn.
 */
static bool is_served(const struct sched *s, const struct sched_task *t)
{
	uint64_t rest = min_u64(s->turn_min, t->request / 2);

	return !sched_before(t->vtime + virtual(rest, t->weight), t->deadline);
}

/* What the current task has run since it was last charged. */
static void charge(const struct sched *s, struct sched_queue *q, uint64_t now)
{
	struct sched_task *t = q->current;
	uint64_t ran, step;

	if (!t || !sched_before(q->since, now))
		return;
	ran = now - q->since;
	step = virtual(ran, t->weight);
	q->since = now;
	t->ran += ran;
	t->burst += ran;
	t->used += ran;
	t->vtime += step;
	q->sum += (int64_t)step * t->weight;
	if (is_served(s, t)) {
		t->request = min_u64(2 * t->request, s->slice);
		request(t);
	}
}

/* ------------------------------------------------------------------ caps */

static uint64_t budget(const struct sched *s, const struct sched_task *t)
{
	return s->cap_period / 100 * t->cap;
}

/* A new period takes on what the ones before it were overdrawn by. */
static void renew(const struct sched *s, struct sched_task *t, uint64_t now)
{
	uint64_t gone = sched_before(t->period, now) ? (now - t->period) / s->cap_period : 0;

	if (!t->cap || !gone)
		return;
	t->period += gone * s->cap_period;
	t->used = gone > t->used / budget(s, t) ? 0 : t->used - gone * budget(s, t);
}

static bool is_capped(const struct sched *s, struct sched_task *t, uint64_t now)
{
	renew(s, t, now);
	return t->cap && t->used >= budget(s, t);
}

/* ------------------------------------------------------------------ sleep */

static void sleep_until(struct sched_queue *q, struct sched_task *t, uint64_t at)
{
	t->key = at;
	t->timed = true;
	sched_tree_add(&q->asleep, t);
}

/* Waits for its next period. */
static void hold_back(const struct sched *s, struct sched_queue *q, struct sched_task *t)
{
	t->state = SCHED_CAPPED;
	sleep_until(q, t, t->period + s->cap_period);
}

/*
 * It competes no longer. What it had too little of, up to a request's worth, it can claim when it is back. Its vtime is on
 * all queues' scale until then.
 */
static void withdraw(const struct sched *s, struct sched_queue *q, struct sched_task *t)
{
	settle(s, q);
	t->behind = sched_before(t->vtime, q->base) ? min_u64(q->base - t->vtime, virtual(t->request, t->weight)) : 0;
	discount(q, t);
	t->vtime += q->offset;
}

/*
 * What it had too much of it pays for by sleeping: of that, nothing is forgiven but what no turn of its own can have made.
 * The queue is settled.
 */
static void recall(const struct sched *s, struct sched_queue *q, struct sched_task *t)
{
	uint64_t least = q->base - t->behind, most = q->base + virtual(s->slice, t->weight);

	t->vtime -= q->offset;
	if (sched_before(t->vtime, least))
		t->vtime = least;
	if (sched_before(most, t->vtime))
		t->vtime = most;
}

/* A task that sleeps soon after it woke up asks for little at once, and is served the sooner. */
static void learn(const struct sched *s, struct sched_task *t)
{
	t->request = min_u64(max_u64((t->request + t->burst) / 2, s->request), s->slice);
}

/* ------------------------------------------------------------------ places */

static unsigned int find_idle(const struct sched *s)
{
	for (unsigned int i = 0; i < CPUS_MAX / 64; i++) {
		uint64_t bits = __atomic_load_n(&s->idle[i], __ATOMIC_SEQ_CST);

		while (bits) {
			unsigned int cpu = i * 64 + (unsigned int)__builtin_ctzll(bits);

			if (!is_closed(s, cpu))
				return cpu;
			bits &= bits - 1;
		}
	}
	return SCHED_ANY;
}

/* Where a task that may run is put: where it was, if it would not wait there, or an idle CPU. */
static unsigned int find_place(const struct sched *s, const struct sched_task *t)
{
	unsigned int cpu = t->cpu, idle;

	if (!is_movable(t))
		return t->home;
	if (bit_test(s->idle, cpu) && !is_closed(s, cpu))
		return cpu;
	idle = find_idle(s);
	if (idle != SCHED_ANY)
		return idle;
	for (unsigned int i = 0; i < s->cpus && is_closed(s, cpu); i++)
		cpu = (cpu + 1) % s->cpus;
	return cpu;
}

/* A task waits that could run elsewhere: an idle CPU takes it. If there is none, those without an end must have one. */
static void spread(struct sched *s, unsigned int self, struct sched_kicks *k)
{
	unsigned int idle = find_idle(s);

	if (idle != SCHED_ANY) {
		bit_clear(s->idle, idle);
		kick(k, idle);
		return;
	}
	for (unsigned int cpu = 0; cpu < s->cpus; cpu++) {
		if (cpu == self || !bit_test(s->quiet, cpu) || is_closed(s, cpu))
			continue;
		bit_clear(s->quiet, cpu);
		kick(k, cpu);
	}
}

/* True if t should run now rather than the current task. */
static bool preempts(const struct sched *s, struct sched_queue *q, const struct sched_task *t)
{
	settle(s, q);
	return !sched_before(q->base, t->vtime) && sched_before(t->due, q->current->due);
}

/* t waits on q, whose lock is held and which belongs to cpu: who must know? */
static void announce(struct sched *s, unsigned int cpu, const struct sched_task *t, struct sched_kicks *k)
{
	struct sched_queue *q = &s->queue[cpu];

	if (!q->current || preempts(s, q, t) || bit_test(s->quiet, cpu)) {
		bit_clear(s->idle, cpu);        /* the next one to look for an idle CPU takes another */
		bit_clear(s->quiet, cpu);
		kick(k, cpu);
	} else if (is_movable(t)) {
		spread(s, cpu, k);
	}
	/* It was not when this place was chosen. */
	if (is_movable(t) && bit_test(s->away, cpu))
		spread(s, cpu, k);
}

/* A moving task's way to its next queue begins with the old one's lock: whoever holds that finds the task there, or not. */
static void redirect(struct sched *s, struct sched_task *t, unsigned int cpu)
{
	struct sched_queue *old = &s->queue[t->cpu];

	if (t->cpu == cpu)
		return;
	lock_take(&old->lock);
	t->moves++;
	__atomic_store_n(&t->cpu, cpu, __ATOMIC_RELEASE);
	lock_drop(&old->lock);
}

/* A task that is SCHED_MOVING comes to a queue and may run. */
static void place(struct sched *s, struct sched_task *t, uint64_t now, struct sched_kicks *k)
{
	unsigned int cpu = find_place(s, t);
	struct sched_queue *q = &s->queue[cpu];

	redirect(s, t, cpu);
	lock_take(&q->lock);
	t->timed = t->woken = false;
	t->burst = 0;
	if (is_capped(s, t, now)) {
		hold_back(s, q, t);
		kick(k, cpu);                   /* its timer may stand later */
	} else {
		charge(s, q, now);
		catch_up(s, q);
		settle(s, q);
		recall(s, q, t);
		request_soon(s, t);
		count(q, t);
		settle(s, q);
		insert(s, q, t);
		announce(s, cpu, t, k);
	}
	lock_drop(&q->lock);
}

/* ------------------------------------------------------------------ stealing */

/* The movable task of a queue that has had the least; its vtime is on the scale of all queues then. */
static struct sched_task *take_from(struct sched *s, unsigned int from, unsigned int to)
{
	struct sched_queue *q = &s->queue[from];
	struct sched_task *t;

	lock_take(&q->lock);
	t = sched_tree_least(q->waiting[0]);
	if (t) {
		extract(s, q, t);
		discount(q, t);
		settle(s, q);
		t->vtime += q->offset;
		t->state = SCHED_MOVING;
		__atomic_store_n(&t->cpu, to, __ATOMIC_RELEASE);
	}
	lock_drop(&q->lock);
	return t;
}

/* Into the queue of this CPU, whose lock is held. It keeps what it was behind or ahead by, up to what no stay can have made. */
static void bring(struct sched *s, unsigned int cpu, struct sched_task *t)
{
	struct sched_queue *q = &s->queue[cpu];

	catch_up(s, q);
	settle(s, q);
	t->vtime = q->base + (uint64_t)clamp((int64_t)(t->vtime - q->offset - q->base), (int64_t)virtual(s->claim, t->weight));
	t->moves++;
	request(t);
	count(q, t);
	insert(s, q, t);
}

/* For a CPU that has nothing to do: a task from the queue that is furthest behind. */
static struct sched_task *steal_any(struct sched *s, unsigned int cpu)
{
	unsigned int best = SCHED_ANY;

	if (is_owned(s, cpu) || !__atomic_load_n(&s->waiting, __ATOMIC_SEQ_CST))
		return NULL;
	for (unsigned int i = 0; i < s->cpus; i++) {
		const struct sched_queue *q = &s->queue[i];

		if (i == cpu || !__atomic_load_n(&q->movable, __ATOMIC_SEQ_CST))
			continue;
		if (best == SCHED_ANY || sched_before(__atomic_load_n(&q->vtime, __ATOMIC_RELAXED),
						      __atomic_load_n(&s->queue[best].vtime, __ATOMIC_RELAXED)))
			best = i;
	}
	return best == SCHED_ANY ? NULL : take_from(s, best, cpu);
}

/* Somebody waits who could go elsewhere, or for whom somebody else could. */
static bool is_contended(const struct sched_queue *q)
{
	return q->movable || (q->waiting[1] && q->current && is_movable(q->current));
}

/*
 * A queue that is behind though moving tasks is no help: it must not run up a claim that never ends. It stays so far behind that
 * its CPU takes nothing from others meanwhile: who runs there is owed all of it.
 */
static void forgive(struct sched *s, unsigned int from, uint64_t floor)
{
	struct sched_queue *q = &s->queue[from];

	lock_take(&q->lock);
	if (!is_contended(q) && sched_before(q->base + q->offset, floor)) {
		q->offset = floor - q->base;
		settle(s, q);
	}
	lock_drop(&q->lock);
}

/* The one behind last, this one left out. There are at least two. */
static unsigned int next_cpu(const struct sched *s, unsigned int last, unsigned int self)
{
	unsigned int next = (last + 1) % s->cpus;

	return next == self ? (next + 1) % s->cpus : next;
}

/* For a CPU that has something to do: are its tasks ahead of another CPU's? Then one of those comes here. */
static struct sched_task *steal_behind(struct sched *s, unsigned int cpu)
{
	struct sched_queue *q = &s->queue[cpu];
	uint64_t worst = __atomic_load_n(&q->least, __ATOMIC_RELAXED), floor = __atomic_load_n(&q->floor, __ATOMIC_RELAXED);
	unsigned int from = SCHED_ANY;

	if (is_owned(s, cpu) || s->cpus == 1)
		return NULL;
	for (unsigned int i = 0; i < LOOKS && i < s->cpus - 1; i++) {
		unsigned int other = q->look = next_cpu(s, q->look, cpu);
		uint64_t theirs = __atomic_load_n(&s->queue[other].vtime, __ATOMIC_RELAXED);

		if (!sched_before(theirs, worst))
			continue;
		if (__atomic_load_n(&s->queue[other].movable, __ATOMIC_RELAXED)) {
			from = other;
			worst = theirs;
		} else if (sched_before(theirs, floor)) {
			forgive(s, other, floor);
		}
	}
	return from == SCHED_ANY ? NULL : take_from(s, from, cpu);
}

/* ------------------------------------------------------------------ decisions */

static struct sched_task *best_waiting(const struct sched *s, struct sched_queue *q)
{
	struct sched_task *a, *b;

	settle(s, q);
	a = sched_tree_first_until(q->waiting[0], q->base);
	b = sched_tree_first_until(q->waiting[1], q->base);
	if (!a || !b)
		return a ? a : b;
	return sched_before(b->due, a->due) ? b : a;
}

/* Makes the best task the current one; false if none waits. A mean has always somebody at or below it. */
static bool choose(struct sched *s, struct sched_queue *q, uint64_t now)
{
	struct sched_task *t = best_waiting(s, q);

	if (!t)
		return false;
	extract(s, q, t);
	t->state = SCHED_RUNNING;
	t->woken = false;
	t->switches++;
	q->current = t;
	q->since = now;
	return true;
}

/* Sleepers whose time has come, each to its place. False: more are due. */
static bool wake_due(struct sched *s, unsigned int cpu, uint64_t now, struct sched_kicks *k)
{
	struct sched_queue *q = &s->queue[cpu];

	for (unsigned int i = 0; i < WAKES; i++) {
		struct sched_task *t;

		lock_take(&q->lock);
		t = sched_tree_first(q->asleep);
		if (t && sched_before(now, t->key))
			t = NULL;
		if (t) {
			sched_tree_remove(&q->asleep, t);
			t->state = SCHED_MOVING;
		}
		lock_drop(&q->lock);
		if (!t)
			return true;
		place(s, t, now, k);
	}
	return false;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a == SCHED_NEVER || (b != SCHED_NEVER && sched_before(b, a)) ? b : a;
}

/*
 * Ticks until a task that is due before t may have its turn; SCHED_NEVER / 2: no such task. While t runs, nothing but the
 * virtual time changes, so the one of these with the earliest vtime is the first.
 */
static uint64_t until_eligible(const struct sched *s, const struct sched_queue *q, const struct sched_task *t)
{
	uint64_t ticks = SCHED_NEVER / 2;

	for (unsigned int i = 0; i < ARRAY_SIZE(q->waiting); i++) {
		uint64_t least;

		if (sched_tree_least_before(q->waiting[i], t->due, &least) && sched_before(q->base, least))
			ticks = min_u64(ticks, mul_div(least - q->base, q->weight, UNIT) + 1);
	}
	return max_u64(ticks, s->turn_min);
}

/* When the task in turn must have left, if there is a reason. The queue's lock is held. */
static uint64_t run_end(struct sched *s, unsigned int cpu, struct sched_task *t, uint64_t now)
{
	struct sched_queue *q = &s->queue[cpu];
	const struct sched_task *next = sched_tree_first(q->asleep);
	uint64_t slice = now + max_u64((t->deadline - t->vtime) * t->weight / UNIT, s->turn_min);
	uint64_t until = next ? next->key : SCHED_NEVER;

	renew(s, t, now);
	if (t->cap)
		until = sooner(until, now + (budget(s, t) - min_u64(t->used, budget(s, t))));
	if (q->waiting[0] || q->waiting[1])
		return sooner(until, min_u64(slice, now + until_eligible(s, q, t)));
	bit_set(s->quiet, cpu);
	if (is_owned(s, cpu) || !__atomic_load_n(&s->waiting, __ATOMIC_SEQ_CST))
		return until;
	bit_clear(s->quiet, cpu);
	return sooner(until, slice);
}

/* Nothing but a kick can bring a task to this CPU. */
static bool is_sole(const struct sched *s, const struct sched_queue *q, unsigned int cpu)
{
	if (q->waiting[0] || q->waiting[1] || q->asleep)
		return false;
	return is_owned(s, cpu) || __atomic_load_n(&s->tasks, __ATOMIC_RELAXED) == 1;
}

static struct sched_turn turn(struct sched *s, unsigned int cpu, uint64_t now)
{
	struct sched_queue *q = &s->queue[cpu];
	const struct sched_task *next = sched_tree_first(q->asleep);
	struct sched_turn r = { .task = q->current, .until = next ? next->key : SCHED_NEVER };

	if (!r.task)
		return r;
	r.until = run_end(s, cpu, r.task, now);
	r.sole = is_sole(s, q, cpu);
	__atomic_store_n(&s->recent, q->vtime, __ATOMIC_RELAXED);
	return r;
}

/*
 * A CPU about to idle says so before it looks around, and whoever leaves a task waiting looks for idle CPUs after it: one of
 * the two sees the other.
 */
static bool choose_or_idle(struct sched *s, unsigned int cpu, uint64_t now)
{
	struct sched_queue *q = &s->queue[cpu];
	struct sched_task *t;

	if (choose(s, q, now))
		return true;
	bit_set(s->idle, cpu);
	lock_drop(&q->lock);
	t = steal_any(s, cpu);
	lock_take(&q->lock);
	if (t)
		bring(s, cpu, t);
	return choose(s, q, now);
}

struct sched_turn sched_pick(struct sched *s, unsigned int cpu, uint64_t now, struct sched_kicks *k)
{
	struct sched_queue *q = &s->queue[cpu];
	struct sched_task *stolen;
	struct sched_turn r;
	bool all;

	bit_clear(s->quiet, cpu);
	all = wake_due(s, cpu, now, k);
	stolen = steal_behind(s, cpu);
	lock_take(&q->lock);
	ASSERT(!q->current);
	if (stolen)
		bring(s, cpu, stolen);
	if (choose_or_idle(s, cpu, now))
		bit_clear(s->idle, cpu);
	r = turn(s, cpu, now);
	if (q->movable)
		spread(s, cpu, k);
	lock_drop(&q->lock);
	if (!all)
		r.until = now;
	return r;
}

/*
 * As if it had run for a while: so one that spins falls behind those that it waits for, which may have had their share already.
 * It asks for as much as it can at once, and is due after those that ask for less.
 */
static void yield(const struct sched *s, struct sched_queue *q, struct sched_task *t)
{
	uint64_t step = virtual(s->yield, t->weight);

	t->vtime += step;
	q->sum += (int64_t)step * t->weight;
	t->request = s->slice;
	request(t);
}

void sched_put(struct sched *s, unsigned int cpu, uint64_t now, enum sched_how how, uint64_t wake_at)
{
	struct sched_queue *q = &s->queue[cpu];
	struct sched_task *t = q->current;

	/* Times are compared in a circle, and guests choose this one: what is half of it away would not be ordered. */
	if (wake_at > now && (wake_at - now) >> 62)
		wake_at = SCHED_NEVER;
	lock_take(&q->lock);
	charge(s, q, now);
	q->current = NULL;
	if (how == SCHED_YIELD)
		yield(s, q, t);
	if (how == SCHED_YIELD || (how == SCHED_SLEEP && t->woken))
		how = SCHED_GO_ON;
	if (how == SCHED_GO_ON && !is_capped(s, t, now)) {
		insert(s, q, t);
	} else {
		withdraw(s, q, t);
		if (how == SCHED_GO_ON) {
			hold_back(s, q, t);
		} else {
			t->state = how == SCHED_GONE ? SCHED_OUT : SCHED_ASLEEP;
			learn(s, t);
			if (how == SCHED_SLEEP && wake_at != SCHED_NEVER)
				sleep_until(q, t, wake_at);
		}
	}
	settle(s, q);
	lock_drop(&q->lock);
	if (how != SCHED_GONE)
		return;
	__atomic_fetch_sub(&s->tasks, 1, __ATOMIC_RELAXED);
	if (t->home != SCHED_ANY) {
		uint32_t left = __atomic_sub_fetch(&s->queue[t->home].homes, 1, __ATOMIC_RELAXED);

		__atomic_fetch_add(&s->owned, (uint32_t)(left == 1) - (uint32_t)(left == 0), __ATOMIC_RELAXED);
	}
}

/* Where a new task begins. */
static unsigned int least_loaded(const struct sched *s, const struct sched_task *t)
{
	unsigned int best = 0;
	uint64_t least = UINT64_MAX;

	if (!is_movable(t))
		return t->home;
	for (unsigned int i = 0; i < s->cpus; i++) {
		uint64_t load = __atomic_load_n(&s->queue[i].load, __ATOMIC_RELAXED);

		if (load >= least || is_closed(s, i))
			continue;
		best = i;
		least = load;
	}
	return best;
}

void sched_add(struct sched *s, struct sched_task *t, uint64_t now, struct sched_kicks *k)
{
	ASSERT(t->state == SCHED_OUT);
	t->state = SCHED_MOVING;
	t->period = now;
	t->used = 0;
	t->vtime = __atomic_load_n(&s->recent, __ATOMIC_RELAXED);
	t->behind = 0;
	t->cpu = least_loaded(s, t);
	t->request = s->slice;
	__atomic_fetch_add(&s->tasks, 1, __ATOMIC_RELAXED);
	if (t->home != SCHED_ANY) {
		uint32_t homes = __atomic_add_fetch(&s->queue[t->home].homes, 1, __ATOMIC_RELAXED);

		__atomic_fetch_add(&s->owned, (uint32_t)(homes == 1) - (uint32_t)(homes == 2), __ATOMIC_RELAXED);
	}
	place(s, t, now, k);
}

void sched_wake(struct sched *s, struct sched_task *t, uint64_t now, struct sched_kicks *k)
{
	struct sched_queue *q;
	bool asleep;

	for (;;) {
		q = &s->queue[__atomic_load_n(&t->cpu, __ATOMIC_ACQUIRE)];
		lock_take(&q->lock);
		if (q == &s->queue[__atomic_load_n(&t->cpu, __ATOMIC_ACQUIRE)])
			break;
		lock_drop(&q->lock);
	}
	asleep = t->state == SCHED_ASLEEP;
	t->woken |= t->state == SCHED_RUNNING || t->state == SCHED_MOVING;
	if (asleep) {
		if (t->timed)
			sched_tree_remove(&q->asleep, t);
		t->state = SCHED_MOVING;
	}
	lock_drop(&q->lock);
	if (asleep)
		place(s, t, now, k);
}

/* ------------------------------------------------------------------ a CPU that has other things to do */

/* Where tasks sleep while this CPU is away; itself: there is no other. */
static unsigned int next_open(const struct sched *s, unsigned int cpu)
{
	for (unsigned int i = 1; i < s->cpus; i++)
		if (!is_closed(s, (cpu + i) % s->cpus))
			return (cpu + i) % s->cpus;
	return cpu;
}

/* Those that sleep here and may elsewhere, linked by right, SCHED_MOVING to that CPU. */
static struct sched_task *take_sleepers(struct sched_queue *q, unsigned int to)
{
	struct sched_task *go = NULL, *stay = NULL, *t;

	lock_take(&q->lock);
	while ((t = sched_tree_first(q->asleep)) != NULL) {
		struct sched_task **list = is_movable(t) ? &go : &stay;

		sched_tree_remove(&q->asleep, t);
		t->right = *list;
		*list = t;
	}
	while (stay) {
		t = stay;
		stay = t->right;
		sched_tree_add(&q->asleep, t);
	}
	for (t = go; t; t = t->right) {
		t->woken = false;
		t->state = SCHED_MOVING;
		__atomic_store_n(&t->cpu, to, __ATOMIC_RELEASE);
	}
	lock_drop(&q->lock);
	return go;
}

/* It sleeps on here, unless somebody has woken it on its way: false. What is capped now is so when it is woken, too. */
static bool lay_down(struct sched_queue *q, struct sched_task *t)
{
	bool asleep;

	lock_take(&q->lock);
	t->moves++;
	asleep = !t->woken;
	if (asleep) {
		t->state = SCHED_ASLEEP;
		sched_tree_add(&q->asleep, t);
	}
	lock_drop(&q->lock);
	return asleep;
}

void sched_away(struct sched *s, unsigned int cpu, uint64_t now, struct sched_kicks *k)
{
	unsigned int to = next_open(s, cpu);
	struct sched_task *t;

	bit_set(s->away, cpu);
	bit_clear(s->idle, cpu);
	if (to == cpu)
		return;
	t = take_sleepers(&s->queue[cpu], to);
	kick(k, to);                    /* its timer may stand later; and it may take what waits here */
	while (t) {
		struct sched_task *next = t->right;

		if (!lay_down(&s->queue[to], t))
			place(s, t, now, k);
		t = next;
	}
}

void sched_back(struct sched *s, unsigned int cpu)
{
	bit_clear(s->away, cpu);
}

void sched_init(struct sched *s, struct sched_queue *queue, unsigned int cpus, uint64_t ticks_per_ms)
{
	*s = (struct sched){
		.queue = queue,
		.cpus = cpus,
		.slice = mul_div(ticks_per_ms, SCHED_SLICE_US, 1000),
		.request = mul_div(ticks_per_ms, SCHED_REQUEST_US, 1000),
		.turn_min = mul_div(ticks_per_ms, SCHED_TURN_US, 1000),
		.yield = mul_div(ticks_per_ms, SCHED_YIELD_US, 1000),
		.margin = mul_div(ticks_per_ms, SCHED_MARGIN_US, 1000),
		.claim = mul_div(ticks_per_ms, SCHED_CLAIM_US, 1000),
		.cap_period = max_u64(mul_div(ticks_per_ms, SCHED_CAP_US, 1000), 100),
	};
	for (unsigned int i = 0; i < cpus; i++) {
		queue[i] = (struct sched_queue){ .look = i };
		lock_init(&queue[i].lock, LOCK_SCHED, "a CPU's queue of tasks");
		bit_set(s->idle, i);
	}
}

void sched_task_init(struct sched_task *t, uint32_t weight, uint32_t cap, uint32_t home)
{
	*t = (struct sched_task){ .weight = weight, .cap = cap, .home = home, .cpu = home == SCHED_ANY ? 0 : home };
}
