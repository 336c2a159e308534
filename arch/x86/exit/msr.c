/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MSR policy: one table, default deny (#GP). MSRs that the hardware swaps with the guest, and that Vouch does not
 * use, never come here: the vendor opens them in its permission map.
 */
#include "arch/x86/exit/exit.h"

#include "arch/x86/dev/lapic.h"
#include "arch/x86/exit/fast.h"
#include "arch/x86/exit/kvmclock.h"
#include "arch/x86/exit/policy.h"

#define MSR_MCG_CAP     0x179u
#define MSR_MCG_STATUS  0x17au
#define MSR_MISC_ENABLE 0x1a0u
#define MISC_FAST_STRINGS 1ull
#define MISC_UNAVAILABLE  (3ull << 11)  /* branch trace storage, PEBS */
#define MSR_DEBUGCTL    0x1d9u
#define DEBUGCTL_BTF    2ull
#define MSR_AMD_SYSCFG  0xc0010010u
#define MSR_AMD_HWCR    0xc0010015u
#define MSR_AMD_NB_CFG  0xc001001fu
#define MSR_AMD_DE_CFG  0xc0011029u
#define DE_CFG_LFENCE   2ull            /* LFENCE is dispatch-serialising */

#define MTRR_VAR_COUNT  8u
#define MTRR_CAP        (1u << 10 | 1u << 8 | MTRR_VAR_COUNT)  /* write-combining, fixed ranges, variable ones */
#define MTRR_DEF_E      (1ull << 11)
#define MTRR_DEF_FE     (1ull << 10)
#define MTRR_VALID      (1ull << 11)
#define MTRR_WB         6u

/* 0, or -1 for #GP(0). */
typedef int (*msr_read_fn)(struct vcpu *v, uint32_t msr, uint64_t *val);
typedef int (*msr_write_fn)(struct vcpu *v, uint32_t msr, uint64_t val);

struct msr_row {
	uint32_t first, last;
	msr_read_fn read;             /* NULL: #GP */
	msr_write_fn write;
	bool plain;                   /* nothing but WRMSR, and what fast_forget() is for, changes what is read */
};

static int read_zero(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = 0;
	return 0;
}

static int write_ignored(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)v;
	(void)msr;
	(void)val;
	return 0;
}

/* No branch records; a debugger's wish for single steps by branch is taken, and it gets every step instead. */
static int write_debugctl(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)v;
	(void)msr;
	return val & ~DEBUGCTL_BTF ? -1 : 0;
}

static int write_zero_only(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)v;
	(void)msr;
	return val ? -1 : 0;
}

/* The guest's TSC is the VM's clock plus what this vCPU wrote; devices and deadlines go by the clock alone. */
static int read_tsc(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = vclock_tsc(&v->vm->clock) + v->tsc_adjust;
	return 0;
}

void vcpu_tsc_match(struct vcpu *v)
{
	uint64_t offset = v->vm->clock.tsc_offset + v->tsc_adjust - (uint64_t)v->tsc_delta;

	if (offset == v->tsc_offset)
		return;
	v->tsc_offset = offset;
	vcpu_set_reg(v, HVM_TSC_OFFSET, offset);
}

/* CPUID shows none of the APIC's MSRs to a guest configured without one: it must not be able to switch it on. */
static bool has_apic(const struct vcpu *v)
{
	return v->vm->plan.devices >> PLAN_LAPIC & 1;
}

static int read_apic(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	return !has_apic(v) || lapic_msr_read(v->lapic, msr, val) ? -1 : 0;
}

static int write_apic(struct vcpu *v, uint32_t msr, uint64_t val)
{
	return !has_apic(v) || lapic_msr_write(v->lapic, msr, val) ? -1 : 0;
}

static int write_apic_base(struct vcpu *v, uint32_t msr, uint64_t val)
{
	fast_forget_cpuid(v);                   /* leaf 1 tells whether it is enabled */
	return write_apic(v, msr, val);
}

static int read_deadline(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	if (!has_apic(v) || lapic_msr_read(v->lapic, msr, val))
		return -1;
	if (*val)
		*val += v->tsc_adjust;
	return 0;
}

/* Zero stays zero, which disarms. What is past fires at once, and what lies beyond the clock's end never does. */
static uint64_t deadline_by_clock(const struct vcpu *v, uint64_t val)
{
	uint64_t clock = vclock_tsc(&v->vm->clock), now = clock + v->tsc_adjust;

	if (!val)
		return 0;
	if (val <= now)
		return 1;
	return clock + min_u64(val - now, UINT64_MAX - clock);
}

static int write_deadline(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (!has_apic(v))
		return -1;
	return lapic_msr_write(v->lapic, msr, deadline_by_clock(v, val)) ? -1 : 0;
}

