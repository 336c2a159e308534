/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulator against the CPU that runs this test: random 64-bit instructions on random registers, flags and memory,
 * once executed and once emulated, with the operand in RAM and in MMIO. Registers, defined flags and memory must agree.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/x86/exit/alu.h"
#include "arch/x86/exit/emulate.h"
#include "arch/x86/mm/gwalk.h"
#include "tests/unit/support/guestmem.h"

#define ROUNDS   200000u
#define AREA     4096u
#define MIDDLE   2048u
#define LIN_CODE 0x400000u        /* guest-linear, and where they lead */
#define LIN_AREA 0x600000u
#define GPA_CODE 0x8000u
#define GPA_AREA 0x9000u

struct native {
	uint64_t gpr[REG_COUNT];
	uint64_t rflags;
};

/* Loads gpr (but RSP) and flags from *r, calls code, stores them back. */
void run_native(struct native *r, const void *code);

__asm__(".text\n"
	"run_native:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	push %rdi; push %rsi\n"
	"	pushq 128(%rdi); popfq\n"
	"	mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx; mov 40(%rdi), %rbp\n"
	"	mov 48(%rdi), %rsi; mov 64(%rdi), %r8; mov 72(%rdi), %r9; mov 80(%rdi), %r10; mov 88(%rdi), %r11\n"
	"	mov 96(%rdi), %r12; mov 104(%rdi), %r13; mov 112(%rdi), %r14; mov 120(%rdi), %r15; mov 56(%rdi), %rdi\n"
	"	call *(%rsp)\n"
	"	mov %rdi, (%rsp); mov 8(%rsp), %rdi\n"
	"	mov %rax, 0(%rdi); mov %rcx, 8(%rdi); mov %rdx, 16(%rdi); mov %rbx, 24(%rdi); mov %rbp, 40(%rdi)\n"
	"	mov %rsi, 48(%rdi); mov %r8, 64(%rdi); mov %r9, 72(%rdi); mov %r10, 80(%rdi); mov %r11, 88(%rdi)\n"
	"	mov %r12, 96(%rdi); mov %r13, 104(%rdi); mov %r14, 112(%rdi); mov %r15, 120(%rdi)\n"
	"	mov (%rsp), %rax; mov %rax, 56(%rdi)\n"
	"	pushfq; popq 128(%rdi); cld\n"
	"	add $16, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static uint64_t rng_state = 0x2545f4914f6cdd1dull;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)((rng() >> 33) % n);
}

/* Values near the edges of each size, so that carries, overflows and equal operands come up. */
static uint64_t value(void)
{
	static const uint64_t edge[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
					 0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX };

	return below(2) ? edge[below(ARRAY_SIZE(edge))] + below(3) - 1 : rng();
}

/* One form: opcode, what modrm.reg may be, immediate, LOCK, and the flags that the manual leaves undefined. */
struct form {
	uint8_t map, opcode;                  /* map: 0x0f or 0 */
	uint8_t digits;                       /* mask of modrm.reg, or ANY register */
	uint8_t imm;                          /* 0: none, 1: a byte, 2: as wide as the operand */
	uint8_t lock;                         /* may take LOCK, by modrm.reg if digits */
	bool bit_string;
	uint64_t undefined;
};

#define ANY 0
#define BITS (RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF)

/* The four modrm forms of an operation: to memory (LOCK allowed but for CMP), to a register. */
#define ALU(o, lock, undefined) \
	{ 0, (o), ANY, 0, lock, false, undefined }, { 0, (o) + 1, ANY, 0, lock, false, undefined }, \
	{ 0, (o) + 2, ANY, 0, 0, false, undefined }, { 0, (o) + 3, ANY, 0, 0, false, undefined }
#define PAIR(map, o, digits, imm, lock, undefined) \
	{ map, (o), digits, (imm) ? 1 : 0, lock, false, undefined }, \
	{ map, (o) + 1, digits, imm, lock, false, undefined }
#define ARITH 0xad                        /* /digits of ADD, ADC, SBB, SUB, CMP; the others are logical */
#define LOGIC 0x52

