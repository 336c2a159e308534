/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VM exits decoded: each goes to its handler with what the qualification says, and the handler's answer takes effect. The
 * neutral handlers are doubles that remember how they were called.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/platform.h>
#include <vouch/vm.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/mm/nested.h"
#include "arch/x86/vmx/check.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/flatmem.h"
#include "tests/unit/support/log.h"
#include "tests/unit/support/panic_catch.h"
#include "tests/unit/support/vmcs.h"

static struct vm vm;
static struct vcpu v;
static struct vcpu_hw hw;
static uint8_t ram[0x4000];

/* What was called last, and what it answers. */
static struct {
	const char *name;
	unsigned int calls;
	uint64_t arg[4];
	enum exit_action answer;
} last;

static enum exit_action called(const char *name, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	last.name = name;
	last.calls++;
	last.arg[0] = a;
	last.arg[1] = b;
	last.arg[2] = c;
	last.arg[3] = d;
	return last.answer;
}

enum exit_action exit_cpuid(struct vcpu *c) { (void)c; return called("cpuid", 0, 0, 0, 0); }
enum exit_action exit_msr(struct vcpu *c, bool write) { (void)c; return called("msr", write, 0, 0, 0); }
enum exit_action exit_xsetbv(struct vcpu *c) { (void)c; return called("xsetbv", 0, 0, 0, 0); }
enum exit_action exit_hypercall(struct vcpu *c) { (void)c; return called("hypercall", 0, 0, 0, 0); }
static unsigned int spins;
void vcpu_spins(struct vcpu *c) { (void)c; spins++; }
void vmx_host_window(void) { called("window", 0, 0, 0, 0); }
void vmx_host_nmi(void) { called("nmi", 0, 0, 0, 0); }
void vmx_check_report(struct vcpu *c) { (void)c; called("check", 0, 0, 0, 0); }
const char *vmx_insn_error_text(uint32_t error) { return error == 7 ? "invalid control fields" : NULL; }
void host_reboot(void) { panic("reboot"); }

enum exit_action vmx_task_switch(struct vcpu *c, uint64_t qualification)
{
	(void)c;
	return called("task", qualification, 0, 0, 0);
}

enum exit_action exit_pio(struct vcpu *c, const struct pio_exit *x)
{
	(void)c;
	return called("pio", x->port, x->size, x->in, x->string);
}

enum exit_action exit_gpa(struct vcpu *c, const struct gpa_exit *x)
{
	(void)c;
	return called("gpa", x->gpa.v, x->write, x->fetch, 0);
}

enum exit_action exit_cr_write(struct vcpu *c, unsigned int cr, uint64_t val)
{
	(void)c;
	return called("cr", cr, val, 0, 0);
}

uint8_t lapic_cr8(const struct lapic *l)
{
	(void)l;
	return 7;
}

void lapic_page_written(struct lapic *l, unsigned int off)
{
	(void)l;
	called("page written", off, 0, 0, 0);
}

void lapic_eoi_done(struct lapic *l, uint8_t vector)
{
	(void)l;
	called("eoi", vector, 0, 0, 0);
}

unsigned int nested_path(const struct nested *n, gpa_t g, uint64_t e[4])
{
	(void)n;
	e[0] = 0x1007;
	e[1] = g.v | 2;
	return 2;
}

uint64_t policy_cr4(void)
{
	return CR4_PAE | CR4_PSE | CR4_PGE | CR4_MCE;
}

static void fresh(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	memset(&last, 0, sizeof(last));
	memset(ram, 0, sizeof(ram));
	flatmem_reset(ram, sizeof(ram), sizeof(ram));
	fake_vmcs_reset();
	vm.phys_bits = 40;
	v.vm = &vm;
	v.hw = &hw;
	hw.ctl.cpu = (uint32_t)fake_vmcs_get(VMCS_CPU_CTRL);
	hw.ctl.entry = (uint32_t)fake_vmcs_get(VMCS_ENTRY_CTRL);
	fake_vmcs_set(VMCS_EXIT_INSN_LEN, 3);
}

static void leave(uint32_t reason, uint64_t qualification)
{
	fake_vmcs_set(VMCS_EXIT_REASON, reason);
	fake_vmcs_set(VMCS_EXIT_QUALIFICATION, qualification);
	vmx_handle_exit(&v);
}

