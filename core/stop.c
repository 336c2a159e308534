/* SPDX-License-Identifier: BSD-2-Clause */
/* How a VM's stop is said, once, from any CPU. Whoever sees that it has stopped sees why. */
#include <vouch/vm.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vouch/pcpu.h>
#include <vouch/vcpu.h>

#include "core/cpu_turn.h"

/* The kind last, and before a second one goes on: who returns from vm_stop() finds the VM stopped. */
static bool publish(struct vm *vm, enum stop_kind kind, const char *text)
{
	const struct vcpu *by = this_cpu()->vcpu;
	bool first;

	lock_take(&vm->stop_lock);
	first = !vm_stopped(vm);
	if (first) {
		vm->stop.vcpu = by && by->vm == vm ? by->id : STOP_BY_NONE;
		strcpy(vm->stop.text, text);
		__atomic_store_n(&vm->stop.kind, kind, __ATOMIC_RELEASE);
	}
	lock_drop(&vm->stop_lock);
	return first;
}

void vm_stop(struct vm *vm, enum stop_kind kind, const char *fmt, ...)
{
	char text[sizeof(vm->stop.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!publish(vm, kind, text))
		return;
	for (unsigned int i = 0; i < vm->vcpus && vm->vcpus > 1; i++)
		vcpu_call(vm->vcpu[i]);
}
