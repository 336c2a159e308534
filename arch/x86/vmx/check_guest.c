/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VM entry checks of the guest before it loads it: SDM 3C "Checks on the Guest State Area" (26.3.1), with and
 * without "unrestricted guest". Vouch never enters SMM and has no guests without EPT, so page-directory pointers are
 * looked at in the VMCS only.
 */
#include "arch/x86/vmx/check.h"

#include <vouch/x86.h>

#define RFLAGS_RESERVED   (~0x3fffffull | 1u << 15 | 1u << 5 | 1u << 3)
#define DEBUGCTL_BTF      (1ull << 1)
#define DEBUGCTL_RESERVED (~0xffffull | 7u << 3)
#define BNDCFGS_RESERVED  0xffcull
#define BLOCK_ENCLAVE     (1u << 4)
#define BLOCK_RESERVED    (~0x1full)
#define PENDING_BREAK     (1ull << 12)
#define PENDING_RTM       (1ull << 16)
#define PENDING_RESERVED  (~0x1ffffull | 0xff0u | 1u << 13 | 1u << 15)

#define ACTIVITY_HLT       1u
#define ACTIVITY_SHUTDOWN  2u
#define ACTIVITY_WAIT_SIPI 3u

/* Access rights: bits 7:0 and 15:12 as in a descriptor, then "unusable". */
#define AR_TYPE(a)   ((a) & 15u)
#define AR_CODE      (1u << 3)
#define AR_READABLE  (1u << 1)
#define AR_ACCESSED  (1u << 0)
#define AR_S         (1u << 4)
#define AR_DPL(a)    (((a) >> 5) & 3u)
#define AR_P         (1u << 7)
#define AR_L         (1u << 13)
#define AR_DB        (1u << 14)
#define AR_G         (1u << 15)
#define AR_RESERVED  (~0x1ffffull | 0xf00u)
#define AR_V86       0xf3u

#define TYPE_RW      3u                 /* read/write, accessed */
#define TYPE_RW_DOWN 7u                 /* the same, expand-down */
#define TYPE_LDT     2u
#define TYPE_TSS16   3u                 /* busy */
#define TYPE_TSS     11u

#define RPL(sel) ((sel) & 3u)
#define TI       (1u << 2)

/* What the rules have in common. */
struct guest {
	struct refusals *r;
	const struct vmcs_state *s;
	const struct vmx_facts *f;
	const struct vmcs_guest *g;
	bool v86, ia32e, unrestricted, protected;
};

static const char *const base_name[] = { "ES base", "CS base", "SS base", "DS base", "FS base", "GS base", "LDTR base",
					 "TR base" };
static const char *const limit_name[] = { "ES limit", "CS limit", "SS limit", "DS limit", "FS limit", "GS limit",
					  "LDTR limit", "TR limit" };
static const char *const access_name[] = { "ES access rights", "CS access rights", "SS access rights",
					   "DS access rights", "FS access rights", "GS access rights",
					   "LDTR access rights", "TR access rights" };

static bool usable(const struct vmcs_seg *x)
{
	return !(x->access & ACCESS_UNUSABLE);
}

static void check_cr0(const struct guest *x)
{
	const struct vmx_caps *c = &x->f->caps;
	uint64_t cr0 = x->g->cr0, fixed0 = c->cr0_fixed0;

	if (x->unrestricted)
		fixed0 &= ~(CR0_PE | CR0_PG);
	refuse_if(x->r, ~cr0 & fixed0, "CR0", cr0, "bits that VMX operation fixes to 1 must be 1");
	refuse_if(x->r, cr0 & ~c->cr0_fixed1, "CR0", cr0, "bits that VMX operation fixes to 0 must be 0");
	refuse_if(x->r, (cr0 & CR0_PG) && !(cr0 & CR0_PE), "CR0", cr0, "PG needs PE");
	refuse_if(x->r, x->ia32e && !(cr0 & CR0_PG), "CR0", cr0, "PG must be 1 in an IA-32e mode guest");
}