static uint64_t rip(void)
{
	return fake_vmcs_get(VMCS_GUEST_RIP);
}

static const struct exit_record *recorded(void)
{
	return &v.ring[(v.exits - 1) % EXIT_RING];
}

static bool raised(uint8_t vector)
{
	return hw.event.valid && hw.event.type == INTR_HW_EXC && hw.event.vector == vector;
}

#define assert_called(what) assert_string_equal(last.name ? last.name : "nothing", what)

static void instructions_go_to_their_handlers(void **ctx)
{
	static const struct { uint32_t reason; const char *name; } rows[] = {
		{ VMX_EXIT_CPUID, "cpuid" }, { VMX_EXIT_RDMSR, "msr" }, { VMX_EXIT_WRMSR, "msr" },
		{ VMX_EXIT_XSETBV, "xsetbv" }, { VMX_EXIT_VMCALL, "hypercall" },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		last.answer = EXIT_NEXT;
		leave(rows[i].reason, 0);
		assert_called(rows[i].name);
		assert_int_equal(last.arg[0], rows[i].reason == VMX_EXIT_WRMSR);
		assert_int_equal(rip(), 0x8003);
		assert_int_equal(v.exits, 1);
		assert_int_equal(v.exit_count[rows[i].reason], 1);
	}
}

static void answers_take_effect(void **ctx)
{
	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF | RFLAGS_TF);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCK_STI);
	last.answer = EXIT_NEXT;
	leave(VMX_EXIT_CPUID, 0);
	assert_int_equal(rip(), 0x8003);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_RFLAGS), RFLAGS_FIXED | RFLAGS_TF);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_true(raised(EXC_DB));
	fresh();
	last.answer = EXIT_AGAIN;
	leave(VMX_EXIT_CPUID, 0);
	assert_int_equal(rip(), 0x8000);
	assert_false(hw.event.valid);
	fresh();
	v.fault = (struct x86_fault){ .vector = EXC_GP, .has_error = true };
	last.answer = EXIT_FAULT;
	leave(VMX_EXIT_CPUID, 0);
	assert_int_equal(rip(), 0x8000);
	assert_true(raised(EXC_GP));
	fresh();
	last.answer = EXIT_STOP;
	leave(VMX_EXIT_CPUID, 0);
	assert_int_equal(rip(), 0x8000);
	fresh();
	leave(VMX_EXIT_HLT, 0);
	assert_int_equal(rip(), 0x8003);
	assert_true(v.halted);
}

/* As wide as the code segment is, whatever the mode: `mov %eax, %cr0` into real mode may leave a 32-bit one. */
static void the_next_instruction_wraps_as_code_does(void **ctx)
{
	static const struct { uint32_t cs; bool long_mode; uint64_t cr0, rip, next; } rows[] = {
		{ 0xa09b, true, CR0_PE, 0xfffffffe, 0x100000001 },
		{ 0xc09b, true, CR0_PE, 0xfffffffe, 0x1 },
		{ 0x809b, true, CR0_PE, 0xfffe, 0x1 },
		{ 0xa09b, false, CR0_PE, 0xfffe, 0x1 },         /* L means nothing there */
		{ 0xc09b, false, CR0_PE, 0xfffffffe, 0x1 },
		{ 0x009b, false, 0, 0xfffe, 0x1 },
		{ 0xc09b, false, 0, 0x10fffe, 0x110001 },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		if (!rows[i].long_mode)
			vmx_reg_set(&v, HVM_EFER, 0);
		fake_vmcs_set(VMCS_GUEST_CR0, rows[i].cr0 | CR0_NE);
		fake_vmcs_set(VMCS_GUEST_CS_ACCESS, rows[i].cs);
		fake_vmcs_set(VMCS_GUEST_RIP, rows[i].rip);
		leave(VMX_EXIT_PAUSE, 0);
		assert_int_equal(rip(), rows[i].next);
	}
}

