/* SPDX-License-Identifier: BSD-2-Clause */
/* What is chosen against speculation, CPU by CPU, and code that is taken out: one instruction of the right length. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/spec.h"
#include "arch/x86/exit/decode.h"
#include "arch/x86/exit/policy.h"

/* For what these tests do not call. */
extern const struct spec_site { uint8_t *at; uint32_t len, need; } spec_sites[1], spec_sites_end[1];
const struct spec_site spec_sites[1], spec_sites_end[1];
bool policy_by_amd(void) { return true; }

#define IBRS_ALL 2ull
#define MDS_TAA_MMIO_NO (1ull << 5 | 1ull << 8 | 7ull << 13)
#define PBRSB_NO (1ull << 24)
#define BHI_NO (1ull << 20)
#define RDCL_NO 1ull
#define L1D_NO (1ull << 3)
#define RFDS_NO (1ull << 27)
#define RFDS_CLEAR (1ull << 28)
#define STIBP (1u << 27)
#define L1D_FLUSH (1u << 28)
#define BHI_CTRL (1u << 4)

static void choices(void **state)
{
	static const struct { struct spec_facts f; const char *text; } rows[] = {
		{ { .amd = true }, " rsb retpoline" },                                          /* Zen, old microcode */
		{ { .amd = true, .ext_8_ebx = 1u << 12 }, " rsb retpoline ibpb" },
		{ { .amd = true, .ext_8_ebx = 1u << 12, .ext_21_eax = 1u << 8 }, " auto-ibrs ibpb" },   /* Zen 4 */
		{ { .amd = true, .ext_8_ebx = 1u << 12, .ext_21_eax = 1u << 8 | 1u << 5 }, " verw auto-ibrs ibpb" },
		{ { .amd = true, .ext_21_eax = 1u << 8 | 1u << 5, .ext_21_ecx = 1u << 1 }, " verw auto-ibrs" },
		{ { .amd = true, .ext_21_eax = 1u << 8 | 1u << 5, .ext_21_ecx = 3u << 1 }, " auto-ibrs" },
		{ { .amd = true, .ext_8_ebx = 1u << 12 | 1u << 15 }, " rsb retpoline ibpb stibp" },     /* Zen 3 */
		{ { .amd = true, .ext_8_ebx = 1u << 12 | 1u << 15, .ext_21_eax = 1u << 8 | 1u << 31 },
		  " auto-ibrs ibpb stibp bp-reduce" },                                          /* Zen 5 */
		{ { .amd = true, .seven_edx = STIBP | L1D_FLUSH | 1u << 10 | 1u << 26, .seven_2_edx = BHI_CTRL, .arch = IBRS_ALL },
		  " rsb retpoline" },                                                           /* Intel's bits */
		{ { .amd = false }, " rsb retpoline" },
		{ { .seven_edx = 1u << 26 }, " rsb retpoline ibpb" },
		{ { .seven_edx = L1D_FLUSH | 1u << 26 | 1u << 10 }, " rsb retpoline verw l1d ibpb" },       /* Skylake */
		{ { .seven_edx = STIBP | 1u << 26 }, " rsb retpoline ibpb stibp" },
		{ { .seven_edx = STIBP | 1u << 26, .arch = IBRS_ALL | RDCL_NO | PBRSB_NO | BHI_NO }, " ibrs ibpb" },
		/* Gracemont, with and without VERW for its registers. */
		{ { .seven_edx = 1u << 26 | 1u << 10, .arch = IBRS_ALL | BHI_NO | PBRSB_NO | MDS_TAA_MMIO_NO | RFDS_CLEAR },
		  " verw ibrs ibpb" },
		{ { .seven_edx = 1u << 26 | 1u << 10,
		    .arch = IBRS_ALL | BHI_NO | PBRSB_NO | MDS_TAA_MMIO_NO | RFDS_CLEAR | RFDS_NO }, " ibrs ibpb" },
		{ { .seven_edx = L1D_FLUSH | 1u << 26 | 1u << 10, .arch = RDCL_NO }, " rsb retpoline verw ibpb" },
		/* A hypervisor below says that it does the flushing. */
		{ { .seven_edx = L1D_FLUSH | 1u << 26 | 1u << 10, .arch = L1D_NO }, " rsb retpoline verw ibpb" },
		{ { .seven_edx = L1D_FLUSH | 1u << 26 | 1u << 10, .arch = IBRS_ALL | RDCL_NO | 1u << 5 },
		  " rsb history verw ibrs ibpb" },                                              /* Cascade Lake */
		{ { .seven_edx = L1D_FLUSH | 1u << 26 | 1u << 10, .seven_2_edx = BHI_CTRL,
		    .arch = IBRS_ALL | RDCL_NO | PBRSB_NO | MDS_TAA_MMIO_NO }, " ibrs bhi-dis ibpb" },      /* Alder Lake */
		{ { .seven_edx = 1u << 26 | 1u << 10, .seven_2_edx = BHI_CTRL,
		    .arch = IBRS_ALL | BHI_NO | PBRSB_NO | MDS_TAA_MMIO_NO }, " ibrs ibpb" },
		{ { .seven_edx = 1u << 26 | 1u << 10, .arch = IBRS_ALL | BHI_NO | PBRSB_NO | MDS_TAA_MMIO_NO }, " ibrs ibpb" },
		{ { .seven_edx = 1u << 26 | 1u << 10,
		    .arch = IBRS_ALL | BHI_NO | PBRSB_NO | (MDS_TAA_MMIO_NO & ~(1ull << 14)) }, " verw ibrs ibpb" },
		/* No SPEC_CTRL: what would be set there is not, whatever else is said. */
		{ { .seven_edx = 1u << 10, .seven_2_edx = BHI_CTRL, .arch = IBRS_ALL | PBRSB_NO | MDS_TAA_MMIO_NO },
		  " rsb retpoline" },
	};
	const struct spec all = { .code = ~0u, .auto_ibrs = true, .ibrs = true, .bhi_dis = true, .ibpb = true,
				  .stibp = true, .bp_reduce = true };
	char text[SPEC_TEXT_MAX];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec s = spec_choose(&rows[i].f);

		spec_text(&s, text, sizeof(text));
		if (strcmp(text, rows[i].text))
			fail_msg("row %u: %s", i, text);
	}
	spec_text(&(struct spec){ 0 }, text, sizeof(text));
	assert_string_equal(text, " none");
	spec_text(&all, text, sizeof(text));
	assert_string_equal(text, " rsb retpoline history verw l1d auto-ibrs ibrs bhi-dis ibpb stibp bp-reduce");
}

