/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX's exits in words: every reason has a kind and a name, and the usual ones say what they were about. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arch/x86/vmx/vmx.h"

#define FAILED 0x80000000u

static void says_what_it_was_about(void **state)
{
	static const struct { struct exit_record r; const char *brief, *words; } t[] = {
		{ { 30, 0x03f80000, 0, 0 }, "out 3f8.1", "IO: out, 1 bytes, port 0x3f8" },
		{ { 30, 0x0cf8000b, 0, 0 }, "in cf8.4", "IO: in, 4 bytes, port 0xcf8" },
		{ { 30, 0x01f00039, 0, 0 }, "ins 1f0.2", "IO: ins, 2 bytes, port 0x1f0" },
		{ { 31, 0, 0x1b, 0 }, "rdmsr 1b", "MSR: rdmsr of 0x1b" },
		{ { 32, 0, 0xc0000080, 0 }, "wrmsr c0000080", "MSR: wrmsr of 0xc0000080" },
		{ { 10, 0, 0x40000000, 0 }, "CPUID 40000000", "CPUID: leaf 0x40000000" },
		{ { 48, 0x182, 0xfee000b0, 0 }, "EPT w fee000b0",
		  "EPT_VIOLATION: write at guest-physical 0xfee000b0, page not there" },
		{ { 48, 0x1aa, 0xe0000, 0 }, "EPT w e0000", "EPT_VIOLATION: write at guest-physical 0xe0000, page protected" },
		{ { 48, 0x181, 0xd0000000, 0 }, "EPT r d0000000",
		  "EPT_VIOLATION: read at guest-physical 0xd0000000, page not there" },
		{ { 48, 0x184, 0xd0000000, 0 }, "EPT f d0000000",
		  "EPT_VIOLATION: fetch at guest-physical 0xd0000000, page not there" },
		{ { 49, 0, 0x1000, 0 }, "EPT_MISCONFIG 1000", "EPT_MISCONFIG: at guest-physical 0x1000" },
		{ { 28, 0x0000, 0, 0 }, "mov to CR0", "CR_ACCESS: mov to CR0" },
		{ { 28, 0x0318, 0, 0 }, "mov from CR8", "CR_ACCESS: mov from CR8" },
		{ { 28, 0x0020, 0, 0 }, "clts", "CR_ACCESS: clts" },
		{ { 28, 0x00010030, 0, 0 }, "lmsw 1", "CR_ACCESS: lmsw 1" },
		{ { 0, 0x4000, 0x80000301, 0 }, "EXCEPTION 1", "EXCEPTION: vector 1, qualification 0x4000" },
		{ { 0, 0, 0x80000501, 0 }, "EXCEPTION 1", "EXCEPTION: vector 1, by ICEBP, qualification 0x0" },
		{ { 0, 0, 0x80000202, 0 }, "NMI", "NMI" },
		{ { 1, 0, 0, 0 }, "EXT_INTERRUPT", "EXT_INTERRUPT, qualification 0x0" },
		{ { 2, 0, 0, 0 }, "TRIPLE_FAULT", "TRIPLE_FAULT" },
		{ { 9, 0x40000028, 0, 0 }, "TASK_SWITCH", "TASK_SWITCH, qualification 0x40000028" },
		{ { 55, 0, 0, 0 }, "XSETBV", "XSETBV, qualification 0x0" },
		{ { 79, 0, 0, 0 }, "WRMSRLIST", "WRMSRLIST, qualification 0x0" },
		{ { 35, 0, 0, 0 }, "exit 35", "exit 35" },
		{ { 80, 0, 0, 0 }, "exit 80", "exit 80" },
		{ { 0x08000000, 0, 0, 0 }, "exit 134217728", "exit 134217728" },
		{ { FAILED | 33, 0, 0, 0 }, "ENTRY_FAILED 33",
		  "VM entry failed: reason 33, invalid guest state (qualification 0x0)" },
		{ { FAILED | 33, 2, 0, 0 }, "ENTRY_FAILED 33",
		  "VM entry failed: reason 33, invalid guest state: PDPTEs (qualification 0x2)" },
		{ { FAILED | 33, 4, 0, 0 }, "ENTRY_FAILED 33",
		  "VM entry failed: reason 33, invalid guest state: VMCS link pointer (qualification 0x4)" },
		{ { FAILED | 34, 1, 0, 0 }, "ENTRY_FAILED 34",
		  "VM entry failed: reason 34, a guest MSR could not be loaded (qualification 0x1)" },
		{ { FAILED | 41, 0, 0, 0 }, "ENTRY_FAILED 41", "VM entry failed: reason 41, machine check (qualification 0x0)" },
		{ { FAILED | 99, 0, 0, 0 }, "ENTRY_FAILED 99", "VM entry failed: reason 99, unknown reason (qualification 0x0)" },
	};
	char text[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		vmx_exit_text(&t[i].r, true, text, sizeof(text));
		assert_string_equal(text, t[i].brief);
		vmx_exit_text(&t[i].r, false, text, sizeof(text));
		assert_string_equal(text, t[i].words);
	}
}

