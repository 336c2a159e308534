/* SPDX-License-Identifier: BSD-2-Clause */
/* One CPU's turns: what the scheduler decides, done. */
#ifndef CORE_CPU_TURN_H
#define CORE_CPU_TURN_H

#include <vouch/types.h>

struct host;
struct pcpu;
struct vcpu;
struct vm;

/*
 * One decision for this CPU: runs a vCPU for its turn, or sleeps; until the host TSC reaches until, at the latest. A VM of which
 * no vCPU is left is in host->guests->stopped then. On the boot CPU it returns when one is.
 */
void cpu_turn(struct pcpu *p, uint64_t until);

/*
 * Between the two this CPU, which has no vCPU in it, is busy with other things than guests: others take over what it can give.
 */
void cpu_away(void);
void cpu_back(void);

/* The scheduler may run this vCPU from now on. */
void vcpu_start(struct vcpu *v);

/* Something may have been typed: whose it is wakes up. As vcpu_wake(); on the boot CPU. */
void guests_wake_typed(struct host *h);

/* The same, and if it runs it leaves its CPU at once: its VM was paused, resumed, or asked for something. */
void vcpu_call(struct vcpu *v);

/* Something happened to this vCPU. From any CPU, host events off; from the run loop too. */
void vcpu_wake(struct vcpu *v);

#endif
