/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction decoder: prefixes, then one word of attributes for each opcode, then the fields those attributes
 * name. Adding an instruction means adding a table entry. Nothing here executes or reads guest memory.
 */
#include "decode.h"

#include <errno.h>

/*
 * Attributes of an opcode. Bits 0-3: immediate; the rest are flags; bits 24-31: enum insn_op, or with GRP the number
 * of a group whose entry, found by modrm.reg, is or'ed in.
 */
enum imm_kind {
	I_NONE,
	IB,                           /* one byte */
	IZ,                           /* operand size, at most 4; one byte if the operand is a byte */
	IV,                           /* operand size up to 8 */
	IW,                           /* two bytes */
	IWB,                          /* ENTER: two bytes, then one */
	IBB,                          /* EXTRQ, INSERTQ: two times one byte */
	ID,                           /* four bytes (XOP map 10) */
	IP,                           /* far pointer: operand size, then a selector */
	IO,                           /* moffs: as wide as an address */
	IMM_MASK = 15,
};

#define M       (1u << 4)         /* has modrm */
#define B       (1u << 5)         /* byte operand */
#define I64     (1u << 6)         /* undefined in 64-bit mode */
#define D64     (1u << 7)         /* operand size defaults to 8 in 64-bit mode */
#define UD      (1u << 8)         /* undefined */
#define LK      (1u << 9)         /* takes LOCK, with a memory operand */
#define GRP     (1u << 10)
#define MEM     (1u << 11)        /* modrm must name memory */
#define CTL     (1u << 12)        /* MOV CR/DR: modrm.mod is ignored, always a register */
#define S2      (1u << 13)        /* modrm source is a word (MOVZX, MOVSX) */
#define S1      (1u << 14)        /* modrm source is a byte */
#define STR     (1u << 15)        /* string instruction: rSI through an overridable segment */
#define IOS     (1u << 16)        /* port I/O: never wider than 4 bytes */
#define W       (1u << 17)        /* word operand */
#define FORM(f) ((uint32_t)(f) << 20)
#define OP(o)   ((uint32_t)INSN_##o << 24)
#define G(n)    (GRP | M | (uint32_t)(n) << 24)
#define RM      (M | FORM(FORM_RM))
#define RM_R    (M | FORM(FORM_RM_R))
#define R_RM    (M | FORM(FORM_R_RM))
#define RM_I    (M | FORM(FORM_RM_I))
#define A_I     FORM(FORM_A_I)
#define O       OP(OTHER)

#define ATTR_FORM(a) ((uint8_t)((a) >> 20 & 7))
#define ATTR_OP(a)   ((uint8_t)((a) >> 24))

enum group { GRP1, GRP1A, GRP3, GRP4, GRP5, GRP6, GRP7, GRP8, GRP9, GRP11, GRP_COUNT };

static const uint32_t groups[GRP_COUNT][8] = {

	[GRP1] = { OP(ADD) | LK, OP(OR) | LK, OP(ADC) | LK, OP(SBB) | LK, OP(AND) | LK, OP(SUB) | LK, OP(XOR) | LK,
		   OP(CMP) },
	[GRP1A] = { OP(POP), UD, UD, UD, UD, UD, UD, UD },
	[GRP3] = { OP(TEST) | RM_I | IZ, OP(TEST) | RM_I | IZ, OP(NOT) | RM | LK, OP(NEG) | RM | LK, O, O, O, O },
	[GRP4] = { OP(INC) | LK, OP(DEC) | LK, UD, UD, UD, UD, UD, UD },
	[GRP5] = { OP(INC) | LK, OP(DEC) | LK, O | D64, O | MEM, O | D64, O | MEM, OP(PUSH) | D64, UD },
	[GRP6] = { O, O, O, O, O, O, UD, UD },
	[GRP7] = { O, O, O, O, OP(SMSW), O, OP(LMSW) | W, OP(INVLPG) },
	[GRP8] = { UD, UD, UD, UD, OP(BT), OP(BTS) | LK, OP(BTR) | LK, OP(BTC) | LK },
	[GRP9] = { UD, O | LK | MEM, UD, O, O, O, O, O },
	[GRP11] = { OP(MOV), UD, UD, UD, UD, UD, UD, UD },
};

