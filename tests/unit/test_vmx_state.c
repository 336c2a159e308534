/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest state in the VMCS: attributes and access rights, control registers behind their masks, PDPTEs, the end of an insn. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/vmx/vmx.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/flatmem.h"
#include "tests/unit/support/log.h"
#include "tests/unit/support/panic_catch.h"
#include "tests/unit/support/vmcs.h"

static struct vm vm;
static struct vcpu v;
static struct vcpu_hw hw;
static uint8_t ram[0x4000];

uint64_t policy_cr4(void)
{
	return CR4_PAE | CR4_PSE | CR4_PGE | CR4_MCE | CR4_SMEP;
}

static void fresh(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	memset(ram, 0, sizeof(ram));
	flatmem_reset(ram, sizeof(ram), sizeof(ram));
	fake_vmcs_reset();
	vm.phys_bits = 40;
	v.vm = &vm;
	v.hw = &hw;
	hw.ctl.cpu = (uint32_t)fake_vmcs_get(VMCS_CPU_CTRL);
	hw.ctl.entry = (uint32_t)fake_vmcs_get(VMCS_ENTRY_CTRL);
}

/* 32-bit protected mode without paging; PAE as asked. */
static void fresh_32(uint64_t cr4)
{
	fresh();
	vmx_state_init(&v);
	vmx_reg_set(&v, HVM_EFER, 0);
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET);
	vmx_reg_set(&v, HVM_CR4, cr4);
	fake_vmcs_set(VMCS_GUEST_CS_ACCESS, 0xc09b);
	hw.id.flush = false;
}

static void put_pdpte(unsigned int i, uint64_t val)
{
	memcpy(ram + 0x1000 + 8 * i, &val, sizeof(val));
}

static void attributes_are_access_rights(void **ctx)
{
	static const struct { uint16_t attr; uint32_t access; } rows[] = {
		{ 0xa9b, 0xa09b }, { 0xc93, 0xc093 }, { 0x0f3, 0x00f3 }, { 0x193, 0x1093 }, { 0, ACCESS_UNUSABLE },
		{ 0xc13, ACCESS_UNUSABLE },
	};

	(void)ctx;
	fresh();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned int seg = 0; seg < SEG_COUNT; seg++) {
			struct x86_seg s = { .sel = (uint16_t)(8 * seg), .attr = rows[i].attr, .limit = 0x1000 + seg,
					     .base = 0xffff800000000000ull + seg };
			struct x86_env e;

			vmx_seg_write(seg, &s);
			assert_int_equal(fake_vmcs_get((enum vmcs_field)(VMCS_GUEST_ES_ACCESS + 2 * seg)), rows[i].access);
			vmx_env_load(&v, &e);
			assert_int_equal(e.seg[seg].attr, rows[i].access == ACCESS_UNUSABLE ? 0 : rows[i].attr);
			assert_int_equal(e.seg[seg].sel, s.sel);
			assert_int_equal(e.seg[seg].limit, s.limit);
			assert_int_equal(e.seg[seg].base, s.base);
		}
	}
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_GS_BASE), 0xffff800000000005ull);
}

static void the_privilege_level_is_that_of_ss(void **ctx)
{
	struct x86_env e;

	(void)ctx;
	fresh();
	vmx_env_load(&v, &e);
	assert_int_equal(e.cpl, 0);
	fake_vmcs_set(VMCS_GUEST_SS_ACCESS, 0xc0f3);
	vmx_env_load(&v, &e);
	assert_int_equal(e.cpl, 3);
	/* 64-bit mode with a null SS. */
	fake_vmcs_set(VMCS_GUEST_SS_ACCESS, ACCESS_UNUSABLE | 0x60);
	vmx_env_load(&v, &e);
	assert_int_equal(e.cpl, 3);
	assert_int_equal(e.seg[SEG_SS].attr, 0);
}