static void check_cr4(const struct guest *x)
{
	const struct vmx_caps *c = &x->f->caps;
	uint64_t cr4 = x->g->cr4;

	refuse_if(x->r, ~cr4 & c->cr4_fixed0, "CR4", cr4, "bits that VMX operation fixes to 1 must be 1");
	refuse_if(x->r, cr4 & ~c->cr4_fixed1, "CR4", cr4, "bits that VMX operation fixes to 0 must be 0");
	refuse_if(x->r, (cr4 & CR4_CET) && !(x->g->cr0 & CR0_WP), "CR4", cr4, "CET needs CR0.WP");
	refuse_if(x->r, x->ia32e && !(cr4 & CR4_PAE), "CR4", cr4, "PAE must be 1 in an IA-32e mode guest");
	refuse_if(x->r, !x->ia32e && (cr4 & CR4_PCIDE), "CR4", cr4, "PCIDE must be 0 outside an IA-32e mode guest");
}

static void check_efer(const struct guest *x)
{
	uint64_t efer = x->g->efer;
	bool lme = efer & EFER_LME, lma = efer & EFER_LMA;

	refuse_if(x->r, efer & ~(x->f->efer | EFER_LME | EFER_LMA), "IA32_EFER", efer, "reserved bits must be 0");
	refuse_if(x->r, lma != x->ia32e, "IA32_EFER", efer, "LMA must equal IA-32e mode guest");
	refuse_if(x->r, (x->g->cr0 & CR0_PG) && lme != lma, "IA32_EFER", efer, "LME must equal LMA while CR0.PG is 1");
}

static void check_msrs(const struct guest *x)
{
	const struct vmcs_guest *g = x->g;
	uint64_t entry = x->s->entry;

	if (entry & ENTRY_LOAD_DEBUG) {
		refuse_if(x->r, g->debugctl & DEBUGCTL_RESERVED, "IA32_DEBUGCTL", g->debugctl, "reserved bits must be 0");
		refuse_if(x->r, g->dr7 >> 32, "DR7", g->dr7, "bits 63:32 must be 0");
	}
	refuse_if(x->r, vmx_not_canonical(x->f, g->sysenter_esp), "IA32_SYSENTER_ESP", g->sysenter_esp, "must be canonical");
	refuse_if(x->r, vmx_not_canonical(x->f, g->sysenter_eip), "IA32_SYSENTER_EIP", g->sysenter_eip, "must be canonical");
	refuse_if(x->r, (entry & ENTRY_PERF_CTRL) && (g->perf_ctrl & ~x->f->perf_ctrl), "IA32_PERF_GLOBAL_CTRL",
		  g->perf_ctrl, "reserved bits must be 0");
	refuse_if(x->r, (entry & ENTRY_LOAD_PAT) && vmx_bad_pat(g->pat), "IA32_PAT", g->pat,
		  "each byte must be a memory type");
	if (entry & ENTRY_LOAD_EFER)
		check_efer(x);
	if (!(entry & ENTRY_LOAD_BNDCFGS))
		return;
	refuse_if(x->r, g->bndcfgs & BNDCFGS_RESERVED, "IA32_BNDCFGS", g->bndcfgs, "bits 11:2 must be 0");
	refuse_if(x->r, vmx_not_canonical(x->f, g->bndcfgs & ~0xfffull), "IA32_BNDCFGS", g->bndcfgs,
		  "the base must be canonical");
}

static void check_control_registers(const struct guest *x)
{
	x->r->section = "Checks on Guest Control Registers, Debug Registers, and MSRs";
	check_cr0(x);
	check_cr4(x);
	refuse_if(x->r, vmx_too_wide(x->f, x->g->cr3), "CR3", x->g->cr3, "must lie within the physical width");
	check_msrs(x);
}

static void check_v86_segment(const struct guest *x, unsigned int n)
{
	const struct vmcs_seg *s = &x->g->seg[n];

	refuse_if(x->r, s->base != s->sel << 4, base_name[n], s->base, "must be 16 times the selector in virtual-8086 mode");
	refuse_if(x->r, s->limit != 0xffff, limit_name[n], s->limit, "must be FFFFh in virtual-8086 mode");
	refuse_if(x->r, s->access != AR_V86, access_name[n], s->access, "must be F3h in virtual-8086 mode");
}