/*
 * SDM 3A "TSC-Deadline Mode" (11.5.4.1): the deadline is compared with the TSC itself, so an armed one keeps its value and comes
 * sooner or later. One that the clock has passed already stays so.
 */
static int write_tsc(struct vcpu *v, uint32_t msr, uint64_t val)
{
	uint64_t clock = vclock_tsc(&v->vm->clock), old = v->tsc_adjust, deadline = 0;

	(void)msr;
	if (has_apic(v) && lapic_msr_read(v->lapic, MSR_TSC_DEADLINE, &deadline))
		deadline = 0;
	v->tsc_adjust = val - clock;
	vcpu_tsc_match(v);
	kvmclock_update(v);
	if (deadline > clock)
		write_deadline(v, MSR_TSC_DEADLINE, deadline + old);
	return 0;
}

static int read_efer(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = vcpu_reg(v, HVM_EFER);
	return 0;
}

/* APM 2 "Extended Feature Enable Register (EFER)" (3.1.7). */
static int write_efer(struct vcpu *v, uint32_t msr, uint64_t val)
{
	uint64_t old = vcpu_reg(v, HVM_EFER);

	(void)msr;
	if (val & ~policy_efer())
		return -1;
	if (((old ^ val) & EFER_LME) && (vcpu_reg(v, HVM_CR0) & CR0_PG))
		return -1;
	vcpu_set_reg(v, HVM_EFER, (val & ~EFER_LMA) | (old & EFER_LMA));
	return 0;
}

static bool memory_type_ok(uint8_t type, bool pat)
{
	return type == 0 || type == 1 || type == 4 || type == 5 || type == 6 || (pat && type == 7);
}

static bool memory_types_ok(uint64_t val, bool pat)
{
	for (unsigned int i = 0; i < 64; i += 8)
		if (!memory_type_ok((uint8_t)(val >> i), pat))
			return false;
	return true;
}

static int read_pat(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = vcpu_reg(v, HVM_PAT);
	return 0;
}

static int write_pat(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if (!memory_types_ok(val, true))
		return -1;
	vcpu_set_reg(v, HVM_PAT, val);
	return 0;
}

static int read_mtrr_cap(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = MTRR_CAP;
	return 0;
}

static int read_mtrr_def(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->mtrr_def_type;
	return 0;
}

static int write_mtrr_def(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if ((val & ~(MTRR_DEF_E | MTRR_DEF_FE | 0xff)) || !memory_type_ok((uint8_t)val, false))
		return -1;
	v->mtrr_def_type = val;
	return 0;
}

static int read_mtrr_var(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	*val = v->mtrr_var[msr - MSR_MTRR_PHYSBASE0];
	return 0;
}

static int write_mtrr_var(struct vcpu *v, uint32_t msr, uint64_t val)
{
	uint64_t high = ~0ull << policy_phys_bits();
	bool is_mask = msr & 1;

	if (val & (high | (is_mask ? 0x7ff : 0xf00)))
		return -1;
	if (!is_mask && !memory_type_ok((uint8_t)val, false))
		return -1;
	v->mtrr_var[msr - MSR_MTRR_PHYSBASE0] = val;
	return 0;
}

/* 250h; 258h, 259h; 268h-26Fh: in the order of Xen's MTRR record. */
static unsigned int fixed_index(uint32_t msr)
{
	if (msr == MSR_MTRR_FIX64K)
		return 0;
	if (msr <= MSR_MTRR_FIX16K_A0)
		return 1 + (msr - MSR_MTRR_FIX16K_80);
	return 3 + (msr - MSR_MTRR_FIX4K_C0);
}

static int read_mtrr_fix(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	*val = v->mtrr_fix[fixed_index(msr)];
	return 0;
}

static int write_mtrr_fix(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (!memory_types_ok(val, false))
		return -1;
	v->mtrr_fix[fixed_index(msr)] = val;
	return 0;
}

static int read_ucode(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->ucode_rev;
	return 0;
}

static int read_de_cfg(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = DE_CFG_LFENCE;
	return 0;
}

/* SDM 4 "IA32_MISC_ENABLE": Intel's boot code and Linux read it on any CPU; what it could switch on is not there. */
static int read_misc_enable(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = MISC_UNAVAILABLE | MISC_FAST_STRINGS;
	return 0;
}

static int write_misc_enable(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)v;
	(void)msr;
	return val & ~(MISC_UNAVAILABLE | MISC_FAST_STRINGS) ? -1 : 0;
}

