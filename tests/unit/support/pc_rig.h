/* SPDX-License-Identifier: BSD-2-Clause */
/* What a PC's devices need of their VM, for tests that create a whole one: a bare struct vm becomes ready for machine_create(). */
#ifndef SUPPORT_PC_RIG_H
#define SUPPORT_PC_RIG_H

#include <stdlib.h>
#include <string.h>

#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"

/* The machine's memory is the caller's to free. */
static inline void pc_rig(struct vm *vm, uint32_t devices, uint64_t ram_bytes)
{
	vm->plan.devices = devices;
	vm->ram_bytes = ram_bytes;
	bus_init(&vm->pio, "port", 0x10000);
	bus_init(&vm->mmio, "mmio", 1ull << 52);
	vclock_init(&vm->clock, 1000000);
	vtimers_init(&vm->timers, &vm->clock);
	vm->machine = aligned_alloc(PAGE_SIZE, align_up(machine_size(), PAGE_SIZE));
	if (!vm->machine)
		abort();
	memset(vm->machine, 0, machine_size());
}

#endif