/* What holds of each usable segment register, TR and LDTR included. */
static void check_any_segment(const struct guest *x, unsigned int n)
{
	const struct vmcs_seg *s = &x->g->seg[n];
	bool g = s->access & AR_G;

	refuse_if(x->r, !(s->access & AR_P), access_name[n], s->access, "P must be 1");
	refuse_if(x->r, s->access & AR_RESERVED, access_name[n], s->access, "reserved bits must be 0");
	refuse_if(x->r, g && (s->limit & 0xfff) != 0xfff, access_name[n], s->access,
		  "G must be 0: of bits 11:0 of the limit one is 0");
	refuse_if(x->r, !g && s->limit >> 20, access_name[n], s->access, "G must be 1: of bits 31:20 of the limit one is 1");
}

/* CPL is the DPL of SS. */
static void check_cs(const struct guest *x)
{
	const struct vmcs_seg *cs = &x->g->seg[VMCS_CS];
	uint64_t dpl = AR_DPL(cs->access), cpl = AR_DPL(x->g->seg[VMCS_SS].access), type = AR_TYPE(cs->access);
	bool code = (type & AR_CODE) && (type & AR_ACCESSED), data = type == TYPE_RW && x->unrestricted;

	refuse_if(x->r, cs->base >> 32, "CS base", cs->base, "bits 63:32 must be 0");
	refuse_if(x->r, !code && !data, "CS access rights", cs->access,
		  "the type must be accessed code, or read/write data in an unrestricted guest");
	refuse_if(x->r, !(cs->access & AR_S), "CS access rights", cs->access, "S must be 1");
	refuse_if(x->r, data && dpl, "CS access rights", cs->access, "DPL must be 0 in a data segment");
	refuse_if(x->r, code && !(type & 4) && dpl != cpl, "CS access rights", cs->access,
		  "DPL must equal SS's unless conforming");
	refuse_if(x->r, code && (type & 4) && dpl > cpl, "CS access rights", cs->access,
		  "DPL must not be above SS's if conforming");
	refuse_if(x->r, x->ia32e && (cs->access & AR_L) && (cs->access & AR_DB), "CS access rights", cs->access,
		  "D/B must be 0 while L is 1");
	check_any_segment(x, VMCS_CS);
}

static void check_ss(const struct guest *x)
{
	const struct vmcs_seg *ss = &x->g->seg[VMCS_SS], *cs = &x->g->seg[VMCS_CS];
	uint64_t dpl = AR_DPL(ss->access), type = AR_TYPE(ss->access);
	bool no_levels = AR_TYPE(cs->access) == TYPE_RW || !x->protected;

	refuse_if(x->r, !x->unrestricted && RPL(ss->sel) != RPL(cs->sel), "SS selector", ss->sel, "RPL must equal CS's");
	refuse_if(x->r, !x->unrestricted && RPL(ss->sel) != dpl, "SS access rights", ss->access,
		  "DPL must equal the selector's RPL");
	refuse_if(x->r, no_levels && dpl, "SS access rights", ss->access,
		  "DPL must be 0 in real mode, or while CS is a data segment");
	if (!usable(ss))
		return;
	refuse_if(x->r, ss->base >> 32, "SS base", ss->base, "bits 63:32 must be 0");
	refuse_if(x->r, type != TYPE_RW && type != TYPE_RW_DOWN, "SS access rights", ss->access,
		  "the type must be accessed read/write data");
	refuse_if(x->r, !(ss->access & AR_S), "SS access rights", ss->access, "S must be 1");
	check_any_segment(x, VMCS_SS);
}

