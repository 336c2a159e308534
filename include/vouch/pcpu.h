/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-CPU data, found from RSP: each CPU owns an area of CPU_AREA_SIZE aligned to its size, with struct pcpu at the
 * bottom, an unmapped guard page, and the stack at the top. Never through GS or FS: after an SVM exit these are still
 * the guest's.
 */
#ifndef VOUCH_PCPU_H
#define VOUCH_PCPU_H

#include <vouch/types.h>

/* 64 KiB: data below CPU_DATA_MAX, guard page, stack. Host tests give it more, for what ThreadSanitizer puts there. */
#ifndef CPU_AREA_SIZE
#define CPU_AREA_SIZE  0x10000ul
#endif
#define CPU_DATA_MAX   0x7000ul
#define CPUS_MAX       128u

struct cpu_work;
struct host;
struct log_tap;
struct vcpu;
struct pcpu_arch;             /* GDT, TSS, IDT: arch/x86/cpu */

struct pcpu {
	struct pcpu *self;
	struct host *host;
	struct pcpu_arch *arch;
	unsigned int id;              /* 0 = boot CPU */
	unsigned int apic_id;
	struct vcpu *vcpu;            /* whose state is live in this CPU, as its run loop is under way, or NULL */
	struct vcpu *fpu;             /* whose FPU state this CPU holds, unless that vCPU has run elsewhere since; or NULL */
	void *hvm;                    /* the vendor's per-CPU part */
	uint64_t last_vm;             /* vm->serial of the vCPU that was in this CPU last, or 0: for spec_switch() */
	bool lib_owner;               /* between lib_enter() and lib_exit() */
	void *lib_arena;              /* lib_arena_slot(): memory of the library call under way */
	bool host_event;              /* set by interrupt handlers: something to look at */
	bool leave;                   /* with host_event: the vCPU in this CPU must make room */
	bool sole;                    /* no other vCPU can want this CPU: the one in it may halt here */
	uint64_t run_until;           /* host TSC at which the vCPU in this CPU must make room; UINT64_MAX: never */
	uint64_t busy;                /* vCPUs' turns here, but for what these were halted (vouch/spent.h) */
	uint64_t switches;            /* atomic: times that another vCPU came */
	struct cpu_work *calls;       /* atomic: made by other CPUs, latest first (vouch/smp.h) */
	struct cpu_work *taken;       /* of these, what this CPU is about to serve, earliest first */
	int64_t tsc_delta;            /* this CPU's TSC minus the boot CPU's; 0: in step. Const once it is up: platform.h */
	unsigned int node;            /* of the memory that is near: page.h */
	struct log_tap *log_tap;      /* where this CPU's verdicts go instead of the log, or NULL (vouch/log.h) */
	uint32_t locks_held;          /* debug: bit per rank */
};

static inline struct pcpu *this_cpu(void)
{
	uint64_t rsp;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return (struct pcpu *)(rsp & ~(uint64_t)(CPU_AREA_SIZE - 1));
}

#endif
