/* SPDX-License-Identifier: BSD-2-Clause */
/* Event delivery on VMX: what is injected when, what waits, what is delivered again, and what becomes a double fault. */
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
#include "tests/unit/support/irq.h"
#include "tests/unit/support/vmcs.h"

#define DR6_BS 0x4000u
#define DR7_GD 0x2000u

static struct vm vm;
static struct vcpu v;
static struct vcpu_hw hw;

uint64_t policy_cr4(void)
{
	return CR4_PAE | CR4_PSE | CR4_PGE | CR4_MCE;
}

static void fresh(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	fake_vmcs_reset();
	v.vm = &vm;
	v.hw = &hw;
	hw.ctl.cpu = (uint32_t)fake_vmcs_get(VMCS_CPU_CTRL);
	hw.ctl.entry = (uint32_t)fake_vmcs_get(VMCS_ENTRY_CTRL);
	hw.dr6 = 0xffff0ff0;
	irq_reset();
}

static uint32_t event(unsigned int type, uint8_t vector)
{
	return INTR_VALID | type << 8 | vector;
}

/* An entry, and an exit behind it that clears the valid bit: what was injected, or 0. */
static uint32_t enter(void)
{
	uint32_t info;

	vmx_event_prepare(&v);
	info = (uint32_t)fake_vmcs_get(VMCS_ENTRY_INTR_INFO);
	fake_vmcs_set(VMCS_ENTRY_INTR_INFO, info & ~INTR_VALID);
	return info & INTR_VALID ? info : 0;
}

static uint32_t windows(void)
{
	assert_int_equal(hw.ctl.cpu, fake_vmcs_get(VMCS_CPU_CTRL));
	return hw.ctl.cpu & (CPU_INTR_WINDOW | CPU_NMI_WINDOW);
}

static uint32_t blocking(void)
{
	return (uint32_t)fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY);
}

static void block(uint32_t bits)
{
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, bits);
}

static void set_flags(uint64_t flags)
{
	fake_vmcs_set(VMCS_GUEST_RFLAGS, flags | RFLAGS_FIXED);
}

static void cut_short(uint32_t info, uint32_t error)
{
	fake_vmcs_set(VMCS_IDT_VECTORING_INFO, info);
	fake_vmcs_set(VMCS_IDT_VECTORING_ERROR, error);
	vmx_event_collect(&v);
}

static void injects_when_the_guest_can_take_it(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	assert_int_equal(enter(), event(INTR_EXT, 0x41));
	assert_int_equal(windows(), 0);
	assert_int_equal(irq.acks, 1);
	assert_int_equal(enter(), 0);
}

static void opens_a_window_when_it_cannot(void **ctx)
{
	static const uint32_t shadows[] = { BLOCK_STI, BLOCK_MOV_SS };

	(void)ctx;
	fresh();
	irq.next = 0x41;
	set_flags(0);
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), CPU_INTR_WINDOW);
	assert_int_equal(irq.acks, 0);
	set_flags(RFLAGS_IF);
	for (size_t i = 0; i < ARRAY_SIZE(shadows); i++) {
		block(shadows[i]);
		assert_int_equal(enter(), 0);
		assert_int_equal(windows(), CPU_INTR_WINDOW);
		assert_int_equal(irq.acks, 0);
		assert_int_equal(blocking(), shadows[i]);
	}
	block(BLOCK_NMI);                       /* that of NMIs does not matter */
	assert_int_equal(enter(), event(INTR_EXT, 0x41));
	assert_int_equal(windows(), 0);
	assert_int_equal(blocking(), BLOCK_NMI);
}

/* The PIC's behind the local APIC's: both are on offer at once. */
static void a_second_interrupt_gets_its_window(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	irq.behind = 0x20;
	assert_int_equal(enter(), event(INTR_EXT, 0x41));
	assert_int_equal(windows(), CPU_INTR_WINDOW);
	assert_int_equal(enter(), event(INTR_EXT, 0x20));
	assert_int_equal(windows(), 0);
}

