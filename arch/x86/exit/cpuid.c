/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUID policy: one table, default deny. A guest sees what the host has AND the mask allows, OR what Vouch itself
 * provides; a leaf that is not in the table reads as zeros. Names of bits: APM 3 appendix E "Obtaining Processor
 * Information Via the CPUID Instruction".
 */
#include "arch/x86/exit/policy.h"

#include <string.h>

#include <vouch/assert.h>
#include <vouch/vcpu.h>
#include <vouch/x86.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/fast.h"

#define BIT(n) (1u << (n))

/* Leaf 1. */
#define F1_ECX (BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | BIT(12) /* FMA */ | BIT(13) /* CX16 */ | \
		BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ | BIT(22) /* MOVBE */ | BIT(23) /* POPCNT */ | \
		BIT(25) /* AES */ | BIT(26) /* XSAVE */ | BIT(28) /* AVX */ | BIT(29) /* F16C */ | BIT(30) /* RDRAND */)
#define F1_ECX_X2APIC       BIT(21)
#define F1_ECX_TSC_DEADLINE BIT(24)
#define F1_ECX_XSAVE        BIT(26)
#define F1_ECX_OSXSAVE      BIT(27)
#define F1_ECX_HYPERVISOR   BIT(31)
/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
#define F1_EDX 0x078bfbffu
#define F1_EDX_APIC BIT(9)
#define F1_EDX_HTT  BIT(28)
/* Leaf 7: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA */
#define F7_EBX (BIT(0) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(23) | BIT(24) | BIT(29))
#define F7_EBX_FSGSBASE BIT(0)
#define F7_EBX_SMEP     BIT(7)
#define F7_EBX_SMAP     BIT(20)
#define F7_ECX (BIT(2) /* UMIP */ | BIT(22) /* RDPID */)
#define F7_ECX_UMIP BIT(2)
#define F7_ECX_RDPID BIT(22)
#define F7_EDX BIT(4)           /* FSRM */
/* Leaf Dh subleaf 1: XSAVEOPT, XSAVEC, XGETBV with ECX=1; no XSAVES, which would need IA32_XSS. */
#define FD1_EAX (BIT(0) | BIT(1) | BIT(2))
/* Leaf 80000001: LAHF64 CR8LEGACY ABM SSE4A MISALIGNSSE PREFETCHW; the rest would need MSRs that guests don't have. */
#define FE1_ECX (BIT(0) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
/* The copies of leaf 1, SYSCALL NX MMXEXT PAGE1GB RDTSCP LM. Not FXSR_OPT: its bit in EFER is not a guest's. */
#define FE1_EDX (0x0183f3ffu | BIT(11) | BIT(20) | BIT(22) | BIT(26) | BIT(27) | BIT(29))
#define FE1_ECX_CMP_LEGACY BIT(1)
#define FE1_EDX_NX     BIT(20)
#define FE1_EDX_RDTSCP BIT(27)
#define FE7_EDX_INVARIANT_TSC BIT(8)

#define XCR0_ALLOWED 7ull       /* x87, SSE, AVX */
#define XSAVE_BASE   (512u + 64u)       /* legacy region and header: what x87 and SSE state take */
#define LINEAR_BITS  48u        /* without LA57, which no guest sees, whatever the host has */

#define LEAF_VOUCH   0x40000000u
#define LEAF_NAME    (LEAF_VOUCH + 2)   /* the guest's Tao name, binary; the next leaf has its text */
#define LEAF_VOUCH_LAST (LEAF_VOUCH + 3)
#define LEAF_HASH    (LEAF_VOUCH + 0xff) /* debug builds: see hash_now() */
#define LEAF_KVM     0x40000100u
#define KVM_FEATURE_NOP_IO_DELAY  BIT(1)
#define KVM_FEATURE_CLOCKSOURCE2  BIT(3)
#define KVM_FEATURE_CLOCK_STABLE  BIT(24)

#define ALL 0xffffffffu

struct cpuid_row {
	uint32_t leaf, sub_first, sub_last;   /* sub_last ALL: the subleaf does not matter */
	uint32_t eax, ebx, ecx, edx;          /* masks over the host's words */
};

