/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID, MSR and control-register policy: what a guest may see and set, and that everything else is denied. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <vouch/gpa.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/kvmclock.h"
#include "arch/x86/exit/operand.h"
#include "arch/x86/exit/policy.h"
#include "tests/unit/support/seam.h"
#include "tests/unit/support/xcr0.h"

/* What policy code calls of other rooms, as far as these tests need it. */
static uint64_t apic_value;
static struct { uint64_t at; uint8_t bytes[64]; size_t len; } written;
static bool ram_is_there;

static struct lapic lapic;

int lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *val)
{
	(void)l;
	*val = apic_value;
	return msr == 0x8ff ? -EINVAL : 0;
}

int lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t val)
{
	if (msr == MSR_APIC_BASE)
		l->base = val;
	apic_value = val;
	return msr == 0x8ff ? -EINVAL : 0;
}

void lapic_set_cr8(struct lapic *l, uint8_t cr8)
{
	(void)l;
	apic_value = cr8;
}

int gpa_write(struct vm *vm, gpa_t a, const void *buf, size_t len)
{
	(void)vm;
	if (!ram_is_there || len > sizeof(written.bytes))
		return -EFAULT;
	written.at = a.v;
	written.len = len;
	memcpy(written.bytes, buf, len);
	return 0;
}

bool gpa_is_ram(struct vm *vm, gpa_t a)
{
	(void)vm;
	(void)a;
	return true;
}

/* Of which there are two pages; the rest is ROM. */
bool gpa_is_writable(struct vm *vm, gpa_t a)
{
	(void)vm;
	return ram_is_there && a.v >= 0x5000 && a.v < 0x7000;
}

uint64_t vclock_tsc(const struct vclock *c)
{
	(void)c;
	return 1000;
}

bool emu_map_operand(struct emu *m, unsigned int size, int64_t delta, unsigned int access, struct place *p)
{
	(void)size;
	(void)delta;
	(void)access;
	(void)p;
	m->action = EXIT_FAULT;
	return m->v->gpr[REG_R15] == 0;         /* the test's way to ask for a fault */
}

static uint64_t placed;

void place_write(struct emu *m, const struct place *p, uint64_t val)
{
	(void)m;
	(void)p;
	placed = val;
}

void emu_reg_write(struct emu *m, unsigned int reg, unsigned int size, uint64_t val)
{
	m->v->gpr[reg] = size == 8 ? val : val & ((1ull << size * 8) - 1);
}

uint64_t place_read(struct emu *m, const struct place *p)
{
	(void)m;
	(void)p;
	return 0x8;
}

static struct vcpu *fresh(void)
{
	seam_reset();
	apic_value = 0;
	memset(&written, 0, sizeof(written));
	ram_is_there = true;
	seam.vm.clock.host_khz = 2000000;
	seam.vm.plan.devices = PLAN_STANDARD;
	lapic.base = APIC_DEFAULT_BASE | APIC_BASE_ENABLE;
	seam.vcpu.lapic = &lapic;
	msr_reset(&seam.vcpu);
	return &seam.vcpu;
}

static enum exit_action msr_write_of(struct vcpu *v, uint32_t msr, uint64_t val)
{
	v->gpr[REG_RCX] = msr | 0xdead00000000ull;      /* the upper half does not count */
	v->gpr[REG_RAX] = (uint32_t)val | 0xbeef00000000ull;
	v->gpr[REG_RDX] = val >> 32;
	return exit_msr(v, true);
}

static enum exit_action msr_read_of(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	enum exit_action a;

	v->gpr[REG_RCX] = msr;
	a = exit_msr(v, false);
	*val = v->gpr[REG_RDX] << 32 | (uint32_t)v->gpr[REG_RAX];
	if (a == EXIT_NEXT) {
		assert_int_equal(v->gpr[REG_RAX] >> 32, 0);
		assert_int_equal(v->gpr[REG_RDX] >> 32, 0);
	}
	return a;
}

static void assert_gp0(struct vcpu *v, enum exit_action a)
{
	assert_int_equal(a, EXIT_FAULT);
	assert_int_equal(v->fault.vector, EXC_GP);
	assert_true(v->fault.has_error);
	assert_int_equal(v->fault.error, 0);
}

static void assert_round_trip(uint32_t msr, uint64_t val)
{
	struct vcpu *v = &seam.vcpu;
	uint64_t got;

	assert_int_equal(msr_write_of(v, msr, val), EXIT_NEXT);
	assert_int_equal(msr_read_of(v, msr, &got), EXIT_NEXT);
	assert_int_equal(got, val);
}

