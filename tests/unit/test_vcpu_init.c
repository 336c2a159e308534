/* SPDX-License-Identifier: BSD-2-Clause */
/* INIT and SIPI as a vCPU takes them, on a vendor part that only remembers what it was told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/host.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/fpu.h"
#include "arch/x86/dev/lapic.h"
#include "arch/x86/dev/post.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/fast.h"
#include "arch/x86/exit/policy.h"
#include "core/vcpu_init.h"

static struct rig {
	struct host host;
	struct vm vm;
	struct vcpu cpu[2];
	struct lapic lapic[2];
	struct vcpu_start start;      /* of the last reset */
	unsigned int resets;
	uint64_t reg[HVM_TSC_OFFSET + 1];
} r;

void msr_reset(struct vcpu *v) { v->tsc_adjust = 0; }
void fast_reset(struct vcpu *v) { (void)v; }
void fpu_state_init(void *state) { (void)state; }

struct cpuid_view policy_cpuid(uint32_t leaf, uint32_t sub, uint64_t cr4, uint32_t apic_id)
{
	(void)sub, (void)cr4, (void)apic_id;
	return (struct cpuid_view){ .eax = leaf == 1 ? 0x800f12 : 0 };
}

static void vcpu_reset(struct vcpu *v, const struct vcpu_start *s)
{
	memset(v->gpr, 0, sizeof(v->gpr));
	r.reg[HVM_PAT] = 0x0007040600070406ull;
	r.start = *s;
	r.resets++;
}

static uint64_t reg_get(const struct vcpu *v, enum hvm_reg reg)
{
	(void)v;
	return r.reg[reg];
}

static void reg_set(struct vcpu *v, enum hvm_reg reg, uint64_t val)
{
	(void)v;
	r.reg[reg] = val;
}

static const struct hvm_ops ops = { .vcpu_reset = vcpu_reset, .reg_get = reg_get, .reg_set = reg_set };

static void no_ipi(void *ctx, struct lapic *l, const struct apic_msg *m) { (void)ctx, (void)l, (void)m; }
static void no_eoi(void *ctx, uint8_t vector) { (void)ctx, (void)vector; }
static void no_nmi(void *ctx, struct lapic *l) { (void)ctx, (void)l; }

static int setup(void **state)
{
	const struct lapic_wires w = { .ipi = no_ipi, .eoi = no_eoi, .nmi = no_nmi, .enabled = no_nmi };
	const struct vcpu_start start = { .rip = 0x100000 };

	(void)state;
	memset(&r, 0, sizeof(r));
	r.host.hvm = &ops;
	r.vm.host = &r.host;
	r.vm.vcpus = 2;
	vclock_init(&r.vm.clock, 1000000);
	for (unsigned int i = 0; i < 2; i++) {
		struct vcpu *v = r.vm.vcpu[i] = &r.cpu[i];

		v->id = i;
		v->vm = &r.vm;
		v->lapic = &r.lapic[i];
		vtimers_init(&v->own_timers, &r.vm.clock);
		lapic_create(v->lapic, i, i == 0, &r.vm.clock, &v->own_timers, &w);
		vcpu_prepare(v, &start);
	}
	return 0;
}

static struct vcpu *const ap = &r.cpu[1];

static void post(struct vcpu *v, uint32_t signal)
{
	post_signal(&v->posted, signal);
	vcpu_take_signals(v);
}

static void the_boot_cpu_starts_and_others_wait(void **state)
{
	(void)state;
	assert_false(r.cpu[0].waits);
	assert_true(ap->waits);
	assert_true(lapic_delivers(&r.lapic[0]));
	assert_false(lapic_delivers(&r.lapic[1]));
	vcpu_take_signals(ap);
	assert_true(ap->waits);
}

static void sipi_starts_it_in_real_mode(void **state)
{
	(void)state;
	post(ap, POST_INIT);
	assert_true(ap->waits);
	post(ap, POST_SIPI | 0x9au << 24);
	assert_false(ap->waits);
	assert_int_equal(r.start.rip, 0);
	assert_int_equal(r.start.seg[SEG_CS].sel, 0x9a00);
	assert_int_equal(r.start.seg[SEG_CS].base, 0x9a000);
	assert_int_equal(r.start.seg[SEG_CS].limit, 0xffff);
	assert_int_equal(r.start.seg[SEG_CS].attr, 0x9b);
	assert_int_equal(r.start.seg[SEG_SS].attr, 0x93);
	assert_int_equal(r.start.cr0, 0x60000010);
	assert_int_equal(r.start.efer | r.start.cr4 | r.start.cr3, 0);
	assert_int_equal(ap->gpr[REG_RDX], 0x800f12);
}