static const struct cpuid_row table[] = {
	{ 0x00000000, 0, ALL, ALL, ALL, ALL, ALL },
	{ 0x00000001, 0, ALL, ALL, 0x0000ff00, F1_ECX, F1_EDX },
	{ 0x00000002, 0, ALL, ALL, ALL, ALL, ALL },
	{ 0x00000004, 0, 7, 0x000003ff, ALL, ALL, 7 },
	{ 0x00000006, 0, ALL, 0, 0, 0, 0 },
	{ 0x00000007, 0, 0, 0, F7_EBX, F7_ECX, F7_EDX },
	{ 0x0000000b, 0, ALL, 0, 0, 0, 0 },
	{ 0x0000000d, 0, 0, (uint32_t)XCR0_ALLOWED, ALL, ALL, 0 },
	{ 0x0000000d, 1, 1, FD1_EAX, ALL, 0, 0 },
	{ 0x0000000d, 2, 2, ALL, ALL, ALL, 0 },
	{ LEAF_VOUCH, 0, ALL, 0, 0, 0, 0 },
	{ LEAF_VOUCH + 1, 0, ALL, 0, 0, 0, 0 },
	{ LEAF_KVM, 0, ALL, 0, 0, 0, 0 },
	{ LEAF_KVM + 1, 0, ALL, 0, 0, 0, 0 },
	{ 0x80000000, 0, ALL, ALL, ALL, ALL, ALL },
	{ 0x80000001, 0, ALL, ALL, 0, FE1_ECX, FE1_EDX },
	{ 0x80000002, 0, ALL, ALL, ALL, ALL, ALL },
	{ 0x80000003, 0, ALL, ALL, ALL, ALL, ALL },
	{ 0x80000004, 0, ALL, ALL, ALL, ALL, ALL },
	{ 0x80000005, 0, ALL, ALL, ALL, ALL, ALL },
	{ 0x80000006, 0, ALL, ALL, ALL, ALL, ALL },
	{ 0x80000007, 0, ALL, 0, 0, 0, FE7_EDX_INVARIANT_TSC },
	{ 0x80000008, 0, ALL, 0x0000ffff, BIT(0) /* CLZERO */ | BIT(2) /* FP error pointers */, 0, 0 },
};

static const struct cpuid_row *find_row(uint32_t leaf, uint32_t sub)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].leaf == leaf && (table[i].sub_last == ALL ||
					      (sub >= table[i].sub_first && sub <= table[i].sub_last)))
			return &table[i];
	return NULL;
}

static void signature(struct cpuid_view *r, uint32_t max, const char sig[12])
{
	r->eax = max;
	memcpy(&r->ebx, sig, 4);
	memcpy(&r->ecx, sig + 4, 4);
	memcpy(&r->edx, sig + 8, 4);
}

/* x2APIC topology (leaf Bh): one thread, one core; more by show_cores(). Behind these two levels the ID is all there is. */
static void topology(struct cpuid_view *r, uint32_t sub, uint32_t apic_id)
{
	r->ebx = sub < 2;
	r->ecx = (sub & 0xff) | (sub < 2 ? (sub + 1) << 8 : 0);
	r->edx = apic_id;
}

/* The largest XSAVE image of the states that a guest may enable, not of all that the host has. */
static uint32_t xsave_max(uint32_t xcr0)
{
	struct cpuid_regs avx = cpuid_leaf(0xd, 2);

	return xcr0 & 4 ? avx.ebx + avx.eax : XSAVE_BASE;
}

/* What Vouch itself provides or limits, on top of the masked host words. */
static void adjust(struct cpuid_view *r, uint32_t leaf, uint32_t sub, uint64_t cr4, uint32_t apic_id)
{
	switch (leaf) {
	case 0x00000000:
		r->eax = 0xd;
		return;
	case 0x00000001:
		r->ebx |= apic_id << 24 | 1u << 16;
		r->ecx |= F1_ECX_X2APIC | F1_ECX_TSC_DEADLINE | F1_ECX_HYPERVISOR;
		if ((r->ecx & F1_ECX_XSAVE) && (cr4 & CR4_OSXSAVE))
			r->ecx |= F1_ECX_OSXSAVE;
		return;
	case 0x00000006:
		r->eax = BIT(2);                /* ARAT: the emulated APIC timer never stops */
		return;
	case 0x0000000b:
		topology(r, sub, apic_id);
		return;
	case 0x0000000d:
		if (sub == 0 && r->eax)
			r->ecx = xsave_max(r->eax);
		return;
	case LEAF_VOUCH:
		signature(r, LEAF_VOUCH_LAST, "VouchVouchVM");
		return;
	case LEAF_VOUCH + 1:
		r->eax = 1;                     /* version of Vouch's guest interface */
		return;
	case LEAF_KVM:
		signature(r, LEAF_KVM + 1, "KVMKVMKVM\0\0\0");
		return;
	case LEAF_KVM + 1:
		r->eax = KVM_FEATURE_NOP_IO_DELAY | KVM_FEATURE_CLOCKSOURCE2 | KVM_FEATURE_CLOCK_STABLE;
		return;
	case 0x80000000:
		r->eax = 0x80000008;
		return;
	case 0x80000008:
		if ((r->eax >> 8 & 0xff) > LINEAR_BITS)
			r->eax = (r->eax & 0xff) | LINEAR_BITS << 8;
		return;
	}
}