#define ALU(o, op, lk) \
	[(o) + 0] = RM_R | B | (lk) | OP(op), [(o) + 1] = RM_R | (lk) | OP(op), \
	[(o) + 2] = R_RM | B | OP(op), [(o) + 3] = R_RM | OP(op), \
	[(o) + 4] = A_I | IZ | B | OP(op), [(o) + 5] = A_I | IZ | OP(op)

/* Prefixes, escapes and REX are taken before the table is asked: they stand here as UD. */
static const uint32_t map_1[256] = {
	ALU(0x00, ADD, LK), ALU(0x08, OR, LK), ALU(0x10, ADC, LK), ALU(0x18, SBB, LK),
	ALU(0x20, AND, LK), ALU(0x28, SUB, LK), ALU(0x30, XOR, LK), ALU(0x38, CMP, 0),
	[0x06 ... 0x07] = O | I64, [0x0e] = O | I64, [0x0f] = UD, [0x16 ... 0x17] = O | I64, [0x1e ... 0x1f] = O | I64,
	[0x26] = UD, [0x27] = O | I64, [0x2e] = UD, [0x2f] = O | I64, [0x36] = UD, [0x37] = O | I64, [0x3e] = UD,
	[0x3f] = O | I64, [0x40 ... 0x4f] = O, [0x50 ... 0x5f] = O | D64,
	[0x60 ... 0x61] = O | I64, [0x62] = O | M | I64 | MEM, [0x63] = O | M, [0x64 ... 0x67] = UD,
	[0x68] = O | IZ | D64, [0x69] = O | M | IZ, [0x6a] = O | IB | D64, [0x6b] = O | M | IB,
	[0x6c] = OP(INS) | B, [0x6d] = OP(INS) | IOS, [0x6e] = OP(OUTS) | B | STR, [0x6f] = OP(OUTS) | IOS | STR,
	[0x70 ... 0x7f] = O | IB | D64,
	[0x80] = G(GRP1) | RM_I | IZ | B, [0x81] = G(GRP1) | RM_I | IZ, [0x82] = G(GRP1) | RM_I | IZ | B | I64,
	[0x83] = G(GRP1) | RM_I | IB,
	[0x84] = RM_R | B | OP(TEST), [0x85] = RM_R | OP(TEST), [0x86] = RM_R | B | LK | OP(XCHG),
	[0x87] = RM_R | LK | OP(XCHG),
	[0x88] = RM_R | B | OP(MOV), [0x89] = RM_R | OP(MOV), [0x8a] = R_RM | B | OP(MOV), [0x8b] = R_RM | OP(MOV),
	[0x8c] = RM_R | OP(MOV_FROM_SEG), [0x8d] = O | M | MEM, [0x8e] = O | M, [0x8f] = G(GRP1A) | RM | D64,
	[0x90 ... 0x99] = O, [0x9a] = O | IP | I64, [0x9b] = O, [0x9c ... 0x9d] = O | D64, [0x9e ... 0x9f] = O,
	[0xa0] = FORM(FORM_R_RM) | IO | B | OP(MOV), [0xa1] = FORM(FORM_R_RM) | IO | OP(MOV),
	[0xa2] = FORM(FORM_RM_R) | IO | B | OP(MOV), [0xa3] = FORM(FORM_RM_R) | IO | OP(MOV),
	[0xa4] = OP(MOVS) | B | STR, [0xa5] = OP(MOVS) | STR, [0xa6] = OP(CMPS) | B | STR, [0xa7] = OP(CMPS) | STR,
	[0xa8] = A_I | IZ | B | OP(TEST), [0xa9] = A_I | IZ | OP(TEST), [0xaa] = OP(STOS) | B, [0xab] = OP(STOS),
	[0xac] = OP(LODS) | B | STR, [0xad] = OP(LODS) | STR, [0xae] = OP(SCAS) | B, [0xaf] = OP(SCAS),
	[0xb0 ... 0xb7] = O | IB, [0xb8 ... 0xbf] = O | IV,
	[0xc0 ... 0xc1] = O | M | IB, [0xc2] = O | IW | D64, [0xc3] = O | D64, [0xc4 ... 0xc5] = O | M | I64 | MEM,
	[0xc6] = G(GRP11) | RM_I | IZ | B, [0xc7] = G(GRP11) | RM_I | IZ, [0xc8] = O | IWB | D64, [0xc9] = O | D64,
	[0xca] = O | IW, [0xcb] = O, [0xcc] = O, [0xcd] = OP(INT) | IB, [0xce] = O | I64, [0xcf] = OP(IRET),
	[0xd0 ... 0xd3] = O | M, [0xd4 ... 0xd5] = O | IB | I64, [0xd6] = O | I64, [0xd7] = O, [0xd8 ... 0xdf] = O | M,
	[0xe0 ... 0xe3] = O | IB | D64, [0xe4] = OP(IN) | IB | B, [0xe5] = OP(IN) | IB | IOS,
	[0xe6] = OP(OUT) | IB | B, [0xe7] = OP(OUT) | IB | IOS, [0xe8 ... 0xe9] = O | IZ | D64, [0xea] = O | IP | I64,
	[0xeb] = O | IB | D64, [0xec] = OP(IN) | B, [0xed] = OP(IN) | IOS, [0xee] = OP(OUT) | B, [0xef] = OP(OUT) | IOS,
	[0xf0] = UD, [0xf1] = OP(ICEBP), [0xf2 ... 0xf3] = UD, [0xf4] = OP(HLT), [0xf5] = O,
	[0xf6] = G(GRP3) | B, [0xf7] = G(GRP3), [0xf8 ... 0xfd] = O, [0xfe] = G(GRP4) | RM | B, [0xff] = G(GRP5) | RM,
};

