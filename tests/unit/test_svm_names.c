/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM's exits in words: every code has a kind and a name, and the usual ones say what they were about. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arch/x86/svm/svm.h"

static void says_what_it_was_about(void **state)
{
	static const struct { struct exit_record r; const char *brief, *words; } t[] = {
		{ { 0x7b, 0x03f80010, 0x1002, 0 }, "out 3f8.1", "IOIO: out, 1 bytes, port 0x3f8" },
		{ { 0x7b, 0x0cf80041, 0, 0 }, "in cf8.4", "IOIO: in, 4 bytes, port 0xcf8" },
		{ { 0x7b, 0x01f00025, 0, 0 }, "ins 1f0.2", "IOIO: ins, 2 bytes, port 0x1f0" },
		{ { 0x7c, 0, 0x1b, 0 }, "rdmsr 1b", "MSR: rdmsr of 0x1b" },
		{ { 0x7c, 1, 0xc0000080, 0 }, "wrmsr c0000080", "MSR: wrmsr of 0xc0000080" },
		{ { 0x72, 0, 0x40000000, 0 }, "CPUID 40000000", "CPUID: leaf 0x40000000" },
		{ { 0x400, 6, 0xfee000b0, 0 }, "NPF w fee000b0", "NPF: write at guest-physical 0xfee000b0, page not there" },
		{ { 0x400, 7, 0xe0000, 0 }, "NPF w e0000", "NPF: write at guest-physical 0xe0000, page protected" },
		{ { 0x400, 4, 0xd0000000, 0 }, "NPF r d0000000", "NPF: read at guest-physical 0xd0000000, page not there" },
		{ { 0x400, 0x15, 0xd0000000, 0 }, "NPF f d0000000", "NPF: fetch at guest-physical 0xd0000000, page protected" },
		{ { 0x7f, 0, 0, 0 }, "SHUTDOWN", "SHUTDOWN: triple fault" },
		{ { 0x10, 1, 2, 0 }, "CR0_WRITE", "CR0_WRITE, info1 0x1, info2 0x2" },
		{ { 0x08, 0, 0, 0 }, "CR8_READ", "CR8_READ, info1 0x0, info2 0x0" },
		{ { 0x27, 0, 0, 0 }, "DR7_READ", "DR7_READ, info1 0x0, info2 0x0" },
		{ { 0x41, 0, 0, 0 }, "EXCEPTION_1", "EXCEPTION_1, info1 0x0, info2 0x0" },
		{ { 0x8d, 0, 0, 0 }, "XSETBV", "XSETBV, info1 0x0, info2 0x0" },
		{ { 0x94, 0, 0, 0 }, "CR4_WRITE_TRAP", "CR4_WRITE_TRAP, info1 0x0, info2 0x0" },
		{ { 0x403, 0, 0, 0 }, "VMGEXIT", "VMGEXIT, info1 0x0, info2 0x0" },
		{ { 0xa2, 0, 0, 0 }, "exit 0xa2", "exit 0xa2" },
		{ { 0x404, 0, 0, 0 }, "exit 0x404", "exit 0x404" },
		{ { ~0ull, 0, 0, 0 }, "INVALID", "INVALID: VMRUN refused the guest's state" },
		{ { 0xffffffff, 0, 0, 0 }, "INVALID", "INVALID: VMRUN refused the guest's state" },
	};
	char text[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		svm_exit_text(&t[i].r, true, text, sizeof(text));
		assert_string_equal(text, t[i].brief);
		svm_exit_text(&t[i].r, false, text, sizeof(text));
		assert_string_equal(text, t[i].words);
	}
}

static void every_code_has_a_kind(void **state)
{
	static const uint64_t odd[] = { 0xa4, 0x3ff, 0x404, 0x500, 0x7fffffff, ~0ull };
	char name[32], other[32];

	(void)state;
	for (uint64_t code = 0; code < 0x1000; code++)
		assert_true(svm_exit_kind(code) < EXIT_KINDS);
	for (size_t i = 1; i < ARRAY_SIZE(odd); i++)
		assert_int_equal(svm_exit_kind(odd[i]), svm_exit_kind(odd[0]));
	/* Names are told apart, but for the codes without one. */
	for (unsigned int a = 0; a < EXIT_KINDS; a++) {
		svm_kind_text(a, name, sizeof(name));
		for (unsigned int b = 0; b < a; b++) {
			svm_kind_text(b, other, sizeof(other));
			assert_true(strcmp(name, other) || !strcmp(name, "OTHER"));
		}
	}
	svm_kind_text(svm_exit_kind(SVM_EXIT_NPF), name, sizeof(name));
	assert_string_equal(name, "NPF");
	svm_kind_text(svm_exit_kind(SVM_EXIT_RDPRU), name, sizeof(name));
	assert_string_equal(name, "RDPRU");
}

static void stays_within_its_buffer(void **state)
{
	static const uint64_t codes[] = { 0x7b, 0x7c, 0x72, 0x400, 0x7f, 0x10, 0x97, 0xa2, ~0ull };
	char text[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct exit_record r = { codes[i], ~0ull, ~0ull, ~0ull };

		for (size_t size = 1; size < 90; size++) {
			memset(text, '#', sizeof(text));
			svm_exit_text(&r, size & 1, text, size);
			assert_true(strlen(text) < size);
			assert_int_equal(text[size], '#');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_was_about),
		cmocka_unit_test(every_code_has_a_kind),
		cmocka_unit_test(stays_within_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