static void unknown_leaves_are_zero(void **ctx)
{
	static const uint32_t leaves[] = { 3, 5, 0xa, 0xc, 0xe, 0x14, 0x3fffffff, 0x40000002,
					   0x40000003, 0x40000004, 0x400000ff, 0x40000102,
					   0x80000009, 0x8000000a, 0x8000001d, 0x8000001f, 0xc0000000, 0xffffffff };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_view r = policy_cpuid(leaves[i], 0, ~0ull, 0);

		assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	}
}

static void cpuid_shows_a_hypervisor_and_no_virtualization(void **ctx)
{
	struct cpuid_view one = policy_cpuid(1, 0, 0, 7);
	struct cpuid_view ext = policy_cpuid(0x80000001, 0, 0, 7);
	struct cpuid_view sig = policy_cpuid(0x40000000, 0, 0, 7), kvm = policy_cpuid(0x40000100, 0, 0, 7);
	char text[13] = "";

	(void)ctx;
	assert_true(one.ecx & 1u << 31);
	assert_true(one.ecx & 1u << 21);                /* x2APIC */
	assert_true(one.ecx & 1u << 24);                /* TSC deadline */
	assert_false(one.ecx & 1u << 5);                /* VMX */
	assert_false(one.ecx & 1u << 3);                /* MONITOR */
	assert_false(one.ecx & 1u << 17);               /* PCID */
	assert_false(ext.ecx & 1u << 2);                /* SVM */
	assert_false(ext.ecx & 1u << 29);               /* MONITORX */
	assert_int_equal(one.ebx >> 24, 7);
	memcpy(text, &sig.ebx, 4);
	memcpy(text + 4, &sig.ecx, 4);
	memcpy(text + 8, &sig.edx, 4);
	assert_string_equal(text, "VouchVouchVM");
	assert_int_equal(sig.eax, 0x40000003);
	assert_int_equal(kvm.eax, 0x40000101);
	assert_memory_equal(&kvm.ebx, "KVMK", 4);
	assert_int_equal(policy_cpuid(0x40000101, 0, 0, 0).eax, 1u << 1 | 1u << 3 | 1u << 24);
	assert_int_equal(policy_cpuid(0xb, 0, 0, 7).edx, 7);
	assert_int_equal(policy_cpuid(0xb, 1, 0, 7).ecx, 0x201);
	for (uint32_t sub = 2; sub < 300; sub += 99) {
		struct cpuid_view beyond = policy_cpuid(0xb, sub, 0, 7);

		assert_int_equal(beyond.eax | beyond.ebx, 0);
		assert_int_equal(beyond.ecx, sub & 0xff);
		assert_int_equal(beyond.edx, 7);
	}
}

static void a_guest_without_apic_sees_none(void **ctx)
{
	struct vcpu *v = fresh();
	uint64_t val;

	(void)ctx;
	seam.vm.plan.devices = 0;
	assert_gp0(v, msr_read_of(v, MSR_APIC_BASE, &val));
	assert_gp0(v, msr_write_of(v, MSR_APIC_BASE, APIC_DEFAULT_BASE | APIC_BASE_ENABLE));
	assert_gp0(v, msr_write_of(v, MSR_TSC_DEADLINE, 1));
	assert_gp0(v, msr_read_of(v, MSR_TSC_DEADLINE, &val));
	v->gpr[REG_RAX] = 1;
	exit_cpuid(v);
	assert_false(v->gpr[REG_RDX] & 1u << 9);
	assert_false(v->gpr[REG_RCX] & (1u << 21 | 1u << 24));
	v->gpr[REG_RAX] = 0x80000001;
	exit_cpuid(v);
	assert_false(v->gpr[REG_RDX] & 1u << 9);
	seam.vm.plan.devices = PLAN_STANDARD;
	v->gpr[REG_RAX] = 1;
	exit_cpuid(v);
	assert_true(v->gpr[REG_RDX] & 1u << 9);
	assert_true(v->gpr[REG_RCX] & 1u << 24);
}

/* Linux gives XSAVE up where the sizes do not agree with the features: "XSAVE consistency problem". */
static void xsave_sizes_go_with_its_features(void **ctx)
{
	struct cpuid_view zero = policy_cpuid(0xd, 0, 0, 0), one = policy_cpuid(0xd, 1, 0, 0),
			  avx = policy_cpuid(0xd, 2, 0, 0);

	(void)ctx;
	if (!zero.eax)
		skip();
	assert_int_equal(zero.eax & ~7u, 0);
	assert_int_equal(zero.ecx, zero.eax & 4 ? avx.ebx + avx.eax : 576);
	assert_int_equal(one.eax & 8, 0);               /* XSAVES */
	if (one.eax & 2)                                /* XSAVEC: EBX is what it writes */
		assert_true(one.ebx >= 576);
}