static const uint32_t map_0f[256] = {
	[0x00] = G(GRP6), [0x01] = G(GRP7) | RM, [0x02 ... 0x03] = O | M, [0x04] = UD, [0x05] = O, [0x06] = OP(CLTS),
	[0x07] = O, [0x08] = OP(INVD), [0x09] = OP(WBINVD), [0x0a] = UD, [0x0b] = O, [0x0c] = UD, [0x0d] = O | M,
	[0x0e] = O,
	[0x0f] = O | M | IB, [0x10 ... 0x1f] = O | M,
	[0x20] = OP(MOV_FROM_CR) | M | CTL, [0x21] = OP(MOV_FROM_DR) | M | CTL,
	[0x22] = OP(MOV_TO_CR) | M | CTL, [0x23] = OP(MOV_TO_DR) | M | CTL, [0x24 ... 0x27] = UD,
	[0x28 ... 0x2f] = O | M,
	[0x30] = OP(WRMSR), [0x31] = OP(RDTSC), [0x32] = OP(RDMSR), [0x33] = OP(RDPMC), [0x34 ... 0x35] = O,
	[0x36] = UD,
	[0x37] = O, [0x38 ... 0x3f] = UD, [0x40 ... 0x6f] = O | M, [0x70 ... 0x73] = O | M | IB,
	[0x74 ... 0x76] = O | M,
	[0x77] = O, [0x78 ... 0x79] = O | M, [0x7a ... 0x7b] = UD, [0x7c ... 0x7f] = O | M,
	[0x80 ... 0x8f] = O | IZ | D64, [0x90 ... 0x9f] = O | M | B, [0xa0 ... 0xa1] = O | D64, [0xa2] = OP(CPUID),
	[0xa3] = RM_R | OP(BT), [0xa4] = O | M | IB, [0xa5] = O | M, [0xa6 ... 0xa7] = UD, [0xa8 ... 0xa9] = O | D64,
	[0xaa] = OP(RSM), [0xab] = RM_R | LK | OP(BTS), [0xac] = O | M | IB, [0xad ... 0xaf] = O | M,
	[0xb0] = RM_R | B | LK | OP(CMPXCHG), [0xb1] = RM_R | LK | OP(CMPXCHG), [0xb2] = O | M | MEM,
	[0xb3] = RM_R | LK | OP(BTR), [0xb4 ... 0xb5] = O | M | MEM, [0xb6] = R_RM | S1 | OP(MOVZX),
	[0xb7] = R_RM | S2 | OP(MOVZX), [0xb8 ... 0xb9] = O | M, [0xba] = G(GRP8) | RM_I | IB,
	[0xbb] = RM_R | LK | OP(BTC),
	[0xbc ... 0xbd] = O | M, [0xbe] = R_RM | S1 | OP(MOVSX), [0xbf] = R_RM | S2 | OP(MOVSX),
	[0xc0] = RM_R | B | LK | OP(XADD), [0xc1] = RM_R | LK | OP(XADD), [0xc2] = O | M | IB,
	[0xc3] = RM_R | MEM | OP(MOV), [0xc4 ... 0xc6] = O | M | IB, [0xc7] = G(GRP9), [0xc8 ... 0xcf] = O,
	[0xd0 ... 0xff] = O | M,
};