/* DS, ES, FS, GS. */
static void check_data(const struct guest *x, unsigned int n)
{
	const struct vmcs_seg *s = &x->g->seg[n];
	uint64_t type = AR_TYPE(s->access);

	if (!usable(s))
		return;
	refuse_if(x->r, n < VMCS_FS && s->base >> 32, base_name[n], s->base, "bits 63:32 must be 0");
	refuse_if(x->r, !(type & AR_ACCESSED), access_name[n], s->access, "the type must be accessed");
	refuse_if(x->r, (type & AR_CODE) && !(type & AR_READABLE), access_name[n], s->access, "code must be readable");
	refuse_if(x->r, !(s->access & AR_S), access_name[n], s->access, "S must be 1");
	refuse_if(x->r, !x->unrestricted && type < 12 && AR_DPL(s->access) < RPL(s->sel), access_name[n], s->access,
		  "DPL must not be below the selector's RPL");
	check_any_segment(x, n);
}

static void check_tr(const struct guest *x)
{
	const struct vmcs_seg *tr = &x->g->seg[VMCS_TR];
	uint64_t type = AR_TYPE(tr->access);

	refuse_if(x->r, tr->sel & TI, "TR selector", tr->sel, "TI must be 0");
	refuse_if(x->r, type != TYPE_TSS && (x->ia32e || type != TYPE_TSS16), "TR access rights", tr->access,
		  "the type must be a busy TSS of the guest's mode");
	refuse_if(x->r, tr->access & AR_S, "TR access rights", tr->access, "S must be 0");
	refuse_if(x->r, !usable(tr), "TR access rights", tr->access, "must be usable");
	check_any_segment(x, VMCS_TR);
}

static void check_ldtr(const struct guest *x)
{
	const struct vmcs_seg *ldtr = &x->g->seg[VMCS_LDTR];

	if (!usable(ldtr))
		return;
	refuse_if(x->r, ldtr->sel & TI, "LDTR selector", ldtr->sel, "TI must be 0");
	refuse_if(x->r, vmx_not_canonical(x->f, ldtr->base), "LDTR base", ldtr->base, "must be canonical");
	refuse_if(x->r, AR_TYPE(ldtr->access) != TYPE_LDT, "LDTR access rights", ldtr->access, "the type must be LDT");
	refuse_if(x->r, ldtr->access & AR_S, "LDTR access rights", ldtr->access, "S must be 0");
	check_any_segment(x, VMCS_LDTR);
}

static void check_segments(const struct guest *x)
{
	static const uint8_t canonical[] = { VMCS_FS, VMCS_GS, VMCS_TR }, data[] = { VMCS_ES, VMCS_DS, VMCS_FS, VMCS_GS };

	x->r->section = "Checks on Guest Segment Registers";
	for (size_t i = 0; i < ARRAY_SIZE(canonical); i++) {
		uint64_t base = x->g->seg[canonical[i]].base;

		refuse_if(x->r, vmx_not_canonical(x->f, base), base_name[canonical[i]], base, "must be canonical");
	}
	for (unsigned int n = VMCS_ES; x->v86 && n <= VMCS_GS; n++)
		check_v86_segment(x, n);
	if (!x->v86) {
		check_cs(x);
		check_ss(x);
		for (size_t i = 0; i < ARRAY_SIZE(data); i++)
			check_data(x, data[i]);
	}
	check_tr(x);
	check_ldtr(x);
}

static void check_tables(const struct guest *x)
{
	const struct vmcs_guest *g = x->g;

	x->r->section = "Checks on Guest Descriptor-Table Registers";
	refuse_if(x->r, vmx_not_canonical(x->f, g->gdtr_base), "GDTR base", g->gdtr_base, "must be canonical");
	refuse_if(x->r, vmx_not_canonical(x->f, g->idtr_base), "IDTR base", g->idtr_base, "must be canonical");
	refuse_if(x->r, g->gdtr_limit >> 16, "GDTR limit", g->gdtr_limit, "bits 31:16 must be 0");
	refuse_if(x->r, g->idtr_limit >> 16, "IDTR limit", g->idtr_limit, "bits 31:16 must be 0");
}

static bool injects(const struct guest *x, unsigned int type)
{
	return (x->s->intr_info & INTR_VALID) && INTR_TYPE(x->s->intr_info) == type;
}