static void ports_are_decoded(void **ctx)
{
	static const struct { uint64_t q; uint16_t port; unsigned int size; bool in, string; } rows[] = {
		{ 0x03f80000, 0x3f8, 1, false, false }, { 0x03fd0008, 0x3fd, 1, true, false },
		{ 0xffff000b, 0xffff, 4, true, false }, { 0x01f00039, 0x1f0, 2, true, true },
		{ 0x00800050, 0x80, 1, false, true },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		last.answer = rows[i].string ? EXIT_AGAIN : EXIT_NEXT;
		leave(VMX_EXIT_IO, rows[i].q);
		assert_called("pio");
		assert_int_equal(last.arg[0], rows[i].port);
		assert_int_equal(last.arg[1], rows[i].size);
		assert_int_equal(last.arg[2], rows[i].in);
		assert_int_equal(last.arg[3], rows[i].string);
		assert_int_equal(rip(), rows[i].string ? 0x8000 : 0x8003);
	}
}

static void control_registers_are_decoded(void **ctx)
{
	(void)ctx;
	fresh();
	last.answer = EXIT_NEXT;
	v.gpr[REG_R9] = 0xdead0000ca11ull;
	leave(VMX_EXIT_CR, 0x904);                      /* mov %r9, %cr4 */
	assert_called("cr");
	assert_int_equal(last.arg[0], 4);
	assert_int_equal(last.arg[1], 0xdead0000ca11ull);
	assert_int_equal(rip(), 0x8003);
	fake_vmcs_set(VMCS_GUEST_CS_ACCESS, 0xc09b);    /* 32-bit code: 32 bits of it */
	leave(VMX_EXIT_CR, 0x908);
	assert_int_equal(last.arg[0], 8);
	assert_int_equal(last.arg[1], 0xca11);
	/* mov %cr8, %rdx */
	fresh();
	v.gpr[REG_RDX] = ~0ull;
	leave(VMX_EXIT_CR, 0x218);
	assert_int_equal(v.gpr[REG_RDX], 7);
	assert_int_equal(rip(), 0x8003);
	/* clts: not what the guest may do without us, in the masks we have. */
	fresh();
	fake_vmcs_set(VMCS_GUEST_CR0, CR0_PE | CR0_ET | CR0_NE | CR0_TS | CR0_MP);
	last.answer = EXIT_NEXT;
	leave(VMX_EXIT_CR, 0x20);
	assert_int_equal(last.arg[0], 0);
	assert_int_equal(last.arg[1], CR0_PE | CR0_PG | CR0_ET | CR0_MP);
	/* lmsw with TS and EM, without PE: it cannot clear that; MP goes. */
	leave(VMX_EXIT_CR, 0xfffc0030);
	assert_int_equal(last.arg[1], CR0_PE | CR0_PG | CR0_ET | CR0_TS | CR0_EM);
}

static void unexpected_registers_stop_the_guest(void **ctx)
{
	static const uint64_t q[] = { 0x3, 0x13, 0x10, 0x14, 0x2, 0xf };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(q); i++) {
		fresh();
		leave(VMX_EXIT_CR, q[i]);
		assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
		assert_int_equal(last.calls, 0);
		assert_int_equal(rip(), 0x8000);
	}
}

/* What only Intel's CPUs refuse does not get to the neutral handler. */
static void bad_pdptes_fault_at_the_write(void **ctx)
{
	const uint64_t bad = 0x2003;

	(void)ctx;
	fresh();
	memcpy(ram + 0x1000, &bad, sizeof(bad));
	vmx_reg_set(&v, HVM_EFER, 0);
	fake_vmcs_set(VMCS_GUEST_CS_ACCESS, 0xc09b);
	fake_vmcs_set(VMCS_CR0_SHADOW, CR0_PE | CR0_ET);
	fake_vmcs_set(VMCS_GUEST_CR0, CR0_PE | CR0_ET | CR0_NE);
	v.gpr[REG_RAX] = CR0_PE | CR0_ET | CR0_PG;
	leave(VMX_EXIT_CR, 0);
	assert_true(raised(EXC_GP) && hw.event.has_error && hw.event.error == 0);
	assert_int_equal(last.calls, 0);
	assert_int_equal(rip(), 0x8000);
}