static void addresses_are_no_wider_than_guests_walk(void **ctx)
{
	(void)ctx;
	assert_in_range(policy_cpuid(0x80000008, 0, 0, 0).eax >> 8, 1, 48);
	assert_int_equal(policy_cpuid(7, 0, 0, 0).ecx & 1u << 16, 0);   /* LA57 */
}

static bool shows_apic(struct vcpu *v, uint32_t leaf)
{
	v->gpr[REG_RAX] = leaf;
	v->gpr[REG_RCX] = 0;
	exit_cpuid(v);
	return v->gpr[REG_RDX] & 1u << 9;
}

/* The answers that the fast path has learnt go with each write. */
static void cpuid_follows_the_apics_enable_bit(void **ctx)
{
	const uint64_t base = APIC_DEFAULT_BASE | APIC_BASE_BSP;
	struct vcpu *v = fresh();
	bool amds = shows_apic(v, 0x80000001);  /* this host's */

	(void)ctx;
	assert_true(shows_apic(v, 1));
	assert_int_equal(v->fast.cpuid[FAST_CPUID_SLOT(1, 0)].key, 1);
	msr_write_of(v, MSR_APIC_BASE, base);
	assert_int_not_equal(v->fast.cpuid[FAST_CPUID_SLOT(1, 0)].key, 1);
	assert_false(shows_apic(v, 1));
	assert_false(shows_apic(v, 0x80000001));
	v->gpr[REG_RAX] = 1;
	exit_cpuid(v);
	assert_true(v->gpr[REG_RCX] & 1u << 21);        /* what it could do stays */
	msr_write_of(v, MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	assert_int_not_equal(v->fast.cpuid[FAST_CPUID_SLOT(1, 0)].key, 1);
	assert_true(shows_apic(v, 1));
	assert_int_equal(shows_apic(v, 0x80000001), amds);
}

static void osxsave_follows_cr4(void **ctx)
{
	(void)ctx;
	assert_false(policy_cpuid(1, 0, 0, 0).ecx & 1u << 27);
	if (policy_cr4() & CR4_OSXSAVE)
		assert_true(policy_cpuid(1, 0, CR4_OSXSAVE, 0).ecx & 1u << 27);
	assert_int_equal(policy_xcr0() & ~7ull, 0);
}

static void cpuid_exit_fills_four_clean_registers(void **ctx)
{
	struct vcpu *v = fresh();

	(void)ctx;
	memset(v->gpr, 0xff, sizeof(v->gpr));
	v->gpr[REG_RAX] = 0xffffffff40000000ull;
	assert_int_equal(exit_cpuid(v), EXIT_NEXT);
	assert_int_equal(v->gpr[REG_RAX], 0x40000003);
	assert_int_equal(v->gpr[REG_RBX] >> 32 | v->gpr[REG_RCX] >> 32 | v->gpr[REG_RDX] >> 32, 0);
	assert_int_equal(v->gpr[REG_RSI], UINT64_MAX);
}

static void name_ask(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	memset(v->gpr, 0xff, sizeof(v->gpr));
	v->gpr[REG_RAX] = leaf;
	v->gpr[REG_RCX] = sub;
	assert_int_equal(exit_cpuid(v), EXIT_NEXT);
	out[0] = (uint32_t)v->gpr[REG_RAX];
	out[1] = (uint32_t)v->gpr[REG_RBX];
	out[2] = (uint32_t)v->gpr[REG_RCX];
	out[3] = (uint32_t)v->gpr[REG_RDX];
	assert_int_equal((v->gpr[REG_RAX] | v->gpr[REG_RBX] | v->gpr[REG_RCX] | v->gpr[REG_RDX]) >> 32, 0);
}

/* Each byte of the name, none behind it, and nothing anywhere else. */
static void a_guest_reads_its_name(void **ctx)
{
	static const uint32_t zero[4];
	struct vcpu *v = fresh();
	struct tao_name *n = &v->vm->tao;
	uint32_t out[4];

	(void)ctx;
	memset(n, 0xaa, sizeof(*n));
	for (n->text_len = 0; n->text_len < TAO_TEXT_MAX; n->text_len++) {
		for (uint32_t sub = 1; sub < 25; sub++) {
			uint32_t begin = 16 * (sub - 1), have = n->text_len > begin ? n->text_len - begin : 0;

			have = have < 16 ? have : 16;
			name_ask(v, 0x40000003, sub, out);
			assert_memory_equal(out, n->text, have);
			assert_memory_equal((uint8_t *)out + have, zero, 16 - have);
		}
		n->has_host = n->text_len & 1;
		name_ask(v, 0x40000003, 0, out);
		assert_int_equal(out[0], n->text_len);
		assert_int_equal(out[1], n->has_host);
		assert_int_equal(out[2] | out[3], 0);
	}
	for (size_t i = 0; i < sizeof(n->binary); i++)
		n->binary[i] = (uint8_t)i;
	n->binary_len = 20;
	name_ask(v, 0x40000002, 0, out);
	assert_int_equal(out[0], 20);
	name_ask(v, 0x40000002, 1, out);
	assert_memory_equal(out, n->binary, 16);
	name_ask(v, 0x40000002, 2, out);
	assert_memory_equal(out, n->binary + 16, 4);
	assert_int_equal(out[1] | out[2] | out[3], 0);
	for (uint32_t sub = 3; sub; sub = sub > UINT32_MAX / 2 ? (sub == UINT32_MAX ? 0 : UINT32_MAX) : sub * 2) {
		name_ask(v, 0x40000002, sub, out);
		assert_memory_equal(out, zero, sizeof(out));
	}
	name_ask(v, 0x40000004, 1, out);
	assert_memory_equal(out, zero, sizeof(out));
}

/* Every MSR number that a guest could find by trying: denied unless it is in this list. */
static void unknown_msrs_fault(void **ctx)
{
	static const uint32_t some[] = { 0, 1, 0x17, 0x3a, 0x3b, 0x48, 0x49, 0x79, 0xc1, 0x122, 0x186, 0x1da, 0x210,
					 0x251, 0x25a, 0x270, 0x300, 0x38f, 0x400, 0x480, 0x570, 0x7ff, 0x900, 0xda0,
					 0x40000000, 0x4b564d02, 0xc0000104, 0xc0010000, 0xc0010020, 0xc0010114, 0xc0010117,
					 0xc0011020, 0xffffffff };
	struct vcpu *v = fresh();
	uint64_t val;

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		assert_gp0(v, msr_read_of(v, some[i], &val));
		assert_gp0(v, msr_write_of(v, some[i], 0));
	}
	assert_int_equal(v->unknown_msrs, 2 * ARRAY_SIZE(some));
	assert_int_equal(v->recent_msrs.accesses, 2 * ARRAY_SIZE(some));
}

