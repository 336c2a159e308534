/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast path's neutral half: its tables forget what has changed, code is only found while the guest's page tables and
 * bytes say the same, and a local APIC worked the fast way ends as one worked by lapic_regs.c, in states by chance.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/decode.h"
#include "arch/x86/exit/fast.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/mm/gwalk.h"
#include "tests/unit/support/guestmem.h"
#include "tests/unit/support/host_tsc.h"
#include "tests/unit/support/lapic_rig.h"

#define T4 0x1000u
#define T3 0x2000u
#define T2 0x3000u
#define T1 0x4000u
#define PAGE 0x9000u
#define RIGHTS (PTE_P | PTE_RW | PTE_US)
#define CODE 0xffff800040603000ull
#define CS64 0xa9b
#define CS64_USER 0xafb

static struct vm vm;
static struct vcpu v;
static struct x86_env e;

int64_t machine_fast_in(const struct vm *the_vm, uint16_t port, unsigned int size)
{
	(void)the_vm;
	return port == 0x608 && size == 4 ? 0x1234 : -1;
}

static void start(uint64_t at, const char *code, size_t n)
{
	guestmem_reset(&vm, &v);
	fast_reset(&v);
	memset(&e, 0, sizeof(e));
	e.cr0 = CR0_PE | CR0_PG;
	e.cr3 = T4;
	e.cr4 = CR4_PAE;
	e.efer = EFER_LME | EFER_LMA;
	e.rip = CODE + at;
	e.seg[SEG_CS].attr = CS64;
	guest_put(T4 + 256 * 8, T3 | RIGHTS, 8);
	guest_put(T3 + 1 * 8, T2 | RIGHTS, 8);
	guest_put(T2 + 3 * 8, T1 | RIGHTS, 8);
	guest_put(T1 + 3 * 8, PAGE | RIGHTS, 8);
	memcpy(guestmem.ram + PAGE + at, code, n);
}

static const struct fast_code *find(void)
{
	return fast_code_find(&v, e.rip, e.cr3, e.seg[SEG_CS].attr);
}

static void learn(void)
{
	fast_learn_code(&v, &e);
	assert_null(find());            /* once is no habit */
	fast_learn_code(&v, &e);
}

static void cpuid_by_key(void **state)
{
	const struct cpuid_view r = { 1, 2, 3, 4 };
	static const uint32_t leaves[] = { 0, 1, 7, 0xb, 0xd, 0x20, 0x40000000, 0x40000100, 0x80000000, 0x80000008, ~0u };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(leaves); i++) {
		for (uint32_t sub = 0; sub < 3; sub++) {
			const struct fast_cpuid *c = &v.fast.cpuid[FAST_CPUID_SLOT(leaves[i], sub)];
			uint64_t key = (uint64_t)sub << 32 | leaves[i];

			fast_reset(&v);
			assert_true(c->key != key);
			fast_learn_cpuid(&v, leaves[i], sub, &r);
			assert_true(c->key == key);
			assert_true(c->eax == 1 && c->ebx == 2 && c->ecx == 3 && c->edx == 4);
			fast_forget_msrs(&v);
			fast_forget_code(&v);
			assert_true(c->key == key);
			fast_forget_cpuid(&v);
			assert_true(c->key != key);
		}
	}
}

static void msrs_by_number(void **state)
{
	static const uint32_t msrs[] = { 0, 0x10, MSR_APIC_BASE, MSR_EFER, MSR_PAT, ~0u };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++) {
		const struct fast_msr *m = &v.fast.msr[FAST_MSR_SLOT(msrs[i])];

		fast_reset(&v);
		assert_true(m->msr != msrs[i]);
		fast_learn_msr(&v, msrs[i], 0x123456789abcdef0ull);
		assert_true(m->msr == msrs[i] && m->value == 0x123456789abcdef0ull);
		fast_forget_cpuid(&v);
		assert_true(m->msr == msrs[i]);
		fast_forget(&v);
		assert_true(m->msr != msrs[i]);
	}
}