static const struct form forms[] = {
	ALU(0x00, 1, 0), ALU(0x08, 1, RFLAGS_AF), ALU(0x10, 1, 0), ALU(0x18, 1, 0), ALU(0x20, 1, RFLAGS_AF),
	ALU(0x28, 1, 0), ALU(0x30, 1, RFLAGS_AF), ALU(0x38, 0, 0),
	PAIR(0, 0x80, ARITH, 2, 0x7f, 0), PAIR(0, 0x80, LOGIC, 2, 0x7f, RFLAGS_AF),
	{ 0, 0x83, ARITH, 1, 0x7f, false, 0 }, { 0, 0x83, LOGIC, 1, 0x7f, false, RFLAGS_AF },
	PAIR(0, 0x84, ANY, 0, 0, RFLAGS_AF),           /* TEST, XCHG, MOV */
	PAIR(0, 0x86, ANY, 0, 1, 0), PAIR(0, 0x88, ANY, 0, 0, 0), PAIR(0, 0x8a, ANY, 0, 0, 0),
	PAIR(0, 0xc6, 0x01, 2, 0, 0),
	PAIR(0, 0xf6, 0x03, 2, 0, RFLAGS_AF),          /* TEST, NOT and NEG, INC and DEC */
	PAIR(0, 0xf6, 0x0c, 0, 0x0c, 0), PAIR(0, 0xfe, 0x03, 0, 3, 0),
	{ 0x0f, 0xa3, ANY, 0, 0, true, BITS }, { 0x0f, 0xab, ANY, 0, 1, true, BITS },
	{ 0x0f, 0xb3, ANY, 0, 1, true, BITS }, { 0x0f, 0xbb, ANY, 0, 1, true, BITS },
	{ 0x0f, 0xba, 0xf0, 1, 0xe0, false, BITS },
	PAIR(0x0f, 0xb0, ANY, 0, 1, 0), PAIR(0x0f, 0xc0, ANY, 0, 1, 0),  /* CMPXCHG, XADD */
	PAIR(0x0f, 0xb6, ANY, 0, 0, 0), PAIR(0x0f, 0xbe, ANY, 0, 0, 0),  /* MOVZX, MOVSX, MOVSXD */
	{ 0, 0x63, ANY, 0, 0, false, 0 },
};

static struct vm vm;
static struct vcpu v;
static struct x86_env e;
static uint8_t *code, *area;              /* executable; the native operand's page */

static void guest_start(bool mmio)
{
	guestmem_reset(&vm, &v);
	memset(&e, 0, sizeof(e));
	e.cr0 = CR0_PE | CR0_PG | CR0_WP;
	e.cr3 = 0x1000;
	e.cr4 = CR4_PAE;
	e.efer = EFER_LME | EFER_LMA;
	e.seg[SEG_CS].attr = 0xa9b;
	guest_put(0x1000, 0x2000 | PTE_P | PTE_RW, 8);
	guest_put(0x2000, 0x3000 | PTE_P | PTE_RW, 8);
	guest_put(0x3000 + 2 * 8, 0x4000 | PTE_P | PTE_RW, 8);
	guest_put(0x3000 + 3 * 8, 0x5000 | PTE_P | PTE_RW, 8);
	guest_put(0x4000, GPA_CODE | PTE_P, 8);
	guest_put(0x5000, (mmio ? GUEST_MMIO : GPA_AREA) | PTE_P | PTE_RW, 8);
	e.rip = LIN_CODE;
}

/* AH is as good as any; BH, BL, RBX and RSP hold what the test itself needs. */
static bool reg_usable(const struct form *fo, unsigned int reg, unsigned int rex)
{
	bool byte = !(fo->opcode & 1) && fo->opcode != 0xb6 && fo->opcode != 0xbe;

	return reg != REG_RBX && (reg != REG_RSP || (byte && !rex)) && (reg != REG_RDI || rex || !byte);
}

/* Writes the instruction with its operand at RBX + disp8; returns its length. */
static unsigned int build(const struct form *fo, uint8_t *b, unsigned int *reg, int8_t disp)
{
	unsigned int n = 0, rex = below(2) ? 0x40 | (below(2) << 3) | (below(2) << 2) : 0, digit;
	bool word = below(4) == 0;

	do {
		digit = below(8);
		*reg = digit | (rex & 4) << 1;
	} while (fo->digits ? !(fo->digits >> digit & 1) : !reg_usable(fo, *reg, rex));
	if (word)
		b[n++] = 0x66;
	if (fo->lock && below(2) && (!fo->digits || fo->lock >> digit & 1))
		b[n++] = 0xf0;
	if (rex)
		b[n++] = (uint8_t)rex;
	if (fo->map)
		b[n++] = fo->map;
	b[n++] = fo->opcode;
	b[n++] = (uint8_t)(0x43 | digit << 3);
	b[n++] = (uint8_t)disp;
	if (fo->imm) {
		unsigned int len = fo->imm == 1 ? 1 : word && !(rex & 8) ? 2 : 4;
		uint64_t imm = value();

		memcpy(b + n, &imm, len);
		n += len;
	}
	return n;
}

static void compare(const struct native *want, unsigned int len, uint64_t undefined, bool mmio, const uint8_t *bytes)
{
	const uint8_t *got = mmio ? guestmem.mmio : guestmem.ram + GPA_AREA;
	bool same = !memcmp(got, area, AREA) && !((e.rflags ^ want->rflags) & RFLAGS_STATUS & ~undefined);

	for (int i = 0; i < REG_COUNT; i++)
		same &= v.gpr[i] == want->gpr[i];
	if (same && e.rip == LIN_CODE + len)
		return;
	for (unsigned int i = 0; i < len; i++)
		print_error("%02x ", bytes[i]);
	print_error(": flags %lx want %lx, rax %lx want %lx\n", (unsigned long)e.rflags, (unsigned long)want->rflags,
		    (unsigned long)v.gpr[0], (unsigned long)want->gpr[0]);
	fail_msg("emulation differs from the CPU");
}

