/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TPR shadow, against a real local APIC: what the guest finds in CR8 and leaves there, and that it exits when its
 * MOV to CR8 lets an interrupt through, and only then.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/page.h>

#include "arch/x86/vmx/vmx.h"
#include "tests/unit/support/lapic_rig.h"
#include "tests/unit/support/vmcs.h"

static struct lapic_rig rig;
static struct vcpu v;
static struct vcpu_hw hw;

static void fresh(void)
{
	rig_create(&rig, 0, true);
	rig_enable(&rig);
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	fake_vmcs_reset();
	fake_vmcs_set(VMCS_TPR_THRESHOLD, 9);
	hw.ctl.cpu = CPU_TPR_SHADOW;
	v.hw = &hw;
	v.lapic = &rig.l;
	vmx_apic_reset(&v);
}

/* The guest's MOV to CR8 as the CPU does it: SDM 3C "TPR Virtualization". True: it exits behind it. */
static bool mov_to_cr8(uint8_t cr8)
{
	rig.l.page[LAPIC_TPR].val = (uint32_t)cr8 << 4;
	return cr8 < fake_vmcs_get(VMCS_TPR_THRESHOLD);
}

static void set_vector(unsigned int map, unsigned int vector)
{
	rig.l.page[map + vector / 32].val |= 1u << vector % 32;
}

static void a_fresh_vcpu_has_its_page(void **ctx)
{
	(void)ctx;
	fresh();
	assert_int_equal(fake_vmcs_get(VMCS_VIRTUAL_APIC), ptr_to_hpa(&rig.l).v);
	assert_int_equal(fake_vmcs_get(VMCS_VIRTUAL_APIC) % PAGE_SIZE, 0);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
}

static void the_page_has_the_tpr(void **ctx)
{
	(void)ctx;
	fresh();
	rig_write(&rig, LAPIC_TPR, 0x57);
	vmx_apic_prepare(&v);
	assert_int_equal(rig.l.page[LAPIC_TPR].val, 0x57);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x57);   /* the low bits stay if the guest lets CR8 alone */
	assert_false(mov_to_cr8(5));
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x50);
	lapic_set_cr8(&rig.l, 9);
	assert_int_equal(rig.l.page[LAPIC_TPR].val, 0x90);
	lapic_reset(&rig.l);
	assert_int_equal(rig.l.page[LAPIC_TPR].val, 0);
}

/*
 * Each TPR, each class in service and two classes requested: the entry is allowed, and MOV to CR8 exits if, and only if,
 * it makes an interrupt deliverable that was not. Low bits of vectors and TPR do not matter.
 */
static void exits_if_it_lets_an_interrupt_through(void **ctx)
{
	unsigned int exits = 0;

	(void)ctx;
	for (unsigned int n = 0; n < 16u * 16 * 16 * 16; n++) {
		unsigned int tpr = n & 15, isr = n >> 4 & 15, high = n >> 8 & 15, low = n >> 12;

		fresh();
		if (isr)
			set_vector(LAPIC_ISR, isr << 4 | 15);
		if (high)
			set_vector(LAPIC_IRR, high << 4 | (n & 15));
		if (low)
			set_vector(LAPIC_IRR, low << 4 | 3);
		rig_write(&rig, LAPIC_TPR, tpr << 4 | (low & 15));
		vmx_apic_prepare(&v);
		assert_true(fake_vmcs_get(VMCS_TPR_THRESHOLD) <= rig.l.page[LAPIC_TPR].val >> 4);
		assert_int_equal(hw.tpr_threshold, fake_vmcs_get(VMCS_TPR_THRESHOLD));
		for (uint8_t cr8 = 0; cr8 < 16; cr8++) {
			bool before, exit;

			lapic_set_cr8(&rig.l, (uint8_t)tpr);
			before = lapic_pending(&rig.l) >= 0;
			exit = mov_to_cr8(cr8);
			/* With one that is deliverable already the interrupt window is open. */
			assert_int_equal(exit, !before && lapic_pending(&rig.l) >= 0);
			exits += exit;
		}
	}
	assert_in_range(exits, 1000, 16u * 16 * 16 * 16 * 16);
}

static void an_apic_that_is_off_holds_nothing_back(void **ctx)
{
	(void)ctx;
	fresh();
	lapic_inject(&rig.l, 0x55, false);
	rig_write(&rig, LAPIC_TPR, 0x80);
	vmx_apic_prepare(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 5);
	rig_write(&rig, LAPIC_SVR, 0xff);
	vmx_apic_prepare(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
	assert_int_equal(lapic_cr8(&rig.l), 8);         /* CR8 is there all the same */
}

static void a_threshold_that_stands_is_not_written(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh();
	lapic_inject(&rig.l, 0x55, false);
	rig_write(&rig, LAPIC_TPR, 0x80);
	vmx_apic_prepare(&v);
	writes = fake_vmcs.writes;
	rig_write(&rig, LAPIC_TPR, 0x90);
	vmx_apic_prepare(&v);
	assert_int_equal(fake_vmcs.writes, writes);
	vmx_apic_reset(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
	vmx_apic_prepare(&v);                            /* nor is one taken for written that a reset has undone */
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 5);
}

static void nothing_happens_without_the_shadow(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh();
	hw.ctl.cpu = 0;
	lapic_inject(&rig.l, 0x55, false);
	rig_write(&rig, LAPIC_TPR, 0x81);
	writes = fake_vmcs.writes;
	vmx_apic_reset(&v);
	vmx_apic_prepare(&v);
	assert_int_equal(fake_vmcs.writes, writes);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x81);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_vcpu_has_its_page),
		cmocka_unit_test(the_page_has_the_tpr),
		cmocka_unit_test(exits_if_it_lets_an_interrupt_through),
		cmocka_unit_test(an_apic_that_is_off_holds_nothing_back),
		cmocka_unit_test(a_threshold_that_stands_is_not_written),
		cmocka_unit_test(nothing_happens_without_the_shadow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