static void code_is_learnt(void **state)
{
	const struct fast_code *c;

	(void)state;
	start(0x10, "\x0f\xa2", 2);
	learn();
	c = find();
	assert_non_null(c);
	assert_int_equal(fast_code_opcode(c), 0xa20f);
	assert_true(fast_code_same(c));
	assert_int_equal(c->len, 2);
	assert_int_equal(c->move, FAST_OTHER);
	guest_put(PAGE + 0x11, 0x32, 1);             /* the guest rewrites it: RDMSR */
	assert_int_equal(fast_code_opcode(find()), 0x320f);
	assert_false(fast_code_same(find()));
}

static void code_by_key(void **state)
{
	(void)state;
	start(0x10, "\x0f\xa2", 2);
	learn();
	e.rip += FAST_CODES;                         /* the same slot */
	assert_null(find());
	e.rip -= FAST_CODES;
	e.cr3 = T3;
	assert_null(find());
	e.cr3 = T4;
	e.seg[SEG_CS].attr = CS64_USER;
	assert_null(find());
	e.seg[SEG_CS].attr = CS64;
	assert_non_null(find());
	fast_forget_code(&v);
	assert_null(find());
}

/* A slot that was emptied matches nothing, not the last RIP of all either, whose slot it is. */
static void emptied_code_is_nobodys(void **state)
{
	(void)state;
	start(FAST_CODES - 1, "\x0f\xa2", 2);
	assert_int_equal(FAST_CODE_SLOT(e.rip), FAST_CODE_SLOT(~0ull));
	learn();
	assert_non_null(find());
	fast_forget_code(&v);
	e.rip = ~0ull;
	assert_null(find());
}

/* Each of the four tables in turn says something else, and then the same again. */
static void code_by_tables(void **state)
{
	static const uint64_t at[] = { T4 + 256 * 8, T3 + 1 * 8, T2 + 3 * 8, T1 + 3 * 8 };

	(void)state;
	start(0x10, "\x0f\xa2", 2);
	learn();
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		uint64_t was = guest_get(at[i], 8);

		guest_put(at[i], was & ~PTE_P, 8);
		assert_null(find());
		guest_put(at[i], was + 0x1000, 8);
		assert_null(find());
		guest_put(at[i], was | PTE_NX, 8);
		assert_null(find());
		guest_put(at[i], was, 8);
		assert_non_null(find());
	}
}

static void large_pages(void **state)
{
	(void)state;
	start(0x10, "\x0f\xa2", 2);
	guest_put(T2 + 3 * 8, 0 | RIGHTS | PTE_PS, 8);       /* 2 MiB at 0 */
	e.rip = 0xffff800040600000ull + PAGE + 0x10;
	learn();
	assert_non_null(find());
	guest_put(T2 + 3 * 8, T1 | RIGHTS | PTE_A, 8);
	assert_null(find());
}

static void refused(const char *why)
{
	fast_learn_code(&v, &e);
	fast_learn_code(&v, &e);
	if (find())
		fail_msg("learnt: %s", why);
}

static void what_is_not_learnt(void **state)
{
	(void)state;
	start(0xff1, "\x0f\xa2", 2);
	refused("16 bytes do not fit the page");
	start(0xff0, "\x0f\xa2", 2);
	learn();
	assert_non_null(find());
	start(0x10, "\x0f\xa2", 2);
	e.seg[SEG_CS].attr |= SEG_ATTR_DOWN;
	refused("conforming code, whose CPL the segment does not tell");
	start(0x10, "\x0f\xa2", 2);
	e.seg[SEG_CS].attr = 0xc9b;
	refused("compatibility mode");
	start(0x10, "\x0f\xa2", 2);
	e.cr0 = CR0_PE;
	refused("no paging");
	start(0x10, "\x0f\xa2", 2);
	guest_put(T1 + 3 * 8, 0, 8);
	refused("no such page");
	start(0x10, "\x0f\xa2", 2);
	guest_put(T1 + 3 * 8, 0x7fff000 | RIGHTS, 8);
	refused("no memory there");
	start(0x10, "\x0f\xff\xff", 3);
	guest_put(T1 + 3 * 8, PAGE | PTE_P | PTE_RW, 8);
	e.cpl = 3;
	e.seg[SEG_CS].attr = CS64_USER;
	refused("a page for the supervisor alone");
}

