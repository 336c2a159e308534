/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware task switches done for a guest: what is saved, marked and loaded, and above all what is refused, and when. That
 * the rest is as CPUs do it is for tests/guest/tasks.c to say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/vmx/vmx.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/flatmem.h"
#include "tests/unit/support/vmcs.h"

#define GDT     0x1000u
#define OLD_TSS 0x2000u
#define NEW_TSS 0x2100u
#define STACK   0x3800u
#define MMIO    0x100000u

#define SEL_CODE  0x08u
#define SEL_DATA  0x10u
#define SEL_OLD   0x18u
#define SEL_NEW   0x20u
#define SEL_OTHER 0x28u
#define SEL_USER  0x30u

/* Offsets in a 32-bit TSS. */
#define CR3    0x1cu
#define EIP    0x20u
#define EFLAGS 0x24u
#define EAX    0x28u
#define ESP    0x38u
#define CS     0x4cu
#define SS     0x50u
#define DS     0x54u
#define LDT    0x60u
#define TRAP   0x64u

#define CALL 0u
#define IRET (1u << 30)
#define JMP  (2u << 30)
#define GATE (3u << 30)

#define NT 0x4000u
#define BUSY 2u

static struct vm vm;
static struct vcpu v;
static struct vcpu_hw hw;
static uint8_t ram[0x4000], before[0x4000];

uint64_t policy_cr4(void)
{
	return CR4_PAE | CR4_PSE | CR4_PGE | CR4_MCE;
}

static void put32(uint32_t at, uint32_t val)
{
	memcpy(ram + at, &val, sizeof(val));
}

static uint32_t get32(uint32_t at)
{
	uint32_t val;

	memcpy(&val, ram + at, sizeof(val));
	return val;
}

static void describe(unsigned int sel, uint32_t base, uint32_t limit, uint32_t access, uint32_t flags)
{
	put32(GDT + (sel & ~7u), (limit & 0xffff) | base << 16);
	put32(GDT + (sel & ~7u) + 4, (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 | (base & 0xff000000));
}

static uint8_t type_of(unsigned int sel)
{
	return ram[GDT + sel + 5];
}

/* 32-bit protected mode without paging, and a task to switch to that has nothing wrong with it. */
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
	hw.ctl.entry = (uint32_t)fake_vmcs_get(VMCS_ENTRY_CTRL);
	hw.dr6 = 0xffff0ff0;
	vmx_state_init(&v);
	vmx_reg_set(&v, HVM_EFER, 0);
	vmx_reg_set(&v, HVM_CR0, CR0_PE | CR0_ET);
	fake_vmcs_set(VMCS_GUEST_CS_ACCESS, 0xc09b);
	fake_vmcs_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_CF);
	fake_vmcs_set(VMCS_EXIT_INSN_LEN, 7);
	fake_vmcs_set(VMCS_GUEST_GDTR_BASE, GDT);
	fake_vmcs_set(VMCS_GUEST_GDTR_LIMIT, 0x37);
	fake_vmcs_set(VMCS_GUEST_TR, SEL_OLD);
	fake_vmcs_set(VMCS_GUEST_TR_BASE, OLD_TSS);
	fake_vmcs_set(VMCS_GUEST_TR_LIMIT, 0x67);
	fake_vmcs_set(VMCS_GUEST_TR_ACCESS, 0x8b);
	describe(SEL_CODE, 0, 0xfffff, 0x9a, 12);
	describe(SEL_DATA, 0, 0xfffff, 0x92, 12);
	describe(SEL_OLD, OLD_TSS, 0x67, 0x8b, 0);
	describe(SEL_NEW, NEW_TSS, 0x67, 0x89, 0);
	describe(SEL_USER, 0, 0xfffff, 0xf2, 12);
	put32(NEW_TSS + EIP, 0x1234);
	put32(NEW_TSS + EFLAGS, 0x2);
	put32(NEW_TSS + EAX, 0x55667788);
	put32(NEW_TSS + ESP, STACK);
	put32(NEW_TSS + CS, SEL_CODE);
	put32(NEW_TSS + SS, SEL_DATA);
	put32(NEW_TSS + DS, SEL_DATA);
	v.gpr[REG_RAX] = 0x11223344;
}

