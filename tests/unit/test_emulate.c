/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the comparison with the CPU cannot show: device accesses one by one, faults before effects, segments, 16 and
 * 32-bit modes, REP in chunks, string I/O, and what is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <vouch/platform.h>

#include "arch/x86/exit/emulate.h"
#include "arch/x86/exit/operand.h"
#include "arch/x86/mm/gwalk.h"
#include "tests/unit/support/guestmem.h"

#define LIN_CODE 0x400000u
#define LIN_PAGE(n) (0x600000ull + 0x1000u * (n))
#define GPA_CODE 0x8000u
#define PTE(n)   (0x5000u + 8 * (n))
#define RW       (PTE_P | PTE_RW)

static struct vm vm;
static struct vcpu v;
static struct x86_env e;
static uint64_t access_ticks;          /* how long each access of a device takes */

uint64_t host_tsc(void)
{
	return guestmem.accesses * access_ticks;
}

static void put_code(const char *bytes, size_t n)
{
	memset(guestmem.ram + GPA_CODE, 0xcc, 32);
	memcpy(guestmem.ram + GPA_CODE, bytes, n);
}
#define CODE(text) put_code(text, sizeof(text) - 1)

/* 64-bit mode; linear pages 0 and 2 from LIN_PAGE are RAM at 9000 and b000, 1 and 3 MMIO, 4 is missing, 5 read-only. */
static void start_64(void)
{
	guestmem_reset(&vm, &v);
	memset(&e, 0, sizeof(e));
	e.cr0 = CR0_PE | CR0_PG | CR0_WP;
	e.cr3 = 0x1000;
	e.cr4 = CR4_PAE;
	e.efer = EFER_LME | EFER_LMA;
	e.rflags = RFLAGS_FIXED;
	for (int i = 0; i < SEG_COUNT; i++)
		e.seg[i] = (struct x86_seg){ .sel = (uint16_t)(0x10 * i), .attr = 0xc93, .limit = 0xffffffff };
	e.seg[SEG_CS].attr = 0xa9b;
	guest_put(0x1000, 0x2000 | RW | PTE_US, 8);
	guest_put(0x2000, 0x3000 | RW | PTE_US, 8);
	guest_put(0x3000 + 2 * 8, 0x4000 | RW | PTE_US, 8);
	guest_put(0x3000 + 3 * 8, 0x5000 | RW | PTE_US, 8);
	guest_put(0x4000, GPA_CODE | PTE_P | PTE_US, 8);
	guest_put(PTE(0), 0x9000 | RW | PTE_US, 8);
	guest_put(PTE(1), GUEST_MMIO | RW | PTE_US, 8);
	guest_put(PTE(2), 0xb000 | RW | PTE_US, 8);
	guest_put(PTE(3), (GUEST_MMIO + 0x1000) | RW | PTE_US, 8);
	guest_put(PTE(5), (GUEST_MMIO + 0x1000) | PTE_P | PTE_US, 8);
	e.rip = LIN_CODE;
}

/* 16 or 32-bit, no paging: code at GPA_CODE, segments over everything. */
static void start_flat(bool protected, bool big)
{
	guestmem_reset(&vm, &v);
	memset(&e, 0, sizeof(e));
	e.cr0 = protected ? CR0_PE : 0;
	e.rflags = RFLAGS_FIXED;
	for (int i = 0; i < SEG_COUNT; i++)
		e.seg[i] = (struct x86_seg){ .sel = 8, .attr = big ? 0xc93 : 0x93,
					     .limit = protected ? 0xffffffff : 0xffff };
	e.seg[SEG_CS].attr = big ? 0xc9b : 0x9b;
	e.rip = GPA_CODE;
}

static void runs(unsigned int len)
{
	uint64_t rip = e.rip;

	assert_int_equal(emulate_mmio(&v, &e), EXIT_AGAIN);
	assert_int_equal(e.rip, rip + len);
}

/* Nothing happened but the fault. */
static void faults(uint8_t vector, bool has_error, uint32_t error, uint64_t cr2)
{
	struct vcpu before = v;
	struct x86_env env = e;
	unsigned int accesses = guestmem.accesses;

	memset(&v.fault, 0xee, sizeof(v.fault));
	assert_int_equal(emulate_mmio(&v, &e), EXIT_FAULT);
	assert_int_equal(v.fault.vector, vector);
	assert_int_equal(v.fault.has_error, has_error);
	assert_int_equal(v.fault.error, error);
	assert_int_equal(v.fault.cr2, cr2);
	assert_memory_equal(v.gpr, before.gpr, sizeof(v.gpr));
	assert_memory_equal(&e, &env, sizeof(e));
	assert_int_equal(guestmem.accesses, accesses);
}

static void accessed(unsigned int i, bool write, uint64_t addr, unsigned int size, uint64_t val)
{
	assert_true(i < guestmem.accesses);
	assert_int_equal(guestmem.log[i].write, write);
	assert_int_equal(guestmem.log[i].addr, addr);
	assert_int_equal(guestmem.log[i].size, size);
	assert_int_equal(guestmem.log[i].val, val);
}