/* On whatever CPU this runs: RDTSCP and RDPID read the same MSR. */
static void tsc_aux_goes_with_its_readers(void **ctx)
{
	bool rdtscp = policy_cpuid(0x80000001, 0, 0, 0).edx >> 27 & 1, rdpid = policy_cpuid(7, 0, 0, 0).ecx >> 22 & 1;

	(void)ctx;
	assert_int_equal(policy_has_tsc_aux(), rdtscp || rdpid);
}

/* The host's CPU says which ones: a guest sees its maker. */
static void a_maker_has_only_its_own_msrs(void **ctx)
{
	static const uint32_t amd[] = { 0xc0010010, 0xc0010015, 0xc001001f, 0xc0011029 };
	struct vcpu *v = fresh();
	uint64_t val;

	(void)ctx;
	if (policy_by_amd()) {
		for (size_t i = 0; i < ARRAY_SIZE(amd); i++)
			assert_int_equal(msr_read_of(v, amd[i], &val), EXIT_NEXT);
		assert_gp0(v, msr_read_of(v, 0x1a0, &val));
		assert_gp0(v, msr_write_of(v, 0x1a0, 0x1801));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(amd); i++) {
		assert_gp0(v, msr_read_of(v, amd[i], &val));
		assert_gp0(v, msr_write_of(v, amd[i], 0));
	}
	assert_int_equal(msr_read_of(v, 0x1a0, &val), EXIT_NEXT);
	assert_int_equal(val, 0x1801);
	assert_int_equal(msr_write_of(v, 0x1a0, 0x1801), EXIT_NEXT);
	assert_gp0(v, msr_write_of(v, 0x1a0, 0x1801 | 1ull << 34));     /* XD disable */
}

static void efer_takes_what_cpuid_shows(void **ctx)
{
	struct vcpu *v = fresh();

	(void)ctx;
	assert_gp0(v, msr_write_of(v, MSR_EFER, EFER_SVME));
	assert_gp0(v, msr_write_of(v, MSR_EFER, 1ull << 63));
	/* LME cannot change while paging is on; LMA is not the guest's to set. */
	assert_gp0(v, msr_write_of(v, MSR_EFER, 0));
	assert_int_equal(msr_write_of(v, MSR_EFER, EFER_LME | EFER_SCE), EXIT_NEXT);
	assert_int_equal(seam.reg[HVM_EFER], EFER_LME | EFER_SCE | EFER_LMA);
	seam.reg[HVM_CR0] = CR0_PE;
	seam.reg[HVM_EFER] = 0;
	assert_int_equal(msr_write_of(v, MSR_EFER, EFER_LME | EFER_LMA), EXIT_NEXT);
	assert_int_equal(seam.reg[HVM_EFER], EFER_LME);
}