struct cursor {
	const uint8_t *bytes;
	unsigned int pos, n;          /* pos may pass n: the bytes beyond read as 0 and the result is not used */
};

static uint8_t take(struct cursor *c)
{
	uint8_t b = c->pos < c->n ? c->bytes[c->pos] : 0;

	c->pos++;
	return b;
}

static uint8_t peek(const struct cursor *c)
{
	return c->pos < c->n ? c->bytes[c->pos] : 0;
}

/* size bytes, little-endian, sign-extended. */
static uint64_t take_signed(struct cursor *c, unsigned int size)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < size; i++)
		v |= (uint64_t)take(c) << (8 * i);
	if (size < 8 && size && (v >> (8 * size - 1) & 1))
		v |= ~0ull << (8 * size);
	return v;
}

/*
 * The last prefix of a kind counts. REX only counts right before the opcode. Returns the byte after them all: at the
 * end of the bytes, which are at most 15, take() gives 0 and that is no prefix.
 */
static uint8_t take_prefixes(struct cursor *c, struct insn *in, enum x86_mode mode, bool *adsize_prefix)
{
	for (;;) {
		uint8_t b = take(c);

		switch (b) {
		case 0x26: case 0x2e: case 0x36: case 0x3e:
			if (mode != MODE_64)      /* APM 3 "Segment-Override Prefixes" (1.2.4): no effect there */
				in->seg = (b >> 3) & 3;
			break;
		case 0x64: case 0x65:
			in->seg = (uint8_t)(SEG_FS + (b & 1));
			break;
		case 0x66:
			in->opsize_prefix = true;
			break;
		case 0x67:
			*adsize_prefix = true;
			break;
		case 0xf0:
			in->lock = true;
			break;
		case 0xf2: case 0xf3:
			in->rep = b;
			break;
		default:
			if (mode != MODE_64 || (b & 0xf0) != 0x40)
				return b;
			in->rex = b;
			continue;
		}
		in->rex = 0;
	}
}

#define REX_W(in) ((in)->rex >> 3 & 1)
#define REX_R(in) ((in)->rex << 1 & 8)
#define REX_X(in) ((in)->rex << 2 & 8)
#define REX_B(in) ((in)->rex << 3 & 8)

static void modrm_16(struct cursor *c, struct insn *in, unsigned int mod, unsigned int rm)
{
	static const uint8_t base[8] = { REG_RBX, REG_RBX, REG_RBP, REG_RBP, REG_RSI, REG_RDI, REG_RBP, REG_RBX };
	static const uint8_t index[4] = { REG_RSI, REG_RDI, REG_RSI, REG_RDI };

	in->base = base[rm];
	if (rm < 4)
		in->index = index[rm];
	if (mod == 0 && rm == 6) {
		in->base = INSN_NO_REG;
		mod = 2;
	}
	in->disp = (int64_t)take_signed(c, mod);
}

