/* SPDX-License-Identifier: BSD-2-Clause */
/* The choice of what to do against speculation, and its doing. Guests get none of the MSRs concerned. */
#include "arch/x86/cpu/spec.h"

#include <stdio.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/vm.h>
#include <vouch/x86.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/exit/policy.h"

#define MSR_SPEC_CTRL 0x48u
#define SPEC_CTRL_IBRS 1ull
#define SPEC_CTRL_STIBP (1ull << 1)
#define SPEC_CTRL_BHI_DIS_S (1ull << 10)
#define MSR_PRED_CMD  0x49u
#define PRED_CMD_IBPB 1ull
#define MSR_ARCH_CAPABILITIES 0x10au
#define EFER_AIBRSE (1ull << 21)
#define MSR_BP_CFG    0xc001102eu
#define BP_SPEC_REDUCE (1ull << 4)

/* CPUID 7, EDX: SDM 2A "CPUID". */
#define SEVEN_MD_CLEAR  (1u << 10)
#define SEVEN_IBRS_IBPB (1u << 26)
#define SEVEN_STIBP     (1u << 27)
#define SEVEN_L1D_FLUSH (1u << 28)
#define SEVEN_ARCH_CAP  (1u << 29)
#define SEVEN_2_BHI_CTRL (1u << 4)
/* CPUID 80000008, EBX, and 80000021: APM 3 appendix E. */
#define EXT8_IBPB       (1u << 12)
#define EXT8_STIBP      (1u << 15)
#define EXT21A_VERW     (1u << 5)
#define EXT21A_AUTO_IBRS (1u << 8)
#define EXT21A_REDUCE   (1u << 31)    /* SRSO_MSR_FIX */
#define EXT21C_TSA_NO   (1u << 1 | 1u << 2)
/* IA32_ARCH_CAPABILITIES: SDM 4. */
#define ARCH_RDCL_NO    (1ull << 0)
#define ARCH_IBRS_ALL   (1ull << 1)
#define ARCH_L1D_NO     (1ull << 3)     /* SKIP_L1DFL_VMENTRY */
#define ARCH_MDS_NO     (1ull << 5)
#define ARCH_TAA_NO     (1ull << 8)
#define ARCH_MMIO_NO    (7ull << 13)
#define ARCH_BHI_NO     (1ull << 20)
#define ARCH_PBRSB_NO   (1ull << 24)
#define ARCH_RFDS_NO    (1ull << 27)
#define ARCH_RFDS_CLEAR (1ull << 28)

/* A piece of code, as spec.inc notes it. */
struct spec_site {
	uint8_t *at;
	uint32_t len, need;
};

/* What VERW is given, by spec.inc: a segment that can be written to. */
extern const uint16_t spec_selector;
const uint16_t spec_selector = SEL_DATA;

/* vouch.lds. */
extern const struct spec_site spec_sites[], spec_sites_end[];

/*
 * APM 2 "Automatic IBRS": with it an exit empties the return stack, but the thread beside this one trains the predictor
 * as before.
 */
static void choose_amd(struct spec *s, const struct spec_facts *f)
{
	s->auto_ibrs = f->ext_21_eax & EXT21A_AUTO_IBRS;
	s->ibpb = f->ext_8_ebx & EXT8_IBPB;
	s->stibp = f->ext_8_ebx & EXT8_STIBP;
	s->bp_reduce = f->ext_21_eax & EXT21A_REDUCE;
	if (!s->auto_ibrs)
		s->code |= SPEC_RSB | SPEC_RETPOLINE;
	if ((f->ext_21_eax & EXT21A_VERW) && (f->ext_21_ecx & EXT21C_TSA_NO) != EXT21C_TSA_NO)
		s->code |= SPEC_VERW;
}

/* IBRS keeps targets apart, not the history by which one is chosen. Without IBRS no indirect branch is left to choose. */
static void choose_history(struct spec *s, const struct spec_facts *f)
{
	if (!s->ibrs) {
		s->code |= SPEC_RETPOLINE;
		return;
	}
	s->bhi_dis = !(f->arch & ARCH_BHI_NO) && (f->seven_2_edx & SEVEN_2_BHI_CTRL);
	if (!(f->arch & ARCH_BHI_NO) && !s->bhi_dis)
		s->code |= SPEC_BHB;
}

/* A CPU that says nothing of a weakness has it, if it has the means against it. */
static void choose_intel(struct spec *s, const struct spec_facts *f)
{
	const uint64_t safe = ARCH_MDS_NO | ARCH_TAA_NO | ARCH_MMIO_NO;

	s->ibrs = (f->arch & ARCH_IBRS_ALL) && (f->seven_edx & SEVEN_IBRS_IBPB);
	s->ibpb = f->seven_edx & SEVEN_IBRS_IBPB;
	s->stibp = !s->ibrs && (f->seven_edx & SEVEN_STIBP);    /* IBRS that stays set does as much */
	if (!s->ibrs || !(f->arch & ARCH_PBRSB_NO))
		s->code |= SPEC_RSB;
	choose_history(s, f);
	if ((f->seven_edx & SEVEN_L1D_FLUSH) && !(f->arch & (ARCH_RDCL_NO | ARCH_L1D_NO)))
		s->code |= SPEC_L1D;
	if ((f->seven_edx & SEVEN_MD_CLEAR) && (f->arch & safe) != safe)
		s->code |= SPEC_VERW;
	if ((f->arch & ARCH_RFDS_CLEAR) && !(f->arch & ARCH_RFDS_NO))
		s->code |= SPEC_VERW;
}