struct cpuid_view policy_cpuid(uint32_t leaf, uint32_t sub, uint64_t cr4, uint32_t apic_id)
{
	const struct cpuid_row *row = find_row(leaf, sub);
	struct cpuid_view r = { 0 };
	struct cpuid_regs host = { 0 };

	if (!row)
		return r;
	/* The guest's XCR0 is live, so leaf Dh counts with it by itself. */
	if (leaf < LEAF_VOUCH || leaf >= 0x80000000u)
		host = cpuid_leaf(leaf, sub);
	r = (struct cpuid_view){ host.eax & row->eax, host.ebx & row->ebx, host.ecx & row->ecx, host.edx & row->edx };
	adjust(&r, leaf, sub, cr4, apic_id);
	return r;
}

/* Each CR4 bit goes with the CPUID bit that shows its feature. */
uint64_t policy_cr4(void)
{
	struct cpuid_view one = policy_cpuid(1, 0, 0, 0), seven = policy_cpuid(7, 0, 0, 0);
	const struct { uint64_t cr4; uint32_t shown; } rows[] = {
		{ CR4_VME | CR4_PVI, one.edx & BIT(1) },
		{ CR4_DE, one.edx & BIT(2) },
		{ CR4_PSE, one.edx & BIT(3) },
		{ CR4_TSD, one.edx & BIT(4) },
		{ CR4_PAE, one.edx & BIT(6) },
		{ CR4_MCE, one.edx & BIT(7) },
		{ CR4_PGE, one.edx & BIT(13) },
		{ CR4_OSFXSR, one.edx & BIT(24) },
		{ CR4_OSXMMEXCPT, one.edx & BIT(25) },
		{ CR4_OSXSAVE, one.ecx & F1_ECX_XSAVE },
		{ CR4_FSGSBASE, seven.ebx & F7_EBX_FSGSBASE },
		{ CR4_SMEP, seven.ebx & F7_EBX_SMEP },
		{ CR4_SMAP, seven.ebx & F7_EBX_SMAP },
		{ CR4_UMIP, seven.ecx & F7_ECX_UMIP },
	};
	uint64_t cr4 = CR4_PCE;                 /* RDPMC's own exit gives #GP whatever this says */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].shown)
			cr4 |= rows[i].cr4;
	return cr4;
}

uint64_t policy_xcr0(void)
{
	return policy_cpuid(0xd, 0, 0, 0).eax;
}

uint64_t policy_efer(void)
{
	return EFER_SCE | EFER_LME | EFER_LMA | (policy_cpuid(0x80000001, 0, 0, 0).edx & FE1_EDX_NX ? EFER_NXE : 0);
}

bool policy_has_tsc_aux(void)
{
	return policy_cpuid(0x80000001, 0, 0, 0).edx & FE1_EDX_RDTSCP || policy_cpuid(7, 0, 0, 0).ecx & F7_ECX_RDPID;
}

bool policy_by_amd(void)
{
	struct cpuid_view r = policy_cpuid(0, 0, 0, 0);
	const uint32_t words[3] = { r.ebx, r.edx, r.ecx };

	return !memcmp(words, "AuthenticAMD", 12) || !memcmp(words, "HygonGenuine", 12);
}

unsigned int policy_phys_bits(void)
{
	return policy_cpuid(0x80000008, 0, 0, 0).eax & 0xff;
}

static unsigned int id_bits(unsigned int cpus)
{
	return cpus > 1 ? 32u - (unsigned int)__builtin_clz(cpus - 1) : 0;
}

/* SDM 2A "CPUID" leaf 4: which APIC IDs the package has, and which of them share this cache; each as the highest one. */
static void show_sharing(struct cpuid_view *r, unsigned int cpus)
{
	uint32_t ids = (1u << id_bits(cpus)) - 1;
	unsigned int level = r->eax >> 5 & 7;

	if (!(r->eax & 0x1f))                   /* no cache, and none behind it */
		return;
	r->eax |= ids << 26 | (level >= 3 ? ids << 14 : 0);
}

/*
 * Several vCPUs are cores of one package, without threads: SDM 2A "CPUID" leaves 1, 4 and Bh; APM 3 "Legacy Method" (E.5.1) of
 * finding the number of cores, which AMD's guests use. Each has the caches of levels 1 and 2 for itself; all share the rest.
 */