/* What the CPU had fetched when it exited counts, not what stands in memory by now; too little of it is no use. */
static void test_bytes_from_the_cpu(void **state)
{
	static const uint8_t store[] = { 0x89, 0x03, 0xcc, 0xcc };     /* mov %eax,(%rbx) */
	static const uint8_t half[] = { 0xc7, 0x03, 0x11 };            /* the beginning of movl $...,(%rbx) */

	(void)state;
	start_64();
	CODE("\xf4");
	v.gpr[REG_RAX] = 0x55667788;
	v.gpr[REG_RBX] = LIN_PAGE(1);
	v.insn.len = sizeof(store);
	memcpy(v.insn.bytes, store, sizeof(store));
	runs(2);
	accessed(0, true, GUEST_MMIO, 4, 0x55667788);
	start_64();
	CODE("\xc7\x03\x11\x22\x33\x44");
	v.gpr[REG_RBX] = LIN_PAGE(1);
	v.insn.len = sizeof(half);
	memcpy(v.insn.bytes, half, sizeof(half));
	runs(6);
	accessed(0, true, GUEST_MMIO, 4, 0x44332211);
	/* A length that no CPU gives reads no further than the bytes there are. */
	start_64();
	CODE("\x89\x03");
	v.gpr[REG_RBX] = LIN_PAGE(1);
	memset(v.insn.bytes, 0x66, sizeof(v.insn.bytes));
	v.insn.len = 255;
	runs(2);
}

static void test_device_accesses(void **state)
{
	(void)state;
	start_64();
	CODE("\x89\x03");                              /* mov %eax,(%rbx): one write, no read */
	v.gpr[REG_RAX] = 0x1122334455667788;
	v.gpr[REG_RBX] = LIN_PAGE(1) + 0x300;
	e.rflags |= RFLAGS_RF;
	runs(2);
	assert_int_equal(guestmem.accesses, 1);
	accessed(0, true, GUEST_MMIO + 0x300, 4, 0x55667788);
	assert_false(e.rflags & RFLAGS_RF);

	start_64();
	CODE("\x0f\xb6\x43\x02");                      /* movzbl 2(%rbx),%eax: a byte is read, not more */
	v.gpr[REG_RAX] = ~0ull;
	v.gpr[REG_RBX] = LIN_PAGE(1);
	guestmem.mmio[2] = 0x80;
	runs(4);
	assert_int_equal(guestmem.accesses, 1);
	accessed(0, false, GUEST_MMIO + 2, 1, 0x80);
	assert_int_equal(v.gpr[REG_RAX], 0x80);

	start_64();
	CODE("\x81\x0b\x00\x01\x00\x00");              /* orl $0x100,(%rbx): read, then write */
	v.gpr[REG_RBX] = LIN_PAGE(1) + 8;
	guestmem.mmio[8] = 7;
	runs(6);
	assert_int_equal(guestmem.accesses, 2);
	accessed(0, false, GUEST_MMIO + 8, 4, 7);
	accessed(1, true, GUEST_MMIO + 8, 4, 0x107);

	start_64();
	CODE("\x85\x03");                              /* test %eax,(%rbx): no write */
	v.gpr[REG_RBX] = LIN_PAGE(5);                  /* ... so that a read-only page is good enough */
	runs(2);
	assert_int_equal(guestmem.accesses, 1);
	assert_true(e.rflags & RFLAGS_ZF);

	start_64();
	CODE("\x8c\x23");                              /* mov %fs,(%rbx): two bytes whatever the operand size */
	v.gpr[REG_RBX] = LIN_PAGE(1);
	runs(2);
	accessed(0, true, GUEST_MMIO, 2, 0x10 * SEG_FS);
}

static void test_addressing(void **state)
{
	(void)state;
	start_64();
	CODE("\x8b\x05\x00\x10\x20\x00");              /* mov 0x201000(%rip),%eax: from the next instruction */
	guestmem.mmio[6] = 0x5a;
	runs(6);
	accessed(0, false, GUEST_MMIO + 6, 4, 0x5a);

	start_64();
	CODE("\x64\x67\x8b\x44\x8b\xfc");              /* mov %fs:-4(%ebx,%ecx,4),%eax */
	e.seg[SEG_FS].base = 0x100000000ull + LIN_PAGE(0);
	guest_put(0x1000 + 0, 0x2000 | RW, 8);
	guest_put(0x2000 + 4 * 8, 0x3000 | RW, 8);     /* 4 GiB + x leads where x does */
	v.gpr[REG_RBX] = 0xf00000001000ull;            /* only 32 bits of it */
	v.gpr[REG_RCX] = 3;
	runs(6);
	accessed(0, false, GUEST_MMIO + 8, 4, 0);

	start_64();
	CODE("\xa1\x10\x10\x60\x00\x00\x00\x00\x00");  /* movabs 0x601010,%eax */
	guestmem.mmio[0x10] = 0x77;
	runs(9);
	assert_int_equal(v.gpr[REG_RAX], 0x77);

	start_flat(true, true);
	CODE("\xa2\x20\x00\x10\x00");                  /* mov %al,0x100020 */
	v.gpr[REG_RAX] = 0x1234;
	runs(5);
	accessed(0, true, 0x100020, 1, 0x34);

	start_flat(false, false);                      /* real mode: mov %ax,-2(%bp,%si) is relative to SS */
	CODE("\x89\x42\xfe");
	e.seg[SEG_SS].base = 0x100000;
	v.gpr[REG_RBP] = 0xfff0;
	v.gpr[REG_RSI] = 0x22;                         /* 0x10012 - 2 wraps at 64 K */
	v.gpr[REG_RAX] = 0xbeef;
	runs(3);
	accessed(0, true, 0x100010, 2, 0xbeef);
	CODE("\x3e\x66\x89\x42\xfe");                  /* the same, 32 bits, by DS */
	e.seg[SEG_DS].base = 0x101000;
	e.rip = GPA_CODE;
	runs(5);
	accessed(1, true, 0x101010, 4, 0xbeef);
}

