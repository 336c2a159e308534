/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small guest machine for tests of the page walk and of emulation: RAM from 0, its last page ROM, a window of
 * recorded MMIO behind it, recorded ports. Defines mmio_*() and pio_*(); the memory's door is flatmem.c, vm_stop() is
 * vm.c's.
 */
#ifndef SUPPORT_GUESTMEM_H
#define SUPPORT_GUESTMEM_H

#include <vouch/gpa.h>
#include <vouch/vcpu.h>
#include <vouch/vm.h>

#include "tests/unit/support/flatmem.h"

#define GUEST_RAM   0x40000u
#define GUEST_ROM   (GUEST_RAM - 0x1000u)
#define GUEST_MMIO  0x100000u
#define GUEST_MMIO_LEN 0x4000u
#define GUEST_LOG   64

struct guest_access {
	bool write, port;
	unsigned int size;
	uint64_t addr, val;
};

struct guestmem {
	uint8_t ram[GUEST_RAM];
	uint8_t mmio[GUEST_MMIO_LEN];         /* what MMIO reads give and writes change */
	unsigned int accesses;                /* of devices, all of them */
	struct guest_access log[GUEST_LOG];   /* the first ones */
	uint64_t port_value;                  /* what the next port read gives; counts up by 0x01010101 */
	unsigned int stop_after;              /* the VM stops at this access, counted from 1; 0: never */
};

extern struct guestmem guestmem;

/* Everything zero, VM and vCPU included: 40 physical address bits, one vCPU. */
void guestmem_reset(struct vm *vm, struct vcpu *v);
void guest_put(uint64_t at, uint64_t val, unsigned int size);
uint64_t guest_get(uint64_t at, unsigned int size);

#endif