static void every_reason_has_a_kind(void **state)
{
	static const uint32_t odd[] = { 80, 35, 38, 42, 71, 0xffff, 0x10000, 0x08000000, 0x7fffffff };
	char name[32], other[32];

	(void)state;
	for (uint32_t reason = 0; reason < 0x1000; reason++) {
		assert_true(vmx_exit_kind(reason) < EXIT_KINDS);
		assert_int_equal(vmx_exit_kind(reason | FAILED), vmx_exit_kind(FAILED));
	}
	for (size_t i = 1; i < ARRAY_SIZE(odd); i++)
		assert_int_equal(vmx_exit_kind(odd[i]), vmx_exit_kind(odd[0]));
	assert_int_not_equal(vmx_exit_kind(FAILED), vmx_exit_kind(odd[0]));
	/* Names are told apart, but for the reasons without one. */
	for (unsigned int a = 0; a < EXIT_KINDS; a++) {
		vmx_kind_text(a, name, sizeof(name));
		for (unsigned int b = 0; b < a; b++) {
			vmx_kind_text(b, other, sizeof(other));
			assert_true(strcmp(name, other) || !strcmp(name, "OTHER"));
		}
	}
}

/* The table and the constants that the rest of the room uses agree: one name lost would shift all behind it. */
static void names_are_at_their_numbers(void **state)
{
	static const struct { uint32_t reason; const char *name; } t[] = {
		{ VMX_EXIT_EXCEPTION, "EXCEPTION" }, { VMX_EXIT_NMI_WINDOW, "NMI_WINDOW" }, { VMX_EXIT_CPUID, "CPUID" },
		{ VMX_EXIT_VMCALL, "VMCALL" }, { VMX_EXIT_VMXON, "VMXON" }, { VMX_EXIT_CR, "CR_ACCESS" },
		{ VMX_EXIT_IO, "IO" }, { VMX_EXIT_BAD_GUEST, "INVALID_STATE" }, { VMX_EXIT_MWAIT, "MWAIT" },
		{ VMX_EXIT_MONITOR, "MONITOR" }, { VMX_EXIT_MCE_ENTRY, "MACHINE_CHECK" }, { VMX_EXIT_TPR, "TPR_THRESHOLD" },
		{ VMX_EXIT_EPT_VIOL, "EPT_VIOLATION" }, { VMX_EXIT_PREEMPT, "PREEMPT_TIMER" }, { VMX_EXIT_WBINVD, "WBINVD" },
		{ VMX_EXIT_APIC_WRITE, "APIC_WRITE" }, { VMX_EXIT_ENCLS, "ENCLS" }, { VMX_EXIT_SEAMCALL, "SEAMCALL" },
		{ VMX_EXIT_TDCALL, "TDCALL" }, { VMX_EXIT_ENTRY_FAILED | 33, "ENTRY_FAILED" }, { 35, "OTHER" },
	};
	char name[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		vmx_kind_text(vmx_exit_kind(t[i].reason), name, sizeof(name));
		assert_string_equal(name, t[i].name);
	}
}

static void stays_within_its_buffer(void **state)
{
	static const uint64_t codes[] = { 0, 2, 9, 10, 28, 30, 31, 48, 49, 35, FAILED | 33, FAILED | 34 };
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct exit_record r = { codes[i], ~0ull, ~0ull, ~0ull };

		for (size_t size = 1; size < 120; size++) {
			memset(text, '#', sizeof(text));
			vmx_exit_text(&r, size & 1, text, size);
			assert_true(strlen(text) < size);
			assert_int_equal(text[size], '#');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_was_about),
		cmocka_unit_test(every_reason_has_a_kind),
		cmocka_unit_test(names_are_at_their_numbers),
		cmocka_unit_test(stays_within_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
