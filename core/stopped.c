/* SPDX-License-Identifier: BSD-2-Clause */
/* A list that any CPU may push to and the boot CPU takes as a whole: no lock, no limit. */
#include "core/stopped.h"

#include <vouch/vm.h>

bool stopped_add(struct stopped *s, struct vm *vm)
{
	struct vm *first;

	if (__atomic_sub_fetch(&vm->live, 1, __ATOMIC_ACQ_REL))
		return false;
	first = __atomic_load_n(&s->latest, __ATOMIC_RELAXED);
	do {
		vm->next_stopped = first;
	} while (!__atomic_compare_exchange_n(&s->latest, &first, vm, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return true;
}

struct vm *stopped_take(struct stopped *s)
{
	struct vm *vm, *turned = NULL;

	if (!stopped_any(s))
		return NULL;
	vm = __atomic_exchange_n(&s->latest, NULL, __ATOMIC_ACQUIRE);
	while (vm) {
		struct vm *next = vm->next_stopped;

		vm->next_stopped = turned;
		turned = vm;
		vm = next;
	}
	return turned;
}
