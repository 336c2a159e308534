/* SPDX-License-Identifier: BSD-2-Clause */
/* Event delivery on SVM: what is injected when, what waits, what is delivered again, and what becomes a double fault. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/svm/svm.h"
#include "tests/unit/support/irq.h"

static struct vm vm;
static struct vcpu v;
static struct vcpu_hw hw;
static struct vmcb vmcb;

static void fresh(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	memset(&vmcb, 0, sizeof(vmcb));
	v.vm = &vm;
	v.hw = &hw;
	hw.vmcb = &vmcb;
	vmcb.rflags = RFLAGS_IF | RFLAGS_FIXED;
	vmcb.cr0 = CR0_PE;
	vmcb.intercept_exceptions = SVM_EXCEPTIONS;
	irq_reset();
}

static uint64_t event(unsigned int type, uint8_t vector)
{
	return SVM_EVENT_VALID | (uint64_t)type << 8 | vector;
}

static bool window_open(void)
{
	bool v_irq = vmcb.int_ctl & SVM_INTCTL_V_IRQ, intercept = vmcb.intercept1 & SVM_INT1_VINTR;

	assert_int_equal(v_irq, intercept);
	return v_irq;
}

static void injects_when_the_guest_can_take_it(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_INTR, 0x41));
	assert_false(window_open());
	assert_int_equal(irq.acks, 1);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, 0);
}

static void opens_a_window_when_it_cannot(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	vmcb.rflags = RFLAGS_FIXED;
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, 0);
	assert_true(window_open());
	assert_int_equal(irq.acks, 0);
	vmcb.rflags |= RFLAGS_IF;
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	svm_event_prepare(&v);
	assert_true(window_open() && irq.acks == 0);
	vmcb.int_state = 0;
	svm_event_prepare(&v);
	assert_false(window_open());
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_INTR, 0x41));
	irq.next = -1;
	svm_event_prepare(&v);
	assert_false(window_open());
}

/* The PIC's behind the local APIC's: both are on offer at once. */
static void a_second_interrupt_gets_its_window(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	irq.behind = 0x20;
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_INTR, 0x41));
	assert_true(window_open());
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_INTR, 0x20));
	assert_false(window_open());
}

static void a_queued_exception_goes_first(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	v.fault = (struct x86_fault){ .vector = EXC_GP, .has_error = true, .error = 0x1234 };
	svm_event_fault(&v);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_EXC, EXC_GP) | SVM_EVENT_HAS_ERROR | 0x1234ull << 32);
	assert_true(window_open());
	assert_int_equal(irq.acks, 0);
}

static void a_page_fault_sets_cr2(void **ctx)
{
	(void)ctx;
	fresh();
	v.fault = (struct x86_fault){ .vector = EXC_PF, .has_error = true, .error = 2, .cr2 = 0xdead000 };
	svm_event_fault(&v);
	assert_int_equal(vmcb.cr2, 0xdead000);
}

static void a_fault_is_pushed_with_rf(void **ctx)
{
	(void)ctx;
	fresh();
	v.fault = (struct x86_fault){ .vector = EXC_DB };
	svm_event_fault(&v);
	assert_false(vmcb.rflags & RFLAGS_RF);
	v.fault = (struct x86_fault){ .vector = EXC_UD };
	svm_event_fault(&v);
	assert_true(vmcb.rflags & RFLAGS_RF);
}

static void what_was_cut_short_is_delivered_again(void **ctx)
{
	(void)ctx;
	fresh();
	vmcb.exit_int_info = event(SVM_EVENT_EXC, EXC_PF) | SVM_EVENT_HAS_ERROR | 6ull << 32;
	svm_event_collect(&v);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, vmcb.exit_int_info);
	vmcb.exit_int_info = event(SVM_EVENT_INTR, 0x30);
	svm_event_collect(&v);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, vmcb.exit_int_info);
}

/* RIP is at the INT n, INT3 or INTO; a next RIP, were there one, changes nothing. */
static void software_events_are_executed_again_instead(void **ctx)
{
	static const uint64_t info[] = { 0x80000400 | 0x80, 0x80000300 | EXC_BP, 0x80000300 | EXC_OF };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(info); i++) {
		fresh();
		vmcb.exit_int_info = info[i];
		vmcb.rip = 0x1000;
		vmcb.next_rip = 0x1234;
		svm_event_collect(&v);
		svm_event_prepare(&v);
		assert_int_equal(vmcb.event_inj, 0);
		assert_int_equal(vmcb.rip, 0x1000);
	}
}