static void memory_accesses_are_decoded(void **ctx)
{
	static const struct { uint64_t q; bool write, fetch; } rows[] = { { 0x181, false, false }, { 0x182, true, false },
									  { 0x184, false, true }, { 0x183, true, false } };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		fake_vmcs_set(VMCS_GUEST_PHYS_ADDR, 0xfee000b0);
		last.answer = EXIT_AGAIN;
		leave(VMX_EXIT_EPT_VIOL, rows[i].q);
		assert_called("gpa");
		assert_int_equal(last.arg[0], 0xfee000b0);
		assert_int_equal(last.arg[1], rows[i].write);
		assert_int_equal(last.arg[2], rows[i].fetch);
		assert_int_equal(recorded()->info1, rows[i].q);
		assert_int_equal(recorded()->info2, 0xfee000b0);
	}
}

/* MOV to CR3 with PAE, where no memory is: no linear address, and ones in place of PDPTEs. */
static void missing_pdptes_fault(void **ctx)
{
	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_GUEST_PHYS_ADDR, 0xd0000000);
	leave(VMX_EXIT_EPT_VIOL, EPT_READ);
	assert_true(raised(EXC_GP) && hw.event.has_error && hw.event.error == 0);
	assert_int_equal(last.calls, 0);
}

static void task_switches_are_done_for_the_guest(void **ctx)
{
	(void)ctx;
	fresh();
	last.answer = EXIT_AGAIN;
	leave(VMX_EXIT_TASK_SWITCH, 0x80000028);
	assert_called("task");
	assert_int_equal(last.arg[0], 0x80000028);
	assert_int_equal(rip(), 0x8000);
}

static void an_event_without_a_stack_stops_the_guest(void **ctx)
{
	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_GUEST_PHYS_ADDR, 0xd0000000);
	fake_vmcs_set(VMCS_IDT_VECTORING_INFO, INTR_VALID | INTR_SOFT_INT << 8 | 0x55);
	leave(VMX_EXIT_EPT_VIOL, 0x182);
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	assert_string_equal(vm.stop.text, "vector 85 cannot be delivered: GPA 0xd0000000 is no plain memory");
	assert_int_equal(last.calls, 0);
}

static void a_misconfiguration_shows_the_entries(void **ctx)
{
	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_GUEST_PHYS_ADDR, 0x5000);
	leave(VMX_EXIT_EPT_MISCONF, 0);
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	assert_string_equal(vm.stop.text, "EPT misconfiguration at GPA 0x5000: entries 0x1007 0x5002 0x0 0x0");
}

static void take_exception(uint32_t info, uint64_t qualification)
{
	fake_vmcs_set(VMCS_EXIT_INTR_INFO, info);
	leave(VMX_EXIT_EXCEPTION, qualification);
}

static void exceptions_go_back_to_the_guest(void **ctx)
{
	(void)ctx;
	fresh();
	take_exception(INTR_VALID | INTR_HW_EXC << 8 | INTR_HAS_ERROR | EXC_AC, 0);
	assert_true(raised(EXC_AC) && hw.event.has_error && hw.event.error == 0);
	fresh();
	hw.dr6 = 0xffff0ff0;
	take_exception(INTR_VALID | INTR_HW_EXC << 8 | EXC_DB, 0x4001);
	assert_true(raised(EXC_DB));
	assert_int_equal(hw.dr6, 0xffff4ff1);
	assert_int_equal(recorded()->info2, INTR_VALID | INTR_HW_EXC << 8 | EXC_DB);
	fresh();
	take_exception(INTR_VALID | INTR_PRIV_SW_EXC << 8 | EXC_DB, 0);
	assert_int_equal(hw.event.type, INTR_PRIV_SW_EXC);
	assert_int_equal(hw.event.insn_len, 3);
	assert_int_equal(rip(), 0x8000);
	/* Not one we asked for. */
	fresh();
	take_exception(INTR_VALID | INTR_HW_EXC << 8 | EXC_UD, 0);
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
}

static void take_machine_check(void *arg)
{
	(void)arg;
	take_exception(INTR_VALID | INTR_HW_EXC << 8 | EXC_MC, 0);
}

static void machine_checks_are_the_hosts(void **ctx)
{
	(void)ctx;
	fresh();
	assert_string_equal(panic_of(take_machine_check, NULL), "machine check while a guest ran");
}

