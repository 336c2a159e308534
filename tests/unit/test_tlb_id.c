/* SPDX-License-Identifier: BSD-2-Clause */
/* IDs of TLB entries: who gets which one, and what is to be flushed. That this suffices is test_tlb_model.c's subject. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/mm/nested.h"
#include "arch/x86/mm/tlb_id.h"

#define FIRST (TLB_FLUSH_ROOT | TLB_FLUSH_ALL)  /* a generation begins */

static struct nested tables;

static unsigned int prepare(struct tlb_ids *cpu, struct tlb_id *v, uint64_t narrowed)
{
	tables.narrowed = narrowed;
	return tlb_id_prepare(cpu, v, &tables);
}

static void a_new_vcpu_takes_a_new_id(void **ctx)
{
	struct tlb_ids cpu;
	struct tlb_id a = { 0 }, b = { 0 };

	(void)ctx;
	tlb_ids_init(&cpu, 0, 1, 16, true);
	assert_int_equal(prepare(&cpu, &a, 0), FIRST);
	assert_int_equal(prepare(&cpu, &b, 0), TLB_FLUSH_ROOT);
	assert_int_equal(a.id, 1);
	assert_int_equal(b.id, 2);
	assert_int_equal(prepare(&cpu, &a, 0), 0);
	assert_int_equal(prepare(&cpu, &b, 0), 0);
	assert_int_equal(a.id, 1);
}

static void when_they_have_run_out_all_go(void **ctx)
{
	struct tlb_ids cpu;
	struct tlb_id v[4] = { { 0 } };

	(void)ctx;
	tlb_ids_init(&cpu, 0, 1, 4, true);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(prepare(&cpu, &v[i], 0), i ? TLB_FLUSH_ROOT : FIRST);
		assert_int_equal(v[i].id, i + 1);
	}
	assert_int_equal(prepare(&cpu, &v[3], 0), TLB_FLUSH_ROOT | TLB_FLUSH_ALL);
	assert_int_equal(v[3].id, 1);
	assert_int_equal(cpu.generation, 2);    /* 0: none yet; 1: the first */
	/* The first one's ID is of the old generation: another one, flushed already with the rest. */
	assert_int_equal(prepare(&cpu, &v[0], 0), TLB_FLUSH_ROOT);
	assert_int_equal(v[0].id, 2);
	assert_int_equal(prepare(&cpu, &v[3], 0), 0);
}

static void a_vcpu_that_moves_takes_a_new_one_there_and_back(void **ctx)
{
	struct tlb_ids cpu[2];
	struct tlb_id v = { 0 };

	(void)ctx;
	tlb_ids_init(&cpu[0], 0, 1, 16, true);
	tlb_ids_init(&cpu[1], 1, 1, 16, true);
	assert_int_equal(prepare(&cpu[0], &v, 0), FIRST);
	assert_int_equal(prepare(&cpu[1], &v, 0), FIRST);
	assert_int_equal(v.id, 1);
	assert_int_equal(prepare(&cpu[0], &v, 0), TLB_FLUSH_ROOT);
	assert_int_equal(v.id, 2);
}

static void a_wanted_flush_is_of_one_id_and_asked_for_once(void **ctx)
{
	struct tlb_ids cpu;
	struct tlb_id v = { 0 };

	(void)ctx;
	tlb_ids_init(&cpu, 0, 1, 16, true);
	assert_int_equal(prepare(&cpu, &v, 0), FIRST);
	tlb_id_flush(&v);
	assert_int_equal(prepare(&cpu, &v, 0), TLB_FLUSH_ID);
	assert_int_equal(prepare(&cpu, &v, 0), 0);
	assert_int_equal(v.id, 1);
}

static void a_cpu_that_cannot_flush_one_id_gives_a_new_one(void **ctx)
{
	struct tlb_ids cpu;
	struct tlb_id v = { 0 };

	(void)ctx;
	tlb_ids_init(&cpu, 0, 1, 3, false);
	assert_int_equal(prepare(&cpu, &v, 0), FIRST);
	tlb_id_flush(&v);
	assert_int_equal(prepare(&cpu, &v, 0), TLB_FLUSH_ROOT);
	assert_int_equal(v.id, 2);
	assert_int_equal(prepare(&cpu, &v, 0), 0);
	tlb_id_flush(&v);
	assert_int_equal(prepare(&cpu, &v, 0), TLB_FLUSH_ROOT | TLB_FLUSH_ALL);
	assert_int_equal(v.id, 1);
	assert_int_equal(prepare(&cpu, &v, 1), TLB_FLUSH_ROOT);
	assert_int_equal(v.id, 2);
}

