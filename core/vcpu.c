/* SPDX-License-Identifier: BSD-2-Clause */
/* What every vCPU's run loop does between exits, whatever the vendor. */
#include <vouch/vcpu.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/spent.h>
#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/dev/post.h"
#include "core/cpu_turn.h"

/* What became late before a turn must not take its only entry from it: the vCPU would get nowhere, turn after turn. */
#define TURN_MIN_US 50u
/*
 * Nor may a turn have no end for want of a deadline, where that costs no timer interrupt: whatever is to end it may come late.
 * A CPU takes the host's interrupts out of any guest; Bochs not out of one that is entered with IF=0 (docs/testing.md).
 */
#define TURN_MAX_MS 100u

/* Whatever comes after this look is told anew. */
static void take_input(struct vm *vm)
{
	__atomic_store_n(&vm->input_told, false, __ATOMIC_SEQ_CST);
	vm->input_len = console_read(&vm->host->console, vm->number, vm->input, sizeof(vm->input));
}

/* Console bytes that COM1's FIFO has no room for wait in vm->input. */
static void feed_console(struct vm *vm)
{
	if (vm->input_len == 0)
		take_input(vm);
	if (vm->input_len) {
		size_t took = machine_console_input(vm, vm->input, vm->input_len);

		vm->input_len -= took;
		for (size_t i = 0; i < vm->input_len; i++)
			vm->input[i] = vm->input[took + i];
		if (vm->input_len == 0)
			take_input(vm);
	}
}

/* The boot CPU looks after the console in its vCPUs' turns, too: they may be long. */
static bool has_console(const struct vcpu *v)
{
	return this_cpu()->id == 0 && console_busy(&v->vm->host->console);
}

static void poll_console(struct vcpu *v)
{
	struct console *c = &v->vm->host->console;

	if (!has_console(v))
		return;
	console_poll(c);
	v->poll_ns = vclock_now(&v->vm->clock) + CONSOLE_POLL_NS;
}

/* It looks after the VM's devices, whose timers are not among its own. */
static bool has_devices(const struct vcpu *v)
{
	return v->vm->vcpus > 1 && v->id == 0;
}

static void run_timers(struct vcpu *v)
{
	uint64_t now = vclock_now(&v->vm->clock);

	vtimers_run(v->timers, now);
	if (has_devices(v))
		machine_run_timers(v->vm, now);
}

/* In guest ns; not 0, which stands for a timer that must be armed anew. */
static uint64_t next_event(const struct vcpu *v)
{
	uint64_t next = vtimers_earliest(v->timers);

	if (has_devices(v))
		next = min_u64(next, vtimers_next(&v->vm->timers));
	if (has_console(v))
		next = min_u64(next, v->poll_ns);
	return max_u64(next, 1);
}

/*
 * The host timer stands on the earliest guest deadline, or on the end of the vCPU's run; guest time is turned into host
 * ticks only when that changes. True: it has.
 */
static bool find_deadline(struct vcpu *v)
{
	uint64_t next = next_event(v);

	if (next == v->armed_ns)
		return false;
	v->armed_ns = next;
	v->due_tsc = vclock_ns_to_host(&v->vm->clock, next);
	v->armed_tsc = min_u64(v->due_tsc, this_cpu()->run_until);
	v->armed_own = own_tsc_of(this_cpu(), v->armed_tsc);
	return true;
}

/* Somebody set p->host_event. */
static void take_host_event(struct vcpu *v, struct pcpu *p)
{
	p->host_event = false;
	v->armed_ns = 0;                        /* a one-shot timer that has fired must be armed again */
	poll_console(v);
	if (v->id == 0)
		feed_console(v->vm);
	/* Alone on a machine with one CPU it has taken what there was. */
	if (p->id == 0 && !(p->sole && p->host->cpus == 1))
		guests_wake_typed(v->vm->host);
}

/* Of the operator's wishes the hardest. */
static void take_asked(struct vm *vm)
{
	uint32_t asked = __atomic_exchange_n(&vm->asked, 0, __ATOMIC_ACQUIRE);

	if (asked & VM_ASK_DESTROY)
		vm_stop(vm, STOP_HOST, "destroyed by the operator");
	else if (asked & VM_ASK_RESET)
		vm_stop(vm, STOP_RESET, "reset by the operator");
	else if (asked & VM_ASK_POWER)
		machine_power_button(vm);
}