static void the_environment_is_the_guests_view(void **ctx)
{
	struct x86_env e;

	(void)ctx;
	fresh();
	vmx_env_load(&v, &e);
	assert_int_equal(e.cr0, CR0_PE | CR0_PG | CR0_ET);
	assert_int_equal(e.cr4, CR4_PAE);
	assert_int_equal(e.cr3, 0x1000);
	assert_int_equal(e.efer, EFER_LME | EFER_LMA);
	assert_int_equal(e.rip, 0x8000);
	assert_int_equal(e.rflags, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(x86_env_mode(&e), MODE_64);
	assert_false(e.stepped);
	assert_ptr_equal(fake_vmcs.current, &v);
}

/* What the guest has for itself comes from the register, the rest from the shadow; a write sets both. */
static void control_registers_have_shadows(void **ctx)
{
	(void)ctx;
	fresh();
	vmx_state_init(&v);
	assert_int_equal(fake_vmcs_get(VMCS_CR4_MASK), ~(CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP));
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_CD | CR0_NW | CR0_WP);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_CR0), CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP);
	assert_int_equal(vmx_reg_get(&v, HVM_CR0), CR0_PE | CR0_PG | CR0_ET | CR0_CD | CR0_NW | CR0_WP);
	/* The guest itself: TS on, WP off, without an exit. */
	fake_vmcs_set(VMCS_GUEST_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_TS);
	assert_int_equal(vmx_reg_get(&v, HVM_CR0), CR0_PE | CR0_PG | CR0_ET | CR0_CD | CR0_NW | CR0_TS);
	vmx_reg_set(&v, HVM_CR4, CR4_PAE | CR4_SMEP);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_CR4), CR4_PAE | CR4_SMEP | CR4_VMXE | CR4_MCE);
	assert_int_equal(vmx_reg_get(&v, HVM_CR4), CR4_PAE | CR4_SMEP);
	fake_vmcs_set(VMCS_GUEST_CR4, CR4_PAE | CR4_PGE | CR4_VMXE | CR4_MCE);
	assert_int_equal(vmx_reg_get(&v, HVM_CR4), CR4_PAE | CR4_PGE);
	vmx_reg_set(&v, HVM_CR4, CR4_PAE | CR4_MCE);
	assert_int_equal(vmx_reg_get(&v, HVM_CR4), CR4_PAE | CR4_MCE);
}

static void long_mode_is_an_entry_control_too(void **ctx)
{
	(void)ctx;
	fresh();
	vmx_reg_set(&v, HVM_EFER, EFER_LME | EFER_SCE);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_EFER), EFER_LME | EFER_SCE);
	assert_false(fake_vmcs_get(VMCS_ENTRY_CTRL) & ENTRY_IA32E);
	assert_int_equal(fake_vmcs_get(VMCS_ENTRY_CTRL), hw.ctl.entry);
	vmx_reg_set(&v, HVM_EFER, EFER_LME | EFER_LMA);
	assert_true(fake_vmcs_get(VMCS_ENTRY_CTRL) & ENTRY_IA32E);
	assert_int_equal(fake_vmcs_get(VMCS_ENTRY_CTRL), hw.ctl.entry);
	assert_true(hw.ctl.entry & ENTRY_LOAD_EFER);
}

static void paging_registers_ask_for_a_flush(void **ctx)
{
	static const enum hvm_reg regs[] = { HVM_CR0, HVM_CR3, HVM_CR4, HVM_EFER };
	static const enum hvm_reg others[] = { HVM_CR2, HVM_PAT, HVM_RIP, HVM_RFLAGS, HVM_DR7, HVM_TSC_OFFSET };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		fresh();
		vmx_reg_set(&v, regs[i], vmx_reg_get(&v, regs[i]));
		assert_true(hw.id.flush);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		fresh();
		vmx_reg_set(&v, others[i], 0x1234);
		assert_int_equal(vmx_reg_get(&v, others[i]), 0x1234);
		assert_false(hw.id.flush);
	}
}

static void bad_register(void *arg)
{
	(void)arg;
	vmx_reg_get(&v, (enum hvm_reg)99);
}

static void bad_register_set(void *arg)
{
	(void)arg;
	vmx_reg_set(&v, (enum hvm_reg)99, 0);
}

static void no_such_register_is_our_bug(void **ctx)
{
	(void)ctx;
	fresh();
	assert_string_equal(panic_of(bad_register, NULL), "vmx_reg_get: register 99");
	assert_string_equal(panic_of(bad_register_set, NULL), "vmx_reg_set: register 99");
}