/* With virtual-interrupt delivery the local APIC's are the CPU's to deliver, and a window would keep it from that. */
static void only_a_pics_is_injected_where_the_cpu_delivers(void **ctx)
{
	(void)ctx;
	fresh();
	hw.ctl.cpu2 = CPU2_VIRT_INTR;
	irq.next = 0x41;
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), 0);
	assert_int_equal(irq.acks, 0);
	set_flags(0);
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), 0);
	assert_false(vmx_event_wakes(&v));
	set_flags(RFLAGS_IF);
	assert_true(vmx_event_wakes(&v));       /* a HLT ends for it all the same */
	set_flags(0);
	irq.pic = 0x20;
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), CPU_INTR_WINDOW);
	set_flags(RFLAGS_IF);
	assert_int_equal(enter(), event(INTR_EXT, 0x20));
	assert_int_equal(windows(), 0);
	assert_int_equal(irq.acks, 1);
	/* What was cut short is in service already, whoever began to deliver it. */
	cut_short(event(INTR_EXT, 0x41), 0);
	assert_int_equal(enter(), event(INTR_EXT, 0x41));
	assert_int_equal(irq.acks, 1);
}

static void a_window_closes_when_nothing_waits(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh();
	irq.next = 0x41;
	set_flags(0);
	enter();
	irq.next = -1;
	enter();
	assert_int_equal(windows(), 0);
	writes = fake_vmcs.writes;
	enter();
	assert_int_equal(fake_vmcs.writes, writes);     /* what is right already is not written */
}

static void a_queued_exception_goes_first(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	v.fault = (struct x86_fault){ .vector = EXC_GP, .has_error = true, .error = 0x1234 };
	vmx_event_fault(&v);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_GP) | INTR_HAS_ERROR);
	assert_int_equal(fake_vmcs_get(VMCS_ENTRY_ERROR_CODE), 0x1234);
	assert_int_equal(windows(), CPU_INTR_WINDOW);
	assert_int_equal(irq.acks, 0);
}

static void a_page_fault_sets_cr2(void **ctx)
{
	(void)ctx;
	fresh();
	v.fault = (struct x86_fault){ .vector = EXC_PF, .has_error = true, .error = 2, .cr2 = 0xdead000 };
	vmx_event_fault(&v);
	assert_int_equal(hw.cr2, 0xdead000);
}

static void a_fault_is_pushed_with_rf(void **ctx)
{
	(void)ctx;
	fresh();
	v.fault = (struct x86_fault){ .vector = EXC_DB };
	vmx_event_fault(&v);
	assert_false(fake_vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
	v.fault = (struct x86_fault){ .vector = EXC_UD };
	vmx_event_fault(&v);
	assert_true(fake_vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
}

static void an_exception_ends_a_shadow(void **ctx)
{
	(void)ctx;
	fresh();
	block(BLOCK_MOV_SS | BLOCK_NMI);
	v.fault = (struct x86_fault){ .vector = EXC_UD };
	vmx_event_fault(&v);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_UD));
	assert_int_equal(blocking(), BLOCK_NMI);
}

static void what_was_cut_short_is_delivered_again(void **ctx)
{
	(void)ctx;
	fresh();
	cut_short(event(INTR_HW_EXC, EXC_PF) | INTR_HAS_ERROR, 6);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_PF) | INTR_HAS_ERROR);
	assert_int_equal(fake_vmcs_get(VMCS_ENTRY_ERROR_CODE), 6);
	cut_short(event(INTR_EXT, 0x30), 0);
	assert_int_equal(enter(), event(INTR_EXT, 0x30));
	/* Only if the valid bit says so. */
	cut_short(event(INTR_EXT, 0x30) & ~INTR_VALID, 0);
	assert_int_equal(enter(), 0);
}

static void software_events_come_again_with_their_length(void **ctx)
{
	static const struct { unsigned int type; uint8_t vector; unsigned int len; } rows[] = {
		{ INTR_SOFT_INT, 0x80, 2 }, { INTR_SW_EXC, EXC_BP, 1 }, { INTR_SW_EXC, EXC_OF, 1 },
		{ INTR_PRIV_SW_EXC, EXC_DB, 1 }, { INTR_SOFT_INT, 3, 4 },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		fake_vmcs_set(VMCS_EXIT_INSN_LEN, rows[i].len);
		cut_short(event(rows[i].type, rows[i].vector), 0);
		fake_vmcs_set(VMCS_EXIT_INSN_LEN, 0);
		assert_int_equal(enter(), event(rows[i].type, rows[i].vector));
		assert_int_equal(fake_vmcs_get(VMCS_ENTRY_INSN_LEN), rows[i].len);
		assert_int_equal(fake_vmcs_get(VMCS_GUEST_RIP), 0x8000);
	}
}