static void host_events_are_the_hosts(void **ctx)
{
	static const uint32_t windows[] = { VMX_EXIT_EXT_INTR, VMX_EXIT_PREEMPT };

	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_IDT_VECTORING_INFO, INTR_VALID | INTR_EXT << 8 | 0x30);
	take_exception(INTR_VALID | INTR_NMI << 8 | EXC_NMI, 0);
	assert_called("nmi");
	assert_int_equal(last.calls, 1);
	assert_true(hw.event.valid && hw.event.vector == 0x30);         /* and what was under way stays */
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		fresh();
		leave(windows[i], 0);
		assert_called("window");
		assert_int_equal(last.calls, 1);
		assert_int_equal(rip(), 0x8000);
		assert_false(hw.event.valid);
		assert_int_equal(vm.stop.kind, STOP_NONE);
	}
}

/* SDM 3C "Information for VM Exits Due to Vectored Events": bit 12. */
static void an_iret_that_faulted_blocks_nmis_again(void **ctx)
{
	static const struct { uint32_t info, vectoring; bool blocked; } rows[] = {
		{ INTR_VALID | INTR_HW_EXC << 8 | EXC_AC | INTR_NMI_UNBLOCK, 0, true },
		{ INTR_VALID | INTR_HW_EXC << 8 | EXC_AC, 0, false },
		{ INTR_VALID | INTR_HW_EXC << 8 | EXC_AC | INTR_NMI_UNBLOCK, INTR_VALID | 0x30, false },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		fake_vmcs_set(VMCS_IDT_VECTORING_INFO, rows[i].vectoring);
		take_exception(rows[i].info, 0);
		assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), rows[i].blocked ? BLOCK_NMI : 0);
	}
	fresh();
	leave(VMX_EXIT_EPT_VIOL, 0x181 | EPT_NMI_UNBLOCK);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), BLOCK_NMI);
	fresh();
	leave(VMX_EXIT_EPT_VIOL, 0x181);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTERRUPTIBILITY), 0);
}

static void what_guests_do_not_have_is_undefined(void **ctx)
{
	static const uint32_t ud[] = { 19, 20, 21, 22, 23, 24, 25, 26, 27, VMX_EXIT_GETSEC, VMX_EXIT_MWAIT, VMX_EXIT_MONITOR,
				       VMX_EXIT_INVEPT, VMX_EXIT_INVVPID, VMX_EXIT_RDTSCP, VMX_EXIT_INVPCID, VMX_EXIT_VMFUNC,
				       VMX_EXIT_ENCLS, VMX_EXIT_SEAMCALL, VMX_EXIT_TDCALL };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(ud); i++) {
		fresh();
		leave(ud[i], 0);
		assert_true(raised(EXC_UD) && !hw.event.has_error);
		assert_int_equal(rip(), 0x8000);
	}
	fresh();
	leave(VMX_EXIT_RDPMC, 0);
	assert_true(raised(EXC_GP) && hw.event.has_error);
}

static void some_have_no_effect(void **ctx)
{
	static const uint32_t next[] = { VMX_EXIT_INVD, VMX_EXIT_WBINVD, VMX_EXIT_PAUSE };
	static const uint32_t again[] = { VMX_EXIT_INTR_WINDOW, VMX_EXIT_NMI_WINDOW, VMX_EXIT_TPR };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(next); i++) {
		fresh();
		spins = 0;
		leave(next[i], 0);
		assert_int_equal(rip(), 0x8003);
		assert_int_equal(spins, next[i] == VMX_EXIT_PAUSE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		fresh();
		leave(again[i], 0);
		assert_int_equal(rip(), 0x8000);
		assert_false(hw.event.valid);
		assert_int_equal(vm.stop.kind, STOP_NONE);
	}
}