/* RIP may be one bit from canonical: bits 63:N must be alike, where N is the linear width, and bit N-1 need not be. */
static void check_rip(const struct guest *x)
{
	uint64_t rip = x->g->rip, upper = rip >> x->f->linear_bits;
	bool code64 = x->ia32e && (x->g->seg[VMCS_CS].access & AR_L);

	refuse_if(x->r, !code64 && rip >> 32, "RIP", rip, "bits 63:32 must be 0 outside 64-bit mode");
	refuse_if(x->r, code64 && upper && upper != UINT64_MAX >> x->f->linear_bits, "RIP", rip,
		  "bits beyond the linear width must be alike");
}

static void check_rflags(const struct guest *x)
{
	uint64_t rflags = x->g->rflags;

	refuse_if(x->r, rflags & RFLAGS_RESERVED, "RFLAGS", rflags, "bits 63:22, 15, 5 and 3 must be 0");
	refuse_if(x->r, !(rflags & RFLAGS_FIXED), "RFLAGS", rflags, "bit 1 must be 1");
	refuse_if(x->r, x->v86 && (x->ia32e || !x->protected), "RFLAGS", rflags,
		  "VM must be 0 in an IA-32e mode guest and in real mode");
	refuse_if(x->r, injects(x, INTR_EXT) && !(rflags & RFLAGS_IF), "RFLAGS", rflags,
		  "IF must be 1 when an external interrupt is injected");
}

/* What may be injected into a guest that is not active. */
static bool wakes(const struct guest *x)
{
	unsigned int type = INTR_TYPE(x->s->intr_info), vector = INTR_VECTOR(x->s->intr_info);
	bool mc = type == INTR_HW_EXC && vector == EXC_MC, db = type == INTR_HW_EXC && vector == EXC_DB;

	switch (x->g->activity) {
	case ACTIVITY_HLT: return type == INTR_EXT || type == INTR_NMI || type == INTR_OTHER || mc || db;
	case ACTIVITY_SHUTDOWN: return type == INTR_NMI || mc;
	case ACTIVITY_WAIT_SIPI: return false;
	default: return true;
	}
}

/* IA32_VMX_MISC bits 6 to 8 say which states but the active one there are: SDM 3D "Miscellaneous Data" (A.6). */
static void check_activity(const struct guest *x)
{
	uint64_t state = x->g->activity;
	bool known = state == ACTIVITY_ACTIVE || (state <= ACTIVITY_WAIT_SIPI && (x->f->caps.misc & 1ull << (5 + state)));

	refuse_if(x->r, !known, "activity state", state, "must be one that this CPU has");
	refuse_if(x->r, state == ACTIVITY_HLT && AR_DPL(x->g->seg[VMCS_SS].access), "activity state", state,
		  "HLT needs an SS of DPL 0");
	refuse_if(x->r, state != ACTIVITY_ACTIVE && (x->g->interruptibility & (BLOCK_STI | BLOCK_MOV_SS)),
		  "activity state", state, "must be active while STI or MOV SS blocks");
	refuse_if(x->r, (x->s->intr_info & INTR_VALID) && !wakes(x), "activity state", state,
		  "does not allow the injected event");
}

static void check_blocking(const struct guest *x)
{
	uint64_t b = x->g->interruptibility;
	bool sti = b & BLOCK_STI, mov_ss = b & BLOCK_MOV_SS, enclave = b & BLOCK_ENCLAVE;
	bool virtual_nmis = x->s->pin & PIN_VIRTUAL_NMI, nmi = injects(x, INTR_NMI);

	refuse_if(x->r, b & BLOCK_RESERVED, "interruptibility state", b, "bits 31:5 must be 0");
	refuse_if(x->r, sti && mov_ss, "interruptibility state", b, "STI and MOV SS cannot both block");
	refuse_if(x->r, sti && !(x->g->rflags & RFLAGS_IF), "interruptibility state", b, "STI blocks only while IF is 1");
	refuse_if(x->r, (sti || mov_ss) && injects(x, INTR_EXT), "interruptibility state", b,
		  "no external interrupt while STI or MOV SS blocks");
	refuse_if(x->r, mov_ss && nmi, "interruptibility state", b, "no NMI while MOV SS blocks");
	refuse_if(x->r, sti && nmi, "interruptibility state", b, "no NMI while STI blocks, on some CPUs");
	refuse_if(x->r, b & BLOCK_SMI, "interruptibility state", b, "SMIs are not blocked outside SMM");
	refuse_if(x->r, (b & BLOCK_NMI) && virtual_nmis && nmi, "interruptibility state", b, "no NMI while NMIs are blocked");
	refuse_if(x->r, enclave && (mov_ss || !x->f->sgx), "interruptibility state", b,
		  "bit 4 needs SGX, and no blocking by MOV SS");
}