/* SDM 3C "Checks on Guest Non-Register State": with virtual NMIs an NMI cannot be injected while NMIs are blocked. */
static void an_nmi_cut_short_does_not_block_itself(void **ctx)
{
	(void)ctx;
	fresh();
	block(BLOCK_NMI);
	cut_short(event(INTR_NMI, EXC_NMI), 0);
	assert_int_equal(blocking(), BLOCK_NMI);        /* until it is injected */
	assert_int_equal(enter(), event(INTR_NMI, EXC_NMI));
	assert_int_equal(blocking(), 0);
}

/* SDM 3A "Interrupt 8": first, second, and what comes of it. */
static void faults_during_delivery_combine(void **ctx)
{
	static const struct { uint8_t first, second, result; } rows[] = {
		{ EXC_GP, EXC_GP, EXC_DF }, { EXC_GP, EXC_NP, EXC_DF }, { EXC_GP, EXC_PF, EXC_PF },
		{ EXC_PF, EXC_PF, EXC_DF }, { EXC_PF, EXC_GP, EXC_DF }, { EXC_UD, EXC_GP, EXC_GP },
		{ EXC_DB, EXC_PF, EXC_PF }, { EXC_DE, EXC_TS, EXC_DF }, { EXC_SS, EXC_UD, EXC_UD },
		{ EXC_DF, EXC_UD, EXC_UD },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		cut_short(event(INTR_HW_EXC, rows[i].first), 0);
		v.fault = (struct x86_fault){ .vector = rows[i].second };
		vmx_event_fault(&v);
		assert_int_equal(hw.event.vector, rows[i].result);
		assert_int_equal(hw.event.has_error, rows[i].result == EXC_DF);
		assert_int_equal(vm.stop.kind, STOP_NONE);
	}
}

static void interrupts_combine_with_nothing(void **ctx)
{
	static const unsigned int types[] = { INTR_EXT, INTR_NMI, INTR_SOFT_INT, INTR_SW_EXC, INTR_PRIV_SW_EXC };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		fresh();
		cut_short(event(types[i], EXC_GP), 0);
		v.fault = (struct x86_fault){ .vector = EXC_GP };
		vmx_event_fault(&v);
		assert_int_equal(hw.event.vector, EXC_GP);
		assert_int_equal(hw.event.type, INTR_HW_EXC);
	}
}

static void a_fault_in_a_double_fault_is_the_end(void **ctx)
{
	static const uint8_t second[] = { EXC_GP, EXC_PF, EXC_NP, EXC_DF };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(second); i++) {
		fresh();
		cut_short(event(INTR_HW_EXC, EXC_DF) | INTR_HAS_ERROR, 0);
		v.fault = (struct x86_fault){ .vector = second[i] };
		vmx_event_fault(&v);
		assert_int_equal(vm.stop.kind, STOP_TRIPLE_FAULT);
	}
}

static void real_mode_has_no_error_codes(void **ctx)
{
	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_GUEST_CR0, CR0_NE);
	v.fault = (struct x86_fault){ .vector = EXC_GP, .has_error = true, .error = 8 };
	vmx_event_fault(&v);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_GP));
	fake_vmcs_set(VMCS_GUEST_CR0, CR0_NE | CR0_PE);
	vmx_event_fault(&v);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_GP) | INTR_HAS_ERROR);
	assert_int_equal(fake_vmcs_get(VMCS_ENTRY_ERROR_CODE), 8);
}

static void nmis_come_one_at_a_time(void **ctx)
{
	(void)ctx;
	fresh();
	v.nmi_pending = true;
	set_flags(0);
	assert_int_equal(enter(), event(INTR_NMI, EXC_NMI));
	assert_false(v.nmi_pending);
	assert_int_equal(windows(), 0);
	block(BLOCK_NMI);                       /* the entry did that */
	v.nmi_pending = true;
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), CPU_NMI_WINDOW);
	assert_true(v.nmi_pending);
	block(0);                               /* its IRET */
	assert_int_equal(enter(), event(INTR_NMI, EXC_NMI));
	assert_int_equal(windows(), 0);
}

