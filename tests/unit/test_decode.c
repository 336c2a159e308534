/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder on chosen bytes: what random comparison with Zydis reaches too seldom, or sees differently. Each vector
 * is also decoded cut short at every byte, and with other bytes behind it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "arch/x86/exit/decode.h"

#define M16 1
#define M32 2
#define M64 4
#define ALL 7

struct vector {
	unsigned int modes;           /* those it is checked in */
	const char *bytes;
	unsigned int len;
	enum insn_op op;
};

#define V(modes, text, op) { modes, text, sizeof(text) - 1, INSN_##op }

static const struct vector good[] = {
	/* What SVM exits on without a next RIP. */
	V(ALL, "\x0f\xa2", CPUID), V(ALL, "\x0f\x32", RDMSR), V(ALL, "\x0f\x30", WRMSR), V(ALL, "\xf4", HLT),
	V(ALL, "\x0f\x01\xd9", VMMCALL), V(ALL, "\x0f\x01\xc1", VMCALL), V(ALL, "\x0f\x01\xd1", XSETBV),
	V(ALL, "\x0f\x09", WBINVD),
	V(ALL, "\x0f\x08", INVD), V(ALL, "\x0f\x31", RDTSC), V(ALL, "\x0f\x01\xf9", RDTSCP), V(ALL, "\xf3\x90", PAUSE),
	V(ALL, "\xcf", IRET), V(M64, "\x48\xcf", IRET), V(ALL, "\x0f\x33", RDPMC), V(ALL, "\x0f\x01\xc8", MONITOR),
	V(ALL, "\x0f\x01\xc9", MWAIT), V(ALL, "\x0f\xaa", RSM), V(ALL, "\xcd\x80", INT), V(ALL, "\xf1", ICEBP),
	V(ALL, "\x0f\x06", CLTS), V(ALL, "\x0f\x01\xf0", LMSW), V(ALL, "\x0f\x01\xe0", SMSW),
	V(M32 | M64, "\x0f\x01\x7c\x24\x08", INVLPG),
	V(ALL, "\x0f\x20\xc0", MOV_FROM_CR), V(ALL, "\x0f\x22\xd8", MOV_TO_CR), V(M64, "\x44\x0f\x22\xc0", MOV_TO_CR),
	V(ALL, "\x0f\x21\xf8", MOV_FROM_DR), V(ALL, "\x0f\x23\xf8", MOV_TO_DR), V(ALL, "\xf0\x0f\x20\xc0", MOV_FROM_CR),
	/* Prefixes in any number and order; the last REX counts. */
	V(ALL, "\x66\x67\x2e\xf3\x65\x66\x0f\xa2", CPUID), V(M64, "\x48\x66\x0f\xa2", CPUID),
	V(M64, "\x40\x4f\x0f\xa2", CPUID),
	V(ALL, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xf4", HLT),
	/* Immediates and displacements by mode. */
	V(M16, "\xc7\x06\x34\x12\x78\x56", MOV), V(M16, "\x66\xc7\x06\x34\x12\x78\x56\x34\x12", MOV),
	V(M16, "\x67\xc7\x05\x34\x12\x78\x56\x34\x12", MOV),
	V(M32 | M64, "\xc7\x05\x34\x12\x78\x56\x78\x56\x34\x12", MOV),
	V(M32 | M64, "\x66\xc7\x05\x34\x12\x78\x56\x78\x56", MOV),
	V(M64, "\x48\xc7\x05\x34\x12\x78\x56\x78\x56\x34\x12", MOV),
	V(M64, "\x66\x48\xc7\x00\x78\x56\x34\x12", MOV), V(M16, "\xa1\x34\x12", MOV),
	V(M32, "\xa1\x34\x12\x78\x56", MOV),
	V(M32, "\x67\xa1\x34\x12", MOV), V(M64, "\xa1\x34\x12\x78\x56\x34\x12\x78\x56", MOV),
	V(M64, "\x67\xa3\x34\x12\x78\x56", MOV),
	V(M16, "\xb8\x34\x12", OTHER), V(M64, "\x48\xb8\x34\x12\x78\x56\x34\x12\x78\x56", OTHER),
	V(ALL, "\xc8\x10\x00\x01", OTHER),
	V(M16, "\x9a\x34\x12\x00\xf0", OTHER), V(M32, "\x9a\x34\x12\x00\xf0\x10\x00", OTHER),
	V(M32, "\x66\xea\x34\x12\x00\xf0", OTHER),
	V(ALL, "\xf6\xc1\x80", TEST), V(ALL, "\xf6\xc9\x80", TEST), V(ALL, "\xf6\xd1", NOT),
	V(M16, "\xf7\xc1\x80\x00", TEST),
	V(M32 | M64, "\xf7\xc1\x80\x00\x00\x00", TEST), V(ALL, "\xf7\xe1", OTHER), V(ALL, "\x6a\x01", OTHER),
	V(M16, "\xe8\x00\x00", OTHER), V(M32 | M64, "\xe8\x00\x00\x00\x00", OTHER),
	V(M32 | M64, "\x66\xe8\x00\x00", OTHER),
	/* Maps. */
	V(M32 | M64, "\x0f\x38\xf0\x45\x00", OTHER), V(ALL, "\x0f\x3a\x0f\xc1\x08", OTHER),
	V(ALL, "\x0f\x0f\xc1\x9e", OTHER),
	V(ALL, "\x66\x0f\x78\xc0\x01\x02", OTHER), V(ALL, "\xc5\xf8\x77", OTHER), V(ALL, "\xc5\xf9\x70\xc1\x00", OTHER),
	V(ALL, "\xc4\xe2\x79\x00\xc1", OTHER), V(ALL, "\xc4\xe3\x79\x0f\xc1\x01", OTHER),
	V(ALL, "\x62\xf1\x7c\x48\x10\xc1", OTHER),
	V(ALL, "\x62\xf3\x75\x48\x25\xc1\x01", OTHER), V(ALL, "\x8f\xe8\x78\xc0\xc1\x01", OTHER),
	V(ALL, "\x8f\xe9\x78\x01\xc8", OTHER),
	V(ALL, "\x8f\xea\x78\x10\xc1\x01\x02\x03\x04", OTHER), V(ALL, "\x8f\x00", POP), V(M16 | M32, "\xc4\x00", OTHER),
	V(M16 | M32, "\xc5\x00", OTHER), V(M16 | M32, "\x62\x00", OTHER),
	V(M32 | M64, "\xc7\xf8\x00\x00\x00\x00", OTHER),
	/* Strings. */
	V(ALL, "\xf3\xa4", MOVS), V(ALL, "\x64\x6e", OUTS), V(ALL, "\xf3\x67\x6d", INS), V(ALL, "\xf2\xae", SCAS),
	V(M16 | M32, "\x06", OTHER), V(M64, "\x48\x63\xc1", MOVSX), V(M16 | M32, "\x63\xc1", OTHER),
};

static const struct vector undefined[] = {
	V(ALL, "\x0f\x04", OTHER), V(ALL, "\x0f\x0a", OTHER), V(ALL, "\x0f\x24\xc0", OTHER), V(ALL, "\xfe\xd0", OTHER),
	V(ALL, "\xff\xf8", OTHER), V(ALL, "\xff\xd8", OTHER), V(ALL, "\xff\xe8", OTHER), V(ALL, "\xc6\xc8\x00", OTHER),
	V(ALL, "\x8f\xe0", OTHER), V(ALL, "\x0f\xba\xc0\x00", OTHER), V(ALL, "\x8d\xc0", OTHER),
	V(ALL, "\x0f\x20\xc8", OTHER),
	V(ALL, "\x0f\x22\xe8", OTHER), V(ALL, "\x8e\xc8", OTHER), V(ALL, "\x8c\xf0", OTHER),
	V(ALL, "\x0f\xb2\xc0", OTHER),
	V(ALL, "\x66\x0f\xc3\x00", OTHER), V(ALL, "\x0f\xb8\xc0", OTHER),
	/* LOCK: on registers, on loads, on what is not read-modify-write. */
	V(ALL, "\xf0\x01\xc0", OTHER), V(ALL, "\xf0\x03\x00", OTHER), V(ALL, "\xf0\x89\x00", OTHER),
	V(ALL, "\xf0\x38\x00", OTHER),
	V(ALL, "\xf0\x84\x00", OTHER), V(ALL, "\xf0\x0f\xa3\x00", OTHER), V(ALL, "\xf0\xf4", OTHER),
	V(ALL, "\xf0\xa4", OTHER),
	V(ALL, "\xf0\x0f\x20\xd0", OTHER), V(ALL, "\xf0\x0f\x21\xc0", OTHER), V(ALL, "\xf0\xff\x30", OTHER),
	V(ALL, "\xf0\xff\x10", OTHER),
	/* VEX and EVEX with prefixes they don't take, or in maps that don't exist. */
	V(ALL, "\x66\xc5\xf8\x77", OTHER), V(ALL, "\xf3\xc5\xf8\x77", OTHER), V(ALL, "\xf0\xc5\xf8\x77", OTHER),
	V(M64, "\x48\xc5\xf8\x77", OTHER), V(ALL, "\xc4\xe0\x79\x00\xc1", OTHER), V(ALL, "\xc4\xe4\x79\x00\xc1", OTHER),
	V(ALL, "\x62\xf1\x78\x48\x10\xc1", OTHER), V(ALL, "\x62\xf0\x7c\x48\x10\xc1", OTHER),
	V(ALL, "\x8f\xeb\x78\x10\xc1", OTHER),
	V(M64, "\x06", OTHER), V(M64, "\x27", OTHER), V(M64, "\x60", OTHER), V(M64, "\x82\xc0\x00", OTHER),
	V(M64, "\x9a\0\0\0\0\0\0", OTHER),
	V(M64, "\xce", OTHER), V(M64, "\xd4\x0a", OTHER), V(M64, "\xd6", OTHER), V(M64, "\xea\0\0\0\0\0\0", OTHER),
	/* Sixteen bytes. */
	V(ALL, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xf4", OTHER),
	V(M64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x81\x04\x25\0\0\0\0\0\0", OTHER),
};

static void check_good(const struct vector *t, enum x86_mode mode)
{
	uint8_t bytes[20];
	struct insn in;

	for (unsigned int fill = 0; fill < 256; fill += 51) {
		memset(bytes, (int)fill, sizeof(bytes));
		memcpy(bytes, t->bytes, t->len);
		assert_int_equal(insn_decode(&in, bytes, sizeof(bytes), mode), 0);
		assert_int_equal(in.len, t->len);
		assert_int_equal(in.op, t->op);
	}
	for (unsigned int n = 0; n < t->len; n++)
		assert_int_equal(insn_decode(&in, bytes, n, mode), -ENODATA);
	assert_int_equal(insn_decode(&in, bytes, t->len, mode), 0);
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		for (int mode = MODE_16; mode <= MODE_64; mode++) {
			if (good[i].modes >> mode & 1)
				check_good(&good[i], (enum x86_mode)mode);
		}
	}
}

static void test_undefined(void **state)
{
	uint8_t bytes[20];
	struct insn in;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(undefined); i++) {
		for (int mode = MODE_16; mode <= MODE_64; mode++) {
			if (!(undefined[i].modes >> mode & 1))
				continue;
			memset(bytes, 0, sizeof(bytes));
			memcpy(bytes, undefined[i].bytes, undefined[i].len);
			assert_int_equal(insn_decode(&in, bytes, sizeof(bytes), (enum x86_mode)mode), -EINVAL);
		}
	}
}

static struct insn decode(const char *bytes, enum x86_mode mode)
{
	struct insn in;

	assert_int_equal(insn_decode(&in, (const uint8_t *)bytes, 15, mode), 0);
	return in;
}

#define PAD "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void test_control_registers(void **state)
{
	struct insn in = decode("\x41\x0f\x22\xde" PAD, MODE_64);     /* mov %r14,%cr3 */

	(void)state;
	assert_int_equal(in.reg, 3);
	assert_int_equal(in.rm, REG_R14);
	assert_int_equal(in.size, 8);
	in = decode("\x44\x0f\x20\xc3" PAD, MODE_64);                 /* mov %cr8,%rbx */
	assert_int_equal(in.reg, 8);
	assert_int_equal(in.rm, REG_RBX);
	in = decode("\xf0\x0f\x20\xc3" PAD, MODE_32);                 /* the same on AMD, outside 64-bit mode */
	assert_int_equal(in.reg, 8);
	assert_int_equal(in.size, 4);
	in = decode("\x0f\x22\x04" PAD, MODE_32);                     /* mod is ignored: no SIB, no memory */
	assert_int_equal(in.len, 3);
	assert_false(in.mem);
	assert_int_equal(in.rm, REG_RSP);
	in = decode("\x66\x0f\x23\xf9" PAD, MODE_16);
	assert_int_equal(in.reg, 7);
	assert_int_equal(in.size, 4);
}

static void test_segments(void **state)
{
	(void)state;
	assert_int_equal(decode("\x8b\x45\x00" PAD, MODE_32).seg, SEG_SS);
	assert_int_equal(decode("\x8b\x04\x24" PAD, MODE_64).seg, SEG_SS);
	assert_int_equal(decode("\x41\x8b\x04\x24" PAD, MODE_64).seg, SEG_DS);        /* R12 */
	assert_int_equal(decode("\x8b\x05" PAD, MODE_32).seg, SEG_DS);
	assert_int_equal(decode("\x8b\x46\x00" PAD, MODE_16).seg, SEG_SS);
	assert_int_equal(decode("\x8b\x06" PAD, MODE_16).seg, SEG_DS);
	assert_int_equal(decode("\x26\x8b\x46\x00" PAD, MODE_16).seg, SEG_ES);
	assert_int_equal(decode("\x26\x64\x8b\x46\x00" PAD, MODE_16).seg, SEG_FS);    /* the last one */
	assert_int_equal(decode("\x64\x26\x8b\x46\x00" PAD, MODE_64).seg, SEG_FS);    /* ES means nothing */
	assert_int_equal(decode("\x65\xac" PAD, MODE_64).seg, SEG_GS);
	assert_int_equal(decode("\xa4" PAD, MODE_64).seg, SEG_DS);
}

static void test_sizes(void **state)
{
	struct insn in = decode("\x0f\xb7\x00" PAD, MODE_64);

	(void)state;
	assert_int_equal(in.size, 4);
	assert_int_equal(in.src_size, 2);
	in = decode("\x66\x48\x0f\xbe\x00" PAD, MODE_64);
	assert_int_equal(in.size, 8);
	assert_int_equal(in.src_size, 1);
	assert_int_equal(decode("\x66\x01\x00" PAD, MODE_16).size, 4);
	assert_int_equal(decode("\xff\x30" PAD, MODE_64).size, 8);
	assert_int_equal(decode("\x66\xff\x30" PAD, MODE_64).size, 2);
	assert_int_equal(decode("\x48\x6d" PAD, MODE_64).size, 4);
	assert_int_equal(decode("\x0f\xc3\x00" PAD, MODE_16).size, 4);
	assert_int_equal(decode("\x83\x00\xff" PAD, MODE_64).imm, UINT64_MAX);
	assert_int_equal(decode("\x67\x8b\x00" PAD, MODE_64).adsize, 4);
	assert_int_equal(decode("\x67\x8b\x00" PAD, MODE_16).adsize, 4);
	assert_int_equal(decode("\x67\x8b\x00" PAD, MODE_32).adsize, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_undefined), cmocka_unit_test(test_control_registers),
		cmocka_unit_test(test_segments), cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
