/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder against Zydis on random instructions, in all three modes: the same verdict, the same length, and for
 * what Vouch knows by name the same operand. Where the two may differ stands in excused_*() with the reason; anything
 * else fails. VOUCH_DECODE_COUNT and VOUCH_DECODE_SEED in the environment change the run.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "arch/x86/exit/decode.h"

#define DEFAULT_COUNT 1000000u
#define MAX_REPORTS   20

static uint64_t rng_state;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)((rng() >> 32) % n);
}

/* Random prefixes, an opcode map at random, random rest; 15 to 19 bytes, so that overlong ones occur too. */
static void generate(uint8_t b[20])
{
	static const uint8_t prefix[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x67, 0x67, 0xf0, 0xf2, 0xf3,
					  0xf3 };
	unsigned int n = 0, count = below(8) < 5 ? below(4) : below(32) ? 0 : below(15);

	for (unsigned int i = 0; i < 20; i++)
		b[i] = (uint8_t)(rng() >> 40);
	while (count--)
		b[n++] = prefix[below(sizeof(prefix))];
	if (below(3) == 0)
		b[n++] = (uint8_t)(0x40 | below(16));
	switch (below(16)) {
	case 0: case 1: case 2: case 3: b[n++] = 0x0f; break;
	case 4: b[n++] = 0x0f; b[n++] = 0x38; break;
	case 5: b[n++] = 0x0f; b[n++] = 0x3a; break;
	case 6: b[n++] = below(2) ? 0xc4 : 0xc5; break;
	case 7: b[n++] = below(2) ? 0x62 : 0x8f; break;
	default: break;
	}
}

static ZydisDecoder decoder[3];

struct pair {
	const uint8_t *bytes;
	enum x86_mode mode;
	int err;                      /* ours */
	struct insn in;
	bool ok;                      /* Zydis' */
	ZydisDecodedInstruction z;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

static bool differ(const struct pair *p, const char *what)
{
	char hex[48];

	for (unsigned int i = 0; i < 15; i++)
		snprintf(hex + 3 * i, 4, "%02x ", p->bytes[i]);
	print_error("%s differs: mode %d: %s: we say %d, op %u map %u length %u; Zydis %s %s length %u\n", what,
		    (int)p->mode, hex, p->err, p->in.op, p->in.map, p->in.len, p->ok ? "accepts" : "refuses",
		    p->ok ? ZydisMnemonicGetString(p->z.mnemonic) : "", p->ok ? p->z.length : 0);
	return false;
}

/* Instructions of other makers, which no CPU with SVM or VMX has: we may refuse them, or give another length. */
static bool is_foreign(const struct pair *p)
{
	switch (p->z.mnemonic) {
	case ZYDIS_MNEMONIC_JKZD: case ZYDIS_MNEMONIC_JKNZD:
		return true;                                          /* Knights Corner, on VEX opcodes */
	case ZYDIS_MNEMONIC_XSTORE: case ZYDIS_MNEMONIC_XSHA1: case ZYDIS_MNEMONIC_XSHA256:
	case ZYDIS_MNEMONIC_XCRYPT_ECB: case ZYDIS_MNEMONIC_XCRYPT_CBC: case ZYDIS_MNEMONIC_XCRYPT_CTR:
	case ZYDIS_MNEMONIC_XCRYPT_CFB: case ZYDIS_MNEMONIC_XCRYPT_OFB: case ZYDIS_MNEMONIC_MONTMUL:
		return true;                                          /* VIA PadLock */
	default:
		return p->z.encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX; /* Knights Corner */
	}
}

/* Opcodes of map 0F whose validity depends on a mandatory prefix or a vector register's number. */
static bool is_prefixed_0f(uint8_t opcode)
{
	return (opcode >= 0x10 && opcode <= 0x17) || (opcode >= 0x28 && opcode <= 0x2f) ||
	       (opcode >= 0x50 && opcode <= 0x7f) || opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6) ||
	       opcode >= 0xd0;
}

/*
 * Accepted by us, refused by Zydis. Only the length is used of all these (op is INSN_OTHER), and the CPU has raised
 * #UD before any exit: a list of what each vector extension left free would be long, and stale soon.
 */
static bool excused_acceptance(const struct pair *p)
{
	uint8_t o = p->in.opcode;

	/* AMD's other name of CR8 (APM 3 "MOV CRn"); Zydis has Intel's rules. */
	if (p->in.op == INSN_MOV_FROM_CR || p->in.op == INSN_MOV_TO_CR)
		return p->in.lock && p->in.reg == 8;
	if (p->in.op != INSN_OTHER)
		return false;
	switch (p->in.map) {
	case MAP_1:
		return o >= 0xd8 && o <= 0xdf;          /* free x87 opcodes */
	case MAP_0F:
		/* Group 7, MPX, GETSEC, groups 15 and 9: what stands there depends on modrm and prefixes. */
		return is_prefixed_0f(o) || o == 0x01 || o == 0x1a || o == 0x1b || o == 0x37 || o == 0xae || o == 0xc7;
	default:
		return true;       /* 0F38, 0F3A, 3DNow, VEX, EVEX, XOP: free opcodes and bad registers */
	}
}