/* SDM 3C "Saving Non-Register State": the exit comes behind MOV to CR8 or a write to the APIC, and before its #DB. */
static void a_step_over_what_exits_behind_it_traps(void **ctx)
{
	static const uint32_t traps[] = { VMX_EXIT_TPR, VMX_EXIT_APIC_WRITE, VMX_EXIT_VIRT_EOI };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(traps); i++) {
		fresh();
		fake_vmcs_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
		fake_vmcs_set(VMCS_GUEST_PENDING_DBG, PENDING_DBG_BS);
		leave(traps[i], 0);
		assert_true(raised(EXC_DB));
		assert_int_equal(hw.dr6 & PENDING_DBG_BS, PENDING_DBG_BS);
		assert_int_equal(fake_vmcs_get(VMCS_GUEST_PENDING_DBG), 0);
		assert_int_equal(rip(), 0x8000);
		fresh();                        /* no step: the flag alone says nothing */
		fake_vmcs_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
		leave(traps[i], 0);
		assert_false(hw.event.valid);
	}
}

/* SDM 3C tables "Exit Qualification for APIC-Access VM Exits", "APIC-Write VM Exits" and "Virtualized EOI". */
static void what_the_cpu_leaves_of_the_apic_is_done(void **ctx)
{
	static const struct { uint64_t q, gpa; bool write, fetch; } rows[] = {
		{ 0x0390, 0xfee00390, false, false }, { 0x1300, 0xfee00300, true, false },
		{ 0x2fff, 0xfee00fff, false, true }, { 0xf0a0, 0xfee000a0, false, false },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh();
		last.answer = EXIT_AGAIN;
		leave(VMX_EXIT_APIC_ACCESS, rows[i].q);
		assert_called("gpa");
		assert_int_equal(last.arg[0], rows[i].gpa);
		assert_int_equal(last.arg[1], rows[i].write);
		assert_int_equal(last.arg[2], rows[i].fetch);
		assert_int_equal(rip(), 0x8000);
	}
	fresh();                                /* the CPU's own access, for a stack frame */
	fake_vmcs_set(VMCS_IDT_VECTORING_INFO, INTR_VALID | INTR_EXT << 8 | 0x41);
	leave(VMX_EXIT_APIC_ACCESS, 0x3ff8);
	assert_called("nothing");
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	assert_string_equal(vm.stop.text, "vector 65 cannot be delivered: GPA 0xfee00ff8 is no plain memory");
	fresh();
	leave(VMX_EXIT_APIC_WRITE, 0x320);
	assert_called("page written");
	assert_int_equal(last.arg[0], 0x320);
	assert_int_equal(rip(), 0x8000);        /* it is behind the instruction already */
	fresh();
	leave(VMX_EXIT_VIRT_EOI, 0x91);
	assert_called("eoi");
	assert_int_equal(last.arg[0], 0x91);
	assert_int_equal(rip(), 0x8000);
}

static void a_triple_fault_ends_the_guest(void **ctx)
{
	(void)ctx;
	fresh();
	leave(VMX_EXIT_TRIPLE_FAULT, 0);
	assert_int_equal(vm.stop.kind, STOP_TRIPLE_FAULT);
	assert_string_equal(vm.stop.text, "triple fault near RIP 0x8000");
}

static void take_init(void *arg)
{
	(void)arg;
	leave(VMX_EXIT_INIT, 0);
}

static void an_init_signal_resets_the_machine(void **ctx)
{
	(void)ctx;
	fresh();
	log_clear();
	assert_string_equal(panic_of(take_init, NULL), "reboot");
	assert_string_equal(log_text(), "error: INIT signal while a guest ran: this machine resets\n");
}

/* Every other number: nothing but the end of the guest, with reason, qualification and RIP. */
static void the_unknown_stops_the_guest(void **ctx)
{
	static const uint32_t unknown[] = { VMX_EXIT_SIPI, 5, 6, VMX_EXIT_INVLPG, VMX_EXIT_RDTSC, 17, VMX_EXIT_DR, 35, 37, 38,
					    42, 46, 47,
					    57, 61, 62, 63, 64, 75, 78, 80, 0xffff, 1u << 27 | 10 };
	char text[96];

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		fresh();
		leave(unknown[i], 0x1234);
		assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
		snprintf(text, sizeof(text), "exit %u (qualification 0x1234) at RIP 0x8000", unknown[i]);
		assert_string_equal(vm.stop.text, text);
		assert_int_equal(last.calls, 0);
		assert_false(hw.event.valid);
	}
}

