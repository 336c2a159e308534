/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and unmaking a VM. */
#ifndef CORE_VM_H
#define CORE_VM_H

#include <vouch/hvm.h>
#include <vouch/image_parse.h>
#include <vouch/vm.h>

/*
 * A VM with memory as its plan says, clock running, no devices and no vCPU yet. NULL with *err when the host cannot
 * give what the plan asks for. vm_destroy() takes back whatever was built so far.
 */
struct vm *vm_create(struct host *h, unsigned int module, const char *name, const struct vm_plan *plan,
		     struct image_error *err);
/* Devices, their tables in the read-only window, and the vCPU at its start state. 0 or -1 with *err. */
__must_check int vm_equip(struct vm *vm, struct image_error *err);
void vm_destroy(struct vm *vm);

/* Its vCPUs are as after reset, and vCPU 0 at its start: ready to be run. */
void vm_prepare(struct vm *vm, const struct vcpu_start *start);

#endif
