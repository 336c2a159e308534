/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls from one CPU to another. Each CPU has a list that any may push to and that it takes as a whole: no lock, no limit. */
#include <vouch/smp.h>

#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>

void cpu_post(unsigned int cpu, struct cpu_work *w)
{
	const struct host *h = this_cpu()->host;
	struct cpu_work *first;
	struct pcpu *to;

	ASSERT(cpu < h->cpus);
	to = h->cpu[cpu];
	w->done = 0;
	first = __atomic_load_n(&to->calls, __ATOMIC_RELAXED);
	do {
		w->next = first;
	} while (!__atomic_compare_exchange_n(&to->calls, &first, w, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	cpu_kick(cpu);
}

/* Latest first becomes earliest first. */
static struct cpu_work *turn(struct cpu_work *w)
{
	struct cpu_work *turned = NULL;

	while (w) {
		struct cpu_work *next = w->next;

		w->next = turned;
		turned = w;
		w = next;
	}
	return turned;
}

/*
 * A call may wait for one that came after it, and serve: so those that this CPU has taken off the list and not begun are
 * where it finds them then. Nobody else looks there, and host events are off.
 */
static struct cpu_work *next_call(struct pcpu *p)
{
	struct cpu_work *w;

	if (!p->taken)
		p->taken = turn(__atomic_exchange_n(&p->calls, NULL, __ATOMIC_ACQUIRE));
	w = p->taken;
	if (w)
		p->taken = w->next;     /* once it is done, *w is its maker's again */
	return w;
}

void cpu_serve(void)
{
	struct pcpu *p = this_cpu();
	struct cpu_work *w;

	while ((w = next_call(p)) != NULL) {
		w->fn(w->arg);
		__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	}
}

/* Whoever holds a lock that the other CPU waits for, with its interrupts off, would wait for ever. */
static void wait_for(const struct cpu_work *w)
{
	ASSERT_SLOW(!this_cpu()->locks_held);
	while (!cpu_work_done(w)) {
		cpu_serve();
		__builtin_ia32_pause();
	}
}

void cpu_call(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	struct cpu_work w = { .fn = fn, .arg = arg };

	if (cpu == this_cpu()->id) {
		fn(arg);
		return;
	}
	cpu_post(cpu, &w);
	wait_for(&w);
}

void cpu_call_set(const struct cpu_set *cpus, void (*fn)(void *arg), void *arg)
{
	const struct pcpu *p = this_cpu();
	struct cpu_work w[CPUS_MAX];

	for (unsigned int i = 0; i < p->host->cpus; i++) {
		if (i == p->id || !cpu_set_has(cpus, i))
			continue;
		w[i] = (struct cpu_work){ .fn = fn, .arg = arg };
		cpu_post(i, &w[i]);
	}
	if (cpu_set_has(cpus, p->id))
		fn(arg);
	for (unsigned int i = 0; i < p->host->cpus; i++)
		if (i != p->id && cpu_set_has(cpus, i))
			wait_for(&w[i]);
}

void cpu_call_all(void (*fn)(void *arg), void *arg)
{
	struct cpu_set all;

	memset(&all, 0xff, sizeof(all));
	cpu_call_set(&all, fn, arg);
}