static void debugctl_takes_single_steps_only(void **ctx)
{
	struct vcpu *v = fresh();
	uint64_t val;

	(void)ctx;
	assert_int_equal(msr_write_of(v, 0x1d9, 2), EXIT_NEXT);
	assert_int_equal(msr_read_of(v, 0x1d9, &val), EXIT_NEXT);
	assert_int_equal(val, 0);
	assert_gp0(v, msr_write_of(v, 0x1d9, 1));
	assert_gp0(v, msr_write_of(v, 0x1d9, 1ull << 32));
}

static void memory_type_msrs_check_their_types(void **ctx)
{
	struct vcpu *v = fresh();

	(void)ctx;
	assert_round_trip(MSR_PAT, 0x0007050600070106ull);
	assert_gp0(v, msr_write_of(v, MSR_PAT, 0x02));
	assert_gp0(v, msr_write_of(v, MSR_PAT, 3ull << 56));
	assert_gp0(v, msr_write_of(v, MSR_PAT, 8ull << 32));
	assert_round_trip(MSR_MTRR_DEF_TYPE, 0xc06);
	assert_gp0(v, msr_write_of(v, MSR_MTRR_DEF_TYPE, 0xc07));
	assert_gp0(v, msr_write_of(v, MSR_MTRR_DEF_TYPE, 1ull << 12));
	assert_round_trip(MSR_MTRR_PHYSBASE0 + 2, 0x80000006ull);
	assert_gp0(v, msr_write_of(v, MSR_MTRR_PHYSBASE0 + 2, 0x80000002ull));
	assert_gp0(v, msr_write_of(v, MSR_MTRR_PHYSBASE0 + 2, 1ull << 63));
	for (unsigned int bit = 8; bit <= 11; bit++)
		assert_gp0(v, msr_write_of(v, MSR_MTRR_PHYSBASE0 + 2, 0x80000006ull | 1ull << bit));
	assert_gp0(v, msr_write_of(v, MSR_MTRR_PHYSBASE0 + 3, 0x1ull));
	assert_round_trip(MSR_MTRR_PHYSBASE0 + 15, 0x800ull);
	assert_round_trip(MSR_MTRR_FIX4K_F8, 0x0606050401000606ull);
	assert_round_trip(MSR_MTRR_FIX64K, 0x0101010101010101ull);
	assert_gp0(v, msr_write_of(v, MSR_MTRR_FIX16K_A0, 2));
	assert_gp0(v, msr_write_of(v, MSR_MTRR_CAP, 0));
}

static void fixed_ranges_do_not_share_their_place(void **ctx)
{
	static const uint32_t msrs[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f };
	struct vcpu *v = fresh();
	uint64_t val;

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		memset(v->mtrr_fix, 0, sizeof(v->mtrr_fix));
		assert_int_equal(msr_write_of(v, msrs[i], 0x0606060606060606ull), EXIT_NEXT);
		for (size_t j = 0; j < ARRAY_SIZE(msrs); j++) {
			assert_int_equal(msr_read_of(v, msrs[j], &val), EXIT_NEXT);
			assert_int_equal(val, i == j ? 0x0606060606060606ull : 0);
		}
	}
}

static void a_written_tsc_moves_deadlines_too(void **ctx)
{
	struct vcpu *v = fresh();
	uint64_t val;

	(void)ctx;
	assert_int_equal(msr_write_of(v, MSR_TSC, 5000), EXIT_NEXT);
	assert_int_equal(msr_read_of(v, MSR_TSC, &val), EXIT_NEXT);
	assert_int_equal(val, 5000);
	assert_int_equal(seam.reg[HVM_TSC_OFFSET], 4000);
	assert_int_equal(msr_write_of(v, MSR_TSC_DEADLINE, 6000), EXIT_NEXT);
	assert_int_equal(apic_value, 2000);             /* in the VM's clock */
	assert_int_equal(msr_read_of(v, MSR_TSC_DEADLINE, &val), EXIT_NEXT);
	assert_int_equal(val, 6000);
	assert_int_equal(msr_write_of(v, MSR_TSC_DEADLINE, 0), EXIT_NEXT);
	assert_int_equal(apic_value, 0);
	assert_int_equal(msr_write_of(v, MSR_TSC_DEADLINE, 4000), EXIT_NEXT);
	assert_int_equal(apic_value, 1);                /* not zero, which would disarm */
	/* Past in the guest's time, though not by subtraction; and farther than the clock counts. */
	assert_int_equal(msr_write_of(v, MSR_TSC_DEADLINE, 5), EXIT_NEXT);
	assert_int_equal(apic_value, 1);
	assert_int_equal(msr_write_of(v, MSR_TSC, 0), EXIT_NEXT);
	assert_int_equal(msr_write_of(v, MSR_TSC_DEADLINE, UINT64_MAX - 10), EXIT_NEXT);
	assert_true(apic_value == UINT64_MAX);
	assert_gp0(v, msr_write_of(v, 0x8ff, 0));
}