static void stale_bits_without_valid_mean_nothing(void **ctx)
{
	(void)ctx;
	fresh();
	vmcb.exit_int_info = 0x306;
	svm_event_collect(&v);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, 0);
}

/* APM 2 "#DF": first, second, and what comes of it. */
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
		vmcb.exit_int_info = event(SVM_EVENT_EXC, rows[i].first);
		svm_event_collect(&v);
		v.fault = (struct x86_fault){ .vector = rows[i].second };
		svm_event_fault(&v);
		assert_int_equal(hw.event.vector, rows[i].result);
		assert_int_equal(vm.stop.kind, STOP_NONE);
	}
}

static void a_fault_in_a_double_fault_is_the_end(void **ctx)
{
	static const uint8_t second[] = { EXC_GP, EXC_PF, EXC_NP, EXC_DF };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(second); i++) {
		fresh();
		vmcb.exit_int_info = event(SVM_EVENT_EXC, EXC_DF);
		svm_event_collect(&v);
		v.fault = (struct x86_fault){ .vector = second[i] };
		svm_event_fault(&v);
		assert_int_equal(vm.stop.kind, STOP_TRIPLE_FAULT);
	}
}

static void real_mode_has_no_error_codes(void **ctx)
{
	(void)ctx;
	fresh();
	vmcb.cr0 = 0;
	v.fault = (struct x86_fault){ .vector = EXC_GP, .has_error = true, .error = 8 };
	svm_event_fault(&v);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_EXC, EXC_GP));
	vmcb.cr0 = CR0_PE;
	svm_event_fault(&v);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_EXC, EXC_GP) | SVM_EVENT_HAS_ERROR | 8ull << 32);
}

/* An exit without an event under way. */
static void exits(uint32_t code)
{
	vmcb.exit_code = code;
	vmcb.exit_int_info = 0;
	svm_event_collect(&v);
}

/* An NMI is delivered, its handler comes to the IRET at 1000h. */
static void until_iret(void)
{
	v.nmi_pending = true;
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_NMI, EXC_NMI));
	assert_false(v.nmi_pending);
	assert_true(vmcb.intercept1 & SVM_INT1_IRET);
	vmcb.rip = 0x1000;
	exits(SVM_EXIT_IRET);
	svm_event_iret(&v);
	assert_false(vmcb.intercept1 & SVM_INT1_IRET);
	assert_true(hw.nmi_masked);
}

/* Nothing of a step is left. */
static void assert_no_step(void)
{
	assert_false(hw.stepping);
	assert_int_equal(vmcb.intercept_exceptions, SVM_EXCEPTIONS);
	assert_false(vmcb.intercept1 & (SVM_INT1_PUSHF | SVM_INT1_POPF | SVM_INT1_SWINT));
}

static void nmis_come_one_at_a_time(void **ctx)
{
	(void)ctx;
	fresh();
	until_iret();
	v.nmi_pending = true;
	svm_event_prepare(&v);                          /* one step over the IRET */
	assert_int_equal(vmcb.event_inj, 0);
	assert_true(hw.stepping && (vmcb.rflags & RFLAGS_TF));
	vmcb.rip = 0x2000;
	vmcb.rflags = RFLAGS_FIXED | RFLAGS_IF;         /* as the IRET popped them */
	vmcb.dr6 = 1u << 14;
	exits(SVM_EXIT_EXC_DB);
	assert_true(svm_event_stepped(&v));
	assert_int_equal(vmcb.dr6, 0);
	assert_no_step();
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_NMI, EXC_NMI));
}

/* Without one pending, too: only so it is known when NMIs are open again. Bochs has not written DR6 at this exit. */
static void an_iret_is_stepped_over_in_any_case(void **ctx)
{
	(void)ctx;
	fresh();
	until_iret();
	svm_event_prepare(&v);
	assert_true(hw.stepping && hw.nmi_masked);
	vmcb.rip = 0x1002;
	exits(SVM_EXIT_EXC_DB);
	assert_true(svm_event_stepped(&v));
	assert_false(hw.nmi_masked);
	assert_no_step();
	vmcb.rip = 0x1003;
	exits(SVM_EXIT_EXC_DB);                         /* the guest's own */
	assert_false(svm_event_stepped(&v));
}

