/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has a vCPU: the CPU whose turn it has, or who holds it. The boot CPU holds one to read or change what is in a CPU while
 * it runs, such as registers, or to keep it from running. To the guest that is a while without a CPU, no more.
 */
#ifndef CORE_HOLD_H
#define CORE_HOLD_H

#include <vouch/types.h>

struct vcpu;
struct vm;

/*
 * This CPU's turn with it begins; false: it is held, and gets no turn. Its holder wakes it up. What either of both has written
 * of the vCPU the other sees.
 */
__must_check bool vcpu_turn_begin(struct vcpu *v, unsigned int cpu);
/* It is in this CPU no more. Before the scheduler knows, and with all of its state in *v. */
void vcpu_turn_end(struct vcpu *v);

/*
 * From here to vcpu_release() it is in no CPU and all its state is the caller's. Held twice, it is to be released twice. Waits
 * for the CPU that has it, HOLD_MS at most, and serves calls meanwhile: no lock is held, and no vCPU is in this CPU. False:
 * it did not come, and is not held. By the boot CPU alone.
 */
#define HOLD_MS 1000u
__must_check bool vcpu_hold(struct vcpu *v);
void vcpu_release(struct vcpu *v);

/* The same for all vCPUs of a VM, or none: false. */
__must_check bool vm_hold(struct vm *vm);
void vm_release(struct vm *vm);

#endif
