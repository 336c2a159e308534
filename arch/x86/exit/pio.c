/* SPDX-License-Identifier: BSD-2-Clause */
/* Port I/O: the accumulator or a string, to and from the VM's port bus. */
#include "arch/x86/exit/exit.h"

#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/emulate.h"

uint64_t pio_read(struct vcpu *v, uint16_t port, unsigned int size)
{
	uint64_t val;

	machine_enter(v->vm);
	val = bus_read(&v->vm->pio, port, size);
	machine_leave(v->vm);
	return val;
}

void pio_write(struct vcpu *v, uint16_t port, unsigned int size, uint64_t val)
{
	machine_enter(v->vm);
	bus_write(&v->vm->pio, port, size, val);
	machine_leave(v->vm);
}

/* A 32-bit result clears the upper half of RAX, smaller ones leave the rest as it was. */
static void set_accumulator(struct vcpu *v, unsigned int size, uint64_t val)
{
	uint64_t mask = size == 4 ? UINT64_MAX : (1ull << (8 * size)) - 1;

	v->gpr[REG_RAX] = (v->gpr[REG_RAX] & ~mask) | (val & mask);
}

enum exit_action exit_pio(struct vcpu *v, const struct pio_exit *x)
{
	if (x->string) {
		struct x86_env e;
		enum exit_action a;

		v->vm->host->hvm->env_load(v, &e);
		a = emulate_string_io(v, &e, x->port, x->size, x->in);
		v->vm->host->hvm->env_store(v, &e);
		return a;
	}
	if (x->in)
		set_accumulator(v, x->size, pio_read(v, x->port, x->size));
	else
		pio_write(v, x->port, x->size, (uint32_t)v->gpr[REG_RAX] & (UINT32_MAX >> (32 - 8 * x->size)));
	return EXIT_NEXT;
}