static void moves(void **state)
{
	static const struct { const char *code; size_t n; enum fast_move move; uint8_t reg, base; } rows[] = {
		{ "\x89\x01", 2, FAST_STORE, REG_RAX, REG_RCX },
		{ "\x8b\x01", 2, FAST_LOAD, REG_RAX, REG_RCX },
		{ "\x44\x89\x87\x80\x03\x00\x00", 7, FAST_STORE, REG_R8, REG_RDI },
		{ "\xc7\x04\x25\xb0\xd0\x5f\xff\x00\x00\x00\x00", 11, FAST_STORE_IMM, 0, INSN_NO_REG },
		{ "\x8b\x04\x25\x20\xd0\x5f\xff", 7, FAST_LOAD, REG_RAX, INSN_NO_REG },
		{ "\x48\x8b\x01", 3, FAST_OTHER, 0, 0 },              /* 8 bytes */
		{ "\x66\x8b\x01", 3, FAST_OTHER, 0, 0 },              /* 2 */
		{ "\x8b\x24\x08", 3, FAST_OTHER, 0, 0 },              /* an index */
		{ "\x8b\x21", 2, FAST_OTHER, 0, 0 },                  /* to ESP */
		{ "\x8b\x04\x24", 3, FAST_OTHER, 0, 0 },              /* from [RSP] */
		{ "\x65\x8b\x01", 3, FAST_OTHER, 0, 0 },              /* GS */
		{ "\x67\x8b\x01", 3, FAST_OTHER, 0, 0 },              /* [ECX] */
		{ "\x8b\x05\x00\x00\x00\x00", 6, FAST_OTHER, 0, 0 },  /* [RIP] */
		{ "\x8b\xc1", 2, FAST_OTHER, 0, 0 },                  /* no memory */
		{ "\x87\x01", 2, FAST_OTHER, 0, 0 },                  /* XCHG */
		{ "\x01\x01", 2, FAST_OTHER, 0, 0 },                  /* ADD */
		{ "\xa1\x00\x00\x00\x00\x00\x00\x00\x00", 9, FAST_LOAD, REG_RAX, INSN_NO_REG },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct fast_code *c;

		start(0x10, rows[i].code, rows[i].n);
		learn();
		c = find();
		assert_non_null(c);
		assert_int_equal(c->len, rows[i].n);
		assert_int_equal(c->move, rows[i].move);
		if (c->move == FAST_OTHER)
			continue;
		assert_int_equal(c->base, rows[i].base);
		if (c->move != FAST_STORE_IMM)
			assert_int_equal(c->reg, rows[i].reg);
	}
}

/* ---- a local APIC on a real clock ---- */

static struct lapic_rig fast, slow;
static uint64_t chance = 1;

static uint64_t rnd(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance;
}

static void adopt(struct lapic_rig *r, const struct lapic_rig *from)
{
	memcpy(r->l.reg, from->l.reg, sizeof(r->l.reg));
	memcpy(r->l.page, from->l.page, sizeof(r->l.page));
	r->l.base = from->l.base;
	r->l.tsc_deadline = from->l.tsc_deadline;
	r->l.timer_end = from->l.timer_end;
	r->l.timer.deadline = from->l.timer.deadline;
}

/* A state by chance: few bits in each map, so that empty ones and neighbours are common. */
static void any_state(void)
{
	static const uint64_t modes[] = { 0, APIC_BASE_ENABLE, APIC_BASE_ENABLE | APIC_BASE_X2APIC };
	struct lapic_reg *r = fast.l.page;

	host_tsc_set(1000000);
	rig_create(&slow, 3, true);
	rig_create(&fast, 3, true);
	fast.clock.tsc_offset = slow.clock.tsc_offset = 0;
	fast.l.watched = rnd() % 2;
	fast.l.base = APIC_DEFAULT_BASE | modes[rnd() % 8 ? rnd() % 2 + 1 : 0];
	lapic_set(&fast.l, LAPIC_SVR, 0xff | (rnd() % 8 ? 0x100u : 0));
	for (uint64_t n = rnd() % 4, i = 0; i < n; i++)
		r[LAPIC_ISR + rnd() % 8].val |= 1u << rnd() % 32;
	for (uint64_t n = rnd() % 3, i = 0; i < n; i++)
		r[LAPIC_IRR + rnd() % 8].val |= 1u << rnd() % 32;
	for (unsigned int i = 0; i < 8; i++)
		r[LAPIC_TMR + i].val = rnd() % 4 ? 0 : (uint32_t)rnd();
	r[LAPIC_TPR].val = rnd() % 3 ? 0 : rnd() & 0xff;
	r[LAPIC_ICR2].val = rnd() % 2 ? 0 : 0x03000000;
	lapic_set(&fast.l, LAPIC_LVT_TIMER, rnd() % 4 ? 0x40050 : 0x50);
	if (rnd() % 2) {
		fast.l.tsc_deadline = rnd() % 2000000;
		fast.l.timer_end = fast.l.timer.deadline = vclock_tsc_to_ns(&fast.clock, fast.l.tsc_deadline) + 1;
	}
	adopt(&slow, &fast);
}