/* Both sides start with the same registers, but for RBX, RSI and RDI where they are pointers. */
static void fill(struct native *r, const struct form *fo, unsigned int reg)
{
	for (int i = 0; i < REG_COUNT; i++)
		r->gpr[i] = value();
	if (fo && fo->bit_string) /* within the page, but beyond the operand; upper bytes count by operand size only */
		r->gpr[reg] = (uint64_t)((int64_t)below(8000) - 4000);
	r->rflags = RFLAGS_FIXED | RFLAGS_IF | (rng() & RFLAGS_STATUS);
}

static void one_round(const struct form *fo)
{
	struct native r;
	unsigned int reg, len;
	int8_t disp = (int8_t)(below(64) * 4);
	bool mmio = below(2);

	len = build(fo, code, &reg, disp);
	code[len] = 0xc3;
	fill(&r, fo, reg);
	for (unsigned int i = 0; i < AREA; i += 8) {
		uint64_t x = i >= MIDDLE - 128 && i < MIDDLE + 128 ? value() : rng();

		memcpy(area + i, &x, 8);
	}
	if (fo->map && (fo->opcode & 0xfe) == 0xb0 && below(2))
		memcpy(&r.gpr[REG_RAX], area + MIDDLE + disp, 8);       /* CMPXCHG that succeeds */
	guest_start(mmio);
	memcpy(guestmem.ram + GPA_CODE, code, len);
	memcpy(mmio ? guestmem.mmio : guestmem.ram + GPA_AREA, area, AREA);
	memcpy(v.gpr, r.gpr, sizeof(v.gpr));
	e.rflags = r.rflags;
	v.gpr[REG_RBX] = LIN_AREA + MIDDLE;
	r.gpr[REG_RBX] = (uint64_t)area + MIDDLE;

	run_native(&r, code);
	assert_int_equal(emulate_mmio(&v, &e), EXIT_AGAIN);
	r.gpr[REG_RBX] = LIN_AREA + MIDDLE;
	compare(&r, len, fo->undefined, mmio, code);
}

static void test_operations(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++)
		one_round(&forms[i % ARRAY_SIZE(forms)]);
}

/* MOVS, CMPS, STOS, LODS, SCAS; with and without REP, both directions, few different bytes so that compares go on. */
static void string_round(uint8_t opcode)
{
	static const uint8_t reps[] = { 0, 0xf2, 0xf3 };
	struct native r;
	uint8_t rep = reps[below(opcode == 0xa6 || opcode == 0xa7 || opcode >= 0xae ? 3 : 2) ];
	unsigned int n = 0, si = 1024 + below(512), di = below(2) ? si + below(64) : 2560 + below(512);
	bool mmio = below(2);

	if (rep == 0xf2 && !(opcode == 0xa6 || opcode == 0xa7 || opcode >= 0xae))
		rep = 0xf3;
	if (rep)
		code[n++] = rep;
	if (below(3) == 0)
		code[n++] = 0x66;
	if (below(3) == 0)
		code[n++] = 0x48;
	code[n++] = opcode;
	code[n] = 0xc3;
	fill(&r, NULL, 0);
	r.gpr[REG_RCX] = below(60);
	r.gpr[REG_RAX] = below(2) ? 0 : 0x0101010101010101ull;
	if (below(3) == 0)
		r.rflags |= RFLAGS_DF;
	for (unsigned int i = 0; i < AREA; i++)
		area[i] = below(40) == 0;
	guest_start(mmio);
	memcpy(guestmem.ram + GPA_CODE, code, n);
	memcpy(mmio ? guestmem.mmio : guestmem.ram + GPA_AREA, area, AREA);
	memcpy(v.gpr, r.gpr, sizeof(v.gpr));
	e.rflags = r.rflags;
	v.gpr[REG_RSI] = LIN_AREA + si;
	v.gpr[REG_RDI] = LIN_AREA + di;
	r.gpr[REG_RSI] = (uint64_t)area + si;
	r.gpr[REG_RDI] = (uint64_t)area + di;

	run_native(&r, code);
	assert_int_equal(emulate_mmio(&v, &e), EXIT_AGAIN);
	r.gpr[REG_RSI] += LIN_AREA - (uint64_t)area;
	r.gpr[REG_RDI] += LIN_AREA - (uint64_t)area;
	compare(&r, n, 0, mmio, code);
}

static void test_strings(void **state)
{
	static const uint8_t opcodes[] = { 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf };

	(void)state;
	for (unsigned int i = 0; i < ROUNDS / 10; i++)
		string_round(opcodes[i % ARRAY_SIZE(opcodes)]);
}

static int setup(void **state)
{
	(void)state;
	code = mmap(NULL, AREA, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return code == MAP_FAILED || area == MAP_FAILED ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_operations), cmocka_unit_test(test_strings) };

	return cmocka_run_group_tests(tests, setup, NULL);
}
