/* SPDX-License-Identifier: BSD-2-Clause */
/* VMRUN's checks: every way to be refused, one bit at a time, each with its own reason; and the modes that are taken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <vouch/x86.h>

#include "arch/x86/svm/check.h"
#include "tests/refusals/svm_states.h"
#include "tests/unit/support/log.h"

static const struct svm_facts rich = {
	.phys_bits = 40, .asids = 16, .cr4 = 0xf71fff & ~(1ull << 19), .efer = 0x5d01, .nested_paging = true,
	.flush_by_asid = true,
};

static void taken(const struct vmcb *c, const char *what)
{
	struct refusals r;

	svm_check(&r, c, &rich);
	if (r.count)
		fail_msg("%s: %s 0x%lx: %s", what, r.list[0].field, r.list[0].value, r.list[0].rule);
}

static void takes_every_mode(void **ctx)
{
	struct vmcb real = mode(CR0_ET, 0, 0, 0x93), protected = mode(CR0_PE | CR0_ET, 0, 0, 0xc9b);
	struct vmcb paged = mode(CR0_PE | CR0_PG, CR4_PSE, 0, 0xc9b), pae = mode(CR0_PE | CR0_PG, CR4_PAE, 0, 0xc9b);
	struct vmcb is64 = long_mode(), compat = mode(CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0xc9b);
	struct vmcb v86 = mode(CR0_PE | CR0_PG, CR4_VME, 0, 0xf3), paged_real = mode(CR0_PG, 0, 0, 0x9b);
	struct vmcb lme_only = mode(CR0_PE, CR4_PAE, EFER_LME, 0xc9b);

	(void)ctx;
	v86.rflags |= RFLAGS_VM;
	v86.cpl = 3;
	taken(&real, "real mode");
	taken(&protected, "protected mode");
	taken(&paged, "32-bit paging");
	taken(&pae, "PAE paging");
	taken(&is64, "64-bit mode");
	taken(&compat, "compatibility mode");
	taken(&v86, "virtual-8086 mode");
	taken(&paged_real, "real mode with paging");
	taken(&lme_only, "long mode enabled, not yet active");
}

/* At the edge of a rule, on the good side. */
static void takes_what_only_looks_bad(void **ctx)
{
	struct vmcb c = mode(CR0_PE, CR4_PAE, EFER_LME, 0xe9b);

	(void)ctx;
	taken(&c, "CS.L and CS.D outside long mode");
	c = long_mode();
	c.cr0 |= CR0_CD | CR0_NW;
	taken(&c, "CD and NW");
	c.cr0 = CR0_PE | CR0_PG | CR0_CD | CR0_ET | 0x1ff80000;
	taken(&c, "reserved bits in CR0's lower half");
	c = long_mode();
	c.rip = 1ull << 63;
	c.gdtr.base = c.fs.base = c.cs.base = 1ull << 60;
	c.rflags = 0;
	taken(&c, "addresses and flags, which VMRUN does not check");
	c.cr3 = (1ull << 40) - 1;
	c.iopm_pa = (1ull << 40) - 0x3000;
	c.msrpm_pa = (1ull << 40) - 0x2000 + 0xfff;
	taken(&c, "the last places within the physical width");
	c.asid = 15;
	c.tlb_control = 7;
	taken(&c, "the last ASID");
	c.np_enable = 0;
	c.pat = c.nested_cr3 = UINT64_MAX;
	taken(&c, "nested paging's words without nested paging");
	c.event_inj = 0x7fffffff;
	taken(&c, "an event that is not valid");
	c.int_ctl |= SVM_INTCTL_V_NMI_ENABLE;
	taken(&c, "virtual NMIs with the intercept");
}

static void takes_every_event(void **ctx)
{
	static const uint8_t exceptions[] = { 0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 21, 28, 29, 30 };
	struct vmcb c = mode(CR0_PE | CR0_PG, CR4_PSE, 0, 0xc9b);

	(void)ctx;
	for (unsigned int i = 0; i < 256; i++) {
		c.event_inj = SVM_EVENT_VALID | i;
		taken(&c, "external interrupt");
		c.event_inj = SVM_EVENT_VALID | SVM_EVENT_SOFT << 8 | i;
		taken(&c, "INT n");
		c.event_inj = SVM_EVENT_VALID | SVM_EVENT_NMI << 8 | i;
		taken(&c, "NMI, whose vector is not looked at");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(exceptions); i++) {
		c.event_inj = SVM_EVENT_VALID | SVM_EVENT_EXC << 8 | exceptions[i];
		taken(&c, "exception");
	}
}

