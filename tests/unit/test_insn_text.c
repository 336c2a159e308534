/* SPDX-License-Identifier: BSD-2-Clause */
/* Text of instructions: chosen ones against what is expected, random ones against Zydis' formatter. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "arch/x86/exit/insn_text.h"

#define RANDOM_COUNT 300000u
#define RIP 0x400000u

static const struct {
	enum x86_mode mode;
	const char *bytes;
	unsigned int n;
	const char *text;
} vectors[] = {
#define V(mode, bytes, text) { mode, bytes, sizeof(bytes) - 1, text }
	V(MODE_64, "\x8b\x44\x88\x10", "mov eax, dword ptr [rax+rcx*4+0x10]"),
	V(MODE_64, "\x48\x8b\x45\xf8", "mov rax, qword ptr [rbp-0x8]"),
	V(MODE_64, "\x64\x8a\x00", "mov al, byte ptr fs:[rax]"),
	V(MODE_64, "\x8b\x05\x00\x01\x00\x00", "mov eax, dword ptr [0x400106]"),
	V(MODE_64, "\xc7\x00\x10\x00\x00\x00", "mov dword ptr [rax], 0x10"),
	V(MODE_64, "\x48\x83\xc0\xff", "add rax, 0xffffffffffffffff"),
	V(MODE_64, "\x80\xe4\xf0", "and ah, 0xf0"), V(MODE_64, "\x40\x80\xe4\xf0", "and spl, 0xf0"),
	V(MODE_64, "\x45\x88\xc1", "mov r9b, r8b"),
	V(MODE_64, "\xf0\x0f\xb1\x0f", "lock cmpxchg dword ptr [rdi], ecx"),
	V(MODE_64, "\xf0\x0f\x20\xc0", "lock mov rax, cr8"), V(MODE_32, "\x0f\x22\xd8", "mov cr3, eax"),
	V(MODE_64, "\x0f\x23\xf8", "mov dr7, rax"), V(MODE_64, "\x0f\x01\x38", "invlpg [rax]"),
	V(MODE_64, "\x0f\x06", "clts"), V(MODE_64, "\x0f\x0b", "ud2"), V(MODE_64, "\xf4", "hlt"),
	V(MODE_64, "\x0f\x32", "rdmsr"), V(MODE_64, "\xcd\x80", "int 0x80"), V(MODE_64, "\x48\xcf", "iretq"),
	V(MODE_64, "\xf3\x48\xa5", "rep movsq"), V(MODE_64, "\xf2\xa6", "repne cmpsb"), V(MODE_16, "\x6d", "insw"),
	V(MODE_16, "\xa1\x34\x12", "mov ax, word ptr [0x1234]"), V(MODE_16, "\x8b\x41\x10", "mov ax, word ptr [bx+di*1+0x10]"),
	V(MODE_64, "\xe6\x80", "out 0x80, al"), V(MODE_64, "\xed", "in eax, dx"),
	V(MODE_64, "\x0f\xba\x20\x05", "bt dword ptr [rax], 0x5"), V(MODE_64, "\x90", "nop"),
	V(MODE_64, "\x41\x90", "db 0x41, 0x90"), V(MODE_64, "\xeb\xfe", "db 0xeb, 0xfe"),
	V(MODE_64, "\x06", "db 0x6"), V(MODE_64, "\x48", "db 0x48"), V(MODE_64, "", "db"),
};

static void chosen(void **state)
{
	char text[INSN_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		unsigned int n = insn_text(text, sizeof(text), (const uint8_t *)vectors[i].bytes, vectors[i].n,
					   vectors[i].mode, RIP);

		assert_string_equal(text, vectors[i].text);
		assert_int_equal(n, vectors[i].n);
	}
}

/* Only the instruction's own bytes, whatever follows; cut to what fits, and terminated. */
static void bounds(void **state)
{
	static const uint8_t code[] = { 0x0f, 0x0b, 0x8b, 0x44, 0x88, 0x10 };
	char text[INSN_TEXT_MAX];

	(void)state;
	assert_int_equal(insn_text(text, sizeof(text), code, sizeof(code), MODE_64, RIP), 2);
	assert_string_equal(text, "ud2");
	for (size_t size = 1; size < 40; size++) {
		memset(text, '#', sizeof(text));
		assert_int_equal(insn_text(text, size, code + 2, 4, MODE_64, RIP), 4);
		assert_int_equal(strlen(text), size - 1 < 35 ? size - 1 : 35);
		assert_memory_equal(text, "mov eax, dword ptr [rax+rcx*4+0x10]", strlen(text));
		assert_int_equal(text[size], '#');
	}
}

