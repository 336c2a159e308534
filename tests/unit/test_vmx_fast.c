/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses to the local APIC answered in vmx_enter(): what of them reaches the neutral half, and that all others are left as they are. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/vm.h>

#include "arch/x86/exit/fast.h"
#include "arch/x86/vmx/vmx.h"
#include "tests/unit/support/vmcs.h"

#define RIP     0xffffffff81000123ull
#define CR3     0x5000ull
#define EOI_GPA (APIC_DEFAULT_BASE + 0xb0)
#define DATA    (EPT_GLA_VALID | EPT_FINAL)

static struct vcpu v;
static uint64_t entry;                  /* the page-table entry that the code hangs on */

/* What was asked for, and what is answered. */
static struct {
	unsigned int calls;
	uint64_t at;
	bool write;
	enum fast_answer answer;
} last;

enum fast_answer fast_mmio(struct vcpu *c, const struct fast_code *code, gpa_t a, bool write)
{
	(void)c;
	assert_int_equal(code->rip, RIP);
	last.calls++;
	last.at = a.v;
	last.write = write;
	return last.answer;
}

/* 64-bit code at RIP that stores to the EOI register, known to the fast path. */
static int fresh(void **state)
{
	struct fast_code *c = &v.fast.code[FAST_CODE_SLOT(RIP)];

	(void)state;
	memset(&v, 0, sizeof(v));
	memset(&last, 0, sizeof(last));
	last.answer = FAST_NEXT;
	fake_vmcs_reset();
	entry = 0x1003;
	*c = (struct fast_code){ .rip = RIP, .cr3 = CR3, .cs = 0xa9b, .len = 7 };
	for (unsigned int i = 0; i < 4; i++) {
		c->pte[i] = &entry;
		c->entry[i] = entry;
	}
	fake_vmcs_set(VMCS_GUEST_RIP, RIP);
	fake_vmcs_set(VMCS_GUEST_CR3, CR3);
	fake_vmcs_set(VMCS_GUEST_CS_ACCESS, 0xa09b);
	fake_vmcs_set(VMCS_GUEST_PHYS_ADDR, EOI_GPA);
	fake_vmcs_set(VMCS_EXIT_QUALIFICATION, DATA | EPT_WRITE);
	return 0;
}

static void steps_over_what_was_answered(void **state)
{
	(void)state;
	assert_int_equal(vmx_fast_mmio(&v), FAST_NEXT);
	assert_int_equal(last.at, EOI_GPA);
	assert_true(last.write);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), RIP + 7);

	fresh(NULL);
	fake_vmcs_set(VMCS_EXIT_QUALIFICATION, DATA | EPT_READ);
	last.answer = FAST_LOOK;
	assert_int_equal(vmx_fast_mmio(&v), FAST_LOOK);
	assert_false(last.write);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), RIP + 7);

	fresh(NULL);
	last.answer = FAST_NO;
	assert_int_equal(vmx_fast_mmio(&v), FAST_NO);
	assert_int_equal(last.calls, 1);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), RIP);
}

/* Each of these alone is enough. */
static void other_accesses_are_left(void **state)
{
	static const struct {
		enum vmcs_field field;
		uint64_t val;
	} not[] = {
		{ VMCS_GUEST_PHYS_ADDR, APIC_DEFAULT_BASE - 1 },
		{ VMCS_GUEST_PHYS_ADDR, APIC_DEFAULT_BASE + PAGE_SIZE },
		{ VMCS_GUEST_PHYS_ADDR, 1ull << 32 | EOI_GPA },
		{ VMCS_EXIT_QUALIFICATION, EPT_WRITE },
		{ VMCS_EXIT_QUALIFICATION, EPT_WRITE | EPT_GLA_VALID },             /* the walk of its page tables */
		{ VMCS_EXIT_QUALIFICATION, DATA | EPT_FETCH },
		{ VMCS_EXIT_QUALIFICATION, DATA | EPT_WRITE | EPT_NMI_UNBLOCK },
		{ VMCS_IDT_VECTORING_INFO, INTR_VALID | EXC_PF },
		{ VMCS_GUEST_RIP, RIP + 1 },
		{ VMCS_GUEST_CR3, CR3 + PAGE_SIZE },
		{ VMCS_GUEST_CS_ACCESS, 0xc09b },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(not); i++) {
		fresh(NULL);
		fake_vmcs_set(not[i].field, not[i].val);
		assert_int_equal(vmx_fast_mmio(&v), FAST_NO);
		assert_int_equal(last.calls, 0);
		assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), not[i].field == VMCS_GUEST_RIP ? RIP + 1 : RIP);
	}
	fresh(NULL);
	entry++;                                /* the guest has changed its page table */
	assert_int_equal(vmx_fast_mmio(&v), FAST_NO);
	assert_int_equal(last.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(steps_over_what_was_answered, fresh),
		cmocka_unit_test_setup(other_accesses_are_left, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