static unsigned int bad_states;

/* Refused for this reason and no other. */
static void refused_by(const struct svm_facts *f, const struct vmcb *c, const char *field, const char *rule)
{
	struct refusals r;

	svm_check(&r, c, f);
	if (r.count != 1 || strcmp(r.list[0].field, field) || strcmp(r.list[0].rule, rule))
		fail_msg("%u rules broken, first %s 0x%lx: %s; expected %s: %s", r.count, r.count ? r.list[0].field : "none",
			 r.count ? r.list[0].value : 0, r.count ? r.list[0].rule : "", field, rule);
	assert_non_null(r.list[0].section);
	bad_states++;
}

/* Each bit of mask alone, in the 64 bits at that place of a good VMCB. */
static void refuses_bits(const struct vmcb *start, size_t at, uint64_t mask, const char *field, const char *rule)
{
	struct vmcb c = *start;
	uint64_t good, bad;

	memcpy(&good, (char *)&c + at, 8);
	for (unsigned int i = 0; i < 64; i++) {
		if (!(mask & 1ull << i))
			continue;
		bad = good ^ 1ull << i;
		memcpy((char *)&c + at, &bad, 8);
		refused_by(&rich, &c, field, rule);
	}
}

#define BITS(c, member, mask, field, rule) refuses_bits(&(c), offsetof(struct vmcb, member), mask, field, rule)
#define HIGH 0xffffffff00000000ull

static void refuses_reserved_bits(void **ctx)
{
	struct vmcb c = long_mode(), v86 = mode(CR0_PE | CR0_PG, CR4_VME, 0, 0xf3);

	(void)ctx;
	BITS(c, efer, EFER_SVME, "EFER", "SVME must be 1");
	BITS(c, efer, ~0x5d01ull, "EFER", "bits this CPU does not have must be 0");
	BITS(c, cr0, HIGH, "CR0", "bits 63:32 must be 0");
	BITS(c, cr3, UINT64_MAX << 40, "CR3", "bits beyond the physical width must be 0");
	BITS(v86, cr3, UINT64_MAX << 40, "CR3", "bits beyond the physical width must be 0");
	BITS(c, cr4, ~0xf71fffull | 1ull << 19, "CR4", "bits that this CPU lacks must be 0");
	BITS(c, dr6, HIGH, "DR6", "bits 63:32 must be 0");
	BITS(c, dr7, HIGH, "DR7", "bits 63:32 must be 0");
	BITS(c, s_cet, ~3ull, "S_CET", "bits 63:2 must be 0");
	BITS(c, nested_cr3, UINT64_MAX << 40, "N_CR3", "must lie within the physical width");
	BITS(c, iopm_pa, UINT64_MAX << 40, "IOPM_BASE_PA", "the I/O map must end within the physical width");
	BITS(c, msrpm_pa, UINT64_MAX << 40, "MSRPM_BASE_PA", "the MSR map must end within the physical width");
}

static void refuses_combinations(void **ctx)
{
	struct vmcb c = long_mode();

	(void)ctx;
	c.cr0 |= CR0_NW;
	refused_by(&rich, &c, "CR0", "NW must be 0 while CD is 0");
	c = long_mode();
	c.cr4 &= ~CR4_PAE;
	refused_by(&rich, &c, "CR4", "PAE must be 1 while EFER.LME and CR0.PG are");
	c = long_mode();
	c.efer &= ~EFER_LMA;                     /* what VMRUN looks at is LME */
	c.cr4 &= ~CR4_PAE;
	refused_by(&rich, &c, "CR4", "PAE must be 1 while EFER.LME and CR0.PG are");
	c = long_mode();
	c.cr0 &= ~CR0_PE;
	refused_by(&rich, &c, "CR0", "PE must be 1 while EFER.LME and CR0.PG are");
	c = long_mode();
	c.cs.attr |= SEG_ATTR_DB;
	refused_by(&rich, &c, "CS attributes", "L and D cannot both be 1 in long mode");
	c = long_mode();
	c.cr4 |= CR4_CET;
	c.cr0 &= ~CR0_WP;
	refused_by(&rich, &c, "CR4", "CET needs CR0.WP");
}