static enum exit_action go(uint32_t by)
{
	memcpy(before, ram, sizeof(ram));
	return vmx_task_switch(&v, by | SEL_NEW);
}

static void a_jump_saves_marks_and_loads(void **ctx)
{
	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_GUEST_DR7, 0x7ff);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCK_STI);
	assert_int_equal(go(JMP), EXIT_AGAIN);
	assert_int_equal(get32(OLD_TSS + EIP), 0x8007);
	assert_int_equal(get32(OLD_TSS + EFLAGS), RFLAGS_FIXED | RFLAGS_CF);
	assert_int_equal(get32(OLD_TSS + EAX), 0x11223344);
	assert_int_equal(get32(OLD_TSS + CS), 8);
	assert_int_equal(type_of(SEL_OLD), 0x89);
	assert_int_equal(type_of(SEL_NEW), 0x8b);
	assert_int_equal(get32(NEW_TSS), 0);            /* no link */
	assert_int_equal(v.gpr[REG_RAX], 0x55667788);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), 0x1234);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RFLAGS), RFLAGS_FIXED);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_TR), SEL_NEW);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_TR_BASE), NEW_TSS);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_TR_ACCESS), 0x8b);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_CS_ACCESS), 0xc09b);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_FS_ACCESS), ACCESS_UNUSABLE);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_LDTR_ACCESS), ACCESS_UNUSABLE);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_DR7), 0x6aa);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_true(fake_vmcs_get(VMCS_GUEST_CR0) & CR0_TS);
	assert_int_equal(type_of(SEL_CODE) & 1, 1);     /* accessed */
	assert_false(hw.event.valid);
}

static void a_call_links(void **ctx)
{
	(void)ctx;
	fresh();
	assert_int_equal(go(CALL), EXIT_AGAIN);
	assert_int_equal(get32(NEW_TSS), SEL_OLD);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RFLAGS), RFLAGS_FIXED | NT);
	assert_int_equal(type_of(SEL_OLD), 0x8b);
	assert_int_equal(type_of(SEL_NEW), 0x8b);
	/* And back. */
	fresh();
	describe(SEL_NEW, NEW_TSS, 0x67, 0x8b, 0);
	fake_vmcs_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | NT);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCK_NMI);
	put32(NEW_TSS + EFLAGS, RFLAGS_CF);
	assert_int_equal(go(IRET), EXIT_AGAIN);
	assert_int_equal(get32(OLD_TSS + EFLAGS), RFLAGS_FIXED);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RFLAGS), RFLAGS_FIXED | RFLAGS_CF);
	assert_int_equal(type_of(SEL_OLD), 0x89);
	assert_int_equal(type_of(SEL_NEW), 0x8b);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), 0);        /* as any IRET */
}

static void a_gate_takes_the_event(void **ctx)
{
	(void)ctx;
	fresh();
	hw.event = (struct vmx_event){ .valid = true, .type = INTR_HW_EXC, .vector = EXC_GP, .has_error = true, .error = 0x58 };
	assert_int_equal(go(GATE), EXIT_AGAIN);
	assert_false(hw.event.valid);
	assert_int_equal(get32(OLD_TSS + EIP), 0x8000);
	assert_int_equal(v.gpr[REG_RSP], STACK - 4);
	assert_int_equal(get32(STACK - 4), 0x58);
	assert_int_equal(get32(NEW_TSS), SEL_OLD);
	fresh();
	hw.event = (struct vmx_event){ .valid = true, .type = INTR_SOFT_INT, .vector = 0x70 };
	assert_int_equal(go(GATE), EXIT_AGAIN);
	assert_int_equal(get32(OLD_TSS + EIP), 0x8007);
	assert_int_equal(v.gpr[REG_RSP], STACK);
	fresh();
	hw.event = (struct vmx_event){ .valid = true, .type = INTR_NMI, .vector = EXC_NMI };
	assert_int_equal(go(GATE), EXIT_AGAIN);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), BLOCK_NMI);
	fresh();
	hw.event = (struct vmx_event){ .valid = true, .type = INTR_EXT, .vector = 0x30 };
	assert_int_equal(go(GATE), EXIT_AGAIN);
	assert_int_equal(get32(OLD_TSS + EIP), 0x8000);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), 0);
}

