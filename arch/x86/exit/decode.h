/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoding of one x86 instruction from a private copy of its bytes. The length is right for every instruction;
 * operands and a name are only given for what Vouch may have to emulate or step over. Knows nothing of a vCPU.
 */
#ifndef ARCH_X86_EXIT_DECODE_H
#define ARCH_X86_EXIT_DECODE_H

#include <vouch/types.h>
#include <vouch/x86.h>

#define INSN_MAX_LEN 15u

/* What Vouch knows by name. The first eight stand in the order of the "/digit" of opcode 80h. */
enum insn_op {
	INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP,
	INSN_TEST, INSN_MOV, INSN_MOV_FROM_SEG, INSN_XCHG, INSN_MOVZX, INSN_MOVSX, INSN_INC, INSN_DEC, INSN_NOT,
	INSN_NEG,
	INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC, INSN_CMPXCHG, INSN_XADD, INSN_PUSH, INSN_POP,
	INSN_MOVS, INSN_CMPS, INSN_STOS, INSN_LODS, INSN_SCAS, INSN_INS, INSN_OUTS, INSN_IN, INSN_OUT,
	INSN_MOV_FROM_CR, INSN_MOV_TO_CR, INSN_MOV_FROM_DR, INSN_MOV_TO_DR, INSN_LMSW, INSN_SMSW, INSN_CLTS,
	INSN_INVLPG,
	INSN_CPUID, INSN_RDMSR, INSN_WRMSR, INSN_RDTSC, INSN_RDTSCP, INSN_RDPMC, INSN_HLT, INSN_PAUSE, INSN_MONITOR,
	INSN_MWAIT,
	INSN_WBINVD, INSN_INVD, INSN_VMCALL, INSN_VMMCALL, INSN_XSETBV, INSN_IRET, INSN_INT, INSN_ICEBP, INSN_RSM,
	INSN_OTHER,                   /* only its length and fields are known */
};

enum insn_map { MAP_1, MAP_0F, MAP_0F38, MAP_0F3A, MAP_3DNOW, MAP_VEX, MAP_EVEX, MAP_XOP };

/* Which operand is the destination; the other one is the source. */
enum insn_form {
	FORM_NONE,                    /* implicit operands, or none Vouch cares for */
	FORM_RM,                      /* modrm operand only */
	FORM_RM_R,                    /* modrm operand <- register */
	FORM_R_RM,                    /* register <- modrm operand */
	FORM_RM_I,                    /* modrm operand <- immediate */
	FORM_A_I,                     /* accumulator <- immediate */
};

#define INSN_NO_REG 0xffu

struct insn {
	uint8_t len;                  /* bytes, 1-15 */
	uint8_t map;                  /* enum insn_map */
	uint8_t opcode;               /* last opcode byte in its map */
	uint8_t op;                   /* enum insn_op */
	uint8_t form;                 /* enum insn_form */
	uint8_t opsize;               /* effective operand size of the encoding: 2, 4, 8 */
	uint8_t adsize;               /* effective address size: 2, 4, 8 */
	uint8_t size;                 /* bytes of the operand: 1, 2, 4, 8 */
	uint8_t src_size;             /* bytes of the modrm source of MOVZX/MOVSX, else the same as size */
	uint8_t rep;                  /* 0xf2, 0xf3 or 0 */
	bool lock;
	bool opsize_prefix;           /* 66h present */
	uint8_t rex;                  /* 0 or the REX byte that counts */
	bool has_modrm;
	uint8_t modrm;
	uint8_t reg;                  /* register or CR/DR number, REX.R included; 0 (accumulator) for moffs */
	uint8_t rm;                   /* register number if !mem, REX.B included */
	bool mem;                     /* the modrm (or moffs) operand is memory: */
	bool rip_relative;
	uint8_t seg;                  /* SEG_*: override or default; string instructions: of the rSI side */
	uint8_t base, index;          /* REG_* or INSN_NO_REG */
	uint8_t scale;                /* shift: 0-3 */
	uint8_t imm_size;             /* bytes of the (first) immediate, 0 = none */
	int64_t disp;                 /* sign-extended displacement, or the moffs */
	uint64_t imm;                 /* sign-extended */
};

/*
 * Decodes the instruction at bytes[0..n). 0; -EINVAL: undefined, or longer than 15 bytes; -ENODATA: the n bytes end
 * before the instruction does. *out is only good after 0. Vector instructions (VEX, EVEX, XOP, SSE, x87, 3DNow) are
 * accepted by form, not by list: hardware has judged them before any exit is taken.
 */
__must_check int insn_decode(struct insn *out, const uint8_t *bytes, unsigned int n, enum x86_mode mode);

#endif
