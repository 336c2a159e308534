/* SPDX-License-Identifier: BSD-2-Clause */
/* VMCB clean bits: each byte of the VMCB in the group where the manual has it, and no change without its bit cleared. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/options.h>

#include "arch/x86/svm/svm.h"
#include "tests/unit/support/panic_catch.h"

static struct vcpu_hw hw;
static struct vmcb vmcb;

static void fresh(void)
{
	memset(&hw, 0, sizeof(hw));
	memset(&vmcb, 0, sizeof(vmcb));
	hw.vmcb = &vmcb;
	vmcb_clean_exit(&hw.cache, &vmcb);
	hw.cache.cpu = &hw;
}

/*
 * APM 2 "VMCB Clean Field" (15.15.3) by its offsets, written down apart from clean.h. What the manual lists and Vouch
 * never writes (LBR, AVIC, CET) is left out.
 */
static const struct { uint16_t first, last; uint32_t group; } manual[] = {
	{ 0x000, 0x013, 1u << 0 },                              /* intercepts */
	{ 0x03c, 0x03f, 1u << 0 },                              /* pause filter */
	{ 0x050, 0x057, 1u << 0 },                              /* TSC offset */
	{ 0x040, 0x04f, 1u << 1 },                              /* IOPM, MSRPM */
	{ 0x058, 0x05b, 1u << 2 },                              /* ASID */
	{ 0x060, 0x067, 1u << 3 },                              /* V_TPR, V_IRQ and the like */
	{ 0x090, 0x097, 1u << 4 }, { 0x0b0, 0x0b7, 1u << 4 },   /* NP_ENABLE, N_CR3 */
	{ 0x668, 0x66f, 1u << 4 },                              /* G_PAT */
	{ 0x4d0, 0x4d7, 1u << 5 }, { 0x548, 0x55f, 1u << 5 },   /* EFER; CR4, CR3, CR0 */
	{ 0x560, 0x56f, 1u << 6 },                              /* DR7, DR6 */
	{ 0x460, 0x46f, 1u << 7 }, { 0x480, 0x48f, 1u << 7 },   /* GDTR, IDTR */
	{ 0x400, 0x43f, 1u << 8 }, { 0x4cb, 0x4cb, 1u << 8 },   /* ES, CS, SS, DS; CPL */
	{ 0x640, 0x647, 1u << 9 },                              /* CR2 */
};

static uint32_t group_of(unsigned int offset)
{
	for (size_t i = 0; i < ARRAY_SIZE(manual); i++)
		if (offset >= manual[i].first && offset <= manual[i].last)
			return manual[i].group;
	return 0;
}

static void each_byte_is_in_the_group_of_the_manual(void **ctx)
{
	uint8_t *bytes = (uint8_t *)&vmcb;

	(void)ctx;
	fresh();
	for (unsigned int i = 0; i < sizeof(vmcb); i++) {
		bytes[i] ^= 0x5a;
		assert_int_equal(vmcb_clean_broken(&hw.cache, &vmcb), group_of(i));
		bytes[i] ^= 0x5a;
		assert_int_equal(vmcb_clean_broken(&hw.cache, &vmcb), 0);
	}
}

/* Any change by vmcb_put() clears the bit that belongs to its field, and that one only. */
#define put_and_look(field, val)									\
	do {												\
		uint32_t group = group_of(offsetof(struct vmcb, field));				\
													\
		fresh();										\
		vmcb_put(&hw, field, vmcb.field);                       /* no change, no bit */		\
		assert_int_equal(hw.cache.clean, SVM_CLEAN_ALL);					\
		vmcb_put(&hw, field, val);								\
		assert_true(vmcb.field == (val));							\
		assert_int_equal(hw.cache.clean, SVM_CLEAN_ALL & ~group);				\
		assert_int_equal(vmcb_clean_broken(&hw.cache, &vmcb), 0);				\
	} while (0)

static void a_put_clears_the_bit_of_its_group(void **ctx)
{
	(void)ctx;
	put_and_look(intercept_cr_read, 1);
	put_and_look(intercept_cr_write, 1);
	put_and_look(intercept_dr_read, 1);
	put_and_look(intercept_dr_write, 1);
	put_and_look(intercept_exceptions, 1);
	put_and_look(intercept1, 1);
	put_and_look(intercept2, 1);
	put_and_look(pause_threshold, 1);
	put_and_look(pause_count, 1);
	put_and_look(tsc_offset, 1);
	put_and_look(iopm_pa, 1);
	put_and_look(msrpm_pa, 1);
	put_and_look(asid, 1);
	put_and_look(int_ctl, 1);
	put_and_look(np_enable, 1);
	put_and_look(nested_cr3, 1);
	put_and_look(pat, 1);
	put_and_look(efer, 1);
	put_and_look(cr0, 1);
	put_and_look(cr3, 1);
	put_and_look(cr4, 1);
	put_and_look(dr6, 1);
	put_and_look(dr7, 1);
	put_and_look(cpl, 1);
	put_and_look(cr2, 1);
	put_and_look(tlb_control, 1);
	put_and_look(int_state, 1);
	put_and_look(event_inj, 1);
	put_and_look(next_rip, 1);
	put_and_look(rflags, 1);
	put_and_look(rip, 1);
	put_and_look(rsp, 1);
	put_and_look(rax, 1);
}