/* It is compared with the TSC: what is written there brings it nearer, or takes it away, and does not change it. */
static void a_written_tsc_leaves_deadlines_their_value(void **ctx)
{
	struct vcpu *v = fresh();
	uint64_t val;

	(void)ctx;
	assert_int_equal(msr_write_of(v, MSR_TSC_DEADLINE, 9000), EXIT_NEXT);
	assert_int_equal(apic_value, 9000);
	assert_int_equal(msr_write_of(v, MSR_TSC, 8900), EXIT_NEXT);
	assert_int_equal(apic_value, 1100);             /* 100 ticks from now */
	assert_int_equal(msr_read_of(v, MSR_TSC_DEADLINE, &val), EXIT_NEXT);
	assert_int_equal(val, 9000);
	assert_int_equal(msr_write_of(v, MSR_TSC, 500), EXIT_NEXT);
	assert_int_equal(apic_value, 9500);             /* back again */
	assert_int_equal(msr_read_of(v, MSR_TSC_DEADLINE, &val), EXIT_NEXT);
	assert_int_equal(val, 9000);
	assert_int_equal(msr_write_of(v, MSR_TSC, 9000), EXIT_NEXT);
	assert_int_equal(apic_value, 1);                /* now */
	assert_int_equal(msr_write_of(v, MSR_TSC, 0), EXIT_NEXT);
	assert_int_equal(apic_value, 1);                /* what has gone off does not come back */
	apic_value = 0;
	assert_int_equal(msr_write_of(v, MSR_TSC, 5000), EXIT_NEXT);
	assert_int_equal(apic_value, 0);                /* none is armed by it */
	seam.vm.plan.devices = 0;
	apic_value = 9000;
	assert_int_equal(msr_write_of(v, MSR_TSC, 0), EXIT_NEXT);
	assert_int_equal(apic_value, 9000);             /* no APIC of the guest's to ask */
	seam.vm.plan.devices = PLAN_STANDARD;
}

static void kvmclock_writes_its_record(void **ctx)
{
	struct vcpu *v = fresh();
	uint32_t mul;
	int8_t shift;

	(void)ctx;
	assert_int_equal(msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0x5000 | 1), EXIT_NEXT);
	assert_int_equal(written.at, 0x5000);
	assert_int_equal(written.len, 4);               /* the version, last; the rest is test_guest_time.c's subject */
	assert_int_equal(written.bytes[0], 2);
	assert_gp0(v, msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0x5002 | 1));
	/* All of its 32 bytes must be such as can be written; they may lie in two pages. */
	assert_int_equal(msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0x5ff0 | 1), EXIT_NEXT);
	assert_int_equal(msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0x6fe0 | 1), EXIT_NEXT);
	assert_gp0(v, msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0x6fe4 | 1));
	assert_gp0(v, msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0x6ffc | 1));
	assert_gp0(v, msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0x4ffc | 1));
	assert_gp0(v, msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0xe0000 | 1));
	ram_is_there = false;
	assert_gp0(v, msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0x5000 | 1));
	assert_gp0(v, msr_write_of(v, MSR_KVM_WALL_CLOCK, 0x6000));
	assert_int_equal(msr_write_of(v, MSR_KVM_SYSTEM_TIME, 0), EXIT_NEXT);
	for (uint64_t khz = 100000; khz < 6000000; khz += 123457) {
		uint64_t ticks = khz * 1000, ns;

		kvmclock_scale(khz, &mul, &shift);
		ns = mul_div(shift < 0 ? ticks >> -shift : ticks << shift, mul, 1ull << 32);
		assert_in_range(ns, 999999000, 1000001000);
	}
}

