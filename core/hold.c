/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each side writes what it wants and then reads what the other does (on_cpu, held), so at least one of them sees the other:
 * the CPU lets go of a vCPU that is held, or the holder waits for the CPU.
 */
#include "core/hold.h"

#include <vouch/host.h>
#include <vouch/platform.h>
#include <vouch/smp.h>
#include <vouch/vcpu.h>
#include <vouch/vm.h>

#include "core/cpu_turn.h"

bool vcpu_turn_begin(struct vcpu *v, unsigned int cpu)
{
	__atomic_store_n(&v->on_cpu, cpu + 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&v->held, __ATOMIC_SEQ_CST))
		return true;
	vcpu_turn_end(v);
	return false;
}

void vcpu_turn_end(struct vcpu *v)
{
	__atomic_store_n(&v->on_cpu, 0, __ATOMIC_RELEASE);
}

static void hold(struct vcpu *v)
{
	__atomic_store_n(&v->held, v->held + 1, __ATOMIC_SEQ_CST);
}

/* It is asked again each millisecond: it may have been on its way from one CPU to another. */
static bool wait_for(struct vcpu *v, uint64_t end)
{
	uint64_t ms = v->vm->host->platform.tsc_khz, ask = 0;

	while (__atomic_load_n(&v->on_cpu, __ATOMIC_SEQ_CST)) {
		uint64_t now = host_tsc();

		if (now >= end)
			return false;
		if (now >= ask) {
			vcpu_call(v);
			ask = now + ms;
		}
		/* Its CPU may wait for an answer of ours before it can look. */
		cpu_serve();
		__builtin_ia32_pause();
	}
	return true;
}

static uint64_t patience(const struct vm *vm)
{
	return host_tsc() + HOLD_MS * vm->host->platform.tsc_khz;
}

bool vcpu_hold(struct vcpu *v)
{
	hold(v);
	if (wait_for(v, patience(v->vm)))
		return true;
	vcpu_release(v);
	return false;
}

void vcpu_release(struct vcpu *v)
{
	__atomic_store_n(&v->held, v->held - 1, __ATOMIC_RELEASE);
	if (!v->held)
		vcpu_wake(v);
}

bool vm_hold(struct vm *vm)
{
	uint64_t end = patience(vm);
	bool came = true;

	for (unsigned int i = 0; i < vm->vcpus; i++)
		hold(vm->vcpu[i]);
	for (unsigned int i = 0; i < vm->vcpus; i++)
		came = wait_for(vm->vcpu[i], end) && came;
	if (!came)
		vm_release(vm);
	return came;
}

void vm_release(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->vcpus; i++)
		vcpu_release(vm->vcpu[i]);
}