static void flags_that_the_iret_popped_are_the_guests(void **ctx)
{
	(void)ctx;
	fresh();
	until_iret();
	svm_event_prepare(&v);
	vmcb.rip = 0x2000;
	vmcb.rflags = RFLAGS_FIXED | RFLAGS_TF;
	exits(SVM_EXIT_EXC_DB);
	assert_true(svm_event_stepped(&v));
	assert_true(vmcb.rflags & RFLAGS_TF);
}

/* An IRET that faults is handed to the guest without a trace of the step, and NMIs stay masked until one has executed. */
static void an_iret_that_faults_leaves_nothing_behind(void **ctx)
{
	static const uint8_t vectors[] = { EXC_GP, EXC_PF, EXC_NP, EXC_SS, EXC_TS, EXC_AC };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		fresh();
		until_iret();
		v.nmi_pending = true;
		svm_event_prepare(&v);
		assert_true(vmcb.intercept_exceptions & 1u << vectors[i]);
		exits(SVM_EXIT_EXC_DE + vectors[i]);
		assert_true(hw.step_ended);
		assert_false(svm_event_stepped(&v));
		assert_false(vmcb.rflags & RFLAGS_TF);
		assert_no_step();
		assert_true(hw.nmi_masked && (vmcb.intercept1 & SVM_INT1_IRET));
		v.fault = (struct x86_fault){ .vector = vectors[i], .has_error = true };
		svm_event_fault(&v);
		svm_event_prepare(&v);
		assert_int_equal(vmcb.event_inj, event(SVM_EVENT_EXC, vectors[i]) | SVM_EVENT_HAS_ERROR);
		/* Later, a #DB of the guest's own is not swallowed. */
		vmcb.rip = 0x5000;
		exits(SVM_EXIT_EXC_DB);
		assert_false(svm_event_stepped(&v));
		assert_true(v.nmi_pending && hw.nmi_masked);
	}
}

/* Something else exits before the IRET has executed: it is stepped over again. */
static void a_step_cut_short_is_taken_again(void **ctx)
{
	static const uint32_t codes[] = { SVM_EXIT_INTR, SVM_EXIT_NMI, SVM_EXIT_NPF };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fresh();
		until_iret();
		svm_event_prepare(&v);
		exits(codes[i]);
		assert_false(vmcb.rflags & RFLAGS_TF);
		assert_no_step();
		assert_true(hw.nmi_masked && hw.iret_next);
		svm_event_prepare(&v);
		assert_true(hw.stepping && (vmcb.rflags & RFLAGS_TF));
	}
}

/* Its fault was on the way to the guest when its handler's stack was missing: the IRET is behind, and waited for again. */
static void an_iret_whose_fault_is_cut_short_is_waited_for(void **ctx)
{
	(void)ctx;
	fresh();
	until_iret();
	vmcb.exit_code = SVM_EXIT_NPF;
	vmcb.exit_int_info = event(SVM_EVENT_EXC, EXC_NP) | SVM_EVENT_HAS_ERROR;
	svm_event_collect(&v);
	assert_true(hw.nmi_masked && !hw.iret_next && (vmcb.intercept1 & SVM_INT1_IRET));
}

/* A breakpoint on the IRET itself is no step: the guest gets it, and the IRET is still to come. */
static void a_breakpoint_on_the_iret_is_the_guests(void **ctx)
{
	(void)ctx;
	fresh();
	until_iret();
	svm_event_prepare(&v);
	vmcb.dr6 = 1;
	exits(SVM_EXIT_EXC_DB);
	assert_false(svm_event_stepped(&v));
	assert_false(vmcb.rflags & RFLAGS_TF);
	assert_true(hw.nmi_masked && (vmcb.intercept1 & SVM_INT1_IRET));
	/* One that a data access of the IRET hit comes with the step, and without BS. */
	fresh();
	until_iret();
	svm_event_prepare(&v);
	vmcb.rip = 0x2000;
	vmcb.dr6 = 1 | 1u << 14;
	exits(SVM_EXIT_EXC_DB);
	assert_false(svm_event_stepped(&v));
	assert_int_equal(vmcb.dr6, 1);
	assert_false(hw.nmi_masked);
}

