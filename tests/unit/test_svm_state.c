/* SPDX-License-Identifier: BSD-2-Clause */
/* What Vouch writes to the VMCB is checked before the entry, and what is wrong with it stands in the report. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/svm/svm.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/log.h"

static struct vm vm;
static struct vcpu v;
static struct vcpu_hw hw;
static struct vmcb vmcb;
static struct svm_cpu cpu;

void svm_event_trap(struct vcpu *x)
{
	(void)x;
}

static void fresh(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	memset(&vmcb, 0, sizeof(vmcb));
	v.vm = &vm;
	v.hw = &hw;
	hw.vmcb = &vmcb;
	vmcb.intercept2 = SVM_INT2_VMRUN;
	vmcb.asid = 1;
	vmcb.cr0 = CR0_ET;
	vmcb.efer = EFER_SVME;
	cpu.facts = (struct svm_facts){ .phys_bits = 40, .asids = 16, .cr4 = CR4_PAE, .efer = 0x1d01 };
	this_cpu()->hvm = &cpu;
	log_clear();
}

static void a_good_state_enters(void **ctx)
{
	(void)ctx;
	fresh();
	hw.unchecked = true;
	assert_true(svm_state_ok(&v));
	assert_false(hw.unchecked);
	assert_int_equal(vm.stop.kind, STOP_NONE);
	svm_dump(&v);
	assert_string_equal(strchr(log_text(), '\n') + 1, "");
}

static void a_bad_one_stops_the_guest(void **ctx)
{
	(void)ctx;
	fresh();
	svm_reg_set(&v, HVM_CR4, CR4_PAE | CR4_CET);
	assert_true(hw.unchecked);
	svm_reg_set(&v, HVM_DR7, 1ull << 40);
	assert_false(svm_state_ok(&v));
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	assert_string_equal(vm.stop.text, "VMRUN would refuse the guest's state: CR4 0x800020: "
					  "bits that this CPU lacks must be 0");
	svm_dump(&v);
	assert_non_null(strstr(log_text(), "VMRUN's checks that the VMCB fails:"));
	assert_non_null(strstr(log_text(), "  CR4 0x800020: bits that this CPU lacks must be 0 (Canon"));
	assert_non_null(strstr(log_text(), "  DR7 0x10000000000: bits 63:32 must be 0 (Canon"));
}

static void a_refusal_shows_what_is_left(void **ctx)
{
	(void)ctx;
	fresh();
	vmcb.exit_code = UINT32_MAX;            /* QEMU's, without the upper half */
	vmcb.asid = 0;
	svm_dump(&v);
	assert_non_null(strstr(log_text(), "VMRUN refused the state"));
	assert_non_null(strstr(log_text(), "  Guest ASID 0x0: 0 is the host's (TLB Control)"));
}

/* What VMRUN looks at is checked once Vouch changed it; what it does not look at costs nothing. */
static void only_what_is_checked_counts(void **ctx)
{
	static const enum hvm_reg checked[] = { HVM_CR0, HVM_CR3, HVM_CR4, HVM_EFER, HVM_PAT, HVM_DR7 };
	static const enum hvm_reg unchecked[] = { HVM_CR2, HVM_RIP, HVM_RFLAGS, HVM_TSC_OFFSET };

	(void)ctx;
	fresh();
	for (unsigned int i = 0; i < ARRAY_SIZE(unchecked); i++)
		svm_reg_set(&v, unchecked[i], 0);
	assert_false(hw.unchecked);
	for (unsigned int i = 0; i < ARRAY_SIZE(checked); i++) {
		hw.unchecked = false;
		svm_reg_set(&v, checked[i], 0);
		assert_true(hw.unchecked);
	}
}

/* The guest reads back what it wrote; the CPU never gets CD or NW; reads and all writes exit only while the two differ. */
static void caches_stay_on(void **ctx)
{
	static const uint64_t off[] = { CR0_CD, CR0_CD | CR0_NW };
	const uint64_t on = CR0_PE | CR0_PG | CR0_ET | CR0_WP;
	struct x86_env e;

	(void)ctx;
	fresh();
	vmcb.intercept_cr_write = 0x110;
	for (unsigned int i = 0; i < ARRAY_SIZE(off); i++) {
		hw.cache.clean = SVM_CLEAN_ALL;
		svm_reg_set(&v, HVM_CR0, on | off[i]);
		assert_true(vmcb.cr0 == on);
		assert_int_equal(vmcb.intercept_cr_read, SVM_CR0);
		assert_int_equal(vmcb.intercept_cr_write, 0x110 | SVM_CR0);
		assert_int_equal(hw.cache.clean & SVM_CLEAN_INTERCEPT, i ? SVM_CLEAN_INTERCEPT : 0);      /* written once */
		assert_true(svm_reg_get(&v, HVM_CR0) == (on | off[i]));
		svm_env_load(&v, &e);
		assert_true(e.cr0 == (on | off[i]));
		vmcb.cr0 |= CR0_TS;             /* a task switch, of which nobody hears */
		assert_true(svm_reg_get(&v, HVM_CR0) == (on | off[i] | CR0_TS));
	}
	svm_reg_set(&v, HVM_CR0, on);
	assert_true(vmcb.cr0 == on && svm_reg_get(&v, HVM_CR0) == on);
	assert_int_equal(vmcb.intercept_cr_read, 0);
	assert_int_equal(vmcb.intercept_cr_write, 0x110);
}

static void run_all(void *failed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_state_enters),
		cmocka_unit_test(a_bad_one_stops_the_guest),
		cmocka_unit_test(a_refusal_shows_what_is_left),
		cmocka_unit_test(only_what_is_checked_counts),
		cmocka_unit_test(caches_stay_on),
	};

	*(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	int failed = 1;

	cpu_area_run(run_all, &failed, NULL);
	return failed;
}