static void pae_paging_loads_its_pdptes(void **ctx)
{
	struct x86_env e;

	(void)ctx;
	fresh_32(CR4_PAE);
	put_pdpte(0, 0x2001);
	put_pdpte(1, 0x3001);
	put_pdpte(2, 0xfffffffffffffffeull);            /* not present: anything goes */
	put_pdpte(3, 0x0);
	assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET | CR0_PG);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE0), 0x2001);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE1), 0x3001);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE2), 0xfffffffffffffffeull);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE3), 0);
	vmx_env_load(&v, &e);
	assert_non_null(e.pdpte);
	/* They are registers: what memory holds now counts from the next load on. */
	put_pdpte(0, 0x3001);
	assert_int_equal(e.pdpte[0], 0x2001);
	assert_int_equal(e.pdpte[2], 0xfffffffffffffffeull);
	assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG | CR0_NE));
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET | CR0_PG | CR0_NE);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE0), 0x2001);
	vmx_reg_set(&v, HVM_CR4, CR4_PAE | CR4_PGE);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE0), 0x3001);
	put_pdpte(0, 0x2001);
	vmx_reg_set(&v, HVM_CR4, CR4_PAE | CR4_PGE | CR4_MCE);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE0), 0x3001);
	vmx_reg_set(&v, HVM_CR3, 0x1000);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE0), 0x2001);
	put_pdpte(0, 0x3001);
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET | CR0_PG | CR0_CD);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE0), 0x3001);
	vmx_env_load(&v, &e);
	assert_int_equal(e.pdpte[0], 0x3001);
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET);
	vmx_env_load(&v, &e);
	assert_null(e.pdpte);                           /* no paging, none */
}

static void bad_pdptes_are_refused(void **ctx)
{
	static const unsigned int reserved[] = { 1, 2, 5, 6, 7, 8, 40, 51, 52, 63 };
	static const unsigned int fine[] = { 3, 4, 9, 10, 11, 12, 39 };

	(void)ctx;
	for (unsigned int entry = 0; entry < 4; entry++) {
		for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
			fresh_32(CR4_PAE);
			put_pdpte(entry, 1ull << reserved[i] | 1);
			assert_false(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
			put_pdpte(entry, 1ull << reserved[i]);
			assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
		}
		for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
			put_pdpte(entry, 1ull << fine[i] | 1);
			assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
		}
	}
	/* By CR4: PAE switched on under paging of the other kind. */
	fresh_32(0);
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET | CR0_PG);
	put_pdpte(3, 3);
	assert_false(vmx_cr_takes(&v, 4, CR4_PAE));
	assert_true(vmx_cr_takes(&v, 4, CR4_PSE));
	/* Where no memory is, ones are read. */
	fresh_32(CR4_PAE);
	fake_vmcs_set(VMCS_GUEST_CR3, 0xd0000000);
	assert_false(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
	assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_NE));
	/* Changed between the check and the load: the entry must not fail. */
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET | CR0_PG);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(fake_vmcs_get((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i)), 0);
}

static void only_pae_paging_has_pdptes(void **ctx)
{
	(void)ctx;
	/* Long mode coming: EFER.LME. */
	fresh_32(CR4_PAE);
	put_pdpte(0, 3);
	vmx_reg_set(&v, HVM_EFER, EFER_LME);
	assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
	vmx_reg_set(&v, HVM_EFER, EFER_LME | EFER_LMA);
	fake_vmcs_set(VMCS_GUEST_PDPTE0, 0x77);
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET | CR0_PG);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE0), 0x77);
	/* 32-bit paging. */
	fresh_32(0);
	put_pdpte(0, 3);
	fake_vmcs_set(VMCS_GUEST_PDPTE0, 0x77);
	assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET | CR0_PG);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PDPTE0), 0x77);
}

static void long_mode_wants_a_32_bit_tss(void **ctx)
{
	(void)ctx;
	fresh_32(CR4_PAE);
	vmx_reg_set(&v, HVM_EFER, EFER_LME);
	fake_vmcs_set(VMCS_GUEST_TR_ACCESS, 0x83);
	assert_false(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
	assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_NE));
	vmx_reg_set(&v, HVM_EFER, 0);
	assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
	fake_vmcs_set(VMCS_GUEST_TR_ACCESS, 0x8b);
	vmx_reg_set(&v, HVM_EFER, EFER_LME);
	assert_true(vmx_cr_takes(&v, 0, CR0_PE | CR0_ET | CR0_PG));
}