static void enter(void *used)
{
	vmcb_clean_enter(&hw.cache, &vmcb, &hw, *(bool *)used);
}

static void a_change_behind_its_back_panics(void **ctx)
{
	bool yes = true, no = false;

	(void)ctx;
	fresh();
	vmcb.cr4 = 0x20;
	assert_string_equal(panic_of(enter, &yes), "VMCB groups 20 changed while marked clean");
	/* On a CPU without clean bits too: emulators have none. */
	assert_string_equal(panic_of(enter, &no), "VMCB groups 20 changed while marked clean");
	fresh();
	vmcb_put(&hw, cr4, 0x20);
	vmcb_clean_enter(&hw.cache, &vmcb, &hw, true);
	assert_int_equal(vmcb.clean, SVM_CLEAN_ALL & ~SVM_CLEAN_CR);
	vmcb_clean_exit(&hw.cache, &vmcb);
	vmcb_clean_enter(&hw.cache, &vmcb, &hw, true);
	assert_int_equal(vmcb.clean, SVM_CLEAN_ALL);
}

static void nothing_is_clean_where_it_must_not(void **ctx)
{
	int other_cpu;

	(void)ctx;
	fresh();
	vmcb_clean_enter(&hw.cache, &vmcb, &hw, false);
	assert_int_equal(vmcb.clean, 0);                        /* not used */
	vmcb_clean_enter(&hw.cache, &vmcb, &hw, true);
	assert_int_equal(vmcb.clean, SVM_CLEAN_ALL);
	vmcb_clean_enter(&hw.cache, &vmcb, &other_cpu, true);
	assert_int_equal(vmcb.clean, 0);                        /* a CPU that never saw it */
	fresh();
	vmcb_rewrite(&hw)->cr0 = 1;
	vmcb_clean_enter(&hw.cache, &vmcb, &hw, true);
	assert_int_equal(vmcb.clean, 0);                        /* filled anew */
	memset(&hw, 0, sizeof(hw));
	vmcb_clean_enter(&hw.cache, &vmcb, &hw, true);
	assert_int_equal(vmcb.clean, 0);                        /* a new vCPU */
}

static void features_are_used_where_they_are_there_and_allowed(void **ctx)
{
	static const struct { uint32_t edx, off; const char *text; } rows[] = {
		{ 0, 0, " none" }, { 1u << 3, 0, " nrip" }, { 1u << 5, 0, " clean" }, { 1u << 6, 0, " flushasid" },
		{ 1u << 7, 0, " decode" }, { 1u << 10, 0, " pause" }, { 1u << 12, 0, " none" },
		{ 1u << 3, FEATURE_NRIP, " none" }, { 1u << 5, FEATURE_CLEAN, " none" },
		{ 1u << 6, FEATURE_FLUSHASID, " none" }, { 1u << 7, FEATURE_DECODE, " none" },
		{ 1u << 10, FEATURE_PAUSE, " none" }, { 0xffffffff, 0, " nrip decode clean flushasid pause" },
		{ 0xffffffff, FEATURE_CLEAN | FEATURE_VPID, " nrip decode flushasid pause" },
	};
	struct svm_features f;
	char text[48];

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		f = svm_features_of(16, rows[i].edx, rows[i].off);
		svm_features_text(&f, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(f.asids, 16);
	}
	f = svm_features_of(2, 1u << 12 | 1u << 13, 0);
	assert_true(f.pause_threshold && f.avic && !f.pause_filter);
	assert_false(svm_features_of(2, 1u << 12, FEATURE_PAUSE).pause_threshold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_byte_is_in_the_group_of_the_manual),
		cmocka_unit_test(a_put_clears_the_bit_of_its_group),
		cmocka_unit_test(a_change_behind_its_back_panics),
		cmocka_unit_test(nothing_is_clean_where_it_must_not),
		cmocka_unit_test(features_are_used_where_they_are_there_and_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
