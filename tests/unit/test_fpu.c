/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fpu_begin() and fpu_end() on this very CPU: registers and control words come through unharmed whatever is done in
 * between, XCR0 is switched and put back, and what breaks the rules ends in a panic. Built like Vouch, without vector
 * registers, so that all that touches them is the test.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/crypto.h>
#include <vouch/host.h>
#include <vouch/lib.h>
#include <vouch/x86.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/cpu/fpu.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/hostram.h"
#include "tests/unit/support/panic_catch.h"

/* The CPU, as far as user mode does not have it. */
static uint64_t cr0, cr4, xcr0_now;
static unsigned int xcr0_writes;

uint64_t cr0_read(void) { return cr0; }
uint64_t cr4_read(void) { return cr4; }

/* Kept but not obeyed: the system's XCR0 holds, of which every component counts as enabled by the guest. */
void xcr0_write(uint64_t v)
{
	xcr0_now = v;
	xcr0_writes++;
}

/* 16 registers of 32 bytes, MXCSR and the x87 control word. */
struct registers {
	uint8_t ymm[16][32];
	uint32_t mxcsr;
	uint16_t fcw;
};

/*
 * through(in, out, begin, work, end): registers from *in, begin(), all registers spoilt, work(), end(), registers to *out.
 * through_sse() has XMM registers only.
 */
void through(const struct registers *in, struct registers *out, void (*begin)(void), void (*work)(void), void (*end)(void));
void through_sse(const struct registers *in, struct registers *out, void (*begin)(void), void (*work)(void),
		 void (*end)(void));

#define ALL16(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define LOAD_Y(n)  "vmovups " #n "*32(%rdi), %ymm" #n "\n"
#define SPOIL_Y(n) "vpcmpeqd %xmm" #n ", %xmm" #n ", %xmm" #n "\nvinsertf128 $1, %xmm" #n ", %ymm" #n ", %ymm" #n "\n"
#define STORE_Y(n) "vmovups %ymm" #n ", " #n "*32(%rbx)\n"
#define LOAD_X(n)  "movups " #n "*32(%rdi), %xmm" #n "\n"
#define SPOIL_X(n) "pcmpeqd %xmm" #n ", %xmm" #n "\n"
#define STORE_X(n) "movups %xmm" #n ", " #n "*32(%rbx)\n"
#define THROUGH(name, LOAD, SPOIL, STORE) \
	".text\n.type " name ", @function\n" name ":\n" \
	"push %rbp\nmov %rsp, %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\n" \
	"mov %rsi, %rbx\nmov %rcx, %r12\nmov %r8, %r13\n" \
	ALL16(LOAD) "fninit\nfldcw 516(%rdi)\nldmxcsr 512(%rdi)\n" \
	"call *%rdx\n" \
	ALL16(SPOIL) "fninit\n" \
	"call *%r12\n" \
	"call *%r13\n" \
	ALL16(STORE) "fnstcw 516(%rbx)\nstmxcsr 512(%rbx)\nfninit\n" \
	"pop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n.size " name ", . - " name "\n"
asm(THROUGH("through", LOAD_Y, SPOIL_Y, STORE_Y));
asm(THROUGH("through_sse", LOAD_X, SPOIL_X, STORE_X));

static struct host host;
static struct pcpu_arch arch;

static bool has_avx(void)
{
	return (cpuid_leaf(1, 0).ecx & 3u << 27) == 3u << 27 && (xcr0_read() & 6) == 6;
}

static struct registers pattern(unsigned int seed)
{
	struct registers r = { .mxcsr = 0x1fa0, .fcw = 0x27f };

	for (size_t i = 0; i < sizeof(r.ymm); i++)
		((uint8_t *)r.ymm)[i] = (uint8_t)(i * 37 + seed);
	return r;
}

static void nothing(void)
{
}

/* Vector code by the book: the digest of a message of one block. */
static void hash(void)
{
	uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	uint8_t block[64] = { 'a', 'b', 'c', 0x80, [63] = 24 };

	if (!sha256_ni_usable())
		return;
	sha256_ni_blocks(h, block, 1);
	assert_int_equal(h[0], 0xba7816bf);
	assert_int_equal(h[7], 0xf20015ad);
}

static void run(void (*fn)(void *arg), void *arg, bool xsave)
{
	cr0 = CR0_PG | CR0_PE | CR0_MP | CR0_NE;
	cr4 = xsave ? CR4_OSXSAVE : 0;
	xcr0_writes = 0;
	memset(&arch, 0, sizeof(arch));
	hostram_init(&host.pages, 8ul << 20);
	cpu_area_run(fn, arg, &host);
}