static void test_crossing(void **state)
{
	(void)state;
	start_64();
	CODE("\x48\x89\x03");                          /* mov %rax,(%rbx): 3 bytes in RAM, 5 in MMIO */
	v.gpr[REG_RBX] = LIN_PAGE(1) - 3;
	v.gpr[REG_RAX] = 0x1122334455667788;
	runs(3);
	assert_int_equal(guest_get(0x9ffd, 3), 0x667788);
	assert_int_equal(guestmem.accesses, 2);
	accessed(0, true, GUEST_MMIO, 4, 0x22334455);
	accessed(1, true, GUEST_MMIO + 4, 1, 0x11);

	CODE("\x48\x8b\x0b");                          /* and back */
	e.rip = LIN_CODE;
	runs(3);
	assert_int_equal(v.gpr[REG_RCX], 0x1122334455667788);

	start_64();                                    /* from MMIO into RAM, 7 + 1, read-modify-write */
	CODE("\x48\xff\x03");
	v.gpr[REG_RBX] = LIN_PAGE(2) - 7;
	memset(guestmem.mmio + 0xff9, 0xff, 7);
	runs(3);
	assert_int_equal(guest_get(0xb000, 1), 1);
	assert_int_equal(guestmem.mmio[0xff9], 0);
	accessed(0, false, GUEST_MMIO + 0xff9, 4, 0xffffffff);
	accessed(1, false, GUEST_MMIO + 0xffd, 2, 0xffff);
	accessed(2, false, GUEST_MMIO + 0xfff, 1, 0xff);

	start_64();                                    /* the second page is missing: the first is not touched */
	CODE("\x48\x89\x03");
	v.gpr[REG_RBX] = LIN_PAGE(4) - 4;
	faults(EXC_PF, true, PF_W, LIN_PAGE(4));
}

static void test_page_faults(void **state)
{
	(void)state;
	start_64();
	CODE("\x01\x03");
	v.gpr[REG_RBX] = LIN_PAGE(5);
	faults(EXC_PF, true, PF_P | PF_W, LIN_PAGE(5));
	e.cpl = 3;
	faults(EXC_PF, true, PF_P | PF_W | PF_U, LIN_PAGE(5));
	e.cpl = 0;
	CODE("\x0f\xb1\x03");                          /* cmpxchg that will fail still needs a writable page */
	faults(EXC_PF, true, PF_P | PF_W, LIN_PAGE(5));
	CODE("\x8b\x03");
	v.gpr[REG_RBX] = LIN_PAGE(4) + 5;
	faults(EXC_PF, true, 0, LIN_PAGE(4) + 5);
	v.gpr[REG_RBX] = 0x800000000000ull - 4;
	faults(EXC_PF, true, 0, 0x7ffffffffffcull);
	v.gpr[REG_RBX] = 0x800000000000ull - 3;        /* one byte is not canonical */
	faults(EXC_GP, true, 0, 0);
	v.gpr[REG_RBX] = ~0ull;                        /* wraps */
	faults(EXC_GP, true, 0, 0);
	CODE("\x8b\x45\x00");
	v.gpr[REG_RBP] = 0x8000000000000000ull;
	faults(EXC_SS, true, 0, 0);
	CODE("\x41\x8b\x45\x00");                      /* R13 is not RBP */
	v.gpr[REG_R13] = 0x8000000000000000ull;
	faults(EXC_GP, true, 0, 0);
	/* The instruction itself reaches into a page that is not there. */
	guest_put(GPA_CODE + 0xffe, 0x808b, 2);
	e.rip = LIN_CODE + 0xffe;
	faults(EXC_PF, true, 0, LIN_CODE + 0x1000);
}

