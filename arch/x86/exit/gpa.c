/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses to guest-physical addresses that are not plain RAM: device registers, and writes to read-only memory. */
#include "arch/x86/exit/exit.h"

#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/emulate.h"
#include "arch/x86/exit/fast.h"

/* The local APIC's page belongs to the vCPU that asks, so it is not on the VM's bus. */
static bool in_lapic(const struct vcpu *v, gpa_t a)
{
	return v->lapic && lapic_xapic_enabled(v->lapic) && (a.v & ~(PAGE_SIZE - 1)) == lapic_base(v->lapic);
}

uint64_t mmio_read(struct vcpu *v, gpa_t a, unsigned int size)
{
	uint64_t val;

	if (in_lapic(v, a))
		return lapic_mmio_read(v->lapic, a.v & (PAGE_SIZE - 1), size);
	machine_enter(v->vm);
	val = bus_read(&v->vm->mmio, a.v, size);
	machine_leave(v->vm);
	return val;
}

void mmio_write(struct vcpu *v, gpa_t a, unsigned int size, uint64_t val)
{
	if (gpa_is_ram(v->vm, a))
		return;                         /* read-only memory: the write vanishes, as on a ROM chip */
	if (in_lapic(v, a)) {
		lapic_mmio_write(v->lapic, a.v & (PAGE_SIZE - 1), size, val);
		return;
	}
	machine_enter(v->vm);
	bus_write(&v->vm->mmio, a.v, size, val);
	machine_leave(v->vm);
}

enum exit_action exit_gpa(struct vcpu *v, const struct gpa_exit *x)
{
	struct x86_env e;
	enum exit_action a;

	v->vm->host->hvm->env_load(v, &e);
	if (x->fetch) {
		if (e.cpl == 3)                 /* a program's jump must not stop its kernel's machine */
			return vcpu_ud(v);
		vm_stop(v->vm, STOP_UNHANDLED, "instruction fetch from GPA 0x%lx, which is no memory",
			x->gpa.v);
		return EXIT_STOP;
	}
	if (in_lapic(v, x->gpa))
		fast_learn_code(v, &e);
	a = emulate_mmio(v, &e);
	v->vm->host->hvm->env_store(v, &e);
	return a;
}
