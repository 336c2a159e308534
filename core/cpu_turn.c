/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the scheduler, which knows no hardware, and the vendor's run loop, which knows one vCPU. */
#include "core/cpu_turn.h"

#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/pcpu.h>
#include <vouch/platform.h>
#include <vouch/smp.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/fpu.h"
#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/exit.h"
#include "core/guest.h"
#include "core/hold.h"
#include "core/vcpu_init.h"

_Static_assert(MODULE_WEIGHT == SCHED_WEIGHT && MODULE_WEIGHT_MAX == SCHED_WEIGHT_MAX && MODULE_CAP_MAX == SCHED_CAP_MAX,
	       "what the operator may ask for is what the scheduler takes");
_Static_assert(PLAN_ANY_CPU == SCHED_ANY && PLAN_MAX_CORES <= VM_MAX_VCPUS, "the plan says where each vCPU runs");

/* The CPUs in *k decide anew: at once, or when what runs on them next comes to an end. */
static void kicks_send(struct host *h, const struct sched_kicks *k)
{
	for (unsigned int i = 0; i < h->cpus; i++) {
		struct pcpu *p = h->cpu[i];

		if (!(k->cpu[i / 64] >> i % 64 & 1))
			continue;
		__atomic_store_n(&p->leave, true, __ATOMIC_RELEASE);
		if (p == this_cpu())
			p->host_event = true;
		else
			cpu_kick(i);
	}
}

void cpu_away(void)
{
	struct pcpu *p = this_cpu();
	struct sched_kicks k = { 0 };

	if (p->host->hvm->cpu_let_go)
		p->host->hvm->cpu_let_go();
	sched_away(&p->host->guests->sched, p->id, host_tsc(), &k);
	kicks_send(p->host, &k);
}

void cpu_back(void)
{
	struct pcpu *p = this_cpu();

	sched_back(&p->host->guests->sched, p->id);
}

void vcpu_start(struct vcpu *v)
{
	struct host *h = v->vm->host;
	struct sched_kicks k = { 0 };

	sched_task_init(&v->task, v->vm->weight, v->vm->cap, v->vm->plan.cpu[v->id]);
	sched_add(&h->guests->sched, &v->task, host_tsc(), &k);
	kicks_send(h, &k);
}

void vcpu_wake(struct vcpu *v)
{
	struct host *h = v->vm->host;
	struct sched_kicks k = { 0 };

	sched_wake(&h->guests->sched, &v->task, host_tsc(), &k);
	kicks_send(h, &k);
}

void vcpu_call(struct vcpu *v)
{
	struct sched_kicks k = { 0 };
	uint32_t cpu;

	vcpu_wake(v);
	/* From here on whoever takes it from a queue sees what the caller has stored: only who has it now must be told. */
	cpu = __atomic_load_n(&v->task.cpu, __ATOMIC_RELAXED);
	k.cpu[cpu / 64] |= 1ull << cpu % 64;
	kicks_send(v->vm->host, &k);
}

bool vcpu_is_here(const struct vcpu *v)
{
	return this_cpu()->vcpu == v;
}

void vcpu_poke(struct vcpu *v)
{
	unsigned int on;

	if (vcpu_is_here(v))                    /* it looks before it enters the guest */
		return;
	vcpu_wake(v);
	/* Whose turn with it begins from here on sees what the caller has stored: hold.c. */
	on = __atomic_load_n(&v->on_cpu, __ATOMIC_SEQ_CST);
	if (on && on != this_cpu()->id + 1)
		cpu_kick(on - 1);
}

/* It looks at its input: when it runs next, or now. */
static void tell_typed(struct vm *vm)
{
	if (!__atomic_exchange_n(&vm->input_told, true, __ATOMIC_SEQ_CST))
		vcpu_poke(vm->vcpu[0]);
}

void guests_wake_typed(struct host *h)
{
	/* Each of them: the focus may have moved on since. */
	for (unsigned int i = 0; i < h->guests->count; i++) {
		const struct guest *g = &h->guests->guest[i];

		if (g->state == GUEST_RUNNING && console_typed(&h->console, i))
			tell_typed(g->vm);
	}
}

