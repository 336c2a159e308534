/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM's C for fast exits: EXITINFO1 bit by bit, RAX, the next RIP, the counts; and that a refusal leaves all as it was. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/vm.h>

#include "arch/x86/exit/fast.h"
#include "arch/x86/svm/svm.h"

static struct vm vm;
static struct vcpu v;
static struct vcpu_hw hw;
static struct vmcb c, before;
static struct { enum fast_answer answer; uint32_t val; uint16_t port; unsigned int size; uint64_t at, rax; bool write; uint8_t tpr; }
	dev;

int64_t machine_fast_in(const struct vm *m, uint16_t port, unsigned int size)
{
	(void)m;
	dev.port = port;
	dev.size = size;
	return dev.answer == FAST_NO ? -1 : (int64_t)dev.val;
}

void lapic_set_cr8(struct lapic *l, uint8_t cr8)
{
	(void)l;
	assert_int_equal(dev.at, 0);                       /* before the register is looked at */
	dev.tpr = cr8;
}


enum fast_answer fast_mmio(struct vcpu *x, const struct fast_code *code, gpa_t a, bool write)
{
	(void)code;
	dev.at = a.v;
	dev.write = write;
	dev.rax = x->gpr[REG_RAX];
	if (dev.answer != FAST_NO)
		x->gpr[REG_RAX] = dev.val;
	return dev.answer;
}

static void start(uint32_t code, uint64_t info1, uint64_t info2, enum fast_answer answer)
{
	memset(&v, 0, sizeof(v));
	memset(&c, 0xa5, sizeof(c));
	hw = (struct vcpu_hw){ .vmcb = &c };
	memset(&dev, 0, sizeof(dev));
	v.vm = &vm;
	v.hw = &hw;
	c.exit_code = code;
	c.info1 = info1;
	c.info2 = info2;
	c.rip = 0x1000;
	c.rax = 0x1122334455667788;
	c.tlb_control = SVM_TLB_FLUSH_ASID;
	dev.answer = answer;
	before = c;
}

/* Nothing else of the VMCB has changed, and the exit is counted once, or not at all. */
static void changed(uint64_t rip, uint64_t rax, unsigned int kind, bool done)
{
	if (done) {
		before.rip = rip;
		before.rax = rax;
		before.tlb_control = SVM_TLB_NOTHING;
	}
	assert_memory_equal(&c, &before, sizeof(c));
	for (unsigned int i = 0; i < EXIT_KINDS; i++)
		assert_int_equal(v.exit_count[i], i == kind && done);
	assert_int_equal(kind, svm_exit_kind(c.exit_code));
}

static void in(uint64_t info1, uint32_t val, uint64_t rax)
{
	start(SVM_EXIT_IOIO, info1, 0x1007, FAST_NEXT);
	dev.val = val;
	assert_int_equal(svm_fast_in(&v, &c), FAST_NEXT);
	changed(0x1007, rax, 0x7b, true);
}

static void ports(void **state)
{
	(void)state;
	in(0x0021u << 16 | 1u << 4 | 1, 0xab, 0x11223344556677ab);
	assert_int_equal(dev.port, 0x21);
	assert_int_equal(dev.size, 1);
	in(0x0608u << 16 | 1u << 5 | 1, 0xabcd, 0x112233445566abcd);
	assert_int_equal(dev.size, 2);
	in(0xf608u << 16 | 1u << 6 | 1, 0x89abcdef, 0x89abcdef);
	assert_int_equal(dev.port, 0xf608);
	assert_int_equal(dev.size, 4);
}

static void refused_ports(void **state)
{
	static const uint64_t infos[] = { 1u << 4, 1u << 4 | 5, 1u << 4 | 4, 1u << 4 | 13 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(infos); i++) {
		start(SVM_EXIT_IOIO, 0x21u << 16 | infos[i], 0x1007, FAST_NEXT);   /* OUT, INS, OUTS, REP INS */
		assert_int_equal(svm_fast_in(&v, &c), FAST_NO);
		changed(0, 0, 0x7b, false);
	}
	start(SVM_EXIT_IOIO, 0x21u << 16 | 1u << 4 | 1, 0x1007, FAST_NO);
	assert_int_equal(svm_fast_in(&v, &c), FAST_NO);
	changed(0, 0, 0x7b, false);
}

static void apic_page(void **state)
{
	static const struct fast_code code = { .len = 6 };
	static const enum fast_answer answers[] = { FAST_NEXT, FAST_LOOK };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++) {
		for (unsigned int write = 0; write < 2; write++) {
			start(SVM_EXIT_NPF, 1ull << 32 | 1u << 2 | write << 1, 0xfee00080, answers[i]);
			dev.val = 0x12345678;
			assert_int_equal(svm_fast_mmio(&v, &c, &code), answers[i]);
			changed(0x1006, 0x12345678, 0xa4, true);
			assert_int_equal(dev.at, 0xfee00080);
			assert_int_equal(dev.write, write);
			assert_int_equal(dev.rax, 0x1122334455667788);
			assert_int_equal(dev.tpr, 5);              /* V_TPR */
		}
	}
}

static void no_tpr(void **state)
{
	static const struct fast_code code = { .len = 6 };

	(void)state;
	start(SVM_EXIT_NPF, 1ull << 32 | 1u << 2, 0xfee000b0, FAST_NEXT);
	assert_int_equal(svm_fast_mmio(&v, &c, &code), FAST_NEXT);
	assert_int_equal(dev.tpr, 0);
}

static void refused_pages(void **state)
{
	static const struct fast_code code = { .len = 6 };
	static const uint64_t infos[] = { 1ull << 33, 1ull << 33 | 2, 1ull << 32 | 1u << 4 };   /* a table, twice; a fetch */

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(infos); i++) {
		start(SVM_EXIT_NPF, infos[i], 0xfee00080, FAST_NEXT);
		assert_int_equal(svm_fast_mmio(&v, &c, &code), FAST_NO);
		changed(0, 0, 0xa4, false);
	}
	start(SVM_EXIT_NPF, 1ull << 32, 0xfee00080, FAST_NO);
	assert_int_equal(svm_fast_mmio(&v, &c, &code), FAST_NO);
	changed(0, 0, 0xa4, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports),
		cmocka_unit_test(refused_ports),
		cmocka_unit_test(apic_page),
		cmocka_unit_test(no_tpr),
		cmocka_unit_test(refused_pages),
	};

	return cmocka_run_group_tests_name("svm_fast", tests, NULL, NULL);
}