struct before {
	int pending;
	uint8_t tpr, threshold;
	struct lapic l;
};

static struct before look(void)
{
	return (struct before){ lapic_pending(&fast.l), (uint8_t)fast.l.page[LAPIC_TPR].val, lapic_tpr_threshold(&fast.l), fast.l };
}

static unsigned int answers[3];

static void judge(enum fast_answer a, const struct before *b)
{
	answers[a]++;
	if (a == FAST_NO) {
		assert_memory_equal(&fast.l, &b->l, sizeof(fast.l));
		return;
	}
	assert_memory_equal(fast.l.reg, slow.l.reg, sizeof(fast.l.reg));
	assert_memory_equal(fast.l.page, slow.l.page, sizeof(fast.l.page));
	assert_int_equal(fast.l.tsc_deadline, slow.l.tsc_deadline);
	assert_int_equal(fast.l.timer_end, slow.l.timer_end);
	assert_int_equal(fast.l.timer.deadline, slow.l.timer.deadline);
	assert_int_equal(slow.eois + slow.nmis + slow.l.refused, 0);
	if (a == FAST_NEXT && fast.l.watched)           /* the CPU's copy of what is highest still holds */
		assert_memory_equal(fast.l.page + LAPIC_ISR, b->l.page + LAPIC_ISR, 24 * sizeof(fast.l.page[0]));
	if (a == FAST_NEXT) {
		assert_int_equal(lapic_pending(&fast.l), b->pending);
		assert_int_equal((uint8_t)fast.l.page[LAPIC_TPR].val, b->tpr);
		assert_int_equal(lapic_tpr_threshold(&fast.l), b->threshold);
	}
}

static void msr_writes(void **state)
{
	static const uint32_t msrs[] = { MSR_X2APIC_EOI, MSR_X2APIC_ICR, MSR_X2APIC_SELF_IPI, MSR_TSC_DEADLINE, 0x808, 0x8ff };
	static const uint64_t shapes[] = { 0x40000, 0x44000, 0x40000, 0, 0x40100, 0x80000, 0x300040000 };

	(void)state;
	memset(answers, 0, sizeof(answers));
	for (unsigned int i = 0; i < 40000; i++) {
		uint32_t msr = msrs[rnd() % ARRAY_SIZE(msrs)];
		uint64_t val = rnd() % 256 | (msr == MSR_X2APIC_ICR ? shapes[rnd() % ARRAY_SIZE(shapes)] : 0);
		struct before b;
		enum fast_answer a;

		any_state();
		if (msr == MSR_X2APIC_EOI)
			val = rnd() % 8 ? 0 : 1;
		else if (msr == MSR_TSC_DEADLINE)
			val = rnd() % 4 ? rnd() % 3000000 : rnd();
		v.lapic = &fast.l;
		v.tsc_adjust = rnd() % 16 ? 0 : 5;
		v.armed_ns = rnd() % 800000;
		b = look();
		a = fast_msr_write(&v, msr, val);
		if (a != FAST_NO) {
			assert_int_equal(v.tsc_adjust && msr == MSR_TSC_DEADLINE, 0);
			/* A timer that is due fires first there, and a moment later here. */
			slow.l.timer_end = VTIMER_OFF;
			assert_int_equal(lapic_msr_write(&slow.l, msr, val), 0);
			if (msr != MSR_TSC_DEADLINE)
				slow.l.timer_end = fast.l.timer_end;
			else if (a == FAST_NEXT)
				assert_true(v.armed_ns && v.armed_ns < fast.l.timer_end);
		}
		judge(a, &b);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++)
		assert_true(answers[i] > 1000);
}