/* Somebody wants this vCPU out of its CPU, though its turn is not over. */
static bool must_leave(const struct vcpu *v, const struct pcpu *p)
{
	/* The monitor is served by the boot CPU, outside of any run. */
	return p->id == 0 && __atomic_load_n(&v->vm->host->console.called, __ATOMIC_RELAXED);
}

void vcpu_rest(struct vcpu *v)
{
	uint64_t now = host_tsc();

	spent_end(&v->spent, now);
	spent_end(&this_cpu()->busy, now);
}

void vcpu_spend(struct vcpu *v)
{
	uint64_t now = host_tsc();

	spent_begin(&v->spent, now);
	spent_begin(&this_cpu()->busy, now);
}

/* What was posted, timers' of this very CPU too. True: it is an INIT, and that is for cpu_turn(). */
static bool take_posted(struct vcpu *v)
{
	if (!(__atomic_load_n(&v->posted.signals, __ATOMIC_ACQUIRE) & POST_INIT))
		machine_take_posted(v);
	/* Looked at again: it may have come meanwhile, and nobody is told of it twice. */
	return __atomic_load_n(&v->posted.signals, __ATOMIC_ACQUIRE) & POST_INIT;
}

/* Nothing comes to it by itself; by others as long as one of them can run. */
static bool is_lost(const struct vcpu *v)
{
	if (__atomic_load_n(&v->posted.pending, __ATOMIC_SEQ_CST))
		return false;
	return __atomic_load_n(&v->stuck, __ATOMIC_SEQ_CST) || __atomic_load_n(&v->waits, __ATOMIC_SEQ_CST);
}

bool vcpu_halted_for_good(struct vcpu *v)
{
	struct vm *vm = v->vm;
	bool all = true;

	vm_lock(vm);
	__atomic_store_n(&v->stuck, true, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < vm->vcpus && vm->vcpus > 1; i++)
		all = all && is_lost(vm->vcpu[i]);
	vm_unlock(vm);
	return all;
}

void vcpu_wakes(struct vcpu *v)
{
	v->halted = false;
	__atomic_store_n(&v->stuck, false, __ATOMIC_SEQ_CST);
}

void vcpu_spins(struct vcpu *v)
{
	struct pcpu *p = this_cpu();

	if (v->vm->vcpus == 1 || p->sole)
		return;
	v->yields = true;
	p->leave = p->host_event = true;
}

void vcpu_begin_turn(struct vcpu *v)
{
	struct pcpu *p = this_cpu();
	uint64_t khz = p->host->platform.tsc_khz, now = host_tsc();

	v->armed_ns = 0;                        /* the timer stands where the vCPU before wanted it */
	p->run_until = max_u64(p->run_until, now + mul_div(khz, TURN_MIN_US, 1000));
	if (v->own_timer && !p->sole)           /* whom nobody waits for is not disturbed */
		p->run_until = min_u64(p->run_until, now + khz * TURN_MAX_MS);
	if (has_console(v))                     /* cpu_turn() has looked after it */
		v->poll_ns = vclock_now(&v->vm->clock) + CONSOLE_POLL_NS;
}

enum run_end vcpu_service(struct vcpu *v)
{
	struct pcpu *p = this_cpu();
	bool leave = false, changed;
	uint64_t now;

	if (p->host_event) {
		take_host_event(v, p);
		leave = p->leave;
	} else if (v->id == 0 && (v->vm->input_len || !v->armed_ns)) {
		feed_console(v->vm);            /* at the begin of a turn, too: another's may have taken the event */
	}
	changed = find_deadline(v);
	now = host_tsc();
	if (now >= v->armed_tsc) {
		run_timers(v);
		v->armed_ns = 0;
		changed = find_deadline(v);
		leave |= now >= p->run_until;
	}
	if (__atomic_load_n(&v->vm->asked, __ATOMIC_RELAXED))
		take_asked(v->vm);
	if (vm_stopped(v->vm))
		return RUN_STOPPED;
	if (__atomic_load_n(&v->posted.pending, __ATOMIC_ACQUIRE))
		leave |= take_posted(v);
	if (leave || must_leave(v, p))
		return RUN_PREEMPTED;
	/* Not before now: armed for what is due already it would go off at once, and the next entry be one for nothing. */
	if (changed && !v->own_timer)
		host_timer_arm(v->armed_tsc);
	return RUN_ON;
}