static void a_guest_that_steps_itself_gets_its_trap(void **ctx)
{
	(void)ctx;
	fresh();
	until_iret();
	vmcb.rflags |= RFLAGS_TF;
	svm_event_prepare(&v);
	assert_true(hw.stepping);
	vmcb.rip = 0x2000;
	vmcb.dr6 = 1u << 14;
	exits(SVM_EXIT_EXC_DB);
	assert_false(svm_event_stepped(&v));
	assert_int_equal(vmcb.dr6, 1u << 14);
	assert_false(hw.nmi_masked);
	assert_true(vmcb.rflags & RFLAGS_TF);
}

static void no_interrupt_goes_in_while_stepping(void **ctx)
{
	(void)ctx;
	fresh();
	until_iret();
	irq.next = 0x41;
	svm_event_prepare(&v);
	assert_true(hw.stepping);
	assert_int_equal(vmcb.event_inj, 0);
	assert_int_equal(irq.acks, 0);
	assert_false(window_open());
	vmcb.rip = 0x2000;
	exits(SVM_EXIT_EXC_DB);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_INTR, 0x41));
}

/* IRET straight to a HLT: the step's exit lies between them, and a waiting NMI goes in there. */
static void an_nmi_ends_a_halt_behind_iret(void **ctx)
{
	(void)ctx;
	fresh();
	vmcb.rflags = RFLAGS_FIXED;
	until_iret();
	svm_event_prepare(&v);
	exits(SVM_EXIT_INTR);
	v.nmi_pending = true;
	assert_false(svm_event_wakes(&v));              /* another exit, the IRET has not executed */
	svm_event_prepare(&v);
	vmcb.rip = 0xfff;
	exits(SVM_EXIT_EXC_DB);
	assert_true(svm_event_wakes(&v));
}

static void nmis_wait_for_the_shadow_only(void **ctx)
{
	(void)ctx;
	fresh();
	v.nmi_pending = true;
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	vmcb.rflags = RFLAGS_FIXED;
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, 0);
	assert_true(vmcb.rflags & RFLAGS_TF);           /* an exit right after the shadow */
	vmcb.int_state = 0;
	vmcb.rip++;
	exits(SVM_EXIT_EXC_DB);
	assert_true(svm_event_stepped(&v));
	assert_false(vmcb.rflags & RFLAGS_TF);
	assert_no_step();
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_NMI, EXC_NMI));
}

/* What would save or load TF exits instead of being stepped over, and the NMI goes in without waiting any longer. */
static void what_would_show_tf_is_not_stepped_over(void **ctx)
{
	static const uint32_t codes[] = { SVM_EXIT_PUSHF, SVM_EXIT_POPF, SVM_EXIT_SWINT, SVM_EXIT_IRET };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fresh();
		v.nmi_pending = true;
		vmcb.int_state = SVM_INTSTATE_SHADOW;
		svm_event_prepare(&v);
		assert_true(vmcb.intercept1 & 1u << (codes[i] - 0x60));
		exits(codes[i]);
		if (codes[i] == SVM_EXIT_IRET)
			svm_event_iret(&v);
		else
			svm_event_no_step(&v);
		assert_false(vmcb.rflags & RFLAGS_TF);
		assert_no_step();
		svm_event_prepare(&v);
		assert_int_equal(vmcb.event_inj, event(SVM_EVENT_NMI, EXC_NMI));
	}
}

/* An exit from outside in a shadow, with an interrupt that waits: this one instruction is stepped over, then it goes in. */
static void no_interrupt_comes_between_sti_and_hlt(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	vmcb.rip = 0x1000;
	vmcb.efer = EFER_SCE;
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	exits(SVM_EXIT_INTR);
	svm_event_prepare(&v);
	assert_true(hw.stepping && (vmcb.rflags & RFLAGS_TF) && !window_open());
	assert_int_equal(vmcb.event_inj, 0);
	assert_int_equal(vmcb.efer, 0);                 /* SYSCALL would save TF */
	/* A VMRUN that drops shadows: the next exit from outside, still before the instruction, says there is none. */
	vmcb.int_state = 0;
	exits(SVM_EXIT_INTR);
	assert_no_step();
	assert_false(vmcb.rflags & RFLAGS_TF);
	assert_int_equal(vmcb.efer, EFER_SCE);
	svm_event_prepare(&v);
	assert_true(hw.stepping && irq.acks == 0);
	/* HLT exits; stepping over it ends the shadow. */
	vmcb.int_state = 0;
	exits(SVM_EXIT_HLT);
	vmcb.rip++;
	assert_no_step();
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_INTR, 0x41));
	assert_int_equal(irq.acks, 1);
}

