/* SPDX-License-Identifier: BSD-2-Clause */
/* See insn_text.h. */
#include "insn_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "alu.h"

static const char *const names[INSN_OTHER] = {
	[INSN_ADD] = "add", [INSN_OR] = "or", [INSN_ADC] = "adc", [INSN_SBB] = "sbb", [INSN_AND] = "and",
	[INSN_SUB] = "sub", [INSN_XOR] = "xor", [INSN_CMP] = "cmp", [INSN_TEST] = "test", [INSN_MOV] = "mov",
	[INSN_MOV_FROM_SEG] = "mov", [INSN_XCHG] = "xchg", [INSN_MOVZX] = "movzx", [INSN_MOVSX] = "movsx",
	[INSN_INC] = "inc", [INSN_DEC] = "dec", [INSN_NOT] = "not", [INSN_NEG] = "neg", [INSN_BT] = "bt",
	[INSN_BTS] = "bts", [INSN_BTR] = "btr", [INSN_BTC] = "btc", [INSN_CMPXCHG] = "cmpxchg", [INSN_XADD] = "xadd",
	[INSN_PUSH] = "push", [INSN_POP] = "pop", [INSN_MOVS] = "movs", [INSN_CMPS] = "cmps", [INSN_STOS] = "stos",
	[INSN_LODS] = "lods", [INSN_SCAS] = "scas", [INSN_INS] = "ins", [INSN_OUTS] = "outs", [INSN_IN] = "in",
	[INSN_OUT] = "out", [INSN_MOV_FROM_CR] = "mov", [INSN_MOV_TO_CR] = "mov", [INSN_MOV_FROM_DR] = "mov",
	[INSN_MOV_TO_DR] = "mov", [INSN_LMSW] = "lmsw", [INSN_SMSW] = "smsw", [INSN_CLTS] = "clts",
	[INSN_INVLPG] = "invlpg", [INSN_CPUID] = "cpuid", [INSN_RDMSR] = "rdmsr", [INSN_WRMSR] = "wrmsr",
	[INSN_RDTSC] = "rdtsc", [INSN_RDTSCP] = "rdtscp", [INSN_RDPMC] = "rdpmc", [INSN_HLT] = "hlt",
	[INSN_PAUSE] = "pause", [INSN_MONITOR] = "monitor", [INSN_MWAIT] = "mwait", [INSN_WBINVD] = "wbinvd",
	[INSN_INVD] = "invd", [INSN_VMCALL] = "vmcall", [INSN_VMMCALL] = "vmmcall", [INSN_XSETBV] = "xsetbv",
	[INSN_IRET] = "iret", [INSN_INT] = "int", [INSN_ICEBP] = "int1", [INSN_RSM] = "rsm",
};

/* What is written so far: at is below size. */
struct text {
	char *dst;
	size_t size, at;
};

static void add(struct text *t, const char *fmt, ...) __printf(2, 3);
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->dst + t->at, t->size - t->at, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->at = (size_t)n < t->size - t->at ? t->at + (size_t)n : t->size - 1;
}

static void add_register(struct text *t, const struct insn *in, unsigned int reg, unsigned int size)
{
	static const char *const low[8] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
	static const char *const high8[4] = { "ah", "ch", "dh", "bh" };

	if (reg >= 8)
		add(t, "r%u%s", reg, size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "");
	else if (size != 1)
		add(t, "%s%s", size == 4 ? "e" : size == 8 ? "r" : "", low[reg]);
	else if (reg < 4)
		add(t, "%cl", low[reg][0]);
	else if (in->rex)
		add(t, "%sl", low[reg]);
	else
		add(t, "%s", high8[reg - 4]);
}

