/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual CPU as everything above the vendor seam sees it. */
#ifndef VOUCH_VCPU_H
#define VOUCH_VCPU_H

#include <vouch/fast.h>
#include <vouch/sched.h>
#include <vouch/types.h>
#include <vouch/unhandled.h>
#include <vouch/vclock.h>
#include <vouch/x86.h>

struct vm;
struct lapic;
struct vcpu_hw;               /* the vendor's part: opaque outside its room */

/* What the vendor's run loop does after a handler. */
enum exit_action {
	EXIT_NEXT,            /* step over the instruction */
	EXIT_AGAIN,           /* re-enter as it is (RIP kept, or already moved through x86_env) */
	EXIT_FAULT,           /* deliver v->fault; RIP stays on the instruction */
	EXIT_HALT,            /* step over, then wait for an event */
	EXIT_STOP,            /* v->vm->stop says why; leave the run loop */
};

/* Why a vCPU leaves its CPU. RUN_ON: it does not. */
enum run_end {
	RUN_ON,
	RUN_STOPPED,          /* v->vm->stop says why */
	RUN_HALTED,           /* nothing to do up to v->due_tsc, or until something happens to it */
	RUN_PREEMPTED,        /* its CPU was asked for something else: pcpu.h's run_until or leave */
};

#define EXIT_RING 32
#define EXIT_KINDS 176

/* One past exit, for the report when a guest dies. */
struct exit_record {
	uint64_t code, info1, info2, rip;     /* the vendor's words; hvm_ops.exit_text() knows them */
};

/* What others send a vCPU (arch/x86/dev/post.h). All atomic, from any CPU. */
struct vcpu_posted {
	uint32_t pending;             /* there is something, and its CPU was told */
	uint32_t signals;
	uint64_t edge[4], level[4];   /* vectors */
};

struct vcpu {
	/* Offset 0: entry code saves and restores the guest's general registers here. All are valid in handlers. */
	uint64_t gpr[REG_COUNT];
	struct vcpu_hw *hw;
	struct vm *vm;
	unsigned int id;
	struct lapic *lapic;
	struct vtimers *timers;       /* where its LAPIC's timer is: its own, or the VM's if it is the only one */
	struct vtimers own_timers;
	struct sched_task task;       /* what the scheduler knows of it */
	uint32_t on_cpu;              /* atomic: id + 1 of the CPU that has it, or 0 (core/hold.h) */
	uint32_t held;                /* atomic, written by the boot CPU: how many keep it from running */
	void *fpu;                    /* its FPU state while it does not run: arch/x86/cpu/fpu.h */
	unsigned int fpu_cpu;         /* where it ran last: that CPU may hold the same */

	struct x86_fault fault;       /* set by a handler that returns EXIT_FAULT */
	bool halted;                  /* HLT executed, no event yet */
	bool nmi_pending;
	struct vcpu_posted posted;
	bool waits;                   /* atomic: for INIT and SIPI; written by its own CPU */
	bool stuck;                   /* atomic: halted, and only others can wake it; written by its own CPU */
	bool yields;                  /* it spins, waiting for another vCPU perhaps */

	uint64_t xcr0;                /* guest's XCR0, live in the CPU while this vCPU is loaded */
	uint64_t mtrr_def_type, mtrr_var[16], mtrr_fix[11];  /* order of Xen's MTRR record */
	uint64_t kvmclock_msr, kvm_wall_msr;
	uint64_t ucode_rev;
	uint64_t tsc_adjust;          /* this vCPU's TSC minus the VM's clock, by its own writes */
	int64_t tsc_delta;            /* of the CPU that it is in, or was in: pcpu.h */
	uint64_t tsc_offset;          /* what the hardware adds to that CPU's TSC: vcpu_tsc_match() */
	uint32_t kvmclock_version;    /* of the record at kvmclock_msr; even */
	uint64_t unknown_msrs;        /* accesses to MSRs that the policy does not know */
	struct unhandled recent_msrs; /* the same, the latest ones */

	struct {                      /* the instruction of this exit, where the CPU gave its bytes; len 0: fetch it */
		uint8_t len, bytes[15];
	} insn;
	uint64_t again_rip;           /* an instruction that was not there when it was looked at, and how often in a row */
	unsigned int agains;
	uint64_t poll_ns;             /* guest time of the next look at a console that is busy */
	uint64_t armed_ns;            /* its earliest deadline, in guest ns; 0: unknown */
	uint64_t due_tsc;             /* host TSC of that */
	uint64_t armed_tsc;           /* due_tsc, or this CPU's run_until if that is earlier: the timer stands here */
	uint64_t armed_own;           /* the same by this CPU's own TSC: for entry code */
	bool tells_next;              /* the CPU says at an exit where the next instruction is: for entry code */
	bool own_timer;               /* the vendor's run loop ends a run at armed_tsc by itself; no host timer but in idle */
	uint64_t spent;               /* its turns, but for what it was halted in them (vouch/spent.h) */
	uint64_t exits;               /* exits of the general path so far: those in the ring */
	struct exit_record ring[EXIT_RING];  /* ring[exits % EXIT_RING] is the next to be written */
	uint64_t exit_count[EXIT_KINDS];     /* all exits, by the vendor's own numbering: hvm_ops.kind_text() */
	struct vcpu_fast fast;
};

/*
 * What the run loop does before each entry: due timers, console input, the host timer. Host events are off. Bounded.
 * RUN_ON: enter it. Never RUN_HALTED: whether a halted vCPU has something to do is known to the run loop.
 */
__must_check enum run_end vcpu_service(struct vcpu *v);

/* Its turn begins in this CPU: its deadlines are looked for anew, and there is time for an entry. */
void vcpu_begin_turn(struct vcpu *v);

/* Its turn, and its CPU's, counts from here on, or no more: at the end, and while the CPU is halted in its place. */
void vcpu_spend(struct vcpu *v);
void vcpu_rest(struct vcpu *v);

/* It has halted with interrupts off: true if that is so for all of its VM, which can never run again then. */
__must_check bool vcpu_halted_for_good(struct vcpu *v);

/* It has halted, and something has come that it runs for. */
void vcpu_wakes(struct vcpu *v);

/* It executes PAUSE again and again, so another vCPU should have its CPU. */
void vcpu_spins(struct vcpu *v);

static inline enum exit_action vcpu_fault(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	v->fault = (struct x86_fault){ .vector = vector, .has_error = has_error, .error = error };
	return EXIT_FAULT;
}
static inline enum exit_action vcpu_gp0(struct vcpu *v) { return vcpu_fault(v, EXC_GP, true, 0); }
static inline enum exit_action vcpu_ud(struct vcpu *v) { return vcpu_fault(v, EXC_UD, false, 0); }

#endif