static void without_init_a_sipi_is_enough(void **state)
{
	(void)state;
	post(ap, POST_SIPI | 8u << 24);
	assert_false(ap->waits);
	assert_int_equal(r.start.seg[SEG_CS].base, 0x8000);
}

/* The page of a SIPI that comes again is not looked at. */
static void the_second_sipi_is_ignored(void **state)
{
	unsigned int resets;

	(void)state;
	post(ap, POST_SIPI | 8u << 24);
	resets = r.resets;
	post(ap, POST_SIPI | 9u << 24);
	assert_int_equal(r.resets, resets);
	assert_false(ap->waits);
	/* It is still there for whoever runs the vCPU, and vanishes with the rest. */
	assert_true(ap->posted.pending);
	post(ap, POST_INIT);
	assert_true(ap->waits);
}

static void init_ends_what_it_did(void **state)
{
	(void)state;
	post(ap, POST_SIPI | 8u << 24);
	ap->halted = ap->nmi_pending = ap->stuck = true;
	ap->tsc_adjust = 77;
	r.reg[HVM_PAT] = 0x0606060606060606ull;
	lapic_mmio_write(ap->lapic, 0xf0, 4, 0x1ff);
	lapic_inject(ap->lapic, 0x50, false);
	post(ap, POST_INIT);
	assert_true(ap->waits);
	assert_false(ap->halted || ap->nmi_pending);
	assert_false(ap->stuck);                              /* else its VM could end while it runs */
	assert_false(lapic_delivers(ap->lapic));
	assert_int_equal(lapic_highest_irr(ap->lapic), 0);
	assert_true(r.reg[HVM_PAT] == 0x0606060606060606ull);
	assert_int_equal(ap->tsc_adjust, 77);                 /* its TSC goes on */
	assert_int_equal(lapic_mmio_read(ap->lapic, 0x20, 4), 1u << 24);
}

static void init_keeps_x2apic_mode(void **state)
{
	uint64_t base, id;

	(void)state;
	post(ap, POST_SIPI | 8u << 24);
	assert_int_equal(lapic_msr_write(ap->lapic, MSR_APIC_BASE, APIC_DEFAULT_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC), 0);
	post(ap, POST_INIT);
	assert_int_equal(lapic_msr_read(ap->lapic, MSR_APIC_BASE, &base), 0);
	assert_true(base & APIC_BASE_X2APIC);
	assert_int_equal(lapic_msr_read(ap->lapic, MSR_X2APIC_FIRST + LAPIC_ID, &id), 0);
	assert_int_equal(id, 1);
}

/* While it waits, nothing else gets through, and nothing is kept for later. */
static void interrupts_do_not_reach_one_that_waits(void **state)
{
	(void)state;
	assert_true(post_message(&ap->posted, &(struct apic_msg){ .mode = APIC_MODE_FIXED, .vector = 0x40 }));
	post(ap, POST_NMI);
	assert_true(ap->waits);
	assert_false(ap->posted.pending);
	post(ap, POST_SIPI | 8u << 24);
	assert_false(ap->nmi_pending);
	assert_int_equal(ap->posted.edge[1], 0);
}

/* For one that runs they stay posted: its run loop takes them. */
static void others_are_left_to_the_run_loop(void **state)
{
	(void)state;
	post(ap, POST_SIPI | 8u << 24);
	post(ap, POST_NMI);
	assert_true(ap->posted.pending);
	assert_int_equal(ap->posted.signals, POST_NMI);
}

static void init_of_the_boot_cpu_is_a_reset(void **state)
{
	(void)state;
	post(&r.cpu[0], POST_SIPI | 8u << 24);
	assert_int_equal(r.vm.stop.kind, STOP_NONE);
	post(&r.cpu[0], POST_INIT);
	assert_int_equal(r.vm.stop.kind, STOP_RESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_boot_cpu_starts_and_others_wait, setup),
		cmocka_unit_test_setup(sipi_starts_it_in_real_mode, setup),
		cmocka_unit_test_setup(without_init_a_sipi_is_enough, setup),
		cmocka_unit_test_setup(the_second_sipi_is_ignored, setup),
		cmocka_unit_test_setup(init_ends_what_it_did, setup),
		cmocka_unit_test_setup(init_keeps_x2apic_mode, setup),
		cmocka_unit_test_setup(interrupts_do_not_reach_one_that_waits, setup),
		cmocka_unit_test_setup(others_are_left_to_the_run_loop, setup),
		cmocka_unit_test_setup(init_of_the_boot_cpu_is_a_reset, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