static void a_finished_instruction_ends_its_shadow(void **ctx)
{
	struct x86_env e;

	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCK_STI | BLOCK_NMI);
	vmx_rip_set(&v, 0x8002, RFLAGS_FIXED);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), BLOCK_NMI);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), 0x8002);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RFLAGS), RFLAGS_FIXED);
	assert_false(hw.event.valid);
	/* The emulator's way, with TF. */
	fresh();
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCK_MOV_SS);
	vmx_env_load(&v, &e);
	e.rip = 0x8003;
	e.rflags |= RFLAGS_TF;
	e.stepped = true;
	vmx_env_store(&v, &e);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), 0x8003);
	assert_true(hw.event.valid && hw.event.vector == EXC_DB);
	/* Nothing done: RIP and TF have no part in it. */
	fresh();
	vmx_env_load(&v, &e);
	e.rflags |= RFLAGS_TF;
	vmx_env_store(&v, &e);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), 0x8000);
	assert_false(hw.event.valid);
}

static void controls_are_written_when_they_change(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh();
	vmx_cpu_ctl(&v, CPU_INTR_WINDOW, true);
	assert_true(fake_vmcs_get(VMCS_CPU_CTRL) & CPU_INTR_WINDOW);
	writes = fake_vmcs.writes;
	vmx_cpu_ctl(&v, CPU_INTR_WINDOW, true);
	assert_int_equal(fake_vmcs.writes, writes);
	vmx_cpu_ctl(&v, CPU_INTR_WINDOW, false);
	assert_false(fake_vmcs_get(VMCS_CPU_CTRL) & CPU_INTR_WINDOW);
	assert_true(fake_vmcs_get(VMCS_CPU_CTRL) & CPU_HLT);
}

static void the_dump_has_what_the_report_lacks(void **ctx)
{
	(void)ctx;
	fresh();
	log_clear();
	fake_vmcs_set(VMCS_GUEST_TR, 0x40);
	fake_vmcs_set(VMCS_GUEST_GDTR_BASE, 0x6000);
	fake_vmcs_set(VMCS_GUEST_GDTR_LIMIT, 0x1f);
	fake_vmcs_set(VMCS_ENTRY_INTR_INFO, INTR_HW_EXC << 8 | INTR_HAS_ERROR | EXC_PF);
	fake_vmcs_set(VMCS_ENTRY_ERROR_CODE, 6);
	fake_vmcs_set(VMCS_IDT_VECTORING_INFO, INTR_VALID | INTR_SOFT_INT << 8 | 0x80);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCK_STI | BLOCK_NMI);
	vmx_dump(&v);
	assert_string_equal(log_text(),
			    "verdict:   TR 0040 0+ffff LDT 0000 GDT 6000+1f IDT 0+0\n"
			    "verdict:   interrupts blocked by STI NMI; latest injected: exception 14, error 6; "
			    "under way at the exit: INT 128\n");
	fresh();
	log_clear();
	vmx_dump(&v);
	assert_non_null(strstr(log_text(), "interrupts open; latest injected: nothing; under way at the exit: nothing"));
}

static void run_all(void *failed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_access_rights),
		cmocka_unit_test(the_privilege_level_is_that_of_ss),
		cmocka_unit_test(the_environment_is_the_guests_view),
		cmocka_unit_test(control_registers_have_shadows),
		cmocka_unit_test(long_mode_is_an_entry_control_too),
		cmocka_unit_test(paging_registers_ask_for_a_flush),
		cmocka_unit_test(pae_paging_loads_its_pdptes),
		cmocka_unit_test(bad_pdptes_are_refused),
		cmocka_unit_test(only_pae_paging_has_pdptes),
		cmocka_unit_test(long_mode_wants_a_32_bit_tss),
		cmocka_unit_test(a_finished_instruction_ends_its_shadow),
		cmocka_unit_test(controls_are_written_when_they_change),
		cmocka_unit_test(the_dump_has_what_the_report_lacks),
	};

	*(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	/* On this stack: a jump out of another one confuses the address sanitizer. */
	const struct CMUnitTest panics[] = {
		cmocka_unit_test(no_such_register_is_our_bug),
	};
	int failed = 1;

	cpu_area_run(run_all, &failed, NULL);
	return failed | cmocka_run_group_tests(panics, NULL, NULL);
}