static void narrowed_tables_flush_once_per_vcpu(void **ctx)
{
	struct tlb_ids cpu;
	struct tlb_id a = { 0 }, b = { 0 };

	(void)ctx;
	tlb_ids_init(&cpu, 0, 1, 16, true);
	assert_int_equal(prepare(&cpu, &a, 7), FIRST);
	assert_int_equal(prepare(&cpu, &b, 7), TLB_FLUSH_ROOT);
	assert_int_equal(prepare(&cpu, &a, 8), TLB_FLUSH_ROOT | TLB_FLUSH_ID);
	assert_int_equal(prepare(&cpu, &a, 8), 0);
	assert_int_equal(prepare(&cpu, &b, 8), TLB_FLUSH_ROOT | TLB_FLUSH_ID);
	assert_int_equal(prepare(&cpu, &b, 8), 0);
}

/* VMX without VPIDs: each entry and exit flushes what a guest's own tables give, but not what the nested ones do. */
static void without_ids_only_the_root_matters(void **ctx)
{
	struct tlb_ids cpu;
	struct tlb_id v = { 0 };

	(void)ctx;
	tlb_ids_init(&cpu, 0, 0, 0, false);
	assert_int_equal(prepare(&cpu, &v, 0), TLB_FLUSH_ROOT);
	assert_int_equal(v.id, 0);
	tlb_id_flush(&v);
	assert_int_equal(prepare(&cpu, &v, 0), 0);
	assert_int_equal(prepare(&cpu, &v, 1), TLB_FLUSH_ROOT);
	assert_int_equal(prepare(&cpu, &v, 1), 0);
	assert_int_equal(cpu.generation, 0);
	tlb_ids_forget(&cpu, &tables);
	assert_int_equal(prepare(&cpu, &v, 1), TLB_FLUSH_ROOT);
	assert_int_equal(prepare(&cpu, &v, 1), 0);
}

/* Firmware, or what ran before Vouch, may have left anything under any ID. */
static void the_first_ids_come_with_a_flush(void **ctx)
{
	struct tlb_ids cpu;
	struct tlb_id v = { 0 };

	(void)ctx;
	tlb_ids_init(&cpu, 0, 1, 16, true);
	assert_true(prepare(&cpu, &v, 0) & TLB_FLUSH_ALL);
	assert_int_equal(v.id, 1);
}

static void a_cpu_that_hands_out_an_id_is_known_to_the_tables(void **ctx)
{
	struct tlb_ids cpu[2];
	struct tlb_id v = { 0 }, other = { 0 };
	struct nested others = { 0 };

	(void)ctx;
	tables.used_on = (struct cpu_set){ 0 };
	tlb_ids_init(&cpu[0], 3, 1, 16, true);
	tlb_ids_init(&cpu[1], 70, 0, 0, false);
	assert_int_equal(prepare(&cpu[0], &v, 0), FIRST);
	assert_true(cpu_set_has(&tables.used_on, 3));
	assert_false(cpu_set_has(&tables.used_on, 70));
	assert_int_equal(prepare(&cpu[1], &v, 0), TLB_FLUSH_ROOT);
	assert_true(cpu_set_has(&tables.used_on, 3));
	assert_true(cpu_set_has(&tables.used_on, 70));
	assert_int_equal(tlb_id_prepare(&cpu[0], &other, &others), TLB_FLUSH_ROOT);

	tlb_ids_forget(&cpu[0], &tables);
	assert_false(cpu_set_has(&tables.used_on, 3));
	assert_true(cpu_set_has(&tables.used_on, 70));
	assert_true(cpu_set_has(&others.used_on, 3));
	assert_int_equal(prepare(&cpu[1], &v, 0), 0);
	/* Another VM's vCPU pays for it with a flush, too. */
	assert_int_equal(tlb_id_prepare(&cpu[0], &other, &others), FIRST);
	assert_int_equal(other.id, 1);
	assert_int_equal(prepare(&cpu[0], &v, 0), TLB_FLUSH_ROOT);
	assert_true(cpu_set_has(&tables.used_on, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_vcpu_takes_a_new_id),
		cmocka_unit_test(when_they_have_run_out_all_go),
		cmocka_unit_test(a_vcpu_that_moves_takes_a_new_one_there_and_back),
		cmocka_unit_test(a_wanted_flush_is_of_one_id_and_asked_for_once),
		cmocka_unit_test(a_cpu_that_cannot_flush_one_id_gives_a_new_one),
		cmocka_unit_test(narrowed_tables_flush_once_per_vcpu),
		cmocka_unit_test(without_ids_only_the_root_matters),
		cmocka_unit_test(the_first_ids_come_with_a_flush),
		cmocka_unit_test(a_cpu_that_hands_out_an_id_is_known_to_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
