/* SPDX-License-Identifier: BSD-2-Clause */
/* The fake guest machine of guestmem.h. */
#include "tests/unit/support/guestmem.h"

#include <stdlib.h>
#include <string.h>

#include "arch/x86/exit/emulate.h"

struct guestmem guestmem;
static struct vm *the_vm;

void guestmem_reset(struct vm *vm, struct vcpu *v)
{
	memset(&guestmem, 0, sizeof(guestmem));
	flatmem_reset(guestmem.ram, GUEST_RAM, GUEST_ROM);
	memset(vm, 0, sizeof(*vm));
	memset(v, 0, sizeof(*v));
	vm->phys_bits = 40;
	vm->vcpu[0] = v;
	v->vm = vm;
	the_vm = vm;
}

void guest_put(uint64_t at, uint64_t val, unsigned int size)
{
	memcpy(guestmem.ram + at, &val, size);
}

uint64_t guest_get(uint64_t at, unsigned int size)
{
	uint64_t val = 0;

	memcpy(&val, guestmem.ram + at, size);
	return val;
}

static void record(bool write, bool port, uint64_t addr, unsigned int size, uint64_t val)
{
	if (size != 1 && size != 2 && size != 4 && (size != 8 || port))
		abort();
	if (size < 8 && val >> (8 * size))
		abort();
	if (guestmem.accesses < GUEST_LOG)
		guestmem.log[guestmem.accesses] = (struct guest_access){ write, port, size, addr, val };
	if (++guestmem.accesses == guestmem.stop_after)
		the_vm->stop.kind = STOP_RESET;
}

uint64_t mmio_read(struct vcpu *v, gpa_t a, unsigned int size)
{
	uint64_t val = size == 8 ? ~0ull : (1ull << (8 * size)) - 1;

	(void)v;
	if (a.v >= GUEST_MMIO && span_ok(a.v - GUEST_MMIO, size, GUEST_MMIO_LEN)) {
		val = 0;
		memcpy(&val, guestmem.mmio + (a.v - GUEST_MMIO), size);
	}
	record(false, false, a.v, size, val);
	return val;
}

void mmio_write(struct vcpu *v, gpa_t a, unsigned int size, uint64_t val)
{
	(void)v;
	record(true, false, a.v, size, val);
	if (a.v >= GUEST_MMIO && span_ok(a.v - GUEST_MMIO, size, GUEST_MMIO_LEN))
		memcpy(guestmem.mmio + (a.v - GUEST_MMIO), &val, size);
}

uint64_t pio_read(struct vcpu *v, uint16_t port, unsigned int size)
{
	uint64_t val = guestmem.port_value & ((1ull << (8 * size)) - 1);

	(void)v;
	guestmem.port_value += 0x01010101;
	record(false, true, port, size, val);
	return val;
}

void pio_write(struct vcpu *v, uint16_t port, unsigned int size, uint64_t val)
{
	(void)v;
	record(true, true, port, size, val);
}