static void refuses_controls(void **ctx)
{
	static const uint8_t bad_tlb[] = { 2, 4, 5, 6, 8, 0x10, 0x80, 0xff };
	struct vmcb c = long_mode();

	(void)ctx;
	c.intercept2 = ~SVM_INT2_VMRUN;
	refused_by(&rich, &c, "intercepts", "VMRUN must be intercepted");
	c = long_mode();
	c.iopm_pa = (1ull << 40) - 0x2000;       /* the first page lies within, the last one does not */
	refused_by(&rich, &c, "IOPM_BASE_PA", "the I/O map must end within the physical width");
	c = long_mode();
	c.msrpm_pa = (1ull << 40) - 0x1000;
	refused_by(&rich, &c, "MSRPM_BASE_PA", "the MSR map must end within the physical width");
	c = long_mode();
	c.asid = 0;
	refused_by(&rich, &c, "Guest ASID", "0 is the host's");
	for (unsigned int i = 4; i < 32; i++) {
		c.asid = 1u << i;
		refused_by(&rich, &c, "Guest ASID", "must be below the CPU's number of ASIDs");
	}
	c = long_mode();
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_tlb); i++) {
		c.tlb_control = bad_tlb[i];
		refused_by(&rich, &c, "TLB_CONTROL", "must be 0, 1, 3 or 7");
	}
	c = long_mode();
	c.int_ctl |= SVM_INTCTL_V_NMI_ENABLE;
	c.intercept1 &= ~SVM_INT1_NMI;
	refused_by(&rich, &c, "V_NMI_ENABLE", "needs the NMI intercept");
}

static void refuses_events(void **ctx)
{
	static const uint8_t types[] = { 1, 5, 6, 7 }, vectors[] = { 2, 9, 15, 20, 22, 23, 24, 25, 26, 27, 31, 32, 64, 255 };
	struct vmcb c = long_mode();

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		c.event_inj = SVM_EVENT_VALID | (uint64_t)types[i] << 8 | 0x40;
		refused_by(&rich, &c, "EVENTINJ", "this TYPE is reserved");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++) {
		c.event_inj = SVM_EVENT_VALID | SVM_EVENT_EXC << 8 | vectors[i];
		refused_by(&rich, &c, "EVENTINJ", "VECTOR is no exception's");
	}
	for (unsigned int i = EXC_OF; i <= EXC_BR; i++) {
		c.event_inj = SVM_EVENT_VALID | SVM_EVENT_EXC << 8 | i;
		refused_by(&rich, &c, "EVENTINJ", "64-bit code raises neither #OF nor #BR");
	}
}

static void refuses_memory_types(void **ctx)
{
	static const uint8_t bad[] = { 2, 3, 8, 0x16, 0x26, 0x46, 0x86 };
	struct vmcb c = long_mode();

	(void)ctx;
	for (unsigned int byte = 0; byte < 8; byte++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
			c.pat = (PAT_RESET & ~(0xffull << 8 * byte)) | (uint64_t)bad[i] << 8 * byte;
			refused_by(&rich, &c, "G_PAT", "each byte must be a memory type");
		}
	}
}

static void refuses_what_the_cpu_lacks(void **ctx)
{
	struct svm_facts f = rich;
	struct vmcb c = long_mode();

	(void)ctx;
	f.nested_paging = false;
	refused_by(&f, &c, "NP_ENABLE", "this CPU has no nested paging");
	f = rich;
	f.flush_by_asid = false;
	for (unsigned int i = 3; i <= 7; i += 4) {
		c.tlb_control = (uint8_t)i;
		refused_by(&f, &c, "TLB_CONTROL", "3 and 7 need FlushByAsid");
	}
	c = mode(CR0_PE, 0, EFER_LME, 0xc9b);
	f = rich;
	f.efer &= ~(EFER_LME | EFER_LMA);
	refused_by(&f, &c, "EFER", "LME and LMA must be 0 without long mode");
	c.efer = EFER_LMA | EFER_SVME;
	refused_by(&f, &c, "EFER", "LME and LMA must be 0 without long mode");
}

/* The figure is a promise of the project's: at least 125 bad states with a reason. */
static void refused_enough(void **ctx)
{
	(void)ctx;
	assert_true(bad_states >= 125);
}

