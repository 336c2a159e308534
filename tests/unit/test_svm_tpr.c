/* SPDX-License-Identifier: BSD-2-Clause */
/* CR8 in V_TPR: what comes from the guest and what goes to it, when a MOV to CR8 exits, and which clean bits that costs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <vouch/vm.h>

#include "arch/x86/svm/tpr.h"

#define OTHERS (SVM_INTCTL_V_PRIO_MAX | SVM_INTCTL_V_IGN_TPR | SVM_INTCTL_V_MASKING)

static struct vcpu v;
static struct vcpu_hw hw;
static struct vmcb vmcb;
static struct lapic apic;
static bool needs;

void lapic_set_cr8(struct lapic *l, uint8_t cr8)
{
	l->page[LAPIC_TPR].val = (uint32_t)cr8 << 4;
}

bool lapic_needs_cr8(const struct lapic *l)
{
	(void)l;
	return needs;
}

static void tpr_is(uint32_t val)
{
	assert_int_equal(apic.page[LAPIC_TPR].val, val);
}

static int setup(void **state)
{
	(void)state;
	v = (struct vcpu){ .hw = &hw, .lapic = &apic };
	hw = (struct vcpu_hw){ .vmcb = &vmcb, .cache = { .clean = SVM_CLEAN_ALL } };
	vmcb = (struct vmcb){ .int_ctl = OTHERS, .intercept_cr_write = 0x11 };
	apic.page[LAPIC_TPR].val = 0;
	needs = false;
	return 0;
}

static void what_the_guest_wrote(void **state)
{
	(void)state;
	vmcb.int_ctl |= 9;
	svm_tpr_collect(&v);
	tpr_is(0x90);
	apic.page[LAPIC_TPR].val = 0x35;                   /* by the APIC's page, before the next entry: the later one holds */
	svm_tpr_collect(&v);
	tpr_is(0x35);
	assert_int_equal(hw.cache.clean, SVM_CLEAN_ALL);
}

static void what_the_guest_is_given(void **state)
{
	(void)state;
	vmcb.int_ctl |= 9;
	hw.v_tpr = 9;
	apic.page[LAPIC_TPR].val = 0x4f;
	svm_tpr_prepare(&v);
	assert_int_equal(vmcb.int_ctl, OTHERS | 4);
	assert_int_equal(vmcb.intercept_cr_write, 0x11);
	assert_int_equal(hw.cache.clean, SVM_CLEAN_ALL & ~SVM_CLEAN_TPR);
	svm_tpr_collect(&v);
	tpr_is(0x4f);
}

static void when_it_exits(void **state)
{
	(void)state;
	svm_tpr_prepare(&v);
	assert_int_equal(hw.cache.clean, SVM_CLEAN_ALL);
	needs = true;
	vmcb.int_ctl |= 4;
	hw.v_tpr = 4;
	apic.page[LAPIC_TPR].val = 0x40;
	svm_tpr_prepare(&v);
	assert_int_equal(vmcb.intercept_cr_write, 0x11 | SVM_CR8);
	assert_int_equal(hw.cache.clean, SVM_CLEAN_ALL & ~SVM_CLEAN_INTERCEPT);
	hw.cache.clean = SVM_CLEAN_ALL;
	svm_tpr_prepare(&v);
	assert_int_equal(hw.cache.clean, SVM_CLEAN_ALL);
	needs = false;
	apic.page[LAPIC_TPR].val = 0;
	hw.v_tpr = 0;
	svm_tpr_prepare(&v);
	assert_int_equal(vmcb.intercept_cr_write, 0x11);   /* though the TPR is 0, as it was */
}

static void beside_an_open_window(void **state)
{
	(void)state;
	vmcb.int_ctl |= SVM_INTCTL_V_IRQ;
	svm_tpr_prepare(&v);
	assert_int_equal(vmcb.intercept_cr_write, 0x11 | SVM_CR8);
	vmcb.int_ctl &= ~SVM_INTCTL_V_IRQ;
	svm_tpr_prepare(&v);
	assert_int_equal(vmcb.intercept_cr_write, 0x11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_the_guest_wrote, setup),
		cmocka_unit_test_setup(what_the_guest_is_given, setup),
		cmocka_unit_test_setup(when_it_exits, setup),
		cmocka_unit_test_setup(beside_an_open_window, setup),
	};

	return cmocka_run_group_tests_name("svm_tpr", tests, NULL, NULL);
}