static void start(void)
{
	this_cpu()->arch = &arch;
	assert_true(fpu_init(this_cpu()));
}

static void keeps_all(void *arg)
{
	uint64_t all = cpuid_leaf(0xd, 0).eax | (uint64_t)cpuid_leaf(0xd, 0).edx << 32;

	(void)arg;
	start();
	for (unsigned int i = 0; i < 100; i++) {
		struct registers in = pattern(i), out = { 0 };
		bool avx = has_avx() && i & 1;

		(avx ? through : through_sse)(&in, &out, fpu_begin, i & 2 ? hash : nothing, fpu_end);
		if (!avx) {
			for (size_t k = 0; k < 16; k++)
				memset(in.ymm[k] + 16, 0, 16);
		}
		assert_memory_equal(&in, &out, offsetof(struct registers, fcw) + 2);
	}
	/* Wider within, as it was after; nothing where it is all there already. */
	assert_int_equal(xcr0_writes, xcr0_read() == all ? 0 : 200);
	if (xcr0_writes)
		assert_int_equal(xcr0_now, xcr0_read());
	assert_true(fpu_state_bytes() >= 576 && !(fpu_state_bytes() & 63));
}

static void all_of_it(void **state)
{
	(void)state;
	run(keeps_all, NULL, true);
}

static void keeps_sse(void *arg)
{
	(void)arg;
	start();
	for (unsigned int i = 0; i < 10; i++) {
		struct registers in = pattern(i), out = { 0 };

		through_sse(&in, &out, fpu_begin, hash, fpu_end);
		for (size_t k = 0; k < 16; k++)
			memset(in.ymm[k] + 16, 0, 16);
		assert_memory_equal(&in, &out, offsetof(struct registers, fcw) + 2);
	}
	assert_int_equal(xcr0_writes, 0);
	assert_int_equal(fpu_state_bytes(), 512);
}

static void without_xsave(void **state)
{
	(void)state;
	run(keeps_sse, NULL, false);
}

/* An area of the caller's: what a guest has is put aside, and found again after another's. */
static uint8_t area[2][65536] __attribute__((aligned(64)));
static unsigned int which;

static void put_aside(void)
{
	fpu_state_save(area[which]);
}

static void take_back(void)
{
	fpu_state_load(area[which]);
}

static void two_areas(void *arg)
{
	struct registers one = pattern(1), two = pattern(2), out;

	(void)arg;
	assert_true(fpu_state_bytes() <= sizeof(area[0]));
	memset(area, 0, sizeof(area));
	which = 0;
	through_sse(&one, &out, put_aside, nothing, nothing);
	which = 1;
	through_sse(&two, &out, put_aside, hash, take_back);
	assert_memory_equal(out.ymm[3], two.ymm[3], 16);
	which = 0;
	through_sse(&two, &out, nothing, nothing, take_back);
	assert_memory_equal(out.ymm[15], one.ymm[15], 16);
	assert_int_equal(out.mxcsr, one.mxcsr);
}

static void put_aside_and_back(void **state)
{
	(void)state;
	run(two_areas, NULL, true);
	run(two_areas, NULL, false);
}

static void begin(void *arg)
{
	(void)arg;
	fpu_begin();
}

static void end(void *arg)
{
	(void)arg;
	fpu_end();
}

/* One panic a stack: the sanitizer loses track of one that was left by longjmp(). */
static void begin_twice(void *arg)
{
	(void)arg;
	start();
	fpu_begin();
	assert_non_null(panic_of(begin, NULL));
	fpu_end();
	fpu_begin();
	fpu_end();
}

static void end_alone(void *arg)
{
	(void)arg;
	start();
	assert_non_null(panic_of(end, NULL));
}

/* A bit that would make the first vector instruction trap. */
static void trapping(void *arg)
{
	uint64_t *bit = arg;

	start();
	cr0 |= *bit;
	assert_non_null(panic_of(begin, NULL));
}

static void before_init(void *arg)
{
	(void)arg;
	this_cpu()->arch = &arch;
	assert_non_null(panic_of(begin, NULL));
}

static void rules(void **state)
{
	static uint64_t bits[] = { CR0_TS, CR0_EM };

	(void)state;
	run(begin_twice, NULL, true);
	run(end_alone, NULL, true);
	run(trapping, &bits[0], true);
	run(trapping, &bits[1], true);
	run(before_init, NULL, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it), cmocka_unit_test(without_xsave), cmocka_unit_test(put_aside_and_back),
		cmocka_unit_test(rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
