/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What VMRUN refuses: APM 2 "Canonicalization and Consistency Checks" (15.5.1) and the rules of the sections named
 * below, over a VMCB and the facts of a CPU. A pure function: emulators take much of what silicon refuses, so the
 * rules are kept here, where Vouch and its tests can apply them anywhere. Left out is what Vouch never switches on:
 * AVIC's tables, and everything of encrypted guests.
 */
#include "arch/x86/svm/check.h"

#include <vouch/x86.h>

#define FE8_EBX_NO_LMSLE (1u << 20)   /* CPUID 80000008 */
#define SVM_EDX_NPT (1u << 0)         /* CPUID 8000000A */
#define SVM_EDX_FLUSH_BY_ASID (1u << 6)

#define EFER_LMSLE   (1ull << 13)
#define EFER_FFXSR   (1ull << 14)
#define EFER_TCE     (1ull << 15)
#define EFER_MCOMMIT (1ull << 17)
#define EFER_INTWB   (1ull << 18)
#define EFER_UAIE    (1ull << 20)
#define EFER_AIBRSE  (1ull << 21)

#define IOPM_BYTES  0x3000u           /* APM 2 "I/O Permissions Map" (15.10.1) */
#define MSRPM_BYTES 0x2000u           /* APM 2 "MSR Bitmap Address" (15.11) */

#define S_CET_DEFINED 3ull            /* SH_STK_EN, WR_SHSTK_EN: APM 2 "S_CET" (18.12) */

enum { EAX, EBX, ECX, EDX };

/* A bit of CR4 or EFER that exists where CPUID says so. */
struct bit_fact {
	uint64_t bit;
	uint32_t leaf;
	uint8_t reg, cpuid_bit;
};

/* APM 2 "CR4 Register" (3.1.3). */
static const struct bit_fact cr4_bits[] = {
	{ CR4_VME, 1, EDX, 1 },          { CR4_PVI, 1, EDX, 1 },          { CR4_TSD, 1, EDX, 4 },
	{ CR4_DE, 1, EDX, 2 },           { CR4_PSE, 1, EDX, 3 },          { CR4_PAE, 1, EDX, 6 },
	{ CR4_MCE, 1, EDX, 7 },          { CR4_PGE, 1, EDX, 13 },         { CR4_OSFXSR, 1, EDX, 24 },
	{ CR4_OSXMMEXCPT, 1, EDX, 25 },  { CR4_UMIP, 7, ECX, 2 },         { CR4_LA57, 7, ECX, 16 },
	{ CR4_FSGSBASE, 7, EBX, 0 },     { CR4_PCIDE, 1, ECX, 17 },       { CR4_OSXSAVE, 1, ECX, 26 },
	{ CR4_SMEP, 7, EBX, 7 },         { CR4_SMAP, 7, EBX, 20 },        { CR4_PKE, 7, ECX, 3 },
	{ CR4_CET, 7, ECX, 7 },
};

/* APM 2 "Extended Feature Enable Register (EFER)" (3.1.7). */
static const struct bit_fact efer_bits[] = {
	{ EFER_SCE, 0x80000001, EDX, 11 },    { EFER_LME, 0x80000001, EDX, 29 },
	{ EFER_LMA, 0x80000001, EDX, 29 },    { EFER_NXE, 0x80000001, EDX, 20 },
	{ EFER_SVME, 0x80000001, ECX, 2 },    { EFER_FFXSR, 0x80000001, EDX, 25 },
	{ EFER_TCE, 0x80000001, ECX, 17 },    { EFER_MCOMMIT, 0x80000008, EBX, 8 },
	{ EFER_INTWB, 0x80000008, EBX, 13 },  { EFER_UAIE, 0x80000021, EAX, 7 },
	{ EFER_AIBRSE, 0x80000021, EAX, 8 },
};

static bool has_bit(svm_cpuid_fn *cpuid, const struct bit_fact *b)
{
	struct cpuid_regs r = cpuid(b->leaf, 0);
	const uint32_t words[] = { r.eax, r.ebx, r.ecx, r.edx };

	return words[b->reg] & 1u << b->cpuid_bit;
}