static void a_failed_entry_is_explained(void **ctx)
{
	(void)ctx;
	fresh();
	fake_vmcs_set(VMCS_IDT_VECTORING_INFO, INTR_VALID | 0x30);      /* of an older exit: the guest has not run */
	leave(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_BAD_GUEST, 0);
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	assert_string_equal(vm.stop.text, "VM entry failed: reason 33, invalid guest state (qualification 0x0)");
	assert_called("check");
	assert_int_equal(hw.reason, VMX_EXIT_ENTRY_FAILED | VMX_EXIT_BAD_GUEST);
	assert_false(hw.event.valid);
	fresh();
	fake_vmcs_set(VMCS_INSN_ERROR, 7);
	vmx_handle_failure(&v);
	assert_string_equal(vm.stop.text, "VM entry failed: error 7, invalid control fields");
	assert_int_equal(hw.entry_error, 7);
	assert_called("check");
	fresh();
	fake_vmcs_set(VMCS_INSN_ERROR, 99);
	vmx_handle_failure(&v);
	assert_string_equal(vm.stop.text, "VM entry failed: error 99, unknown");
}

static void fail_by_machine_check(void *arg)
{
	(void)arg;
	leave(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_MCE_ENTRY, 0);
}

static void a_machine_check_at_the_entry_is_the_hosts(void **ctx)
{
	(void)ctx;
	fresh();
	assert_string_equal(panic_of(fail_by_machine_check, NULL), "machine check while a guest was entered");
}

static void the_record_says_what_the_report_shows(void **ctx)
{
	(void)ctx;
	fresh();
	v.gpr[REG_RAX] = 0xffffffff40000001ull;
	v.gpr[REG_RCX] = 0xffffffffc0000080ull;
	leave(VMX_EXIT_CPUID, 0x77);
	assert_int_equal(recorded()->code, VMX_EXIT_CPUID);
	assert_int_equal(recorded()->info2, 0x40000001);
	assert_int_equal(recorded()->rip, 0x8000);
	leave(VMX_EXIT_WRMSR, 0x77);
	assert_int_equal(recorded()->info2, 0xc0000080);
	assert_int_equal(v.exits, 2);
}

static void run_all(void *failed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_go_to_their_handlers),
		cmocka_unit_test(answers_take_effect),
		cmocka_unit_test(the_next_instruction_wraps_as_code_does),
		cmocka_unit_test(ports_are_decoded),
		cmocka_unit_test(control_registers_are_decoded),
		cmocka_unit_test(unexpected_registers_stop_the_guest),
		cmocka_unit_test(bad_pdptes_fault_at_the_write),
		cmocka_unit_test(memory_accesses_are_decoded),
		cmocka_unit_test(missing_pdptes_fault),
		cmocka_unit_test(task_switches_are_done_for_the_guest),
		cmocka_unit_test(an_event_without_a_stack_stops_the_guest),
		cmocka_unit_test(a_misconfiguration_shows_the_entries),
		cmocka_unit_test(exceptions_go_back_to_the_guest),
		cmocka_unit_test(host_events_are_the_hosts),
		cmocka_unit_test(an_iret_that_faulted_blocks_nmis_again),
		cmocka_unit_test(what_guests_do_not_have_is_undefined),
		cmocka_unit_test(some_have_no_effect),
		cmocka_unit_test(a_step_over_what_exits_behind_it_traps),
		cmocka_unit_test(what_the_cpu_leaves_of_the_apic_is_done),
		cmocka_unit_test(a_triple_fault_ends_the_guest),
		cmocka_unit_test(the_unknown_stops_the_guest),
		cmocka_unit_test(a_failed_entry_is_explained),
		cmocka_unit_test(the_record_says_what_the_report_shows),
	};

	*(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	/* On this stack: a jump out of another one confuses the address sanitizer. */
	const struct CMUnitTest panics[] = {
		cmocka_unit_test(machine_checks_are_the_hosts),
		cmocka_unit_test(an_init_signal_resets_the_machine),
		cmocka_unit_test(a_machine_check_at_the_entry_is_the_hosts),
	};
	int failed = 1;

	cpu_area_run(run_all, &failed, NULL);
	return failed | cmocka_run_group_tests(panics, NULL, NULL);
}