static const ZydisMnemonic names[INSN_OTHER + 1][7] = {
#define N(op, ...) [INSN_##op] = { __VA_ARGS__ }
#define Z(m) ZYDIS_MNEMONIC_##m
	N(ADD, Z(ADD)), N(OR, Z(OR)), N(ADC, Z(ADC)), N(SBB, Z(SBB)), N(AND, Z(AND)), N(SUB, Z(SUB)), N(XOR, Z(XOR)),
	N(CMP, Z(CMP)),
	N(TEST, Z(TEST)), N(MOV, Z(MOV), Z(MOVNTI)), N(MOV_FROM_SEG, Z(MOV)), N(XCHG, Z(XCHG)), N(MOVZX, Z(MOVZX)),
	N(MOVSX, Z(MOVSX), Z(MOVSXD)), N(INC, Z(INC)), N(DEC, Z(DEC)), N(NOT, Z(NOT)), N(NEG, Z(NEG)), N(BT, Z(BT)),
	N(BTS, Z(BTS)),
	N(BTR, Z(BTR)), N(BTC, Z(BTC)), N(CMPXCHG, Z(CMPXCHG)), N(XADD, Z(XADD)), N(PUSH, Z(PUSH)), N(POP, Z(POP)),
	N(MOVS, Z(MOVSB), Z(MOVSW), Z(MOVSD), Z(MOVSQ)), N(CMPS, Z(CMPSB), Z(CMPSW), Z(CMPSD), Z(CMPSQ)),
	N(STOS, Z(STOSB), Z(STOSW), Z(STOSD), Z(STOSQ)), N(LODS, Z(LODSB), Z(LODSW), Z(LODSD), Z(LODSQ)),
	N(SCAS, Z(SCASB), Z(SCASW), Z(SCASD), Z(SCASQ)), N(INS, Z(INSB), Z(INSW), Z(INSD)),
	N(OUTS, Z(OUTSB), Z(OUTSW), Z(OUTSD)),
	N(IN, Z(IN)), N(OUT, Z(OUT)), N(MOV_FROM_CR, Z(MOV)), N(MOV_TO_CR, Z(MOV)), N(MOV_FROM_DR, Z(MOV)),
	N(MOV_TO_DR, Z(MOV)),
	N(LMSW, Z(LMSW)), N(SMSW, Z(SMSW)), N(CLTS, Z(CLTS)), N(INVLPG, Z(INVLPG)), N(CPUID, Z(CPUID)),
	N(RDMSR, Z(RDMSR)),
	N(WRMSR, Z(WRMSR)), N(RDTSC, Z(RDTSC)), N(RDTSCP, Z(RDTSCP)), N(RDPMC, Z(RDPMC)), N(HLT, Z(HLT)),
	N(PAUSE, Z(PAUSE)),
	N(MONITOR, Z(MONITOR)), N(MWAIT, Z(MWAIT)), N(WBINVD, Z(WBINVD)), N(INVD, Z(INVD)), N(VMCALL, Z(VMCALL)),
	N(VMMCALL, Z(VMMCALL)), N(XSETBV, Z(XSETBV)), N(IRET, Z(IRET), Z(IRETD), Z(IRETQ)), N(INT, Z(INT)),
	N(ICEBP, Z(INT1)),
	N(RSM, Z(RSM)),
};

static bool same_name(const struct pair *p)
{
	for (int i = 0; i < 7 && names[p->in.op][i]; i++) {
		if (names[p->in.op][i] == p->z.mnemonic)
			return true;
	}
	return differ(p, "name");
}

static uint64_t masked(uint64_t v, unsigned int bytes)
{
	return bytes >= 8 ? v : v & ((1ull << (8 * bytes)) - 1);
}

/* In encoding order, with AH-BH as 4-7. */
static unsigned int register_number(ZydisRegister r)
{
	unsigned int id = (unsigned int)ZydisRegisterGetId(r);

	return ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR8 && id >= 8 ? id - 4 : id;
}

static bool same_register(unsigned int ours, ZydisRegister zydis)
{
	return zydis == ZYDIS_REGISTER_NONE ? ours == INSN_NO_REG : ours == register_number(zydis);
}

/* Zydis 4.0.0 takes R13D for the base of a SIB byte that has none (mod 0, base 5) when REX.B meets 67h. */
static bool excused_base(const struct pair *p)
{
	return p->mode == MODE_64 && p->in.adsize == 4 && (p->in.modrm & 0xc7) == 4 && p->in.base == INSN_NO_REG &&
	       (p->in.rex & 1);
}