static uint64_t bits_of(svm_cpuid_fn *cpuid, const struct bit_fact *b, size_t n)
{
	uint64_t mask = 0;

	for (; n; n--, b++)
		if (has_bit(cpuid, b))
			mask |= b->bit;
	return mask;
}

struct svm_facts svm_facts_read(svm_cpuid_fn *cpuid)
{
	struct cpuid_regs sizes = cpuid(0x80000008, 0), svm = cpuid(0x8000000a, 0);
	struct svm_facts f = {
		.phys_bits = sizes.eax & 0xff,
		.asids = svm.ebx,
		.nested_paging = svm.edx & SVM_EDX_NPT,
		.flush_by_asid = svm.edx & SVM_EDX_FLUSH_BY_ASID,
		.cr4 = CR4_PCE | bits_of(cpuid, cr4_bits, ARRAY_SIZE(cr4_bits)),
		.efer = bits_of(cpuid, efer_bits, ARRAY_SIZE(efer_bits)),
	};

	if (f.phys_bits < 32 || f.phys_bits > 52)       /* no such leaf: the least a CPU with PAE has */
		f.phys_bits = 36;
	/* Segment limits in 64-bit mode came with SVM's first processors, without a bit of their own, and went with one. */
	if ((f.efer & EFER_LME) && !(sizes.ebx & FE8_EBX_NO_LMSLE))
		f.efer |= EFER_LMSLE;
	return f;
}

/* Sets bits beyond the physical width. */
static bool too_wide(const struct svm_facts *f, uint64_t address)
{
	return address >> f->phys_bits;
}

/* VMRUN ignores bits 11:0 of where a permission map begins. */
static bool map_too_wide(const struct svm_facts *f, uint64_t base, uint64_t bytes)
{
	uint64_t first = base & ~0xfffull;

	return too_wide(f, first) || too_wide(f, first + bytes - 1);
}

static void check_efer(struct refusals *r, const struct vmcb *c, const struct svm_facts *f)
{
	const uint64_t long_mode = EFER_LME | EFER_LMA;
	bool lacks = !(f->efer & EFER_LME);

	refuse_if(r, !(c->efer & EFER_SVME), "EFER", c->efer, "SVME must be 1");
	refuse_if(r, c->efer & ~(f->efer | long_mode), "EFER", c->efer, "bits this CPU does not have must be 0");
	refuse_if(r, lacks && (c->efer & long_mode), "EFER", c->efer, "LME and LMA must be 0 without long mode");
}

static void check_control_registers(struct refusals *r, const struct vmcb *c, const struct svm_facts *f)
{
	refuse_if(r, c->cr0 >> 32, "CR0", c->cr0, "bits 63:32 must be 0");
	refuse_if(r, (c->cr0 & (CR0_CD | CR0_NW)) == CR0_NW, "CR0", c->cr0, "NW must be 0 while CD is 0");
	refuse_if(r, too_wide(f, c->cr3), "CR3", c->cr3, "bits beyond the physical width must be 0");
	refuse_if(r, c->cr4 & ~f->cr4, "CR4", c->cr4, "bits that this CPU lacks must be 0");
	refuse_if(r, (c->cr4 & CR4_CET) && !(c->cr0 & CR0_WP), "CR4", c->cr4, "CET needs CR0.WP");
	refuse_if(r, (f->cr4 & CR4_CET) && (c->s_cet & ~S_CET_DEFINED), "S_CET", c->s_cet, "bits 63:2 must be 0");
	refuse_if(r, c->dr6 >> 32, "DR6", c->dr6, "bits 63:32 must be 0");
	refuse_if(r, c->dr7 >> 32, "DR7", c->dr7, "bits 63:32 must be 0");
}

static void check_long_mode(struct refusals *r, const struct vmcb *c)
{
	bool lme_pg = (c->efer & EFER_LME) && (c->cr0 & CR0_PG), pae = c->cr4 & CR4_PAE;
	bool both_sizes = (c->cs.attr & SEG_ATTR_L) && (c->cs.attr & SEG_ATTR_DB);

	refuse_if(r, lme_pg && !pae, "CR4", c->cr4, "PAE must be 1 while EFER.LME and CR0.PG are");
	refuse_if(r, lme_pg && !(c->cr0 & CR0_PE), "CR0", c->cr0, "PE must be 1 while EFER.LME and CR0.PG are");
	refuse_if(r, lme_pg && pae && both_sizes, "CS attributes", c->cs.attr, "L and D cannot both be 1 in long mode");
}

