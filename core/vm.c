/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, running and unmaking a VM. What it runs is guest.c's subject; how it is stopped, stop.c's. */
#include "core/vm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vouch/console.h>
#include <vouch/gpa.h>
#include <vouch/host.h>
#include <vouch/log.h>
#include <vouch/vcpu.h>

#include "arch/x86/cpu/fpu.h"
#include "arch/x86/dev/lapic.h"
#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/mm/nested.h"
#include "arch/x86/mm/tlb_flush.h"
#include "core/block.h"
#include "core/cpu_turn.h"
#include "core/gpa_build.h"
#include "core/ram.h"
#include "core/vcpu_init.h"

#define LOG_BUDGET 100u

void vm_log(struct vm *vm, const char *fmt, ...)
{
	unsigned int left = __atomic_load_n(&vm->log_budget, __ATOMIC_RELAXED);
	char text[160];
	va_list ap;

	/* Of two lines at the same moment one is lost. */
	if (!left || !__atomic_compare_exchange_n(&vm->log_budget, &left, left - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info("guest %s: %s%s", vm->name, text, left > 1 ? "" : " (its last line of this kind)");
}

void vm_ask(struct vm *vm, uint32_t what)
{
	__atomic_fetch_or(&vm->asked, what, __ATOMIC_RELEASE);
}

void vm_control_stop(void *ctx, enum stop_kind kind, const char *text)
{
	vm_stop(ctx, kind, "%s", text);
}

static void guest_put(void *ctx, const uint8_t *bytes, size_t n)
{
	struct vm *vm = ctx;

	console_write(&vm->host->console, vm->number, bytes, n);
}

static void fail(struct image_error *err, enum image_err code, const char *text)
{
	*err = (struct image_error){ .code = code };
	snprintf(err->text, sizeof(err->text), "%s", text);
}

static void fail_memory(struct image_error *err, const struct host *h, uint64_t mib)
{
	*err = (struct image_error){ .code = IMG_ERR_HOST_MEMORY };
	snprintf(err->text, sizeof(err->text), "not enough host memory: the guest asks for %lu MiB, %lu MiB are free",
		 mib, (h->pages.free_frames >> 8));
}

struct vm *vm_create(struct host *h, unsigned int module, const char *name, const struct vm_plan *plan,
		     struct image_error *err)
{
	struct vm *vm = block_get(&h->pages, sizeof(*vm));
	struct nested_limits limits = { 0 };

	fail_memory(err, h, plan->memory_mib);
	if (!vm)
		return NULL;
	vm->host = h;
	vm->module = module;
	vm->plan = *plan;
	vm->log_budget = LOG_BUDGET;
	vm->phys_bits = policy_phys_bits();
	vm->console = (struct chardev){ guest_put, vm };
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->nested = block_get(&h->pages, sizeof(*vm->nested));
	h->hvm->nested->limits(h->options.features_off, &limits);
	if (!vm->nested || nested_init(vm->nested, h->hvm->nested, &h->pages, &limits) ||
	    ram_create(vm, plan->memory_mib << 20)) {
		vm_destroy(vm);
		return NULL;
	}
	bus_init(&vm->pio, "port", 0x10000);
	bus_init(&vm->mmio, "mmio", 1ull << 52);
	vclock_init(&vm->clock, h->platform.tsc_khz);
	vm->clock.uneven = h->platform.tsc_uneven;
	vtimers_init(&vm->timers, &vm->clock);
	lock_init(&vm->lock, LOCK_VM, vm->name);
	lock_init(&vm->stop_lock, LOCK_STOP, "a VM's stop");
	vm->serial = __atomic_add_fetch(&h->vms, 1, __ATOMIC_RELAXED);
	vm->epoch = host_epoch();
	return vm;
}

static int fill_rom(void *ctx, void *chunk, size_t n)
{
	const uint8_t **from = ctx;

	memcpy(chunk, *from, n);
	*from += n;
	return 0;
}

/* The ACPI tables are made in Vouch's memory and copied: the window may lie in several host pages. */
static int build_rom(struct vm *vm)
{
	const size_t size = GPA_HIGH_RAM - GPA_ROM_BASE;
	uint8_t *rom = block_get(&vm->host->pages, size);
	const uint8_t *from = rom;
	int err;

	if (!rom)
		return -1;
	machine_rom(vm, rom, size);
	err = gpa_build(vm, gpa(GPA_ROM_BASE), size, fill_rom, &from);
	block_put(&vm->host->pages, rom, size);
	return err;
}

/*
 * What Vouch keeps of a vCPU lies in one block, and only what the hardware wants pages for apart from it: the APIC's
 * registers, a page that the CPU may work on, come first. Behind this the vendor's part, then the FPU's state where the
 * block has room for it; what AVX-512 and AMX add takes a block of its own.
 */
struct vcpu_block {
	struct lapic lapic;
	struct vcpu vcpu __attribute__((aligned(64)));
};

_Static_assert(offsetof(struct vcpu_block, lapic.page) == 0, "blocks are page aligned, the register page must be");

#define HW_AT align_up(sizeof(struct vcpu_block), 64)

static size_t fpu_at(const struct vm *vm)
{
	return align_up(HW_AT + vm->host->hvm->hw_bytes, 64);
}

static bool fpu_fits(const struct vm *vm)
{
	return fpu_at(vm) + fpu_state_bytes() <= block_size(fpu_at(vm));
}

static void put_vcpu(struct vcpu *v)
{
	const struct vm *vm = v->vm;

	if (!fpu_fits(vm))
		block_put(&vm->host->pages, v->fpu, fpu_state_bytes());
	block_put(&vm->host->pages, container_of(v, struct vcpu_block, vcpu), fpu_at(vm));
}

/* A LAPIC's timer goes with its vCPU, and not with the devices', which vCPU 0 looks after: where it is alone both are one. */
static struct vcpu *create_vcpu(struct vm *vm, unsigned int id)
{
	struct page_alloc *pages = &vm->host->pages;
	struct vcpu_block *b = block_get(pages, fpu_at(vm));
	struct vcpu *v;

	if (!b)
		return NULL;
	v = &b->vcpu;
	v->vm = vm;
	v->id = id;
	v->lapic = &b->lapic;
	v->hw = (struct vcpu_hw *)((uint8_t *)b + HW_AT);
	vtimers_init(&v->own_timers, &vm->clock);
	v->timers = vm->vcpus > 1 ? &v->own_timers : &vm->timers;
	v->fpu = fpu_fits(vm) ? (uint8_t *)b + fpu_at(vm) : block_get(pages, fpu_state_bytes());
	if (!v->fpu || vm->host->hvm->vcpu_create(v)) {
		put_vcpu(v);
		return NULL;
	}
	return v;
}

static bool create_vcpus(struct vm *vm)
{
	vm->vcpus = vm->plan.cores;
	for (unsigned int i = 0; i < vm->vcpus; i++) {
		vm->vcpu[i] = create_vcpu(vm, i);
		if (!vm->vcpu[i])
			return false;
	}
	return true;
}

int vm_equip(struct vm *vm, struct image_error *err)
{
	fail(err, IMG_ERR_HOST_MEMORY, "not enough host memory for the guest's devices");
	vm->machine = block_get(&vm->host->pages, machine_size());
	if (!vm->machine || !create_vcpus(vm))
		return -1;
	if (machine_create(vm, vm->vcpu, vm->vcpus, vm->epoch)) {
		fail(err, IMG_ERR_PLAN_DEVICES, "its devices cannot be set up as configured (see above)");
		return -1;
	}
	return build_rom(vm);
}

void vm_destroy(struct vm *vm)
{
	struct page_alloc *pages = &vm->host->pages;

	/* Before anything of it can belong to somebody else, its tables included. */
	if (vm->nested)
		tlb_flush_tables(vm->nested);
	for (unsigned int i = 0; i < vm->vcpus && vm->vcpu[i]; i++) {
		vm->host->hvm->vcpu_destroy(vm->vcpu[i]);
		put_vcpu(vm->vcpu[i]);
	}
	if (vm->machine) {
		machine_destroy(vm);
		block_put(pages, vm->machine, machine_size());
	}
	if (vm->nested)
		nested_destroy(vm->nested);
	ram_destroy(vm);
	block_put(pages, vm->nested, sizeof(*vm->nested));
	block_put(pages, vm, sizeof(*vm));
}

void vm_prepare(struct vm *vm, const struct vcpu_start *start)
{
	for (unsigned int i = 0; i < vm->vcpus; i++)
		vcpu_prepare(vm->vcpu[i], start);
	vm->entered = true;
}