struct spec spec_choose(const struct spec_facts *f)
{
	struct spec s = { 0 };

	if (f->amd)
		choose_amd(&s, f);
	else
		choose_intel(&s, f);
	return s;
}

void spec_text(const struct spec *s, char *dst, size_t size)
{
	bool any = s->code || s->auto_ibrs || s->ibrs || s->ibpb || s->stibp || s->bp_reduce;

	snprintf(dst, size, "%s%s%s%s%s%s%s%s%s%s%s%s", s->code & SPEC_RSB ? " rsb" : "",
		 s->code & SPEC_RETPOLINE ? " retpoline" : "", s->code & SPEC_BHB ? " history" : "",
		 s->code & SPEC_VERW ? " verw" : "", s->code & SPEC_L1D ? " l1d" : "", s->auto_ibrs ? " auto-ibrs" : "",
		 s->ibrs ? " ibrs" : "", s->bhi_dis ? " bhi-dis" : "", s->ibpb ? " ibpb" : "",
		 s->stibp ? " stibp" : "", s->bp_reduce ? " bp-reduce" : "", any ? "" : " none");
}

/* A short piece becomes a NOP of its length (APM 3 "NOP"), a long one a jump behind it and breakpoints. */
void spec_take_out(uint8_t *at, size_t len)
{
	static const uint8_t nops[][7] = {
		{ 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 }, { 0x0f, 0x1f, 0x40, 0x00 },
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 }, { 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
	};
	uint32_t over = (uint32_t)len - 5;

	if (len <= ARRAY_SIZE(nops)) {
		memcpy(at, nops[len - 1], len);
		return;
	}
	memset(at, 0xcc, len);
	at[0] = 0xe9;                           /* JMP rel32 */
	memcpy(at + 1, &over, sizeof(over));
}

static struct spec_facts read_facts(void)
{
	struct spec_facts f = { .amd = policy_by_amd(), .ext_8_ebx = cpuid_leaf(0x80000008, 0).ebx,
				.ext_21_eax = cpuid_leaf(0x80000021, 0).eax, .ext_21_ecx = cpuid_leaf(0x80000021, 0).ecx,
				.seven_edx = cpuid_leaf(7, 0).edx };

	if (cpuid_leaf(7, 0).eax >= 2)
		f.seven_2_edx = cpuid_leaf(7, 2).edx;
	if (f.seven_edx & SEVEN_ARCH_CAP)
		f.arch = msr_read(MSR_ARCH_CAPABILITIES);
	return f;
}

void spec_init(struct host *h)
{
	struct spec_facts f = read_facts();
	char text[SPEC_TEXT_MAX];

	if (!h->options.mitigations_off)
		h->spec = spec_choose(&f);
	if (h->options.mitigations_all)
		h->spec.code |= SPEC_RSB | SPEC_RETPOLINE | SPEC_BHB | SPEC_VERW;
	for (const struct spec_site *s = spec_sites; s < spec_sites_end; s++)
		if (!(h->spec.code & s->need))
			spec_take_out(s->at, s->len);
	spec_text(&h->spec, text, sizeof(text));
	log_info("against speculation:%s", text);
}

void spec_cpu_enable(const struct host *h)
{
	if (h->spec.auto_ibrs)
		msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_AIBRSE);
	if (h->spec.ibrs || h->spec.stibp)
		msr_write(MSR_SPEC_CTRL, (h->spec.ibrs ? SPEC_CTRL_IBRS : 0) | (h->spec.stibp ? SPEC_CTRL_STIBP : 0) |
						 (h->spec.bhi_dis ? SPEC_CTRL_BHI_DIS_S : 0));
	if (h->spec.bp_reduce)
		msr_write(MSR_BP_CFG, msr_read(MSR_BP_CFG) | BP_SPEC_REDUCE);
}

bool spec_is_other(struct pcpu *p, const struct vm *vm)
{
	bool other = p->last_vm != vm->serial;

	p->last_vm = vm->serial;
	return other;
}

/* What a VM has taught the predictor is not for the next one, be it the same guest, started anew: its files may be others. */
void spec_switch(const struct vm *vm)
{
	struct pcpu *p = this_cpu();

	if (spec_is_other(p, vm) && p->host->spec.ibpb)
		msr_write(MSR_PRED_CMD, PRED_CMD_IBPB);
}