static void an_nmi_waits_for_the_shadow(void **ctx)
{
	(void)ctx;
	fresh();
	v.nmi_pending = true;
	block(BLOCK_MOV_SS);
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), CPU_NMI_WINDOW);
	block(BLOCK_STI);
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), CPU_NMI_WINDOW);
	block(BLOCK_STI | BLOCK_NMI);
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), CPU_NMI_WINDOW);
	block(BLOCK_STI);
	assert_int_equal(enter(), 0);
	/* CLI was in the shadow: no interrupt could come now. */
	set_flags(0);
	block(0);
	hw.reason = VMX_EXIT_NMI_WINDOW;
	assert_int_equal(enter(), event(INTR_NMI, EXC_NMI));
	assert_int_equal(windows(), 0);
}

/* Such a CPU takes NMIs there; for an injection it may ask that the shadow be over. */
static void an_nmi_window_may_open_in_the_shadow_of_sti(void **ctx)
{
	(void)ctx;
	fresh();
	v.nmi_pending = true;
	block(BLOCK_STI);
	assert_int_equal(enter(), 0);
	assert_int_equal(windows(), CPU_NMI_WINDOW);
	hw.reason = VMX_EXIT_NMI_WINDOW;
	assert_int_equal(enter(), event(INTR_NMI, EXC_NMI));
	assert_int_equal(blocking(), 0);
	assert_int_equal(windows(), 0);
	assert_false(v.nmi_pending);
}

static void an_nmi_goes_before_an_interrupt(void **ctx)
{
	(void)ctx;
	fresh();
	v.nmi_pending = true;
	irq.next = 0x41;
	assert_int_equal(enter(), event(INTR_NMI, EXC_NMI));
	assert_int_equal(windows(), CPU_INTR_WINDOW);
	block(BLOCK_NMI);
	assert_int_equal(enter(), event(INTR_EXT, 0x41));
}

static void what_waits_behind_an_exception_gets_its_window(void **ctx)
{
	(void)ctx;
	fresh();
	v.nmi_pending = true;
	irq.next = 0x41;
	v.fault = (struct x86_fault){ .vector = EXC_UD };
	vmx_event_fault(&v);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_UD));
	assert_int_equal(windows(), CPU_NMI_WINDOW | CPU_INTR_WINDOW);
	assert_true(v.nmi_pending && irq.acks == 0);
}

static void an_iret_undone_blocks_again(void **ctx)
{
	(void)ctx;
	fresh();
	block(BLOCK_STI);
	vmx_event_nmi_block();
	assert_int_equal(blocking(), BLOCK_STI | BLOCK_NMI);
}

static void halt_ends_for_what_can_be_delivered(void **ctx)
{
	(void)ctx;
	fresh();
	assert_false(vmx_event_wakes(&v));
	irq.next = 0x50;
	assert_true(vmx_event_wakes(&v));
	set_flags(0);
	assert_false(vmx_event_wakes(&v));
	v.nmi_pending = true;
	assert_true(vmx_event_wakes(&v));
	block(BLOCK_NMI);
	assert_false(vmx_event_wakes(&v));
	hw.event = (struct vmx_event){ .valid = true, .type = INTR_HW_EXC, .vector = EXC_DB };
	assert_true(vmx_event_wakes(&v));
}

static void the_trap_flag_is_honoured(void **ctx)
{
	(void)ctx;
	fresh();
	vmx_event_trap(&v);
	assert_false(hw.event.valid);
	set_flags(RFLAGS_TF);
	/* A data breakpoint that a MOV to SS held back comes with it. */
	fake_vmcs_set(VMCS_GUEST_PENDING_DBG, PENDING_DBG_BS | 1u << 12 | 2);
	vmx_event_trap(&v);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_DB));
	assert_int_equal(hw.dr6, 0xffff0ff0 | DR6_BS | 2);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_PENDING_DBG), 0);
	/* What is under way already stays. */
	fresh();
	set_flags(RFLAGS_TF);
	cut_short(event(INTR_EXT, 0x30), 0);
	vmx_event_trap(&v);
	assert_int_equal(enter(), event(INTR_EXT, 0x30));
	assert_int_equal(hw.dr6, 0xffff0ff0);
}