static void show_cores(struct cpuid_view *r, uint32_t leaf, uint32_t sub, unsigned int cpus)
{
	switch (leaf) {
	case 0x00000001:
		r->ebx = (r->ebx & ~0xff0000u) | cpus << 16;
		r->edx |= F1_EDX_HTT;
		return;
	case 0x00000004:
		show_sharing(r, cpus);
		return;
	case 0x0000000b:
		if (sub == 1) {
			r->eax = id_bits(cpus);
			r->ebx = cpus;
		}
		return;
	case 0x80000001:
		r->ecx |= policy_by_amd() ? FE1_ECX_CMP_LEGACY : 0;
		return;
	case 0x80000008:
		r->ecx |= policy_by_amd() ? id_bits(cpus) << 12 | (cpus - 1) : 0;
		return;
	}
}

/* SDM 3A "Enabling or Disabling the Local APIC" (11.4.3): the bit, and AMD's copy of it, follow IA32_APIC_BASE. */
static void hide_apic_off(struct cpuid_view *r, uint32_t leaf)
{
	if (leaf == 1 || leaf == 0x80000001)
		r->edx &= ~F1_EDX_APIC;
}

/* A guest configured without a local APIC sees none. */
static void hide_apic(struct cpuid_view *r, uint32_t leaf)
{
	hide_apic_off(r, leaf);
	if (leaf == 1)
		r->ecx &= ~(F1_ECX_X2APIC | F1_ECX_TSC_DEADLINE);
	else if (leaf == 0xb)
		*r = (struct cpuid_view){ 0 };
}

/* Nothing that has the guest compare one vCPU's TSC with another's. */
static void hide_even_tsc(struct cpuid_view *r, uint32_t leaf)
{
	if (leaf == 0x80000007)
		r->edx &= ~FE7_EDX_INVARIANT_TSC;
	else if (leaf == LEAF_KVM + 1)
		r->eax &= ~KVM_FEATURE_CLOCK_STABLE;
}

/* Subleaf 0 has the length, those after it 16 bytes each, zeros behind the end. docs/guest-interface.md. */
static struct cpuid_view name_piece(const struct tao_name *name, uint32_t leaf, uint32_t sub)
{
	const uint8_t *bytes = leaf == LEAF_NAME ? name->binary : (const uint8_t *)name->text;
	uint32_t len = leaf == LEAF_NAME ? name->binary_len : name->text_len;
	uint64_t off = ((uint64_t)sub - 1) * sizeof(struct cpuid_view);
	struct cpuid_view r = { 0 };

	if (!sub)
		return (struct cpuid_view){ .eax = len, .ebx = name->has_host };
	if (off < len)
		memcpy(&r, bytes + off, min_u64(sizeof(r), len - off));
	return r;
}

/*
 * For tests of debug builds: the host's own SHA-256 runs over a few blocks while the asking guest is in the CPU, as it does
 * when one guest is started beside another. Four words of the state tell that it did; zeros: this host has no such code.
 */
static struct cpuid_view hash_now(const struct host *host)
{
	uint8_t bytes[8 * 64];
	uint32_t h[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	if (!host->sha256)
		return (struct cpuid_view){ 0 };
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	host->sha256(h, bytes, sizeof(bytes) / 64);
	return (struct cpuid_view){ h[0], h[1], h[2], h[3] };
}

enum exit_action exit_cpuid(struct vcpu *v)
{
	uint32_t leaf = (uint32_t)v->gpr[REG_RAX];
	struct cpuid_view r = policy_cpuid(leaf, (uint32_t)v->gpr[REG_RCX], vcpu_reg(v, HVM_CR4), v->id);

	if (!(v->vm->plan.devices & 1u << PLAN_LAPIC))
		hide_apic(&r, leaf);
	else if (!(v->lapic->base & APIC_BASE_ENABLE))
		hide_apic_off(&r, leaf);
	if (v->vm->clock.uneven)
		hide_even_tsc(&r, leaf);
	if (v->vm->vcpus > 1)
		show_cores(&r, leaf, (uint32_t)v->gpr[REG_RCX], v->vm->vcpus);
	if (leaf == LEAF_NAME || leaf == LEAF_NAME + 1)
		r = name_piece(&v->vm->tao, leaf, (uint32_t)v->gpr[REG_RCX]);
	else if (DEBUG_BUILD && leaf == LEAF_HASH)
		r = hash_now(v->vm->host);
	else if (leaf != 0xd)   /* it tells of XCR0, which a guest of QEMU 7.2 on SVM may change without an exit */
		fast_learn_cpuid(v, leaf, (uint32_t)v->gpr[REG_RCX], &r);
	v->gpr[REG_RAX] = r.eax;
	v->gpr[REG_RBX] = r.ebx;
	v->gpr[REG_RCX] = r.ecx;
	v->gpr[REG_RDX] = r.edx;
	return EXIT_NEXT;
}