static const struct msr_row table[] = {
	{ MSR_TSC, MSR_TSC, read_tsc, write_tsc, false },
	{ MSR_APIC_BASE, MSR_APIC_BASE, read_apic, write_apic_base, true },
	{ MSR_UCODE_REV, MSR_UCODE_REV, read_ucode, write_ignored, true },
	{ MSR_MTRR_CAP, MSR_MTRR_CAP, read_mtrr_cap, NULL, true },
	{ MSR_MCG_CAP, MSR_MCG_CAP, read_zero, NULL, true }, /* no bank of machine-check registers */
	{ MSR_MCG_STATUS, MSR_MCG_STATUS, read_zero, write_zero_only, true },
	{ MSR_DEBUGCTL, MSR_DEBUGCTL, read_zero, write_debugctl, false },
	{ MSR_MTRR_PHYSBASE0, MSR_MTRR_PHYSBASE0 + 2 * MTRR_VAR_COUNT - 1, read_mtrr_var, write_mtrr_var, true },
	{ MSR_MTRR_FIX64K, MSR_MTRR_FIX64K, read_mtrr_fix, write_mtrr_fix, true },
	{ MSR_MTRR_FIX16K_80, MSR_MTRR_FIX16K_A0, read_mtrr_fix, write_mtrr_fix, true },
	{ MSR_MTRR_FIX4K_C0, MSR_MTRR_FIX4K_F8, read_mtrr_fix, write_mtrr_fix, true },
	{ MSR_PAT, MSR_PAT, read_pat, write_pat, true },
	{ MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE, read_mtrr_def, write_mtrr_def, true },
	{ MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, read_deadline, write_deadline, false },
	{ MSR_X2APIC_FIRST, MSR_X2APIC_LAST, read_apic, write_apic, false },
	{ MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK, kvmclock_wall_read, kvmclock_wall_write, false },
	{ MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME, kvmclock_read, kvmclock_write, false },
	{ MSR_EFER, MSR_EFER, read_efer, write_efer, true },
};

static const struct msr_row amd_table[] = {
	{ MSR_AMD_SYSCFG, MSR_AMD_SYSCFG, read_zero, write_ignored, true },
	{ MSR_AMD_HWCR, MSR_AMD_HWCR, read_zero, write_ignored, true },
	{ MSR_AMD_NB_CFG, MSR_AMD_NB_CFG, read_zero, write_ignored, true },
	{ MSR_AMD_DE_CFG, MSR_AMD_DE_CFG, read_de_cfg, write_ignored, true },
};

static const struct msr_row intel_table[] = {
	{ MSR_MISC_ENABLE, MSR_MISC_ENABLE, read_misc_enable, write_misc_enable, true },
};

static const struct msr_row *find_in(const struct msr_row *rows, size_t count, uint32_t msr)
{
	for (size_t i = 0; i < count; i++)
		if (msr >= rows[i].first && msr <= rows[i].last)
			return &rows[i];
	return NULL;
}

static const struct msr_row *find_row(uint32_t msr)
{
	const struct msr_row *row = find_in(table, ARRAY_SIZE(table), msr);

	if (row)
		return row;
	if (policy_by_amd())
		return find_in(amd_table, ARRAY_SIZE(amd_table), msr);
	return find_in(intel_table, ARRAY_SIZE(intel_table), msr);
}

enum exit_action exit_msr(struct vcpu *v, bool write)
{
	uint32_t msr = (uint32_t)v->gpr[REG_RCX];
	const struct msr_row *row = find_row(msr);
	uint64_t val;

	if (write) {
		val = v->gpr[REG_RDX] << 32 | (uint32_t)v->gpr[REG_RAX];
		if (row && row->write && !row->write(v, msr, val)) {
			if (row->plain)
				fast_forget_msr(v, msr);
			return EXIT_NEXT;
		}
	} else if (row && row->read && !row->read(v, msr, &val)) {
		if (row->plain)
			fast_learn_msr(v, msr, val);
		v->gpr[REG_RAX] = (uint32_t)val;
		v->gpr[REG_RDX] = val >> 32;
		return EXIT_NEXT;
	}
	if (!row) {
		v->unknown_msrs++;
		unhandled_note(&v->recent_msrs, msr, write);
	}
	return vcpu_gp0(v);
}

void msr_reset(struct vcpu *v)
{
	v->tsc_adjust = 0;
	v->kvmclock_msr = v->kvm_wall_msr = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(v->mtrr_var); i++)
		v->mtrr_var[i] = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(v->mtrr_fix); i++)
		v->mtrr_fix[i] = 0x0606060606060606ull;
	v->mtrr_fix[2] = 0;                                     /* A0000-BFFFF: uncached */
	v->mtrr_var[0] = GPA_MMIO_BASE;                         /* 3-4 GiB: uncached */
	v->mtrr_var[1] = ((1ull << policy_phys_bits()) - (GPA_4G - GPA_MMIO_BASE)) | MTRR_VALID;
	v->mtrr_def_type = MTRR_DEF_E | MTRR_DEF_FE | MTRR_WB;
}