static bool same_memory(const struct pair *p, const ZydisDecodedOperand *o)
{
	const struct insn *in = &p->in;
	bool rip = o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP;
	bool sized = in->op != INSN_INVLPG;
	unsigned int size = in->form == FORM_R_RM ? in->src_size : in->size;

	if (excused_base(p))
		return true;
	if (!in->mem || in->rip_relative != rip || (!rip && !same_register(in->base, o->mem.base)))
		return differ(p, "base");
	if (!same_register(in->index, o->mem.index) || (in->index != INSN_NO_REG && 1u << in->scale != o->mem.scale))
		return differ(p, "index");
	if (masked((uint64_t)in->disp, in->adsize) != masked((uint64_t)o->mem.disp.value, in->adsize))
		return differ(p, "displacement");
	if (in->seg != ZydisRegisterGetId(o->mem.segment))
		return differ(p, "segment");
	return !sized || size * 8 == o->size ? true : differ(p, "memory size");
}

static bool same_register_operand(const struct pair *p, const ZydisDecodedOperand *o, unsigned int index)
{
	const struct insn *in = &p->in;
	bool is_reg;

	if (in->form == FORM_A_I || in->op == INSN_IN || in->op == INSN_OUT)
		return true;
	/* With no form, MOV CR/DR: the one in modrm.rm is the general register. */
	if (in->form == FORM_NONE || in->form == FORM_RM)
		is_reg = ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_CONTROL ||
			 ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_DEBUG;
	else
		is_reg = (index == 0) == (in->form == FORM_R_RM);
	if (!is_reg && in->mem)
		return differ(p, "kind of operand");
	return register_number(o->reg.value) == (is_reg ? in->reg : in->rm) ? true : differ(p, "register");
}

/* The explicit operands of an instruction that Vouch knows by name. String instructions: the rSI side's segment. */
static bool same_operands(const struct pair *p)
{
	const struct insn *in = &p->in;
	bool string = in->op >= INSN_MOVS && in->op <= INSN_OUTS, ok = true;

	if (p->z.address_width / 8 != in->adsize)
		return differ(p, "address size");
	for (unsigned int i = 0; ok && i < p->z.operand_count; i++) {
		const ZydisDecodedOperand *o = &p->ops[i];

		if (string && o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			bool si = ZydisRegisterGetId(o->mem.base) == REG_RSI;

			ok = o->size == 8 * in->size && (!si || in->seg == ZydisRegisterGetId(o->mem.segment));
			ok = ok ? true : differ(p, "string operand");
		} else if (string || o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
			continue;
		} else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			ok = same_memory(p, o);
		} else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			ok = same_register_operand(p, o, i);
		} else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			ok = masked(in->imm, in->imm_size) == masked(o->imm.value.u, in->imm_size);
			ok = ok ? true : differ(p, "immediate");
		}
	}
	return ok;
}

static bool compare(enum x86_mode mode, const uint8_t *b)
{
	struct pair p = { .bytes = b, .mode = mode };

	p.err = insn_decode(&p.in, b, 20, mode);
	p.ok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder[mode], b, 20, &p.z, p.ops));
	if (p.err && !p.ok)
		return true;
	if (p.err)
		return is_foreign(&p) ? true : differ(&p, "verdict");
	if (!p.ok)
		return excused_acceptance(&p) ? true : differ(&p, "verdict");
	if (p.in.len != p.z.length)
		return is_foreign(&p) ? true : differ(&p, "length");
	return p.in.op == INSN_OTHER || (same_name(&p) && same_operands(&p));
}

static void test_random(void **state)
{
	const char *count_text = getenv("VOUCH_DECODE_COUNT"), *seed_text = getenv("VOUCH_DECODE_SEED");
	uint64_t count = count_text ? strtoull(count_text, NULL, 0) : DEFAULT_COUNT;
	uint8_t b[20];
	int bad = 0;

	(void)state;
	rng_state = seed_text ? strtoull(seed_text, NULL, 0) | 1 : 0x9e3779b97f4a7c15ull;
	for (uint64_t i = 0; i < count && bad < MAX_REPORTS; i++) {
		generate(b);
		for (int mode = MODE_16; mode <= MODE_64; mode++)
			bad += !compare((enum x86_mode)mode, b);
	}
	assert_int_equal(bad, 0);
}

static int setup(void **state)
{
	(void)state;
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder[MODE_16], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16)) ||
	    ZYAN_FAILED(ZydisDecoderInit(&decoder[MODE_32], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32)) ||
	    ZYAN_FAILED(ZydisDecoderInit(&decoder[MODE_64], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return -1;
	/* SVM is where no next RIP is given, so AMD's reading of 66h on near branches is ours. */
	return ZYAN_FAILED(ZydisDecoderEnableMode(&decoder[MODE_64], ZYDIS_DECODER_MODE_AMD_BRANCHES, ZYAN_TRUE)) ?
	       -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, setup, NULL);
}