static void taken_out(void **state)
{
	(void)state;
	for (size_t len = 1; len < 300; len++) {
		uint8_t code[320];
		uint32_t over;
		struct insn in;

		memset(code, 0x55, sizeof(code));
		spec_take_out(code + 8, len);
		for (size_t i = 0; i < 8; i++)
			assert_true(code[i] == 0x55 && code[8 + len + i] == 0x55);
		assert_int_equal(insn_decode(&in, code + 8, INSN_MAX_LEN, MODE_64), 0);
		if (len <= 7) {
			assert_int_equal(in.len, len);
			assert_true(in.opcode == 0x90 || (in.map == MAP_0F && in.opcode == 0x1f));
			continue;
		}
		memcpy(&over, code + 9, sizeof(over));
		assert_int_equal(code[8], 0xe9);
		assert_int_equal(over, len - 5);
		for (size_t i = 5; i < len; i++)
			assert_int_equal(code[8 + i], 0xcc);
	}
}

/* A guest that starts anew keeps its number, and is another one to the predictor. */
static void another_vm(void **state)
{
	struct vm first = { .number = 0, .serial = 1 }, second = { .number = 1, .serial = 2 };
	struct vm again = { .number = 0, .serial = 3 };
	struct pcpu p = { 0 };

	(void)state;
	assert_true(spec_is_other(&p, &first));
	assert_false(spec_is_other(&p, &first));
	assert_true(spec_is_other(&p, &second));
	assert_true(spec_is_other(&p, &first));
	assert_true(spec_is_other(&p, &again));
	assert_false(spec_is_other(&p, &again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices),
		cmocka_unit_test(taken_out),
		cmocka_unit_test(another_vm),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