static const char *segment_name(unsigned int seg)
{
	static const char *const segs[SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs" };

	return seg < SEG_COUNT ? segs[seg] : "?";
}

/* Up to the operand's address: its size, and its segment if it is not the default one. */
static void add_memory_head(struct text *t, const struct insn *in, unsigned int size)
{
	static const char *const sizes[9] = { [1] = "byte", [2] = "word", [4] = "dword", [8] = "qword" };
	unsigned int usual = in->base == REG_RSP || in->base == REG_RBP ? SEG_SS : SEG_DS;

	if (size <= 8 && sizes[size])
		add(t, "%s ptr ", sizes[size]);
	if (in->seg != usual)
		add(t, "%s:", segment_name(in->seg));
}

static void add_memory(struct text *t, const struct insn *in, unsigned int size, uint64_t rip)
{
	uint64_t disp = (uint64_t)in->disp, base = in->rip_relative ? rip + in->len : 0;

	add_memory_head(t, in, size);
	add(t, "[");
	if (in->base == INSN_NO_REG && in->index == INSN_NO_REG) {
		add(t, "0x%lx]", low_bytes(base + disp, in->adsize));
		return;
	}
	if (in->base != INSN_NO_REG)
		add_register(t, in, in->base, in->adsize);
	if (in->index != INSN_NO_REG) {
		add(t, "%s", in->base != INSN_NO_REG ? "+" : "");
		add_register(t, in, in->index, in->adsize);
		add(t, "*%u", 1u << in->scale);
	}
	if (in->disp)
		add(t, "%c0x%lx", in->disp < 0 ? '-' : '+', in->disp < 0 ? 0 - disp : disp);
	add(t, "]");
}

static void add_rm(struct text *t, const struct insn *in, unsigned int size, uint64_t rip)
{
	if (in->mem)
		add_memory(t, in, size, rip);
	else
		add_register(t, in, in->rm, size);
}

static void add_immediate(struct text *t, const struct insn *in)
{
	add(t, "0x%lx", low_bytes(in->imm, in->size));
}

static void add_reg_operand(struct text *t, const struct insn *in)
{
	if (in->op == INSN_MOV_FROM_SEG)
		add(t, "%s", segment_name(in->reg));
	else
		add_register(t, in, in->reg, in->size);
}

/* The bit number of BT and its like stays a byte; others are as wide as the operand. */
static void add_rm_immediate(struct text *t, const struct insn *in, uint64_t rip)
{
	add_rm(t, in, in->size, rip);
	add(t, ", ");
	if (in->op >= INSN_BT && in->op <= INSN_BTC)
		add(t, "0x%lx", low_bytes(in->imm, 1));
	else
		add_immediate(t, in);
}

static void add_form(struct text *t, const struct insn *in, uint64_t rip)
{
	switch (in->form) {
	case FORM_RM:
		add_rm(t, in, in->size, rip);
		return;
	case FORM_RM_R:
		add_rm(t, in, in->size, rip);
		add(t, ", ");
		add_reg_operand(t, in);
		return;
	case FORM_R_RM:
		add_reg_operand(t, in);
		add(t, ", ");
		add_rm(t, in, in->src_size, rip);
		return;
	case FORM_RM_I:
		add_rm_immediate(t, in, rip);
		return;
	case FORM_A_I:
		add_register(t, in, REG_RAX, in->size);
		add(t, ", ");
		add_immediate(t, in);
		return;
	}
}

static void add_port(struct text *t, const struct insn *in)
{
	if (in->imm_size)
		add(t, "0x%lx", low_bytes(in->imm, 1));
	else
		add(t, "dx");
}

static void add_operands(struct text *t, const struct insn *in, uint64_t rip)
{
	char kind = in->op == INSN_MOV_FROM_CR || in->op == INSN_MOV_TO_CR ? 'c' : 'd';

	switch (in->op) {
	case INSN_MOV_FROM_CR: case INSN_MOV_FROM_DR:
		add_register(t, in, in->rm, in->size);
		add(t, ", %cr%u", kind, in->reg);
		return;
	case INSN_MOV_TO_CR: case INSN_MOV_TO_DR:
		add(t, "%cr%u, ", kind, in->reg);
		add_register(t, in, in->rm, in->size);
		return;
	case INSN_LMSW: case INSN_SMSW:
		add_rm(t, in, in->size, rip);
		return;
	case INSN_INVLPG:
		add_memory(t, in, 0, rip);
		return;
	case INSN_IN:
		add_register(t, in, REG_RAX, in->size);
		add(t, ", ");
		add_port(t, in);
		return;
	case INSN_OUT:
		add_port(t, in);
		add(t, ", ");
		add_register(t, in, REG_RAX, in->size);
		return;
	case INSN_INT:
		add(t, "0x%lx", low_bytes(in->imm, 1));
		return;
	default:
		add_form(t, in, rip);
	}
}

static bool has_operands(const struct insn *in)
{
	bool control = in->op >= INSN_IN && in->op <= INSN_INVLPG && in->op != INSN_CLTS;

	return control || in->op == INSN_INT || in->op <= INSN_POP;
}

static bool is_string(const struct insn *in)
{
	return in->op >= INSN_MOVS && in->op <= INSN_OUTS;
}

/* Only CMPS and SCAS tell REPE from REPNE. */
static void add_prefixes(struct text *t, const struct insn *in)
{
	if (in->lock)
		add(t, "lock ");
	if (!is_string(in) || !in->rep)
		return;
	if (in->op == INSN_CMPS || in->op == INSN_SCAS)
		add(t, in->rep == 0xf3 ? "repe " : "repne ");
	else
		add(t, "rep ");
}

static void add_name(struct text *t, const struct insn *in)
{
	static const char *const iret[9] = { [2] = "", [4] = "d", [8] = "q" };
	static const char *const string[9] = { [1] = "b", [2] = "w", [4] = "d", [8] = "q" };

	add(t, "%s", names[in->op]);
	if (is_string(in))
		add(t, "%s", string[in->size]);
	else if (in->op == INSN_IRET)
		add(t, "%s", iret[in->opsize]);
	else if (in->op == INSN_MOVSX && in->map == MAP_1)
		add(t, "d");
	else if (in->op == INSN_MOV && in->map == MAP_0F)
		add(t, "nti");
}

/* Common ones without operands, so that a report does not show their bytes twice. NULL: not one of them. */
static const char *plain_name(const struct insn *in)
{
	switch (in->map << 8 | in->opcode) {
	case MAP_1 << 8 | 0x90:  return in->rex & 1 ? NULL : "nop";
	case MAP_1 << 8 | 0xc3:  return "ret";
	case MAP_1 << 8 | 0xc9:  return "leave";
	case MAP_1 << 8 | 0xcc:  return "int3";
	case MAP_1 << 8 | 0xfa:  return "cli";
	case MAP_1 << 8 | 0xfb:  return "sti";
	case MAP_0F << 8 | 0x05: return "syscall";
	case MAP_0F << 8 | 0x0b: return "ud2";
	default:                 return NULL;
	}
}

static void add_bytes(struct text *t, const uint8_t *bytes, unsigned int n)
{
	add(t, "db");
	for (unsigned int i = 0; i < n; i++)
		add(t, "%s 0x%x", i ? "," : "", bytes[i]);
}

unsigned int insn_text(char *dst, size_t size, const uint8_t *bytes, unsigned int n, enum x86_mode mode, uint64_t rip)
{
	struct text t = { dst, size, 0 };
	struct insn in;
	const char *plain;

	dst[0] = 0;
	n = n > INSN_MAX_LEN ? INSN_MAX_LEN : n;
	if (insn_decode(&in, bytes, n, mode)) {
		add_bytes(&t, bytes, n);
		return n;
	}
	plain = in.op == INSN_OTHER ? plain_name(&in) : NULL;
	if (plain) {
		add(&t, "%s", plain);
	} else if (in.op == INSN_OTHER) {
		add_bytes(&t, bytes, in.len);
	} else {
		add_prefixes(&t, &in);
		add_name(&t, &in);
		if (has_operands(&in)) {
			add(&t, " ");
			add_operands(&t, &in, rip);
		}
	}
	return in.len;
}