static uint64_t rng_state = 0x9e3779b97f4a7c15ull;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state >> 8;
}

static void generate(uint8_t b[16])
{
	static const uint8_t prefix[] = { 0x2e, 0x64, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x48, 0x41, 0x44, 0x40 };
	unsigned int n = 0;

	for (unsigned int i = 0; i < 16; i++)
		b[i] = (uint8_t)rng();
	for (uint64_t count = rng() % 3; count; count--)
		b[n++] = prefix[rng() % sizeof(prefix)];
	if (rng() % 3 == 0)
		b[n] = 0x0f;
}

/* Takes word out of text wherever it stands. */
static void strip(char *text, const char *word)
{
	char *at;

	while ((at = strstr(text, word)))
		memmove(at, at + strlen(word), strlen(at + strlen(word)) + 1);
}

/*
 * What the two say differently on purpose: Zydis names prefixes of transactional memory, prefixes without effect on
 * string instructions, and a segment override that names the default.
 */
static void normalise(char *text)
{
	static const char *const words[] = { "xacquire ", "xrelease ", "repne ", "repe ", "rep ", "bnd ", "notrack ",
					     "ds:", "ss:", "es:", "cs:" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		strip(text, words[i]);
	if (!strncmp(text, "invlpg", 6))
		strip(text, "byte ptr ");       /* it reads none */
}

static bool must_differ(const struct insn *in)
{
	/* CR8 by LOCK is AMD's; Zydis 4.0.0 makes up R13D for a base that is not there (see test_decode_zydis.c). */
	return in->op == INSN_OTHER || ((in->op == INSN_MOV_FROM_CR || in->op == INSN_MOV_TO_CR) && in->lock) ||
	       (in->op == INSN_MOVSX && in->map == MAP_1 && in->size == 2) ||  /* the source's width: makers disagree */
	       ((in->modrm & 0xc7) == 4 && in->base == INSN_NO_REG && (in->rex & 1));
}

static void same_as_zydis(void **state)
{
	static const ZydisFormatterProperty off[] = { ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYDIS_FORMATTER_PROP_IMM_PADDING,
						      ZYDIS_FORMATTER_PROP_DISP_PADDING,
						      ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE };
	unsigned int compared = 0;
	ZydisDecoder d[3];
	ZydisFormatter f;

	(void)state;
	ZydisDecoderInit(&d[MODE_16], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	ZydisDecoderInit(&d[MODE_32], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	ZydisDecoderInit(&d[MODE_64], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL);
	for (size_t i = 0; i < ARRAY_SIZE(off); i++)
		ZydisFormatterSetProperty(&f, off[i], 0);
	ZydisFormatterSetProperty(&f, ZYDIS_FORMATTER_PROP_IMM_SIGNEDNESS, ZYDIS_SIGNEDNESS_UNSIGNED);
	ZydisFormatterSetProperty(&f, ZYDIS_FORMATTER_PROP_FORCE_SIZE, ZYAN_TRUE);
	for (unsigned int i = 0; i < RANDOM_COUNT; i++) {
		enum x86_mode mode = (enum x86_mode)(i % 3);
		ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
		char ours[INSN_TEXT_MAX], theirs[INSN_TEXT_MAX];
		ZydisDecodedInstruction z;
		uint8_t b[16];
		struct insn in;

		generate(b);
		if (insn_decode(&in, b, 15, mode) || must_differ(&in) ||
		    ZYAN_FAILED(ZydisDecoderDecodeFull(&d[mode], b, 15, &z, ops)))
			continue;
		ZydisFormatterFormatInstruction(&f, &z, ops, z.operand_count_visible, theirs, sizeof(theirs), RIP, NULL);
		insn_text(ours, sizeof(ours), b, 15, mode, RIP);
		normalise(ours);
		normalise(theirs);
		assert_string_equal(ours, theirs);
		compared++;
	}
	assert_true(compared > RANDOM_COUNT / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chosen),
		cmocka_unit_test(bounds),
		cmocka_unit_test(same_as_zydis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