static void names_each_broken_rule(void **ctx)
{
	struct vmcb c;
	struct refusals r;

	(void)ctx;
	memset(&c, 0xff, sizeof(c));
	svm_check(&r, &c, &rich);
	assert_int_equal(r.count, 15);
	for (unsigned int i = 0; i < r.count; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_true(strcmp(r.list[i].field, r.list[j].field) || strcmp(r.list[i].rule, r.list[j].rule));
	memset(&c, 0, sizeof(c));
	svm_check(&r, &c, &rich);
	assert_int_equal(r.count, 3);            /* SVME, the VMRUN intercept, the ASID */
}

static void logs_field_value_rule_and_section(void **ctx)
{
	struct refusals r;
	struct vmcb c = long_mode();

	(void)ctx;
	c.cr4 = CR4_PGE;
	svm_check(&r, &c, &rich);
	log_clear();
	refusals_log(&r);
	assert_non_null(strstr(log_text(), "  CR4 0x80: PAE must be 1 while EFER.LME and CR0.PG are "
					   "(Canonicalization and Consistency Checks)"));
	r.count = 0;
	r.section = "Section";
	for (uint64_t i = 0; i < REFUSALS_MAX + 3; i++)
		refuse_if(&r, true, "FIELD", i, "rule");
	refuse_if(&r, false, "FIELD", 0, "not broken");
	log_clear();
	refusals_log(&r);
	assert_int_equal(r.count, REFUSALS_MAX + 3);
	assert_non_null(strstr(log_text(), "and 3 more"));
	assert_null(strstr(log_text(), "0x18:"));
}

static struct cpuid_regs cpu_of_2010(uint32_t leaf, uint32_t sub)
{
	assert_int_equal(sub, 0);
	switch (leaf) {
	case 1: return (struct cpuid_regs){ .ecx = 0, .edx = 0x178bfbff };
	case 0x80000001: return (struct cpuid_regs){ .ecx = 0x37ff, .edx = 0xefd3fbff };
	case 0x80000008: return (struct cpuid_regs){ .eax = 0x3030 };
	case 0x8000000a: return (struct cpuid_regs){ .eax = 1, .ebx = 64, .edx = 0x4f };
	default: return (struct cpuid_regs){ 0 };
	}
}

static struct cpuid_regs cpu_of_2024(uint32_t leaf, uint32_t sub)
{
	(void)sub;
	switch (leaf) {
	case 1: return (struct cpuid_regs){ .ecx = 1u << 17 | 1u << 26, .edx = 0x178bfbff };
	case 7: return (struct cpuid_regs){ .ebx = 1u << 0 | 1u << 7 | 1u << 20, .ecx = 1u << 2 | 1u << 3 | 1u << 7 | 1u << 16 };
	case 0x80000001: return (struct cpuid_regs){ .ecx = 1u << 2 | 1u << 17, .edx = 0x2fd3fbff };
	case 0x80000008: return (struct cpuid_regs){ .eax = 0x3934, .ebx = 1u << 20 | 1u << 13 | 1u << 8 };
	case 0x8000000a: return (struct cpuid_regs){ .eax = 1, .ebx = 32768, .edx = 1u << 0 };
	case 0x80000021: return (struct cpuid_regs){ .eax = 3u << 7 };
	default: return (struct cpuid_regs){ 0 };
	}
}

static struct cpuid_regs cpu_of_nothing(uint32_t leaf, uint32_t sub)
{
	(void)leaf;
	(void)sub;
	return (struct cpuid_regs){ 0 };
}

static void reads_what_the_cpu_has(void **ctx)
{
	struct svm_facts f = svm_facts_read(cpu_of_2010);

	(void)ctx;
	assert_int_equal(f.phys_bits, 48);
	assert_int_equal(f.asids, 64);
	assert_true(f.nested_paging && f.flush_by_asid);
	assert_int_equal(f.cr4, 0x7ff);
	assert_int_equal(f.efer, 0x7d01);         /* LMSLE and FFXSR too */
	f = svm_facts_read(cpu_of_2024);
	assert_int_equal(f.phys_bits, 52);
	assert_true(f.nested_paging && !f.flush_by_asid);
	assert_int_equal(f.cr4, 0xf71fff & ~(1ull << 19));
	assert_int_equal(f.efer, 0x36dd01);
	f = svm_facts_read(cpu_of_nothing);
	assert_int_equal(f.phys_bits, 36);
	assert_int_equal(f.cr4, CR4_PCE);
	assert_int_equal(f.efer, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_mode),
		cmocka_unit_test(takes_what_only_looks_bad),
		cmocka_unit_test(takes_every_event),
		cmocka_unit_test(refuses_reserved_bits),
		cmocka_unit_test(refuses_combinations),
		cmocka_unit_test(refuses_controls),
		cmocka_unit_test(refuses_events),
		cmocka_unit_test(refuses_memory_types),
		cmocka_unit_test(refuses_what_the_cpu_lacks),
		cmocka_unit_test(refused_enough),
		cmocka_unit_test(names_each_broken_rule),
		cmocka_unit_test(logs_field_value_rule_and_section),
		cmocka_unit_test(reads_what_the_cpu_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