static void cr0_rules(void **ctx)
{
	struct vcpu *v = fresh();

	(void)ctx;
	assert_gp0(v, exit_cr_write(v, 0, 1ull << 32 | CR0_PE | CR0_PG));
	assert_gp0(v, exit_cr_write(v, 0, CR0_PG));
	assert_gp0(v, exit_cr_write(v, 0, CR0_PE | CR0_PG | CR0_NW));
	assert_gp0(v, exit_cr_write(v, 0, CR0_PE));     /* paging off in 64-bit mode */
	seam.env.seg[SEG_CS].attr = 0xc9b;              /* compatibility mode: allowed, long mode ends */
	assert_int_equal(exit_cr_write(v, 0, CR0_PE), EXIT_NEXT);
	assert_int_equal(seam.reg[HVM_EFER], EFER_LME);
	assert_int_equal(seam.reg[HVM_CR0], CR0_PE | CR0_ET);
	seam.reg[HVM_CR4] = 0;
	assert_gp0(v, exit_cr_write(v, 0, CR0_PE | CR0_PG));    /* long mode without PAE */
	seam.reg[HVM_CR4] = CR4_PAE;
	assert_int_equal(exit_cr_write(v, 0, CR0_PE | CR0_PG | CR0_WP), EXIT_NEXT);
	assert_int_equal(seam.reg[HVM_EFER], EFER_LME | EFER_LMA);
	assert_int_equal(exit_cr_write(v, 3, 0), EXIT_FAULT);
	assert_int_equal(v->fault.vector, EXC_UD);
}

static void cr4_and_cr8_rules(void **ctx)
{
	struct vcpu *v = fresh();

	(void)ctx;
	assert_gp0(v, exit_cr_write(v, 4, CR4_PAE | 1ull << 13));       /* VMXE */
	assert_gp0(v, exit_cr_write(v, 4, CR4_PAE | CR4_LA57));
	assert_gp0(v, exit_cr_write(v, 4, CR4_PAE | CR4_PCIDE));
	assert_gp0(v, exit_cr_write(v, 4, CR4_PAE | 1ull << 63));
	assert_gp0(v, exit_cr_write(v, 4, 0));
	assert_int_equal(exit_cr_write(v, 4, policy_cr4()), EXIT_NEXT);
	assert_int_equal(seam.reg[HVM_CR4], policy_cr4());
	assert_gp0(v, exit_cr_write(v, 8, 16));
	assert_int_equal(exit_cr_write(v, 8, 9), EXIT_NEXT);
	assert_int_equal(apic_value, 9);
}

static void cr_values_by_instruction(void **ctx)
{
	struct vcpu *v = fresh();
	struct insn in = { .op = INSN_MOV_TO_CR, .reg = 0, .rm = REG_RBX };
	struct x86_env e;
	uint64_t val;
	bool fits;

	(void)ctx;
	seam.host.hvm->env_load(v, &e);
	v->gpr[REG_RBX] = 0x123456789abcdef0ull;
	assert_int_equal(exit_cr_value(v, &e, &in, 0, &val, &fits), EXIT_NEXT);
	assert_true(fits && val == 0x123456789abcdef0ull);
	e.seg[SEG_CS].attr = 0xc9b;
	assert_int_equal(exit_cr_value(v, &e, &in, 0, &val, &fits), EXIT_NEXT);
	assert_true(fits && val == 0x9abcdef0ull);
	exit_cr_value(v, &e, &in, 4, &val, &fits);
	assert_false(fits);
	in = (struct insn){ .op = INSN_LMSW, .rm = REG_RBX };
	v->gpr[REG_RBX] = 0;
	assert_int_equal(exit_cr_value(v, &e, &in, 0, &val, &fits), EXIT_NEXT);
	assert_true(fits && (val & CR0_PE) && (val & CR0_PG));          /* PE stays */
	in.mem = true;
	assert_int_equal(exit_cr_value(v, &e, &in, 0, &val, &fits), EXIT_NEXT);
	assert_true(val & CR0_TS);
	v->gpr[REG_R15] = 1;
	assert_int_equal(exit_cr_value(v, &e, &in, 0, &val, &fits), EXIT_FAULT);
	in = (struct insn){ .op = INSN_CLTS };
	e.cr0 |= CR0_TS;
	assert_int_equal(exit_cr_value(v, &e, &in, 0, &val, &fits), EXIT_NEXT);
	assert_false(val & CR0_TS);
	in.op = INSN_CPUID;
	exit_cr_value(v, &e, &in, 0, &val, &fits);
	assert_false(fits);
}