static void the_trap_flag_of_a_task_traps(void **ctx)
{
	(void)ctx;
	fresh();
	put32(NEW_TSS + TRAP, 1);
	assert_int_equal(go(JMP), EXIT_AGAIN);
	assert_true(hw.event.valid && hw.event.vector == EXC_DB);
	assert_int_equal(hw.dr6, 0xffff8ff0);
}

static void a_task_may_be_in_virtual_8086_mode(void **ctx)
{
	(void)ctx;
	fresh();
	put32(NEW_TSS + EFLAGS, RFLAGS_VM);
	put32(NEW_TSS + CS, 0x1234);
	assert_int_equal(go(JMP), EXIT_AGAIN);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_CS_BASE), 0x12340);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_CS_LIMIT), 0xffff);
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		assert_int_equal(fake_vmcs_get((enum vmcs_field)(VMCS_GUEST_ES_ACCESS + 2 * i)), 0xf3);
}

/* A fault of the old task: nothing has been written yet. */
static void refused(uint32_t by, uint32_t sel, uint8_t vector, uint32_t error)
{
	uint64_t rip = fake_vmcs_get(VMCS_GUEST_RIP);

	memcpy(before, ram, sizeof(ram));
	hw.event.valid = true;
	assert_int_equal(vmx_task_switch(&v, by | sel), EXIT_FAULT);
	assert_int_equal(v.fault.vector, vector);
	assert_true(v.fault.has_error);
	assert_int_equal(v.fault.error, error);
	assert_memory_equal(ram, before, sizeof(ram));
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), rip);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_TR), SEL_OLD);
	assert_int_equal(v.gpr[REG_RAX], 0x11223344);
	assert_true(hw.event.valid);                    /* the fault combines with what was being delivered */
}

static void bad_tasks_are_refused(void **ctx)
{
	(void)ctx;
	fresh();
	refused(JMP, SEL_NEW | 4, EXC_GP, SEL_NEW | 4);         /* of the LDT */
	refused(JMP, 0x38, EXC_GP, 0x38);                       /* beyond the GDT */
	refused(CALL, SEL_DATA, EXC_GP, SEL_DATA);              /* no TSS */
	refused(IRET, SEL_NEW, EXC_TS, SEL_NEW);                /* IRET wants a busy one */
	describe(SEL_NEW, NEW_TSS, 0x67, 0x8b, 0);
	refused(JMP, SEL_NEW, EXC_GP, SEL_NEW);
	describe(SEL_NEW, NEW_TSS, 0x67, 0x09, 0);
	refused(JMP, SEL_NEW, EXC_NP, SEL_NEW);
	describe(SEL_NEW, NEW_TSS, 0x66, 0x89, 0);
	refused(JMP, SEL_NEW, EXC_TS, SEL_NEW);
	describe(SEL_NEW, NEW_TSS, 0x2a, 0x81, 0);
	refused(JMP, SEL_NEW, EXC_TS, SEL_NEW);
	fresh();
	fake_vmcs_set(VMCS_GUEST_TR_LIMIT, 0x5e);
	refused(JMP, SEL_NEW, EXC_TS, SEL_OLD);
}

static void stopped(const char *what)
{
	char text[96];

	assert_int_equal(go(JMP), EXIT_STOP);
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	snprintf(text, sizeof(text), "task switch to TSS 0x20: %s cannot be used", what);
	assert_string_equal(vm.stop.text, text);
}