/* Each family of instructions takes its operand's fault before it does anything. */
static void test_every_family_faults(void **state)
{
	static const struct { char code[8]; uint32_t error; } t[] = {
		{ "\x89\x03", PF_W }, { "\x8b\x03", 0 }, { "\x0f\xbe\x03", 0 }, { "\x01\x03", PF_W }, { "\x03\x03", 0 },
		{ "\x39\x03", 0 }, { "\xf7\x13", PF_W }, { "\xff\x03", PF_W }, { "\x0f\xa3\x03", 0 },
		{ "\x0f\xab\x03", PF_W }, { "\x87\x03", PF_W }, { "\x0f\xc1\x03", PF_W }, { "\x0f\xb1\x03", PF_W },
		{ "\xff\x33", 0 },
		{ "\x8f\x03", PF_W }, { "\xc7\x03\1\0\0\0", PF_W }, { "\x8c\x1b", PF_W }, { "\x0f\xc3\x03", PF_W },
		{ "\xa4", 0 }, { "\xa6", 0 }, { "\xaa", PF_W }, { "\xac", 0 }, { "\xae", 0 }, { "\xf3\xa4", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		start_64();
		put_code(t[i].code, 6);
		v.gpr[REG_RSP] = LIN_PAGE(0) + 0x100;
		v.gpr[REG_RBX] = v.gpr[REG_RSI] = v.gpr[REG_RDI] = LIN_PAGE(4);
		v.gpr[REG_RCX] = 2;
		faults(EXC_PF, true, t[i].error, LIN_PAGE(4));
		e.cpl = 3;
		faults(EXC_PF, true, t[i].error | PF_U, LIN_PAGE(4));
	}
	CODE("\xa4");                                  /* the destination's fault, before the source is read */
	v.gpr[REG_RSI] = LIN_PAGE(1);
	faults(EXC_PF, true, PF_W | PF_U, LIN_PAGE(4));
}

static void meddle(gpa_t at)
{
	guest_put(at.v, guest_get(at.v, 8) ^ 1ull << 52, 8);
}

/* Another CPU keeps changing the tables under the walk: the guest is entered again, nothing has happened. */
static void test_tables_change(void **state)
{
	(void)state;
	start_64();
	CODE("\x89\x03");
	v.gpr[REG_RBX] = LIN_PAGE(1);
	flatmem.before_cas = meddle;
	runs(0);
	assert_int_equal(guestmem.accesses, 0);
	flatmem.before_cas = NULL;                    /* this run marks the code; then only the operand is unmarked */
	v.gpr[REG_RBX] = LIN_PAGE(0);
	runs(2);
	e.rip = LIN_CODE;
	v.gpr[REG_RBX] = LIN_PAGE(1);
	flatmem.before_cas = meddle;
	runs(0);
	assert_int_equal(guestmem.accesses, 0);
}

static void test_segments(void **state)
{
	(void)state;
	start_flat(true, true);
	CODE("\x89\x03");
	v.gpr[REG_RBX] = 0x100000;
	e.seg[SEG_DS].limit = 0x100003;
	runs(2);
	e.rip = GPA_CODE;
	e.seg[SEG_DS].limit = 0x100002;
	faults(EXC_GP, true, 0, 0);
	e.seg[SEG_DS].attr = 0xc97;                    /* expand-down: valid above the limit */
	e.seg[SEG_DS].limit = 0xfffff;
	runs(2);
	e.rip = GPA_CODE;
	e.seg[SEG_DS].limit = 0x100000;
	faults(EXC_GP, true, 0, 0);
	e.seg[SEG_DS].limit = 0xffff;
	e.seg[SEG_DS].attr = 0x897;                    /* B=0: ends at 64 K */
	faults(EXC_GP, true, 0, 0);
	e.seg[SEG_DS] = (struct x86_seg){ .attr = 0xc91, .limit = 0xffffffff };      /* read-only */
	faults(EXC_GP, true, 0, 0);
	CODE("\x8b\x03");
	runs(2);
	e.rip = GPA_CODE;
	e.seg[SEG_DS].attr = 0;                        /* null selector */
	faults(EXC_GP, true, 0, 0);
	e.seg[SEG_DS].attr = 0xc99;                    /* execute-only code */
	faults(EXC_GP, true, 0, 0);
	e.seg[SEG_DS].attr = 0xc9b;                    /* readable code */
	runs(2);
	e.rip = GPA_CODE;
	CODE("\x89\x03");
	faults(EXC_GP, true, 0, 0);
	CODE("\x8b\x45\x00");
	v.gpr[REG_RBP] = 0xfffffffe;                   /* reaches past 4 GiB */
	faults(EXC_SS, true, 0, 0);

	start_flat(false, false);                      /* real mode: no error code, no types */
	CODE("\x2e\x89\x07");
	v.gpr[REG_RBX] = 0xffff;
	faults(EXC_GP, false, 0, 0);
	e.seg[SEG_CS].base = 0;
	v.gpr[REG_RBX] = 0x7000;
	runs(3);
}

static void test_locked(void **state)
{
	(void)state;
	start_64();
	CODE("\xf0\x01\x03");                          /* lock add %eax,(%rbx) on RAM goes through compare-and-swap */
	v.gpr[REG_RBX] = LIN_PAGE(0) + 8;
	v.gpr[REG_RAX] = 5;
	guest_put(0x9008, 37, 4);
	runs(3);
	assert_int_equal(guest_get(0x9008, 4), 42);
	assert_int_equal(guestmem.accesses, 0);
	start_64();
	CODE("\x87\x03");                              /* xchg locks without the prefix; on MMIO a read and a write */
	v.gpr[REG_RBX] = LIN_PAGE(1);
	v.gpr[REG_RAX] = 5;
	guestmem.mmio[0] = 9;
	runs(2);
	assert_int_equal(v.gpr[REG_RAX], 9);
	accessed(0, false, GUEST_MMIO, 4, 9);
	accessed(1, true, GUEST_MMIO, 4, 5);
}

static void spoil(gpa_t at)
{
	if (at.v >= 0x9000 && at.v < 0xa000)
		guest_put(at.v, 0x1234, 4);
}

static void test_lost_race(void **state)
{
	uint64_t gpr[REG_COUNT];

	(void)state;
	start_64();
	CODE("\xf0\x0f\xc1\x03");                      /* lock xadd: another CPU writes first, so it runs again */
	v.gpr[REG_RBX] = LIN_PAGE(0);
	v.gpr[REG_RAX] = 5;
	memcpy(gpr, v.gpr, sizeof(gpr));
	flatmem.before_cas = spoil;
	assert_int_equal(emulate_mmio(&v, &e), EXIT_AGAIN);
	assert_int_equal(e.rip, LIN_CODE);
	assert_int_equal(e.rflags, RFLAGS_FIXED);
	assert_memory_equal(v.gpr, gpr, sizeof(gpr));
	assert_int_equal(guest_get(0x9000, 4), 0x1234);
}

static void test_stack(void **state)
{
	(void)state;
	start_64();
	CODE("\xff\x33");                              /* push (%rbx) */
	v.gpr[REG_RBX] = LIN_PAGE(1);
	v.gpr[REG_RSP] = LIN_PAGE(0) + 0x100;
	memset(guestmem.mmio, 0x21, 8);
	runs(2);
	assert_int_equal(v.gpr[REG_RSP], LIN_PAGE(0) + 0xf8);
	assert_int_equal(guest_get(0x90f8, 8), 0x2121212121212121);
	CODE("\x8f\x84\x24\x00\x0f\x00\x00");          /* pop 0xf00(%rsp): by the new RSP */
	e.rip = LIN_CODE;
	runs(7);
	assert_int_equal(v.gpr[REG_RSP], LIN_PAGE(0) + 0x100);
	accessed(1, true, GUEST_MMIO, 8, 0x2121212121212121);
	v.gpr[REG_RSP] = LIN_PAGE(4) + 8;              /* push: the stack's fault, before the device is read */
	CODE("\xff\x33");
	e.rip = LIN_CODE;
	faults(EXC_PF, true, PF_W, LIN_PAGE(4));

	start_flat(false, false);                      /* a 16-bit stack wraps */
	CODE("\xff\x37");
	e.seg[SEG_DS].base = 0x100000;
	e.seg[SEG_SS].base = 0x10000;
	guestmem.mmio[0] = 0x99;
	v.gpr[REG_RSP] = 0xabcd0000;
	runs(2);
	assert_int_equal(v.gpr[REG_RSP], 0xabcdfffe);
	assert_int_equal(guest_get(0x1fffe, 2), 0x99);
}

static void test_bit_strings(void **state)
{
	(void)state;
	start_64();
	CODE("\x0f\xab\x03");                          /* bts %eax,(%rbx): bit -1 is in the doubleword before */
	v.gpr[REG_RBX] = LIN_PAGE(1) + 0x10;
	v.gpr[REG_RAX] = 0xffffffff;
	runs(3);
	accessed(0, false, GUEST_MMIO + 0xc, 4, 0);
	accessed(1, true, GUEST_MMIO + 0xc, 4, 0x80000000);
	CODE("\x66\x0f\xba\x23\x13");                  /* btw $0x13: bit 3, of this word */
	guestmem.mmio[0x10] = 8;
	e.rip = LIN_CODE;
	runs(5);
	accessed(2, false, GUEST_MMIO + 0x10, 2, 8);
	assert_true(e.rflags & RFLAGS_CF);
	start_flat(true, true);                        /* the moved address is 32 bits wide */
	CODE("\x0f\xa3\x03");
	v.gpr[REG_RBX] = 4;
	v.gpr[REG_RAX] = 0x80000000;                   /* 256 MiB back */
	assert_int_equal(emulate_mmio(&v, &e), EXIT_AGAIN);
	accessed(0, false, 0xf0000004, 4, 0xffffffff);
}

/* With TF set a REP gives the vendor a #DB to deliver after each element. */
static void test_rep_single_step(void **state)
{
	(void)state;
	start_64();
	CODE("\xf3\x6c");                              /* rep insb */
	v.gpr[REG_RDI] = LIN_PAGE(0);
	v.gpr[REG_RCX] = 3;
	v.gpr[REG_RDX] = 0x3ff;
	e.rflags |= RFLAGS_TF;
	for (unsigned int i = 1; i <= 3; i++) {
		e.stepped = false;
		assert_int_equal(emulate_string_io(&v, &e, 0x3ff, 1, true), EXIT_AGAIN);
		assert_true(e.stepped);
		assert_int_equal(guestmem.accesses, i);
		assert_int_equal(v.gpr[REG_RCX], 3 - i);
		assert_int_equal(e.rip, i < 3 ? LIN_CODE : LIN_CODE + 2);
	}
	start_64();                                    /* what does not happen is no step */
	CODE("\xf3\x6c");
	v.gpr[REG_RDI] = LIN_PAGE(4);
	v.gpr[REG_RCX] = 3;
	v.gpr[REG_RDX] = 0x3ff;
	e.rflags |= RFLAGS_TF;
	assert_int_equal(emulate_string_io(&v, &e, 0x3ff, 1, true), EXIT_FAULT);
	assert_false(e.stepped);
}

static void test_rep_chunks(void **state)
{
	unsigned int again = 0;

	(void)state;
	start_64();
	CODE("\xf3\xaa");                              /* rep stosb over the MMIO page */
	v.gpr[REG_RDI] = LIN_PAGE(1);
	v.gpr[REG_RCX] = 2500;
	v.gpr[REG_RAX] = 0x5a;
	while (e.rip == LIN_CODE) {
		assert_true(again++ < 5);
		assert_int_equal(emulate_mmio(&v, &e), EXIT_AGAIN);
		assert_int_equal(guestmem.accesses, again < 3 ? EMULATE_CHUNK * again : 2500);
		assert_int_equal(v.gpr[REG_RCX], 2500 - guestmem.accesses);
		assert_int_equal(v.gpr[REG_RDI], LIN_PAGE(1) + guestmem.accesses);
	}
	assert_int_equal(again, 3);
	assert_int_equal(e.rip, LIN_CODE + 2);
	assert_int_equal(guestmem.mmio[2499], 0x5a);
	assert_int_equal(guestmem.mmio[2500], 0);

	start_64();                                    /* nothing to do: nothing done, not even the operand's fault */
	CODE("\xf3\xa4");
	v.gpr[REG_RDI] = LIN_PAGE(4);
	runs(2);

	start_64();                                    /* exactly one chunk ends the instruction */
	CODE("\xf3\xaa");
	v.gpr[REG_RDI] = LIN_PAGE(1);
	v.gpr[REG_RCX] = EMULATE_CHUNK;
	runs(2);

	start_64();                                    /* a fault in the middle: registers say how far it came */
	CODE("\xf3\x48\xab");
	v.gpr[REG_RDI] = LIN_PAGE(4) - 16;
	v.gpr[REG_RCX] = 5;
	assert_int_equal(emulate_mmio(&v, &e), EXIT_FAULT);
	assert_int_equal(v.fault.cr2, LIN_PAGE(4));
	assert_int_equal(v.gpr[REG_RCX], 3);
	assert_int_equal(v.gpr[REG_RDI], LIN_PAGE(4));
	assert_int_equal(e.rip, LIN_CODE);

	start_64();                                    /* the flags of a compare that faults are those before it */
	CODE("\xf3\xae");
	v.gpr[REG_RDI] = LIN_PAGE(4) - 1;
	v.gpr[REG_RCX] = 5;
	assert_int_equal(emulate_mmio(&v, &e), EXIT_FAULT);
	assert_int_equal(e.rflags, RFLAGS_FIXED);
	assert_int_equal(v.gpr[REG_RCX], 4);

	start_64();                                    /* a device stops the VM: the loop ends, its state consistent */
	CODE("\xf3\xab");
	v.gpr[REG_RDI] = LIN_PAGE(1);
	v.gpr[REG_RCX] = 10;
	guestmem.stop_after = 4;
	assert_int_equal(emulate_mmio(&v, &e), EXIT_STOP);
	assert_int_equal(guestmem.accesses, 4);
	assert_int_equal(v.gpr[REG_RCX], 6);
}

static void test_string_widths(void **state)
{
	(void)state;
	start_64();                                    /* 67h: ECX, ESI, EDI; their upper halves are cleared */
	CODE("\x67\xf3\xa4");
	v.gpr[REG_RCX] = 0x500000002ull;
	v.gpr[REG_RSI] = 0x700000000ull + LIN_PAGE(0);
	v.gpr[REG_RDI] = LIN_PAGE(1);
	guest_put(0x9000, 0xbbaa, 2);
	runs(3);
	assert_int_equal(v.gpr[REG_RCX], 0);
	assert_int_equal(v.gpr[REG_RSI], LIN_PAGE(0) + 2);
	assert_int_equal(guestmem.mmio[1], 0xbb);

	start_flat(false, false);                      /* real mode: 16-bit registers; ES stays, DS may be overridden */
	CODE("\x26\xf3\xa5");
	e.seg[SEG_ES].base = 0x100000;
	e.seg[SEG_DS].base = 0x20000;
	guestmem.mmio[0xfffe & 0x3ffe] = 0x12;
	e.seg[SEG_ES].base = 0x100000 - 0xc000;        /* offset fffe is MMIO 3ffe */
	v.gpr[REG_RCX] = 0xaaaa0001;
	v.gpr[REG_RSI] = 0xbbbbfffe;
	v.gpr[REG_RDI] = 0xccccfffc;
	runs(3);
	assert_int_equal(v.gpr[REG_RCX], 0xaaaa0000);
	assert_int_equal(v.gpr[REG_RSI], 0xbbbb0000);  /* wraps */
	assert_int_equal(v.gpr[REG_RDI], 0xccccfffe);
	accessed(0, false, 0x103ffe, 2, 0x12);
	accessed(1, true, 0x103ffc, 2, 0x12);
}

static void io(uint16_t port, unsigned int size, bool in, enum exit_action want, unsigned int accesses)
{
	assert_int_equal(emulate_string_io(&v, &e, port, size, in), want);
	assert_int_equal(guestmem.accesses, accesses);
}

static void test_string_io(void **state)
{
	(void)state;
	start_64();
	CODE("\xf3\x6e");                              /* rep outsb */
	v.gpr[REG_RDX] = 0xabc03f8;
	v.gpr[REG_RCX] = 3;
	v.gpr[REG_RSI] = LIN_PAGE(0);
	guest_put(0x9000, 0x636261, 3);
	io(0xbc03, 1, false, EXIT_AGAIN, 0);           /* another port, size or direction: not this instruction */
	io(0x03f8, 2, false, EXIT_AGAIN, 0);
	io(0x03f8, 1, true, EXIT_AGAIN, 0);
	assert_int_equal(e.rip, LIN_CODE);
	io(0x03f8, 1, false, EXIT_AGAIN, 3);
	assert_int_equal(e.rip, LIN_CODE + 2);
	assert_int_equal(v.gpr[REG_RSI], LIN_PAGE(0) + 3);
	accessed(0, true, 0x3f8, 1, 0x61);
	accessed(2, true, 0x3f8, 1, 0x63);

	start_64();                                    /* insl, downwards, over a page's edge */
	CODE("\x6d");
	v.gpr[REG_RDX] = 0xcfc;
	v.gpr[REG_RDI] = LIN_PAGE(2) - 2;
	e.rflags |= RFLAGS_DF;
	guestmem.port_value = 0x44332211;
	io(0xcfc, 4, true, EXIT_AGAIN, 2);
	assert_int_equal(e.rip, LIN_CODE + 1);
	assert_int_equal(v.gpr[REG_RDI], LIN_PAGE(2) - 6);
	accessed(0, false, 0xcfc, 4, 0x44332211);
	accessed(1, true, GUEST_MMIO + 0xffe, 2, 0x2211);
	assert_int_equal(guest_get(0xb000, 2), 0x4433);

	start_64();                                    /* the port is not read when there is nowhere to put it */
	CODE("\xf3\x6c");
	v.gpr[REG_RDX] = 0x60;
	v.gpr[REG_RCX] = 2;
	v.gpr[REG_RDI] = LIN_PAGE(5);
	io(0x60, 1, true, EXIT_FAULT, 0);
	assert_int_equal(v.fault.error, PF_P | PF_W);
	CODE("\xf3\x6e");
	v.gpr[REG_RSI] = LIN_PAGE(4);
	io(0x60, 1, false, EXIT_FAULT, 0);
	CODE("\x66\x48\x6f");                          /* REX.W makes no 8-byte port access, and beats 66h */
	v.gpr[REG_RSI] = LIN_PAGE(0);
	io(0x60, 4, false, EXIT_AGAIN, 1);

	start_flat(false, false);                      /* fs: outsw */
	CODE("\x64\x6f");
	e.seg[SEG_FS].base = 0x20000;
	guest_put(0x20010, 0x7788, 2);
	v.gpr[REG_RSI] = 0x10;
	io(0, 2, false, EXIT_AGAIN, 1);
	accessed(0, true, 0, 2, 0x7788);

	start_64();                                    /* chunks; and a device that stops the VM */
	CODE("\xf3\x6e");
	v.gpr[REG_RCX] = 5000;
	v.gpr[REG_RSI] = LIN_PAGE(0);
	io(0, 1, false, EXIT_AGAIN, EMULATE_CHUNK);
	assert_int_equal(e.rip, LIN_CODE);
	guestmem.stop_after = EMULATE_CHUNK + 1;
	io(0, 1, false, EXIT_STOP, EMULATE_CHUNK + 1);
}

/* Slow devices: as many elements as fit, and one at least. */
static void test_chunk_time(void **state)
{
	static const struct { uint64_t ticks; unsigned int per_exit; } rows[] = {
		{ 0, EMULATE_CHUNK }, { 9, EMULATE_CHUNK }, { 0x1000, 65 }, { 0x3ffff, 2 }, { 0x40000, 2 }, { 0x40001, 1 },
		{ 1ull << 40, 1 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		start_64();
		CODE("\xf3\x6e");                      /* rep outsb */
		access_ticks = rows[i].ticks;
		v.gpr[REG_RCX] = 5000;
		v.gpr[REG_RSI] = LIN_PAGE(0);
		io(0, 1, false, EXIT_AGAIN, rows[i].per_exit);
		assert_int_equal(e.rip, LIN_CODE);
		assert_int_equal(v.gpr[REG_RCX], 5000 - rows[i].per_exit);
		io(0, 1, false, EXIT_AGAIN, 2 * rows[i].per_exit);
	}
	access_ticks = 0;
}

static void refused(const char *part)
{
	assert_int_equal(emulate_mmio(&v, &e), EXIT_STOP);
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	assert_non_null(strstr(vm.stop.text, part));
	assert_int_equal(e.rip, LIN_CODE);
}

static void test_refusals(void **state)
{
	(void)state;
	start_64();
	CODE("\x0f\x29\x03");                          /* movaps: in the kernel it stops the guest, with the bytes */
	v.gpr[REG_RBX] = LIN_PAGE(1);
	refused("rip 400000 bytes 0f2903cccccc");
	start_64();
	CODE("\x0f\x29\x03");                          /* ... a program gets #UD */
	e.cpl = 3;
	faults(EXC_UD, false, 0, 0);
	assert_int_equal(vm.stop.kind, STOP_NONE);
	start_64();
	CODE("\x0f\x04");                              /* undefined */
	refused("0f04");
	start_64();
	CODE("\x50");                                  /* push: its stack would be MMIO; no end if the guest went on */
	refused("50cc");
	start_64();
	CODE("\xe8\0\0\0\0");                          /* call; push %fs */
	refused("e8000000");
	start_64();
	CODE("\x0f\xa0");
	refused("0fa0");
	start_64();
	CODE("\x0f\x31");                              /* rdtsc has nothing to do with memory */
	runs(0);
	start_64();
	CODE("\x90");                                  /* no memory in sight: the guest rewrote it */
	runs(0);
	CODE("\x89\xc0");
	runs(0);
	start_64();
	guest_put(0x4000, GUEST_MMIO | RW, 8);
	refused("code outside RAM");
	assert_int_equal(guestmem.accesses, 0);
	start_64();
	guest_put(0x4000, GUEST_MMIO | RW | PTE_US, 8);
	e.cpl = 3;
	faults(EXC_UD, false, 0, 0);
	assert_int_equal(vm.stop.kind, STOP_NONE);
	start_64();
	CODE("\x0f\xf7\xc1");                          /* maskmovq; clzero */
	refused("0ff7c1");
	start_64();
	CODE("\x0f\x01\xfc");
	refused("0f01fc");
}

/* Memory that is in no operand, or an instruction that has changed: tried again, but a kernel not for ever. */
static void test_tried_again(void **state)
{
	static const char *const code[] = { "\x8e\xc0", "\xc5\xf9\xf7\xc1" };      /* mov %eax,%es; vmaskmovdqu */

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(code); i++) {
		start_64();
		put_code(code[i], (unsigned int)strlen(code[i]));
		for (unsigned int n = 0; n < 999; n++)
			runs(0);
		e.rip++;                               /* another one, as good: the count begins anew */
		put_code("\x90\x90\x90", 3);
		runs(0);
		e.rip--;
		put_code(code[i], (unsigned int)strlen(code[i]));
		for (unsigned int n = 0; n < 999; n++)
			runs(0);
		refused(i ? "c5f9f7c1" : "8ec0");
		start_64();
		put_code(code[i], (unsigned int)strlen(code[i]));
		e.cpl = 3;
		for (unsigned int n = 0; n < 5000; n++)
			runs(0);
	}
}

/* A device's registers are in no cache: nothing happens, but for what a load's address would be refused for. */
static void test_cache_flush(void **state)
{
	static const char *const flush[] = { "\x0f\xae\x3b", "\x66\x0f\xae\x3b", "\x66\x0f\xae\x33" };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(flush); i++) {
		unsigned int len = (unsigned int)strlen(flush[i]);

		start_64();
		put_code(flush[i], len);
		v.gpr[REG_RBX] = LIN_PAGE(1);
		runs(len);
		assert_int_equal(guestmem.accesses, 0);
		v.gpr[REG_RBX] = LIN_PAGE(4);
		e.rip = LIN_CODE;
		faults(EXC_PF, true, 0, LIN_PAGE(4));
		v.gpr[REG_RBX] = 1ull << 63;
		faults(EXC_GP, true, 0, 0);
	}
	start_64();
	CODE("\x0f\xae\x33");                          /* xsaveopt is no flush */
	v.gpr[REG_RBX] = LIN_PAGE(1);
	refused("0fae33");
}