static void modrm_32(struct cursor *c, struct insn *in, unsigned int mod, unsigned int rm, enum x86_mode mode)
{
	unsigned int disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;

	in->base = (uint8_t)(rm | REX_B(in));
	if (rm == 4) {
		uint8_t sib = take(c);

		in->scale = sib >> 6;
		in->index = (uint8_t)((sib >> 3 & 7) | REX_X(in));
		if (in->index == REG_RSP)
			in->index = INSN_NO_REG;
		in->base = (uint8_t)((sib & 7) | REX_B(in));
		rm = sib & 7;
		if (mod == 0 && rm == 5) {
			in->base = INSN_NO_REG;
			disp = 4;
		}
	} else if (mod == 0 && rm == 5) {
		in->base = INSN_NO_REG;
		in->rip_relative = mode == MODE_64;
		disp = 4;
	}
	in->disp = (int64_t)take_signed(c, disp);
}

static void take_modrm(struct cursor *c, struct insn *in, enum x86_mode mode, bool control)
{
	unsigned int mod, rm;

	in->has_modrm = true;
	in->modrm = take(c);
	mod = in->modrm >> 6;
	rm = in->modrm & 7;
	in->reg = (uint8_t)((in->modrm >> 3 & 7) | REX_R(in));
	in->rm = (uint8_t)(rm | REX_B(in));
	if (mod == 3 || control)
		return;
	in->mem = true;
	if (in->adsize == 2)
		modrm_16(c, in, mod, rm);
	else
		modrm_32(c, in, mod, rm, mode);
	if (in->seg == INSN_NO_REG)
		in->seg = in->base == REG_RSP || in->base == REG_RBP ? SEG_SS : SEG_DS;
}

static void take_immediate(struct cursor *c, struct insn *in, uint32_t attr)
{
	unsigned int z = in->opsize == 2 ? 2 : 4;

	switch ((enum imm_kind)(attr & IMM_MASK)) {
	case IB: case IBB: in->imm_size = 1; break;
	case IZ: in->imm_size = (uint8_t)(attr & B ? 1 : z); break;
	case IV: in->imm_size = in->opsize; break;
	case IW: case IWB: in->imm_size = 2; break;
	case ID: in->imm_size = 4; break;
	case IP: in->imm_size = (uint8_t)z; break;
	case IO:
		in->disp = (int64_t)take_signed(c, in->adsize);
		in->mem = true;
		break;
	default: break;
	}
	in->imm = take_signed(c, in->imm_size);
	switch ((enum imm_kind)(attr & IMM_MASK)) {
	case IWB: case IBB: c->pos += 1; break;
	case IP: c->pos += 2; break;
	default: break;
	}
}

static void set_sizes(struct insn *in, uint32_t attr, enum x86_mode mode)
{
	bool small = (mode == MODE_16) != in->opsize_prefix;

	in->opsize = small ? 2 : 4;
	if (mode == MODE_64 && (REX_W(in) || (attr & D64 && !small)))
		in->opsize = 8;
	in->size = attr & B ? 1 : attr & W ? 2 : in->opsize;
	if (attr & CTL)                       /* the operand size does not count */
		in->size = mode == MODE_64 ? 8 : 4;
	if (attr & IOS && in->size == 8)
		in->size = 4;
	in->src_size = attr & S1 ? 1 : attr & S2 ? 2 : in->size;
}

/* Register forms of 0F 01: the whole modrm byte is the opcode. Another prefix makes another instruction of most. */
static uint8_t op_0f01(const struct insn *in)
{
	uint8_t modrm = in->modrm;

	if ((modrm & 0xf8) == 0xe0)
		return INSN_SMSW;
	if ((modrm & 0xf8) == 0xf0)
		return INSN_LMSW;
	if (in->opsize_prefix || in->rep)
		return INSN_OTHER;
	switch (modrm) {
	case 0xc1: return INSN_VMCALL;
	case 0xc8: return INSN_MONITOR;
	case 0xc9: return INSN_MWAIT;
	case 0xd1: return INSN_XSETBV;
	case 0xd9: return INSN_VMMCALL;
	case 0xf9: return INSN_RDTSCP;
	default:   return INSN_OTHER;
	}
}

