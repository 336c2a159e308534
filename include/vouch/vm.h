/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: its memory, its buses, its clock, its machine of devices, its vCPUs. */
#ifndef VOUCH_VM_H
#define VOUCH_VM_H

#include <vouch/bus.h>
#include <vouch/chardev.h>
#include <vouch/lock.h>
#include <vouch/plan.h>
#include <vouch/stop.h>
#include <vouch/tao.h>
#include <vouch/timing.h>
#include <vouch/types.h>
#include <vouch/vclock.h>

#define VM_MAX_VCPUS 32

struct host;
struct vcpu;
struct machine;               /* arch/x86/dev/machine.h */
struct nested;
struct ram_list;

/* Guest-physical layout, fixed: saved guests depend on it (docs/architecture.md, "Guest-physical layout"). */
#define GPA_LOW_RAM_END   0xa0000ull     /* RAM below 640 K */
#define GPA_NO_ROM_BASE   0xc0000ull     /* where cards have their ROMs: read-only memory, all ones */
#define GPA_ROM_BASE      0xe0000ull     /* ACPI tables, read-only */
#define GPA_HIGH_RAM      0x100000ull    /* RAM again, up to at most GPA_MMIO_BASE */
#define GPA_MMIO_BASE     0xc0000000ull  /* 3-4 GiB: MMIO only */
#define GPA_ECAM_BASE     0xe0000000ull  /* reserved, 256 MiB */
#define GPA_4G            0x100000000ull /* the rest of RAM */

/* What the guest is shown of the event log: core/measured.c. */
struct vm_events {
	const uint8_t *log;           /* until vm_equip() has copied it */
	uint32_t len;
	bool in_tpm;                  /* each event is in a TPM's PCR too */
};

struct vm {
	char name[32];
	struct vm_events events;
	struct tao_name tao;          /* who it is to others: core/identity.c; set before it is entered */
	unsigned int module;          /* index of the module it came from */
	unsigned int number;          /* of the guest, as the operator counts: its place on the console */
	uint64_t serial;              /* of all VMs that there were, from 1: a guest that starts anew is another VM */
	unsigned int weight, cap;     /* what the scheduler is to give each of its vCPUs: sched.h */
	struct host *host;
	struct vm_plan plan;
	struct nested *nested;        /* GPA to HPA */
	uint64_t ram_bytes;
	struct ram_list *ram;         /* host pages behind it: core/ram.c */
	struct timing timing;         /* of making it: zero */
	char proof[80];               /* what its verdict rests on: a level, or a key */
	bool entered;                 /* has run: its memory is no longer ours alone */
	unsigned int phys_bits;       /* MAXPHYADDR shown to the guest, 32-52: entries with higher bits are reserved */
	struct vclock clock;
	uint64_t epoch;               /* seconds since 1970 when the clock read 0 */
	struct vtimers timers;        /* of its devices; vCPU 0 looks after them */
	uint64_t timers_next;         /* what was last made known of these: under lock */
	struct bus pio, mmio;
	struct machine *machine;
	struct chardev console;       /* COM1 out */
	uint8_t input[64];            /* console input on its way to COM1 */
	size_t input_len;
	bool input_told;              /* atomic: its vCPU was told that there is more, and has not looked since */
	unsigned int vcpus;           /* const once it has any: vcpu[0..vcpus - 1], 0 boots the others */
	struct vcpu *vcpu[VM_MAX_VCPUS];
	/*
	 * Guards what its vCPUs share and change: devices, their timers, wires and interrupt controllers but the local APICs.
	 * Taken on the general path, and only by vm_lock(): a VM of one vCPU does without.
	 */
	struct lock lock;
	struct stop stop;             /* its kind: atomic, written last; the rest is const from then on */
	struct lock stop_lock;        /* of those that stop it at once: LOCK_STOP */
	uint32_t live;                /* atomic: vCPUs that the scheduler still knows */
	struct vm *next_stopped;      /* core/stopped.h */
	uint32_t asked;               /* atomic: bits VM_ASK_*, done by whoever runs its vCPU next */
	bool paused;                  /* by the operator, who holds its vCPUs; its clock stands. The boot CPU's */
	unsigned int log_budget;      /* atomic: lines a guest may still cause */
};

/* From any CPU; see vcpu_service(). Its vCPU must be woken then. */
#define VM_ASK_RESET   (1u << 0)
#define VM_ASK_DESTROY (1u << 1)
#define VM_ASK_POWER   (1u << 2)      /* the power button */
void vm_ask(struct vm *vm, uint32_t what);

static inline void vm_lock(struct vm *vm)
{
	if (vm->vcpus > 1)
		lock_take(&vm->lock);
}

static inline void vm_unlock(struct vm *vm)
{
	if (vm->vcpus > 1)
		lock_drop(&vm->lock);
}

/* Lines a guest can cause: prefixed with its name, limited by its budget. */
void vm_log(struct vm *vm, const char *fmt, ...) __printf(2, 3);

/* From any CPU: the first one wins, and it has stopped when this returns. All its vCPUs leave their run loops at the next chance. */
void vm_stop(struct vm *vm, enum stop_kind kind, const char *fmt, ...) __printf(3, 4);

/* Fills a struct vm_control's stop: ctx is the vm, text is copied. */
void vm_control_stop(void *ctx, enum stop_kind kind, const char *text);

/* True: vm->stop says why. */
static inline bool vm_stopped(const struct vm *vm)
{
	return __atomic_load_n(&vm->stop.kind, __ATOMIC_ACQUIRE) != STOP_NONE;
}

#endif