/* Where nothing may be read, a line may be flushed; the limit counts, and so does whether the segment is there. */
static void test_cache_flush_of_code(void **state)
{
	(void)state;
	start_flat(true, true);
	e.seg[SEG_CS].attr = 0xc99;
	v.gpr[REG_RBX] = GUEST_MMIO;
	CODE("\x2e\x8b\x03");                          /* mov %cs:(%ebx),%eax */
	faults(EXC_GP, true, 0, 0);
	CODE("\x2e\x0f\xae\x3b");
	runs(4);
	assert_int_equal(guestmem.accesses, 0);
	e.rip = GPA_CODE;
	e.seg[SEG_CS].limit = GUEST_MMIO - 1;
	faults(EXC_GP, true, 0, 0);
	CODE("\x0f\xae\x3b");
	e.seg[SEG_DS].attr = 0;
	faults(EXC_GP, true, 0, 0);
}

static void test_length_at(void **state)
{
	struct x86_fault f;
	struct insn in;

	(void)state;
	start_64();
	CODE("\xf3\x0f\xa2");
	assert_int_equal(insn_length_at(&v, &e, &in, &f), 0);
	assert_int_equal(in.len, 3);
	assert_int_equal(in.op, INSN_CPUID);
	CODE("\x0f\x04");
	assert_int_equal(insn_length_at(&v, &e, &in, &f), -EINVAL);
	guest_put(GPA_CODE + 0xfff, 0x0f, 1);
	e.rip = LIN_CODE + 0xfff;
	assert_int_equal(insn_length_at(&v, &e, &in, &f), -EFAULT);
	assert_int_equal(f.cr2, LIN_CODE + 0x1000);
	guest_put(0x4008, GUEST_MMIO | PTE_P, 8);
	assert_int_equal(insn_length_at(&v, &e, &in, &f), -ENXIO);
	start_flat(true, false);                       /* cut by the code segment's limit: #GP */
	CODE("\x0f\x22\xc0");
	e.seg[SEG_CS].limit = GPA_CODE + 1;
	assert_int_equal(insn_length_at(&v, &e, &in, &f), -EFAULT);
	assert_int_equal(f.vector, EXC_GP);

	start_64();
	CODE("\x0f\x01\x33");                          /* lmsw (%rbx) */
	assert_int_equal(insn_length_at(&v, &e, &in, &f), 0);
	assert_int_equal(in.op, INSN_LMSW);
}