static void check_pending_debug(const struct guest *x)
{
	uint64_t p = x->g->pending_dbg, shadow = x->g->interruptibility & (BLOCK_STI | BLOCK_MOV_SS);
	bool waits = shadow || x->g->activity == ACTIVITY_HLT;
	bool steps = (x->g->rflags & RFLAGS_TF) && !(x->g->debugctl & DEBUGCTL_BTF);
	bool rtm = p & PENDING_RTM, rtm_alone = (p & (0xfffull | PENDING_BREAK | PENDING_DBG_BS)) == PENDING_BREAK;

	refuse_if(x->r, p & PENDING_RESERVED, "pending debug exceptions", p, "bits 63:17, 15, 13 and 11:4 must be 0");
	refuse_if(x->r, waits && steps && !(p & PENDING_DBG_BS), "pending debug exceptions", p,
		  "BS must be 1 while TF steps over a blocked instruction or HLT");
	refuse_if(x->r, waits && !steps && (p & PENDING_DBG_BS), "pending debug exceptions", p,
		  "BS must be 0 while nothing steps");
	refuse_if(x->r, rtm && (!rtm_alone || !x->f->rtm || (shadow & BLOCK_MOV_SS)), "pending debug exceptions", p,
		  "RTM needs a CPU with RTM, bit 12 alone, and no blocking by MOV SS");
}

static void check_link(const struct guest *x)
{
	uint64_t p = x->g->link_pointer;

	if (p == UINT64_MAX)
		return;
	refuse_if(x->r, p & (PAGE_SIZE - 1), "VMCS link pointer", p, "must be aligned");
	refuse_if(x->r, vmx_too_wide(x->f, p), "VMCS link pointer", p, "must lie within the physical width");
	refuse_if(x->r, p == x->f->vmcs.v, "VMCS link pointer", p, "must not be the current VMCS");
}

static void check_non_register(const struct guest *x)
{
	x->r->section = "Checks on Guest Non-Register State";
	check_activity(x);
	check_blocking(x);
	check_pending_debug(x);
	check_link(x);
}

static void check_pdptes(const struct guest *x)
{
	static const char *const names[] = { "PDPTE0", "PDPTE1", "PDPTE2", "PDPTE3" };

	x->r->section = "Checks on Guest Page-Directory-Pointer-Table Entries";
	if (!vmx_cpu2(x->s, CPU2_EPT) || x->ia32e || !(x->g->cr0 & CR0_PG) || !(x->g->cr4 & CR4_PAE))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t e = x->g->pdpte[i];

		refuse_if(x->r, (e & 1) && ((e & 0x1e6) || vmx_too_wide(x->f, e)), names[i], e,
			  "bits 2:1, 8:5 and beyond the physical width must be 0");
	}
}

void vmx_check_guest(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	const struct guest x = {
		.r = r, .s = s, .f = f, .g = &s->guest,
		.v86 = s->guest.rflags & RFLAGS_VM,
		.ia32e = s->entry & ENTRY_IA32E,
		.unrestricted = vmx_cpu2(s, CPU2_UNRESTRICTED),
		.protected = s->guest.cr0 & CR0_PE,
	};

	check_control_registers(&x);
	check_segments(&x);
	check_tables(&x);
	r->section = "Checks on Guest RIP and RFLAGS";
	check_rip(&x);
	check_rflags(&x);
	check_non_register(&x);
	check_pdptes(&x);
}