/* What a table of one word an opcode cannot say: opcodes that depend on the mode, another prefix or the modrm byte. */
static uint32_t special_cases(const struct insn *in, uint32_t attr, enum x86_mode mode, uint8_t modrm)
{
	unsigned int reg = modrm >> 3 & 7;
	bool mandatory = in->opsize_prefix || in->rep;

	switch (in->map << 8 | in->opcode) {
	case MAP_1 << 8 | 0x63: /* MOVSXD, whose source is a doubleword: decode_legacy() says so */
		return mode == MODE_64 ? R_RM | OP(MOVSX) : attr;
	case MAP_1 << 8 | 0x8c:
		return reg > SEG_GS ? UD : attr;
	case MAP_1 << 8 | 0x8e:
		return reg > SEG_GS || reg == SEG_CS ? UD : attr;
	case MAP_1 << 8 | 0x90:
		return in->rep == 0xf3 ? OP(PAUSE) : attr;
	case MAP_1 << 8 | 0xc6: case MAP_1 << 8 | 0xc7: /* XABORT, XBEGIN */
		return modrm == 0xf8 ? O | IZ | M | (attr & B) : attr;
	case MAP_0F << 8 | 0x20: case MAP_0F << 8 | 0x22:
		return (0x1du >> reg & 1) && (!REX_R(in) || reg == 0) ? attr : UD; /* CR0, 2, 3, 4 and 8 */
	case MAP_0F << 8 | 0x21: case MAP_0F << 8 | 0x23:
		return REX_R(in) ? UD : attr;
	case MAP_0F << 8 | 0x78: /* SSE4a EXTRQ, INSERTQ */
		return in->opsize_prefix || in->rep == 0xf2 ? attr | IBB : attr;
	case MAP_0F << 8 | 0xb8: /* POPCNT only */
		return in->rep == 0xf3 ? attr : UD;
	case MAP_0F << 8 | 0xc3: /* MOVNTI only */
		return mandatory ? UD : attr;
	default:
		return attr;
	}
}

/* LOCK is undefined but for read-modify-write on memory, and AMD's LOCK MOV CR0, which means CR8. */
static bool lock_ok(struct insn *in, uint32_t attr)
{
	if (attr & CTL && (in->op == INSN_MOV_FROM_CR || in->op == INSN_MOV_TO_CR) && in->reg == 0) {
		in->reg = 8;
		return true;
	}
	return (attr & LK) && in->mem;
}

/* All but the prefixes of an instruction without VEX and its like. */
static int decode_legacy(struct cursor *c, struct insn *in, uint8_t opcode, enum x86_mode mode)
{
	uint32_t attr;

	if (opcode != 0x0f) {
		attr = map_1[opcode];
	} else {
		opcode = take(c);
		in->map = opcode == 0x38 ? MAP_0F38 : opcode == 0x3a ? MAP_0F3A : opcode == 0x0f ? MAP_3DNOW : MAP_0F;
		attr = in->map == MAP_0F38 ? O | M : in->map == MAP_0F3A ? O | M | IB : map_0f[opcode];
		if (in->map == MAP_0F38 || in->map == MAP_0F3A)
			opcode = take(c);
	}
	in->opcode = opcode;
	attr = special_cases(in, attr, mode, peek(c));
	if (attr & GRP) {
		/* The entry decides the operand size, which decides nothing about the modrm byte. */
		uint32_t entry = groups[attr >> 24][peek(c) >> 3 & 7];

		attr = (attr & ~(GRP | 0xff000000u)) | entry;
	}
	set_sizes(in, attr, mode);
	in->op = ATTR_OP(attr);
	in->form = ATTR_FORM(attr);
	if (attr & M)
		take_modrm(c, in, mode, attr & CTL);
	take_immediate(c, in, attr);
	if (in->map == MAP_0F && opcode == 0x01 && !in->mem)
		in->op = op_0f01(in);
	if (in->op == INSN_SMSW && in->mem)
		in->size = in->src_size = 2;
	if (in->op == INSN_MOVSX && opcode == 0x63)
		in->src_size = 4;
	if (in->op == INSN_MOV && in->map == MAP_0F)    /* MOVNTI: no 16-bit form, in no mode */
		in->size = in->src_size = REX_W(in) ? 8 : 4;
	if (in->op == INSN_MOV_FROM_SEG) {
		in->reg &= 7;
		in->size = in->src_size = in->mem ? 2 : in->opsize;
	}
	if (attr & UD || (attr & I64 && mode == MODE_64) || (attr & MEM && !in->mem))
		return -EINVAL;
	return in->lock && !lock_ok(in, attr) ? -EINVAL : 0;
}

