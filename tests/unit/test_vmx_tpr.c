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

#define VTPR 0x80

static struct lapic_rig rig;
static struct vcpu v;
static struct vcpu_hw hw;
static uint8_t page[PAGE_SIZE];

static void fresh(void)
{
	rig_create(&rig, 0, true);
	rig_enable(&rig);
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	memset(page, 0xee, sizeof(page));
	fake_vmcs_reset();
	fake_vmcs_set(VMCS_TPR_THRESHOLD, 9);
	hw.virtual_apic = page;
	v.hw = &hw;
	v.lapic = &rig.l;
	vmx_tpr_reset(&v);
}

/* The guest's MOV to CR8 as the CPU does it: SDM 3C "TPR Virtualization". True: it exits behind it. */
static bool mov_to_cr8(uint8_t cr8)
{
	page[VTPR] = (uint8_t)(cr8 << 4);
	return cr8 < fake_vmcs_get(VMCS_TPR_THRESHOLD);
}

static void set_vector(unsigned int map, unsigned int vector)
{
	rig.l.reg[map + vector / 32] |= 1u << vector % 32;
}

static void a_fresh_vcpu_has_its_page(void **ctx)
{
	(void)ctx;
	fresh();
	assert_int_equal(fake_vmcs_get(VMCS_VIRTUAL_APIC), ptr_to_hpa(page).v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
	assert_int_equal(page[VTPR], 0);
	assert_int_equal(page[VTPR - 1], 0xee);         /* nothing else of it is in use */
	assert_int_equal(page[VTPR + 1], 0xee);
}

static void the_tpr_goes_in_and_comes_back(void **ctx)
{
	(void)ctx;
	fresh();
	rig_write(&rig, LAPIC_TPR, 0x57);
	vmx_tpr_prepare(&v);
	assert_int_equal(page[VTPR], 0x57);
	vmx_tpr_collect(&v);                            /* the low bits stay if the guest let CR8 alone */
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x57);
	assert_false(mov_to_cr8(5));
	vmx_tpr_collect(&v);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x50);
	assert_int_equal(lapic_cr8(&rig.l), 5);
	/* What Vouch changes between two entries counts, not what the page still says. */
	lapic_init_reset(&rig.l);
	vmx_tpr_prepare(&v);
	assert_int_equal(page[VTPR], 0);
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
		vmx_tpr_prepare(&v);
		assert_true(fake_vmcs_get(VMCS_TPR_THRESHOLD) <= page[VTPR] >> 4);
		assert_int_equal(hw.tpr_threshold, fake_vmcs_get(VMCS_TPR_THRESHOLD));
		for (uint8_t cr8 = 0; cr8 < 16; cr8++) {
			bool before, exit;

			lapic_set_tpr(&rig.l, (uint8_t)(tpr << 4));
			before = lapic_pending(&rig.l) >= 0;
			exit = mov_to_cr8(cr8);
			vmx_tpr_collect(&v);
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
	vmx_tpr_prepare(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 5);
	rig_write(&rig, LAPIC_SVR, 0xff);
	vmx_tpr_prepare(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
	assert_int_equal(page[VTPR], 0x80);             /* CR8 is there all the same */
}

static void a_threshold_that_stands_is_not_written(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh();
	lapic_inject(&rig.l, 0x55, false);
	rig_write(&rig, LAPIC_TPR, 0x80);
	vmx_tpr_prepare(&v);
	writes = fake_vmcs.writes;
	rig_write(&rig, LAPIC_TPR, 0x90);
	vmx_tpr_prepare(&v);
	assert_int_equal(fake_vmcs.writes, writes);
	vmx_tpr_reset(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
	vmx_tpr_prepare(&v);                            /* nor is one taken for written that a reset has undone */
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 5);
}

static void nothing_happens_without_a_page(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh();
	hw.virtual_apic = NULL;
	lapic_inject(&rig.l, 0x55, false);
	rig_write(&rig, LAPIC_TPR, 0x81);
	writes = fake_vmcs.writes;
	vmx_tpr_reset(&v);
	vmx_tpr_prepare(&v);
	vmx_tpr_collect(&v);
	assert_int_equal(fake_vmcs.writes, writes);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x81);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_vcpu_has_its_page),
		cmocka_unit_test(the_tpr_goes_in_and_comes_back),
		cmocka_unit_test(exits_if_it_lets_an_interrupt_through),
		cmocka_unit_test(an_apic_that_is_off_holds_nothing_back),
		cmocka_unit_test(a_threshold_that_stands_is_not_written),
		cmocka_unit_test(nothing_happens_without_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