static void cr0_is_read_as_the_guest_wrote_it(void **ctx)
{
	struct vcpu *v = fresh();
	struct insn in = { .op = INSN_MOV_FROM_CR, .reg = 0, .rm = REG_RBX };
	struct x86_env e;
	bool fits;

	(void)ctx;
	seam.host.hvm->env_load(v, &e);
	e.cr0 = CR0_PE | CR0_PG | CR0_CD | CR0_ET;
	assert_int_equal(exit_cr0_read(v, &e, &in, &fits), EXIT_NEXT);
	assert_true(fits && v->gpr[REG_RBX] == e.cr0);
	in = (struct insn){ .op = INSN_SMSW, .rm = REG_RCX, .size = 4 };
	assert_int_equal(exit_cr0_read(v, &e, &in, &fits), EXIT_NEXT);
	assert_true(fits && v->gpr[REG_RCX] == e.cr0);
	in.mem = true;
	assert_int_equal(exit_cr0_read(v, &e, &in, &fits), EXIT_NEXT);
	assert_true(fits && placed == (e.cr0 & 0xffff));
	v->gpr[REG_R15] = 1;
	assert_int_equal(exit_cr0_read(v, &e, &in, &fits), EXIT_FAULT);
	v->gpr[REG_R15] = 0;
	e.cpl = 3;                                      /* a program may, unless UMIP is on */
	e.cr4 &= ~CR4_UMIP;
	assert_int_equal(exit_cr0_read(v, &e, &in, &fits), EXIT_NEXT);
	e.cr4 |= CR4_UMIP;
	assert_gp0(v, exit_cr0_read(v, &e, &in, &fits));
	in = (struct insn){ .op = INSN_MOV_FROM_CR, .reg = 4 };
	exit_cr0_read(v, &e, &in, &fits);
	assert_false(fits);
	in.op = INSN_CPUID;
	exit_cr0_read(v, &e, &in, &fits);
	assert_false(fits);
}

static void xsetbv_writes_what_it_accepts(void **ctx)
{
	uint64_t all = policy_xcr0();

	(void)ctx;
	seam_reset();
	for (uint64_t val = 0; val < 16; val++) {
		bool good = (val & 1) && !(val & ~all) && (val & 6) != 4;

		fake_xcr0 = seam.vcpu.xcr0 = 0x77;
		seam.vcpu.gpr[REG_RAX] = val;
		seam.vcpu.gpr[REG_RCX] = seam.vcpu.gpr[REG_RDX] = 0;
		assert_int_equal(exit_xsetbv(&seam.vcpu), good ? EXIT_NEXT : EXIT_FAULT);
		assert_int_equal(fake_xcr0, good ? val : 0x77);
		assert_int_equal(seam.vcpu.xcr0, good ? val : 0x77);
	}
}

static void xsetbv_refuses_before_it_writes(void **ctx)
{
	struct vcpu *v = fresh();

	(void)ctx;
	v->gpr[REG_RAX] = 0;
	assert_gp0(v, exit_xsetbv(v));                  /* x87 must be on */
	v->gpr[REG_RAX] = 5;
	assert_gp0(v, exit_xsetbv(v));                  /* AVX without SSE */
	v->gpr[REG_RAX] = 0x200 | 7;
	assert_gp0(v, exit_xsetbv(v));                  /* PKRU is not shown */
	v->gpr[REG_RAX] = 1;
	v->gpr[REG_RCX] = 1;
	assert_gp0(v, exit_xsetbv(v));
	v->gpr[REG_RCX] = 0;
	seam.env.cpl = 3;
	assert_gp0(v, exit_xsetbv(v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_leaves_are_zero),
		cmocka_unit_test(cpuid_shows_a_hypervisor_and_no_virtualization),
		cmocka_unit_test(a_guest_without_apic_sees_none),
		cmocka_unit_test(osxsave_follows_cr4),
		cmocka_unit_test(xsave_sizes_go_with_its_features),
		cmocka_unit_test(addresses_are_no_wider_than_guests_walk),
		cmocka_unit_test(cpuid_follows_the_apics_enable_bit),
		cmocka_unit_test(cpuid_exit_fills_four_clean_registers),
		cmocka_unit_test(a_guest_reads_its_name),
		cmocka_unit_test(unknown_msrs_fault),
		cmocka_unit_test(tsc_aux_goes_with_its_readers),
		cmocka_unit_test(a_maker_has_only_its_own_msrs),
		cmocka_unit_test(efer_takes_what_cpuid_shows),
		cmocka_unit_test(debugctl_takes_single_steps_only),
		cmocka_unit_test(memory_type_msrs_check_their_types),
		cmocka_unit_test(fixed_ranges_do_not_share_their_place),
		cmocka_unit_test(a_written_tsc_moves_deadlines_too),
		cmocka_unit_test(a_written_tsc_leaves_deadlines_their_value),
		cmocka_unit_test(kvmclock_writes_its_record),
		cmocka_unit_test(cr0_rules),
		cmocka_unit_test(cr4_and_cr8_rules),
		cmocka_unit_test(cr_values_by_instruction),
		cmocka_unit_test(cr0_is_read_as_the_guest_wrote_it),
		cmocka_unit_test(xsetbv_writes_what_it_accepts),
		cmocka_unit_test(xsetbv_refuses_before_it_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