static void tables_out_of_memory_end_the_guest(void **ctx)
{
	(void)ctx;
	fresh();
	describe(SEL_NEW, MMIO, 0x67, 0x89, 0);
	stopped("memory at 0x100000");
	fresh();
	fake_vmcs_set(VMCS_GUEST_TR_BASE, MMIO);
	stopped("memory at 0x100020");
	fresh();
	fake_vmcs_set(VMCS_GUEST_GDTR_BASE, MMIO);
	stopped("memory at 0x100020");
}

/* Each of these is #TS, #NP or #SS in the new task on a CPU. */
static void bad_segments_end_the_guest(void **ctx)
{
	static const struct { uint32_t at, sel, access; const char *what; } rows[] = {
		{ CS, 0, 0x9a, "CS 0x0" }, { CS, SEL_DATA, 0x9a, "CS 0x10" }, { CS, SEL_OTHER, 0xfa, "CS 0x28" },
		{ CS, SEL_OTHER, 0x1a, "CS 0x28" }, { CS, 0x38, 0, "CS 0x38" }, { CS, SEL_OTHER, 0x8b, "CS 0x28" },
		{ SS, 0, 0, "SS 0x0" }, { SS, SEL_CODE, 0, "SS 0x8" }, { SS, SEL_OTHER, 0x90, "SS 0x28" },
		{ SS, SEL_OTHER, 0xf2, "SS 0x28" }, { SS, SEL_OTHER | 3, 0x92, "SS 0x2b" }, { SS, SEL_OTHER, 0x12, "SS 0x28" },
		{ DS, SEL_OTHER, 0x98, "DS 0x28" }, { DS, SEL_OTHER, 0x12, "DS 0x28" }, { DS, SEL_DATA | 3, 0, "DS 0x13" },
		{ DS, SEL_DATA | 4, 0, "DS 0x14" },
		{ LDT, SEL_OTHER, 0x92, "LDT 0x28" }, { LDT, SEL_OTHER, 0x02, "LDT 0x28" }, { LDT, 0xc, 0x82, "LDT 0xc" },
		{ LDT, 0x38, 0, "LDT 0x38" },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		describe(SEL_OTHER, 0, 0xfffff, rows[i].access, 12);
		put32(NEW_TSS + rows[i].at, rows[i].sel);
		stopped(rows[i].what);
	}
	/* Conforming code and data of a lower level are fine. */
	fresh();
	describe(SEL_OTHER, 0, 0xfffff, 0x9c, 12);
	put32(NEW_TSS + DS, SEL_OTHER | 3);
	assert_int_equal(go(JMP), EXIT_STOP);           /* conforming, but not readable */
	fresh();
	describe(SEL_OTHER, 0, 0xfffff, 0x9e, 12);
	put32(NEW_TSS + DS, SEL_OTHER | 3);
	assert_int_equal(go(JMP), EXIT_AGAIN);
	fresh();
	put32(NEW_TSS + DS, SEL_USER);
	assert_int_equal(go(JMP), EXIT_AGAIN);
}

static void an_error_code_without_a_stack_ends_the_guest(void **ctx)
{
	(void)ctx;
	fresh();
	put32(NEW_TSS + ESP, MMIO);
	hw.event = (struct vmx_event){ .valid = true, .type = INTR_HW_EXC, .vector = EXC_GP, .has_error = true };
	assert_int_equal(go(GATE), EXIT_STOP);
	assert_string_equal(vm.stop.text, "task switch to TSS 0x20: stack at 0xffffc cannot be used");
}

static void run_all(void *failed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_jump_saves_marks_and_loads),
		cmocka_unit_test(a_call_links),
		cmocka_unit_test(a_gate_takes_the_event),
		cmocka_unit_test(the_trap_flag_of_a_task_traps),
		cmocka_unit_test(a_task_may_be_in_virtual_8086_mode),
		cmocka_unit_test(bad_tasks_are_refused),
		cmocka_unit_test(tables_out_of_memory_end_the_guest),
		cmocka_unit_test(bad_segments_end_the_guest),
		cmocka_unit_test(an_error_code_without_a_stack_ends_the_guest),
	};

	*(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	int failed = 1;

	cpu_area_run(run_all, &failed, NULL);
	return failed;
}
