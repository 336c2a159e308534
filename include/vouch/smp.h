/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUs of this machine: which are up, waking one, and running a function on one. host->cpu[0] to [host->cpus - 1] are
 * up, 0 is the boot CPU; none comes or goes once guests run.
 *
 * All of this is called with host events off (IF=0, or GIF=0 under SVM).
 */
#ifndef VOUCH_SMP_H
#define VOUCH_SMP_H

#include <vouch/cpu_set.h>
#include <vouch/pcpu.h>

struct host;

/* A call on its way. Its maker's memory until cpu_work_done(): only fn and arg are the maker's to set. */
struct cpu_work {
	void (*fn)(void *arg);
	void *arg;
	struct cpu_work *next;
	uint32_t done;                /* atomic */
};

/*
 * Runs fn(arg) on the CPU of that index, in the handler of its wake-up interrupt, and returns when fn has. With a guest
 * loaded, fn finds the CPU as an exit leaves it: FS, GS and the FPU may be the guest's. fn is short and neither waits for
 * another CPU nor enters a guest. The caller holds no lock; calls meant for it are served while it waits, so two CPUs may
 * call each other. On the CPU that is running it is a plain call.
 */
void cpu_call(unsigned int cpu, void (*fn)(void *arg), void *arg);

/*
 * Runs fn(arg) on every CPU that is up, this one too, all at the same time, and returns when it has returned on all. As
 * cpu_call() in all else.
 */
void cpu_call_all(void (*fn)(void *arg), void *arg);

/* cpu_call_all() on those that are in *cpus. */
void cpu_call_set(const struct cpu_set *cpus, void (*fn)(void *arg), void *arg);

/* cpu_call() without waiting. Calls to one CPU run in the order they were made. */
void cpu_post(unsigned int cpu, struct cpu_work *w);

/* True once fn has returned; the caller sees what fn wrote, and may use *w again. */
static inline bool cpu_work_done(const struct cpu_work *w)
{
	return __atomic_load_n(&w->done, __ATOMIC_ACQUIRE) != 0;
}

/* Runs the calls that wait for this CPU. For whoever waits with interrupts off. */
void cpu_serve(void);

/*
 * Makes a CPU look: it leaves HLT or its guest, and finds its host_event set. Never waits for it. What was stored before
 * is seen by whoever looks then.
 */
void cpu_kick(unsigned int cpu);

/* Sleeps until a host event, taken inside. For CPUs without a guest: IF is 0 before and after. */
void cpu_sleep(void);

/* What a CPU that was started does from then on, on its own stack (core/cpu_loop.c). */
__noreturn void cpu_run_loop(struct pcpu *p);

#endif