/* Attributes of a vector opcode: map as the VEX family numbers them. */
static uint32_t vector_attr(unsigned int map, uint8_t opcode)
{
	switch (map) {
	case 1: {
		bool imm = (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6);

		return O | (imm ? M | IB : M);
	}
	case 2: case 5: case 6: case 9: return O | M;
	case 3: case 8: return O | M | IB;
	case 10: return O | M | ID;
	default: return UD;
	}
}

/* VEX (C4, C5), XOP (8F) and EVEX (62), first byte taken. Sets REX from the inverted bits for the modrm byte. */
static int decode_vector(struct cursor *c, struct insn *in, uint8_t first, enum x86_mode mode)
{
	unsigned int map = 1;
	uint8_t p0 = take(c);
	uint32_t attr;
	bool bad = in->lock || in->rep || in->opsize_prefix || in->rex;

	in->map = first == 0x62 ? MAP_EVEX : first == 0x8f ? MAP_XOP : MAP_VEX;
	if (first != 0xc5) {
		map = p0 & (first == 0x62 ? 0x0f : 0x1f);
		take(c);
		if (first == 0x62) {
			bad |= !(c->pos <= c->n && c->bytes[c->pos - 1] & 4);
			take(c);
		}
	}
	bad |= in->map == MAP_VEX ? map > 3 : in->map == MAP_EVEX ? map > 6 : map < 8;
	if (mode == MODE_64)
		in->rex = (uint8_t)(0x40 | (first == 0xc5 ? ~p0 >> 5 & 4 : ~p0 >> 5 & 7));
	in->opcode = take(c);
	attr = vector_attr(map, in->opcode);
	in->op = INSN_OTHER;
	set_sizes(in, attr, mode);
	if (attr & M && !(in->map == MAP_VEX && map == 1 && in->opcode == 0x77))
		take_modrm(c, in, mode, false);
	take_immediate(c, in, attr);
	return bad || attr & UD ? -EINVAL : 0;
}

/* Outside 64-bit mode these bytes are LES, LDS and BOUND, whose operand must be memory; POP has modrm.reg 0. */
static bool is_vector(const struct cursor *c, uint8_t opcode, enum x86_mode mode)
{
	if (opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62)
		return mode == MODE_64 || peek(c) >= 0xc0;
	return opcode == 0x8f && (peek(c) & 0x1f) >= 8;
}

int insn_decode(struct insn *out, const uint8_t *bytes, unsigned int n, enum x86_mode mode)
{
	struct cursor c = { bytes, 0, n < INSN_MAX_LEN ? n : INSN_MAX_LEN };
	bool adsize_prefix = false;
	uint8_t opcode;
	int err;

	*out = (struct insn){ .seg = INSN_NO_REG, .base = INSN_NO_REG, .index = INSN_NO_REG };
	opcode = take_prefixes(&c, out, mode, &adsize_prefix);
	out->adsize = mode == MODE_64 ? (adsize_prefix ? 4 : 8) : (mode == MODE_16) != adsize_prefix ? 2 : 4;
	if (is_vector(&c, opcode, mode))
		err = decode_vector(&c, out, opcode, mode);
	else
		err = decode_legacy(&c, out, opcode, mode);
	if (out->seg == INSN_NO_REG)
		out->seg = SEG_DS;
	if (c.pos > c.n)
		return c.n == INSN_MAX_LEN ? -EINVAL : -ENODATA;
	out->len = (uint8_t)c.pos;
	return err;
}
