/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMRUN of good VMCBs and of those that differ in one bit, and of every EVENTINJ: the checker must say the same as the
 * CPU. A guest that is entered leaves at once: its nested tables are empty. What cannot be tried: states that end
 * emulators themselves (LMA or RFLAGS.VM against the mode), and a guest without nested tables.
 */
#include "kernel.h"

#include <string.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/svm/check.h"
#include "tests/refusals/svm_states.h"

#define MSR_VM_HSAVE_PA 0xc0010117u

const char test_name[] = "svm-checks";

void svm_try(uint64_t vmcb);

/* Members that VMRUN looks at, and some that it does not; in each as many bits are flipped. */
struct member {
	const char *field;
	uint16_t at, bits;
};

#define MEMBER(name, member, bits) { name, offsetof(struct vmcb, member), bits }

static const struct member members[] = {
	MEMBER("EFER", efer, 64), MEMBER("CR0", cr0, 64), MEMBER("CR3", cr3, 64), MEMBER("CR4", cr4, 64),
	MEMBER("DR6", dr6, 64), MEMBER("DR7", dr7, 64), MEMBER("RIP", rip, 64), MEMBER("CPL", cpl, 2),
	MEMBER("CS attributes", cs.attr, 16), MEMBER("CS base", cs.base, 64), MEMBER("SS attributes", ss.attr, 16),
	MEMBER("S_CET", s_cet, 64), MEMBER("intercepts", intercept2, 32), MEMBER("IOPM_BASE_PA", iopm_pa, 64),
	MEMBER("MSRPM_BASE_PA", msrpm_pa, 64), MEMBER("Guest ASID", asid, 32), MEMBER("TLB_CONTROL", tlb_control, 8),
	MEMBER("N_CR3", nested_cr3, 64), MEMBER("G_PAT", pat, 64),
};

static struct vmcb vmcb, good, changed;
static uint8_t host_save[PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t empty[PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t maps[5 * PAGE_SIZE] __attribute__((aligned(4096)));
static struct svm_facts facts;

static void try_state(const char *mode, const struct vmcb *c, const char *field)
{
	struct refusals r;
	bool refused;

	svm_check(&r, c, &facts);
	memcpy(&vmcb, c, sizeof(vmcb));
	svm_try((uint64_t)&vmcb);
	refused = svm_exit_is_invalid(vmcb.exit_code);
	trials++;
	if (refused && !r.count)
		disagree("refuses", field, "the checker takes it", mode);
	else if (!refused && r.count)
		disagree("takes", r.list[0].field, r.list[0].rule, mode);
}

static bool may_flip(const struct member *m, unsigned int bit)
{
	if (m->at == offsetof(struct vmcb, efer))
		return bit != 8 && bit != 10;
	return m->at != offsetof(struct vmcb, cr0) || (bit != 0 && bit != 31);
}

static void flip_each_bit(const char *mode)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		for (unsigned int bit = 0; bit < members[i].bits; bit++) {
			memcpy(&changed, &good, sizeof(good));
			((uint8_t *)&changed)[members[i].at + bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (may_flip(&members[i], bit))
				try_state(mode, &changed, members[i].field);
		}
	}
}

static void inject_each_event(const char *mode)
{
	memcpy(&changed, &good, sizeof(good));
	for (uint32_t event = 0; event < 0x800; event++) {
		changed.event_inj = SVM_EVENT_VALID | event;
		try_state(mode, &changed, "EVENTINJ");
	}
}

static void try_mode(const char *mode)
{
	good.intercept1 = ~SVM_INT1_VINTR;
	good.intercept2 = 0x7fff;
	good.intercept_exceptions = UINT32_MAX;
	good.iopm_pa = (uint64_t)maps;
	good.msrpm_pa = (uint64_t)maps + 3 * PAGE_SIZE;
	good.nested_cr3 = (uint64_t)empty;
	try_state(mode, &good, "nothing");
	flip_each_bit(mode);
	inject_each_event(mode);
	agree(mode);
}

void test_main(void)
{
	facts = svm_facts_read(cpuid_leaf);
	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
	msr_write(MSR_VM_HSAVE_PA, (uint64_t)host_save);
	good = long_mode();
	try_mode("64-bit mode");
	good = mode(CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0xc9b);
	try_mode("compatibility mode");
	good = mode(CR0_ET, 0, 0, 0x93);
	try_mode("real mode");
	good = mode(CR0_PE | CR0_ET, 0, 0, 0xc9b);
	try_mode("protected mode");
	good = mode(CR0_PE | CR0_PG, CR4_PSE, 0, 0xc9b);
	try_mode("32-bit paging");
	good = mode(CR0_PE | CR0_PG, CR4_PAE, 0, 0xc9b);
	try_mode("PAE paging");
}