static void check_controls(struct refusals *r, const struct vmcb *c, const struct svm_facts *f)
{
	bool nmi = c->intercept1 & SVM_INT1_NMI;

	refuse_if(r, !(c->intercept2 & SVM_INT2_VMRUN), "intercepts", c->intercept2, "VMRUN must be intercepted");
	refuse_if(r, map_too_wide(f, c->iopm_pa, IOPM_BYTES), "IOPM_BASE_PA", c->iopm_pa,
		  "the I/O map must end within the physical width");
	refuse_if(r, map_too_wide(f, c->msrpm_pa, MSRPM_BYTES), "MSRPM_BASE_PA", c->msrpm_pa,
		  "the MSR map must end within the physical width");
	r->section = "TLB Control";
	refuse_if(r, c->asid == 0, "Guest ASID", c->asid, "0 is the host's");
	refuse_if(r, c->asid >= f->asids && c->asid, "Guest ASID", c->asid, "must be below the CPU's number of ASIDs");
	r->section = "TLB Flush";
	refuse_if(r, c->tlb_control > 7 || (0x74 & 1u << c->tlb_control), "TLB_CONTROL", c->tlb_control,
		  "must be 0, 1, 3 or 7");
	refuse_if(r, (c->tlb_control == 3 || c->tlb_control == 7) && !f->flush_by_asid, "TLB_CONTROL", c->tlb_control,
		  "3 and 7 need FlushByAsid");
	r->section = "NMI Virtualization";
	refuse_if(r, (c->int_ctl & SVM_INTCTL_V_NMI_ENABLE) && !nmi, "V_NMI_ENABLE", c->int_ctl,
		  "needs the NMI intercept");
}

/* Vectors 0 to 31 that are exceptions: APM 2 "Vectors" (8.2). NMI and the reserved ones are not. */
#define EXCEPTIONS 0x702f7dfbu

static void check_event(struct refusals *r, const struct vmcb *c)
{
	uint64_t e = c->event_inj;
	unsigned int type = SVM_EVENT_TYPE(e), vector = SVM_EVENT_VECTOR(e);
	bool mode64 = (c->efer & EFER_LME) && (c->cr0 & CR0_PG) && (c->cs.attr & SEG_ATTR_L);
	bool exception = type == SVM_EVENT_EXC;

	if (!(e & SVM_EVENT_VALID))
		return;
	r->section = "Event Injection";
	refuse_if(r, type == 1 || type > SVM_EVENT_SOFT, "EVENTINJ", e, "this TYPE is reserved");
	refuse_if(r, exception && (vector > 31 || !(EXCEPTIONS & 1u << vector)), "EVENTINJ", e,
		  "VECTOR is no exception's");
	refuse_if(r, exception && mode64 && (vector == EXC_OF || vector == EXC_BR), "EVENTINJ", e,
		  "64-bit code raises neither #OF nor #BR");
}

/* Each byte one of UC, WC, WT, WP, WB, UC-: APM 2 "PAT Register" (7.8.1). */
static bool pat_is_good(uint64_t pat)
{
	for (unsigned int i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(pat >> (8 * i));

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static void check_nested(struct refusals *r, const struct vmcb *c, const struct svm_facts *f)
{
	if (!(c->np_enable & SVM_NP_ENABLE))
		return;
	r->section = "Nested Paging and VMRUN/#VMEXIT";
	refuse_if(r, !f->nested_paging, "NP_ENABLE", c->np_enable, "this CPU has no nested paging");
	refuse_if(r, too_wide(f, c->nested_cr3), "N_CR3", c->nested_cr3, "must lie within the physical width");
	refuse_if(r, !pat_is_good(c->pat), "G_PAT", c->pat, "each byte must be a memory type");
}

void svm_check(struct refusals *r, const struct vmcb *c, const struct svm_facts *f)
{
	r->count = 0;
	r->section = "Canonicalization and Consistency Checks";
	check_efer(r, c, f);
	check_control_registers(r, c, f);
	check_long_mode(r, c);
	check_controls(r, c, f);
	check_event(r, c);
	check_nested(r, c, f);
}
