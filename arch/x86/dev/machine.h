/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's PC: all its devices, how they are wired to each other, and where they stand on the VM's buses. Everything
 * else sees it through the functions below; struct machine is open only to this room, its tests and whoever saves a
 * guest.
 *
 * Wiring: ISA IRQ n reaches PIC pin n and IOAPIC pin n, the PIT IOAPIC pin 2; the PIC's output is LINT0 of every local
 * APIC. A device that the plan leaves out is wired to nothing and is on no bus. Local APICs are on no bus either (each
 * vCPU reaches its own); their page is claimed there all the same, so that nothing else is put on it.
 *
 * Everything but the local APICs is guarded by vm->lock: those who reach devices by the buses, or run their timers, go through
 * machine_enter() and machine_leave(); the functions below take it by themselves. A local APIC is its vCPU's alone: to others'
 * messages are posted (post.h).
 */
#ifndef VOUCH_MACHINE_H
#define VOUCH_MACHINE_H

#include <vouch/types.h>
#include <vouch/vm.h>

#include "arch/x86/dev/debugport.h"
#include "arch/x86/dev/i8042.h"
#include "arch/x86/dev/ioapic.h"
#include "arch/x86/dev/lapic.h"
#include "arch/x86/dev/pciconfig.h"
#include "arch/x86/dev/pic.h"
#include "arch/x86/dev/pit.h"
#include "arch/x86/dev/pm.h"
#include "arch/x86/dev/reset.h"
#include "arch/x86/dev/rtc.h"
#include "core/dev/uart16550.h"

struct vcpu;

/* A range of the plan where reads give ones and writes vanish. */
struct machine_ignore {
	struct vm *vm;
	uint64_t base;
	bool mmio, print;
};

struct machine {
	struct vm *vm;
	unsigned int cpus;
	struct vcpu *vcpu[VM_MAX_VCPUS];
	struct ioapic ioapic;
	struct pic pic;
	struct pit pit;
	struct rtc rtc;
	struct pm pm;
	struct i8042 i8042;
	struct reset reset;
	struct pciconfig pciconfig;
	struct debugport debugport;
	struct uart com1, com2;
	struct machine_ignore lapic_page;
	struct machine_ignore ignore[PLAN_IGNORE_MAX];
	bool rtc_line;                /* level of the RTC's interrupt */
	uint64_t ignored_ipis;        /* atomic: INIT, SIPI and SMI; see machine_create() */
};

/* A device's range on one of the buses; table.c has one row for each. */
struct machine_row {
	enum plan_device device;
	const char *name;
	bool mmio;
	uint64_t base, len;
	unsigned int sizes;
	size_t dev;                   /* offset in struct machine */
	const struct vdev_ops *ops;
};
extern const struct machine_row machine_table[];
extern const unsigned int machine_table_rows;

/* Bytes the caller must provide, zeroed and page aligned, as vm->machine before machine_create(). */
size_t machine_size(void);

/*
 * Creates the devices of vm->plan in power-on state, puts them on vm->pio and vm->mmio (initialised by the caller,
 * empty) and freezes both. vm->ram_bytes, clock and timers are ready. epoch_seconds: what the guest's RTC shows now.
 * Each vCPU has its lapic, zeroed memory, and timers, ready; vcpus[0] is the boot CPU. 0, or negative errno with a line logged:
 * -EINVAL (a range or count that cannot be), -EEXIST (ranges overlap), -ENOSPC; then machine_destroy() is not needed but allowed.
 *
 * INIT and SIPI are posted to their vCPU. Where there is one vCPU, INIT for it stops the VM for a reset, as it does for the boot
 * CPU of several; others, and SIPI, are counted and ignored: there is nobody to start.
 */
__must_check int machine_create(struct vm *vm, struct vcpu *const vcpus[], unsigned int n, uint64_t epoch_seconds);

/*
 * Empties the buses and vm->timers. The memory stays the caller's. Does not look at the vCPUs, which may be gone.
 */
void machine_destroy(struct vm *vm);

/* All devices as at power-on; time and the RTC's memory go on. */
void machine_reset(struct vm *vm);

/* Fills the read-only window at GPA_ROM_BASE; size is ACPI_ROM_SIZE. */
void machine_rom(struct vm *vm, uint8_t *rom, size_t size);

/* Characters for COM1. Returns how many were taken; the caller keeps the rest. Without COM1 all are taken, and lost. */
size_t machine_console_input(struct vm *vm, const uint8_t *bytes, size_t n);

/*
 * IN from one of the ports that guests read all the time, if that changes nothing: for the fast path. The value,
 * without bits above size bytes, or -1: the bus must. size is 1, 2 or 4. Entry code calls it itself.
 */
int64_t machine_fast_in(const struct vm *vm, uint16_t port, unsigned int size);

/* An external interrupt could be injected into v now, from its local APIC or from the PIC. */
bool machine_irq_pending(struct vcpu *v);
/* Takes it: the vector, or -1 if there is none any more. */
int machine_irq_ack(struct vcpu *v);
/* The same without the local APIC's own: where the CPU delivers those by itself, the PIC's are left. */
bool machine_extint_pending(struct vcpu *v);
int machine_extint_ack(struct vcpu *v);

void machine_power_button(struct vm *vm);

/* Around an access to the VM's buses. What the devices' timers need is told to vCPU 0 at the end. */
static inline void machine_enter(struct vm *vm) { vm_lock(vm); }
void machine_leave_shared(struct vm *vm);
static inline void machine_leave(struct vm *vm)
{
	if (vm->vcpus > 1)
		machine_leave_shared(vm);
}

/* vtimers_run() for the devices' timers: where there are several vCPUs, by vCPU 0. */
void machine_run_timers(struct vm *vm, uint64_t now);

/* Into v's local APIC what was posted to it; INIT and SIPI vanish. By whoever runs v. */
void machine_take_posted(struct vcpu *v);

/* Tells v's CPU that something was posted to v, or else must be looked at: core/cpu_turn.c. v may be asleep, or this CPU's own. */
void vcpu_poke(struct vcpu *v);
/* This CPU has v loaded: its local APIC is at hand. */
bool vcpu_is_here(const struct vcpu *v);

#endif