/* The FPU moves only when another vCPU comes to this CPU, or this one has been elsewhere. */
static void take_fpu(struct pcpu *p, struct vcpu *v)
{
	if (p->fpu == v && v->fpu_cpu == p->id)
		return;
	__atomic_store_n(&p->switches, p->switches + 1, __ATOMIC_RELAXED);
	fpu_state_load(v->fpu);
	p->fpu = v;
	v->fpu_cpu = p->id;
}

/* While it waits for INIT and SIPI there is nothing to run; but that its VM has stopped it must come to know. */
static bool has_begun(struct vcpu *v)
{
	vcpu_take_signals(v);
	v->due_tsc = SCHED_NEVER;
	return !v->waits || vm_stopped(v->vm);
}

static enum run_end run(struct pcpu *p, struct vcpu *v)
{
	enum run_end end = RUN_HALTED;

	if (!has_begun(v))
		return end;
	vcpu_spend(v);
	take_fpu(p, v);
	v->tsc_delta = p->tsc_delta;
	vcpu_tsc_match(v);
	vcpu_begin_turn(v);
	end = v->vm->host->hvm->vcpu_run(v);
	if (end == RUN_STOPPED)
		p->fpu = NULL;
	else
		fpu_state_save(v->fpu);
	vcpu_rest(v);
	return end;
}

/* Host events are taken inside, or have been: those that came since this CPU last looked keep it awake. */
static void idle(struct pcpu *p, uint64_t until)
{
	bool called = p->id == 0 && __atomic_load_n(&p->host->console.called, __ATOMIC_RELAXED);

	if (!p->host_event && !called) {
		host_timer_arm(until);
		cpu_sleep();
	}
	p->host_event = false;
	if (p->id == 0)
		guests_wake_typed(p->host);
}

/* The boot CPU looks after a console that needs it; returns when it wants to do it again, UINT64_MAX: not by itself. */
static uint64_t look_after_console(const struct pcpu *p)
{
	struct console *c = &p->host->console;

	if (p->id != 0 || !console_busy(c))
		return UINT64_MAX;
	console_poll(c);
	return host_tsc() + mul_div(p->host->platform.tsc_khz, CONSOLE_POLL_NS, 1000000);
}

/* This CPU and the scheduler are done with v, which has left for good. */
static void gone(struct pcpu *p, struct vcpu *v)
{
	struct pcpu *boot = p->host->cpu[0];

	sched_put(&p->host->guests->sched, p->id, host_tsc(), SCHED_GONE, SCHED_NEVER);
	if (!stopped_add(&p->host->guests->stopped, v->vm) || p == boot)
		return;
	__atomic_store_n(&boot->leave, true, __ATOMIC_SEQ_CST);
	cpu_kick(boot->id);
}

/* v is in turn, unless somebody holds it. */
static void take_turn(struct pcpu *p, struct vcpu *v)
{
	struct sched *s = &p->host->guests->sched;
	uint64_t wake_at = SCHED_NEVER;
	enum sched_how how = SCHED_GO_ON;
	enum run_end end = RUN_HALTED;

	if (vcpu_turn_begin(v, p->id)) {
		end = run(p, v);
		wake_at = v->due_tsc;
		how = v->yields ? SCHED_YIELD : SCHED_GO_ON;
		v->yields = false;
		vcpu_turn_end(v);
	}
	if (end == RUN_STOPPED)
		gone(p, v);
	else
		sched_put(s, p->id, host_tsc(), end == RUN_HALTED ? SCHED_SLEEP : how, wake_at);
}

void cpu_turn(struct pcpu *p, uint64_t until)
{
	struct guests *all = p->host->guests;
	struct sched_kicks k = { 0 };
	struct sched_turn turn;

	until = min_u64(until, look_after_console(p));
	/* Before the decision: a kick that comes later asks for another one. */
	__atomic_store_n(&p->leave, false, __ATOMIC_SEQ_CST);
	if (p->id == 0 && stopped_any(&all->stopped))
		return;
	turn = sched_pick(&all->sched, p->id, host_tsc(), &k);
	k.cpu[p->id / 64] &= ~(1ull << p->id % 64);
	kicks_send(p->host, &k);
	if (!turn.task) {
		idle(p, min_u64(turn.until, until));
		return;
	}
	p->run_until = min_u64(turn.until, until);
	p->sole = turn.sole;
	take_turn(p, container_of(turn.task, struct vcpu, task));
}