static void test_advance(void **state)
{
	(void)state;
	start_flat(false, false);
	e.rip = 0xfffe;
	e.rflags |= RFLAGS_RF;
	env_advance(&e, 3);
	assert_int_equal(e.rip, 1);
	assert_int_equal(e.rflags, RFLAGS_FIXED);
	start_flat(true, true);
	e.rip = 0xfffffffe;
	env_advance(&e, 3);
	assert_int_equal(e.rip, 1);
	start_64();
	e.rip = 0xfffffffe;
	env_advance(&e, 3);
	assert_int_equal(e.rip, 0x100000001ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_from_the_cpu),
		cmocka_unit_test(test_device_accesses), cmocka_unit_test(test_addressing),
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_page_faults), cmocka_unit_test(test_every_family_faults),
		cmocka_unit_test(test_tables_change), cmocka_unit_test(test_segments), cmocka_unit_test(test_locked),
		cmocka_unit_test(test_lost_race), cmocka_unit_test(test_stack), cmocka_unit_test(test_bit_strings),
		cmocka_unit_test(test_rep_single_step), cmocka_unit_test(test_rep_chunks), cmocka_unit_test(test_string_widths),
		cmocka_unit_test(test_string_io),
		cmocka_unit_test(test_chunk_time),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_tried_again),
		cmocka_unit_test(test_cache_flush), cmocka_unit_test(test_cache_flush_of_code),
		cmocka_unit_test(test_length_at), cmocka_unit_test(test_advance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