/* The exit left DR6 and DR7 as they were: SDM 3C "Architectural State Before a VM Exit". */
static void a_debug_exception_brings_its_registers(void **ctx)
{
	(void)ctx;
	fresh();
	hw.dr6 = 0xffff0ff0 | DR6_BS | 5;
	fake_vmcs_set(VMCS_GUEST_DR7, 0x400 | DR7_GD);
	vmx_event_debug(&v, event(INTR_HW_EXC, EXC_DB), 0xffff80000001bff2);
	/* B0-B3 are this exception's only, the rest collects. */
	assert_int_equal(hw.dr6, 0xffff0ff0 | DR6_BS | 0x2002);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_DR7), 0x400);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_DB));
	assert_false(fake_vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
}

/* As after `sti` single-stepped: the entry would fail with STI's shadow, TF and no pending single step. */
static void a_debug_exception_ends_a_shadow(void **ctx)
{
	(void)ctx;
	fresh();
	set_flags(RFLAGS_TF | RFLAGS_IF);
	block(BLOCK_STI);
	vmx_event_debug(&v, event(INTR_HW_EXC, EXC_DB), DR6_BS);
	assert_int_equal(enter(), event(INTR_HW_EXC, EXC_DB));
	assert_int_equal(blocking(), 0);
}

static void icebp_is_delivered_as_icebp(void **ctx)
{
	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_EXIT_INSN_LEN, 1);
	vmx_event_debug(&v, event(INTR_PRIV_SW_EXC, EXC_DB), 0);
	assert_int_equal(enter(), event(INTR_PRIV_SW_EXC, EXC_DB));
	assert_int_equal(fake_vmcs_get(VMCS_ENTRY_INSN_LEN), 1);
	assert_int_equal(hw.dr6, 0xffff0ff0);
}

static void run_all(void *failed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(injects_when_the_guest_can_take_it),
		cmocka_unit_test(opens_a_window_when_it_cannot),
		cmocka_unit_test(only_a_pics_is_injected_where_the_cpu_delivers),
		cmocka_unit_test(a_window_closes_when_nothing_waits),
		cmocka_unit_test(a_second_interrupt_gets_its_window),
		cmocka_unit_test(a_queued_exception_goes_first),
		cmocka_unit_test(a_page_fault_sets_cr2),
		cmocka_unit_test(a_fault_is_pushed_with_rf),
		cmocka_unit_test(an_exception_ends_a_shadow),
		cmocka_unit_test(what_was_cut_short_is_delivered_again),
		cmocka_unit_test(software_events_come_again_with_their_length),
		cmocka_unit_test(an_nmi_cut_short_does_not_block_itself),
		cmocka_unit_test(faults_during_delivery_combine),
		cmocka_unit_test(interrupts_combine_with_nothing),
		cmocka_unit_test(a_fault_in_a_double_fault_is_the_end),
		cmocka_unit_test(real_mode_has_no_error_codes),
		cmocka_unit_test(nmis_come_one_at_a_time),
		cmocka_unit_test(an_nmi_waits_for_the_shadow),
		cmocka_unit_test(an_nmi_window_may_open_in_the_shadow_of_sti),
		cmocka_unit_test(an_nmi_goes_before_an_interrupt),
		cmocka_unit_test(what_waits_behind_an_exception_gets_its_window),
		cmocka_unit_test(an_iret_undone_blocks_again),
		cmocka_unit_test(halt_ends_for_what_can_be_delivered),
		cmocka_unit_test(the_trap_flag_is_honoured),
		cmocka_unit_test(a_debug_exception_brings_its_registers),
		cmocka_unit_test(a_debug_exception_ends_a_shadow),
		cmocka_unit_test(icebp_is_delivered_as_icebp),
	};

	*(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	int failed = 1;

	cpu_area_run(run_all, &failed, NULL);
	return failed;
}