static void mmio(void **state)
{
	static const char *const codes[] = { "\x89\x01", "\x8b\x01", "\xc7\x01\x50\x00\x04\x00" };
	static const size_t lengths[] = { 2, 2, 6 };

	(void)state;
	memset(answers, 0, sizeof(answers));
	for (unsigned int i = 0; i < 40000; i++) {
		unsigned int kind = (unsigned int)(rnd() % 3), off = (unsigned int)(rnd() % 8 ? rnd() % 64 * 16 : rnd() % 4096);
		bool write = kind != 1;
		enum fast_answer a;
		struct before b;
		uint64_t val = rnd() % 2 ? rnd() % 256 : 0x40000 | rnd() % 256;

		if (rnd() % 2)
			off = (unsigned int[]){ 0x80, 0xb0, 0x300 }[rnd() % 3];
		start(0x10, codes[kind], lengths[kind]);
		learn();
		any_state();
		v.lapic = &fast.l;
		v.gpr[REG_RAX] = val;
		v.gpr[REG_RCX] = 0xffff888000000000ull + off;
		b = look();
		a = fast_mmio(&v, find(), gpa(APIC_DEFAULT_BASE + off), write);
		if (a != FAST_NO && write) {
			slow.l.timer_end = VTIMER_OFF;
			lapic_mmio_write(&slow.l, off, 4, kind == 2 ? 0x40050 : (uint32_t)val);
			slow.l.timer_end = fast.l.timer_end;
		} else if (a != FAST_NO) {
			slow.l.timer_end = VTIMER_OFF;
			assert_int_equal(v.gpr[REG_RAX], lapic_mmio_read(&slow.l, off, 4));
			slow.l.timer_end = fast.l.timer_end;
		}
		judge(a, &b);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++)
		assert_true(answers[i] > 300);
}

static void mmio_refused(void **state)
{
	(void)state;
	start(0x10, "\x89\x01", 2);
	learn();
	any_state();
	fast.l.base = APIC_DEFAULT_BASE | APIC_BASE_ENABLE;
	v.lapic = &fast.l;
	v.gpr[REG_RCX] = 0x12345080;
	assert_int_not_equal(fast_mmio(&v, find(), gpa(APIC_DEFAULT_BASE + 0x80), true), FAST_NO);
	assert_int_equal(fast_mmio(&v, find(), gpa(APIC_DEFAULT_BASE + 0x80), false), FAST_NO);
	assert_int_equal(fast_mmio(&v, find(), gpa(APIC_DEFAULT_BASE + 0x1080), true), FAST_NO);
	assert_int_equal(fast_mmio(&v, find(), gpa(APIC_DEFAULT_BASE + 0xb0), true), FAST_NO);  /* not where RCX points */
	guest_put(PAGE + 0x10, 0x8b, 1);             /* it is a load now */
	assert_int_equal(fast_mmio(&v, find(), gpa(APIC_DEFAULT_BASE + 0x80), true), FAST_NO);
}

static void ports(void **state)
{
	(void)state;
	start(0x10, "\xed", 1);
	assert_int_equal(fast_pio_read(&v, 0x608, 4), 0x1234);
	assert_int_equal(fast_pio_read(&v, 0x609, 4), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpuid_by_key),   cmocka_unit_test(msrs_by_number), cmocka_unit_test(code_is_learnt),
		cmocka_unit_test(code_by_key),    cmocka_unit_test(emptied_code_is_nobodys),
		cmocka_unit_test(code_by_tables), cmocka_unit_test(large_pages),
		cmocka_unit_test(what_is_not_learnt), cmocka_unit_test(moves),      cmocka_unit_test(msr_writes),
		cmocka_unit_test(mmio),           cmocka_unit_test(mmio_refused),   cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests_name("fast", tests, NULL, NULL);
}