/* Also where nothing waited when it was entered, and the exit brings the interrupt. */
static void a_shadow_outlives_exits_from_outside(void **ctx)
{
	static const uint32_t codes[] = { SVM_EXIT_INTR, SVM_EXIT_NMI, SVM_EXIT_VINTR };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fresh();
		vmcb.rip = 0x1000;
		vmcb.int_state = SVM_INTSTATE_SHADOW;
		exits(SVM_EXIT_NMI);
		svm_event_prepare(&v);
		assert_false(hw.stepping || window_open());
		vmcb.int_state = 0;
		exits(codes[i]);
		irq.next = 0x41;
		svm_event_prepare(&v);
		assert_true(hw.stepping && irq.acks == 0);
		/* The instruction is done: no more shadow, no step. */
		vmcb.int_state = 0;
		vmcb.rip++;
		exits(SVM_EXIT_INTR);
		svm_event_prepare(&v);
		assert_false(hw.stepping);
		assert_int_equal(vmcb.event_inj, event(SVM_EVENT_INTR, 0x41));
	}
}

/* With interrupts off, or after an exit of the instruction's own, the window sees to it. */
static void other_shadows_are_not_stepped_over(void **ctx)
{
	(void)ctx;
	fresh();
	irq.next = 0x41;
	vmcb.rflags = RFLAGS_FIXED;
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	exits(SVM_EXIT_INTR);
	svm_event_prepare(&v);
	assert_true(!hw.stepping && window_open());
	fresh();
	irq.next = 0x41;
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	exits(SVM_EXIT_PAUSE);
	svm_event_prepare(&v);
	assert_true(!hw.stepping && window_open());
	/* What can't be stepped over keeps its shadow. */
	exits(SVM_EXIT_INTR);
	svm_event_prepare(&v);
	assert_true(hw.stepping);
	exits(SVM_EXIT_PUSHF);
	svm_event_no_step(&v);
	svm_event_prepare(&v);
	assert_true(!hw.stepping && window_open() && irq.acks == 0);
	assert_int_equal(vmcb.int_state, SVM_INTSTATE_SHADOW);
}

/* SYSCALL exits by #UD and is executed without the step; if it is another #UD, it comes again by itself. */
static void syscall_does_not_save_our_tf(void **ctx)
{
	(void)ctx;
	fresh();
	vmcb.efer = EFER_SCE;
	v.nmi_pending = true;
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	svm_event_prepare(&v);
	assert_true(hw.stepping && !(vmcb.efer & EFER_SCE));
	exits(SVM_EXIT_EXC_DE + EXC_UD);
	assert_true(hw.step_ud);
	assert_int_equal(vmcb.efer, EFER_SCE);
	exits(SVM_EXIT_EXC_DE + EXC_UD);
	assert_false(hw.step_ud);
	/* A guest without SYSCALL has its #UD at once. */
	fresh();
	v.nmi_pending = true;
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	svm_event_prepare(&v);
	exits(SVM_EXIT_EXC_DE + EXC_UD);
	assert_false(hw.step_ud);
	assert_int_equal(vmcb.efer, 0);
}

/* An event that is delivered ends a shadow. */
static void no_handler_starts_in_a_shadow(void **ctx)
{
	(void)ctx;
	fresh();
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	v.fault = (struct x86_fault){ .vector = EXC_UD };
	svm_event_fault(&v);
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_EXC, EXC_UD));
	assert_int_equal(vmcb.int_state, 0);
}

/* An NMI cut short is delivered again, still as the one that masks others. */
static void an_nmi_cut_short_keeps_others_out(void **ctx)
{
	(void)ctx;
	fresh();
	v.nmi_pending = true;
	svm_event_prepare(&v);
	vmcb.exit_code = SVM_EXIT_INTR;
	vmcb.exit_int_info = event(SVM_EVENT_NMI, EXC_NMI);
	svm_event_collect(&v);
	v.nmi_pending = true;
	svm_event_prepare(&v);
	assert_int_equal(vmcb.event_inj, event(SVM_EVENT_NMI, EXC_NMI));
	assert_true(v.nmi_pending && hw.nmi_masked && (vmcb.intercept1 & SVM_INT1_IRET));
}

static void halt_ends_for_what_can_be_delivered(void **ctx)
{
	(void)ctx;
	fresh();
	assert_false(svm_event_wakes(&v));
	irq.next = 0x50;
	assert_true(svm_event_wakes(&v));
	vmcb.rflags = RFLAGS_FIXED;
	assert_false(svm_event_wakes(&v));
	v.nmi_pending = true;
	assert_true(svm_event_wakes(&v));
	hw.nmi_masked = true;
	assert_false(svm_event_wakes(&v));
	hw.event = (struct svm_event){ .valid = true, .type = SVM_EVENT_EXC, .vector = EXC_DB };
	assert_true(svm_event_wakes(&v));
}

static void the_trap_flag_is_honoured(void **ctx)
{
	(void)ctx;
	fresh();
	svm_event_trap(&v);
	assert_false(hw.event.valid);
	vmcb.rflags |= RFLAGS_TF;
	svm_event_trap(&v);
	assert_true(hw.event.valid && hw.event.vector == EXC_DB);
	assert_true(vmcb.dr6 & 1u << 14);
	/* An instruction that Vouch completed while stepping: TF was ours, so there is nothing to honour. */
	fresh();
	v.nmi_pending = true;
	vmcb.int_state = SVM_INTSTATE_SHADOW;
	svm_event_prepare(&v);
	exits(SVM_EXIT_CPUID);
	svm_event_trap(&v);
	assert_false(hw.event.valid);
	assert_false(vmcb.rflags & RFLAGS_TF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(injects_when_the_guest_can_take_it),
		cmocka_unit_test(opens_a_window_when_it_cannot),
		cmocka_unit_test(a_second_interrupt_gets_its_window),
		cmocka_unit_test(a_queued_exception_goes_first),
		cmocka_unit_test(a_page_fault_sets_cr2),
		cmocka_unit_test(a_fault_is_pushed_with_rf),
		cmocka_unit_test(what_was_cut_short_is_delivered_again),
		cmocka_unit_test(software_events_are_executed_again_instead),
		cmocka_unit_test(stale_bits_without_valid_mean_nothing),
		cmocka_unit_test(faults_during_delivery_combine),
		cmocka_unit_test(a_fault_in_a_double_fault_is_the_end),
		cmocka_unit_test(real_mode_has_no_error_codes),
		cmocka_unit_test(nmis_come_one_at_a_time),
		cmocka_unit_test(an_iret_is_stepped_over_in_any_case),
		cmocka_unit_test(flags_that_the_iret_popped_are_the_guests),
		cmocka_unit_test(an_iret_that_faults_leaves_nothing_behind),
		cmocka_unit_test(a_step_cut_short_is_taken_again),
		cmocka_unit_test(an_iret_whose_fault_is_cut_short_is_waited_for),
		cmocka_unit_test(a_breakpoint_on_the_iret_is_the_guests),
		cmocka_unit_test(a_guest_that_steps_itself_gets_its_trap),
		cmocka_unit_test(no_interrupt_goes_in_while_stepping),
		cmocka_unit_test(an_nmi_ends_a_halt_behind_iret),
		cmocka_unit_test(nmis_wait_for_the_shadow_only),
		cmocka_unit_test(what_would_show_tf_is_not_stepped_over),
		cmocka_unit_test(no_interrupt_comes_between_sti_and_hlt),
		cmocka_unit_test(a_shadow_outlives_exits_from_outside),
		cmocka_unit_test(other_shadows_are_not_stepped_over),
		cmocka_unit_test(syscall_does_not_save_our_tf),
		cmocka_unit_test(no_handler_starts_in_a_shadow),
		cmocka_unit_test(an_nmi_cut_short_keeps_others_out),
		cmocka_unit_test(halt_ends_for_what_can_be_delivered),
		cmocka_unit_test(the_trap_flag_is_honoured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
