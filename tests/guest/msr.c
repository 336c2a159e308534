/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers: what a guest may have keeps its values and refuses bad ones; all else is #GP both ways. */
#include "lib/guest.h"

const char test_name[] = "msr";

#define UD 6u
#define GP 13u
#define CR4_TSD 4ull
#define MSR_TSC 0x10u
#define MSR_APIC_BASE 0x1bu
#define MSR_MTRR_CAP 0xfeu
#define MSR_PAT 0x277u
#define MSR_MTRR_DEF 0x2ffu
#define MSR_EFER 0xc0000080u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u
#define EFER_SCE 1ull
#define EFER_LME 0x100ull
#define EFER_NXE 0x800ull
#define EFER_SVME 0x1000ull
#define NON_CANONICAL 0x0000800000000000ull
#define CANONICAL 0xffff800000000000ull    /* what sign extension makes of it */

struct value {
	u32 msr;
	const char *name;
	u64 val;
};

static void check_kept(void)
{
	static const struct value v[] = {
		{ 0x174, "SYSENTER_CS", 0x10 },
		{ 0x175, "SYSENTER_ESP", 0xffff800012345678ull },
		{ 0x176, "SYSENTER_EIP", 0xffff800087654321ull },
		{ 0xc0000081, "STAR", 0x0030000812345678ull },
		{ MSR_LSTAR, "LSTAR", 0xffffffff81234567ull },
		{ MSR_CSTAR, "CSTAR", 0xffffffff87654321ull },
		{ 0xc0000084, "SFMASK", 0x47700 },
		{ MSR_FS_BASE, "FS_BASE", 0x00007f1234567890ull },
		{ MSR_GS_BASE, "GS_BASE", 0xffff888012345678ull },
		{ MSR_KERNEL_GS, "KERNEL_GS_BASE", 0xfffffe0000001000ull },
		{ MSR_PAT, "PAT", 0x0007040600070406ull },
		{ MSR_PAT, "PAT as Linux sets it", 0x0407050600070106ull },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		u64 old, now, back;
		u32 fault = rdmsr_try(v[i].msr, &old);

		fault = fault == NO_FAULT ? wrmsr_try(v[i].msr, v[i].val) : fault;
		cpuid(0);
		rdmsr_try(v[i].msr, &now);
		wrmsr_try(v[i].msr, old);
		rdmsr_try(v[i].msr, &back);
		report(fault == NO_FAULT && now == v[i].val && back == old, "%s keeps %lx (%lx, fault %x)", v[i].name,
		       v[i].val, now, fault);
	}
}

static void check_bases_count(void)
{
	static u64 word = 0x1122334455667788ull;
	u64 got, old_gs = rdmsr(MSR_GS_BASE);

	wrmsr(MSR_FS_BASE, (u64)&word);
	cpuid(0);
	asm volatile("mov %%fs:0, %0" : "=r"(got));
	report(got == word, "FS_BASE is the base of FS, across an exit");
	wrmsr(MSR_GS_BASE, 0);
	wrmsr(MSR_KERNEL_GS, (u64)&word);
	asm volatile("swapgs");
	cpuid(0);
	asm volatile("mov %%gs:0, %0" : "=r"(got));
	report(got == word && rdmsr(MSR_KERNEL_GS) == 0, "SWAPGS takes KERNEL_GS_BASE");
	wrmsr(MSR_GS_BASE, old_gs);
}

static void check_efer(void)
{
	u64 efer = rdmsr(MSR_EFER);

	report(wrmsr_try(MSR_EFER, efer | EFER_SCE) == NO_FAULT && rdmsr(MSR_EFER) & EFER_SCE, "EFER.SCE can be set");
	report(wrmsr_try(MSR_EFER, efer | EFER_NXE) == NO_FAULT && rdmsr(MSR_EFER) & EFER_NXE, "EFER.NXE can be set");
	wrmsr(MSR_EFER, efer);
	report(rdmsr(MSR_EFER) == efer, "and both cleared");
	report_vouch(wrmsr_try(MSR_EFER, efer & ~EFER_LME) == GP, "clearing EFER.LME with paging on is #GP");
	report_vouch(rdmsr(MSR_EFER) == efer, "and changes nothing");
	wrmsr(MSR_EFER, efer);
	report_vouch(wrmsr_try(MSR_EFER, efer | EFER_SVME) == GP, "EFER.SVME is #GP");
	wrmsr(MSR_EFER, efer);
	report_vouch(wrmsr_try(MSR_EFER, efer | 1 << 1) == GP, "a reserved bit of EFER is #GP");
	report_vouch(wrmsr_try(MSR_EFER, efer | 1ull << 63) == GP, "another one too");
	wrmsr(MSR_EFER, efer);
	report(rdmsr(MSR_EFER) == efer, "EFER is as before");
}

static void check_pat(void)
{
	static const u64 bad[] = { 2, 3, 8, 0x80, 0x0007040600070402ull, 0x0207040600070406ull };
	u64 old = rdmsr(MSR_PAT);
	unsigned int i;

	report_vouch(old == 0x0007040600070406ull, "PAT has its reset value");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		report_vouch(wrmsr_try(MSR_PAT, bad[i]) == GP && rdmsr(MSR_PAT) == old, "PAT %lx is #GP", bad[i]);
	wrmsr(MSR_PAT, old);
}

static void check_mtrr(void)
{
	static const u32 fixed[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f };
	u64 cap = rdmsr(MSR_MTRR_CAP), def = rdmsr(MSR_MTRR_DEF), old, now;
	unsigned int i, count = cap & 0xff;
	bool ok = true;

	report(count >= 2 && count <= 16, "MTRRs: %u variable ranges", count);
	report_vouch(wrmsr_try(MSR_MTRR_CAP, cap) == GP, "MTRRcap is read-only");
	for (i = 0; i < 2 * count; i++) {
		u64 val = i & 1 ? 0x0000000ff0000800ull : 0x0000000040000006ull;

		rdmsr_try(0x200 + i, &old);
		ok = ok && wrmsr_try(0x200 + i, val) == NO_FAULT && rdmsr_try(0x200 + i, &now) == NO_FAULT && now == val;
		wrmsr_try(0x200 + i, old);
	}
	report(ok, "variable MTRRs keep their values");
	ok = true;
	for (i = 0; i < ARRAY_SIZE(fixed); i++) {
		rdmsr_try(fixed[i], &old);
		ok = ok && wrmsr_try(fixed[i], 0x0001040506060504ull) == NO_FAULT;
		ok = ok && rdmsr_try(fixed[i], &now) == NO_FAULT && now == 0x0001040506060504ull;
		wrmsr_try(fixed[i], old);
	}
	report(ok, "fixed MTRRs keep their values");
	report(wrmsr_try(MSR_MTRR_DEF, 0xc06) == NO_FAULT && rdmsr(MSR_MTRR_DEF) == 0xc06, "MTRRdefType keeps its value");
	report_vouch(wrmsr_try(MSR_MTRR_DEF, 0xc02) == GP, "a bad type in MTRRdefType is #GP");
	report_vouch(wrmsr_try(MSR_MTRR_DEF, 0x1c06) == GP, "a reserved bit of MTRRdefType is #GP");
	report_vouch(wrmsr_try(0x200, 3) == GP, "a bad type in a variable MTRR is #GP");
	report_vouch(wrmsr_try(0x250, 0x0700000000000000ull) == GP, "a bad type in a fixed MTRR is #GP");
	report_vouch(wrmsr_try(0x200 + 2 * count, 0) == GP, "no MTRR behind the last");
	wrmsr(MSR_MTRR_DEF, def);
}

static void check_apic_base(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	report(base == (LAPIC | 0x900), "APIC_BASE: default address, enabled, boot CPU (%lx)", base);
	report(wrmsr_try(MSR_APIC_BASE, base) == NO_FAULT && rdmsr(MSR_APIC_BASE) == base, "APIC_BASE takes its own value");
	report_vouch(wrmsr_try(MSR_APIC_BASE, base | 1) == GP, "a reserved bit of APIC_BASE is #GP");
	report_vouch(wrmsr_try(MSR_APIC_BASE, base | 1ull << 52) == GP, "an address beyond the physical ones is #GP");
	report_vouch(wrmsr_try(MSR_APIC_BASE, (base & ~0x800ull) | 0x400) == GP, "x2APIC without enable is #GP");
	report_vouch(rdmsr(MSR_APIC_BASE) == base, "APIC_BASE is as before");
}

static void check_x2apic_closed(void)
{
	static const u32 some[] = { 0x800, 0x802, 0x808, 0x80b, 0x830, 0x83f, 0x8ff };
	unsigned int i;
	u64 v;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		report_vouch(rdmsr_try(some[i], &v) == GP, "reading x2APIC MSR %x in xAPIC mode is #GP", some[i]);
		report_vouch(wrmsr_try(some[i], 0) == GP, "writing it too");
	}
}

static void check_tsc(void)
{
	u64 before = rdtsc(), msr, after, delta;

	msr = rdmsr(MSR_TSC);
	after = rdtsc();
	report_vouch(before <= msr && msr <= after, "the TSC MSR lies between two RDTSC (%lx %lx %lx)", before, msr, after);
	report(after > before, "RDTSC grows");
	report(wrmsr_try(MSR_TSC, before + (1ull << 40)) == NO_FAULT, "the TSC can be written");
	msr = rdtsc();
	delta = msr - (before + (1ull << 40));
	report_vouch(delta < 1ull << 33, "and goes on from there (%lx later)", delta);
	wrmsr(MSR_TSC, msr - (1ull << 40));
}

static void check_unknown(void)
{
	static const u32 msr[] = { 0x0, 0x2, 0x3a, 0x9b, 0x1234, 0x1fff, 0x2000, 0x480, 0x40000000, 0x40000010, 0x4b564dff,
				   0xbfffffff, 0xc0000105, 0xc0001fff, 0xc0002000, 0xc0010114, 0xc0010115, 0xc0010117,
				   0xc0011fff, 0xc0012000, 0xda0, 0xffffffff };
	unsigned int i;
	u64 v;

	for (i = 0; i < ARRAY_SIZE(msr); i++) {
		u32 r = rdmsr_try(msr[i], &v), w = wrmsr_try(msr[i], 0);

		report_vouch(r == GP && last.error == 0 && w == GP, "MSR %x is #GP both ways (%x, %x)", msr[i], r, w);
	}
}

static void check_canonical(void)
{
	static const u32 msr[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS, MSR_LSTAR, MSR_CSTAR, 0x175, 0x176 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msr); i++) {
		u64 old = rdmsr(msr[i]), now;
		u32 fault = wrmsr_try(msr[i], NON_CANONICAL), back = rdmsr_try(msr[i], &now);
		bool kept = fault == NO_FAULT && (now == NON_CANONICAL || now == CANONICAL);

		/*
		 * APM 2 "Canonicalization and Consistency Checks": SYSENTER's need not fault on AMD. QEMU's translator takes
		 * the others, too, and makes addresses canonical when it enters a guest.
		 */
		report(back == NO_FAULT && (kept || (fault == GP && now == old)),
		       "a non-canonical value in MSR %x is #GP or kept (fault %x, %lx)", msr[i], fault, now);
		if (fault != GP && msr[i] >= 0x200)
			print("NOTE: this CPU takes a non-canonical address in MSR %x\n", msr[i]);
		wrmsr(msr[i], old);
	}
}

static void user_rdmsr(void *arg)
{
	(void)arg;
	asm volatile("rdmsr" :: "c"(MSR_EFER) : "eax", "edx");
}

static void user_wrmsr(void *arg)
{
	(void)arg;
	asm volatile("wrmsr" :: "c"(MSR_TSC_AUX), "a"(0), "d"(0));
}

static void check_user(void)
{
	paging_user(true);
	report_fault(guarded_user(user_rdmsr, NULL), GP, "RDMSR at CPL 3 is #GP");
	report_fault(guarded_user(user_wrmsr, NULL), GP, "WRMSR at CPL 3 is #GP");
	paging_user(false);
}

static void check_upper_halves(void)
{
	u64 a = ~0ull, d = ~0ull;

	asm volatile("rdmsr" : "+a"(a), "+d"(d) : "c"(0xdeadbeef00000000ull | MSR_EFER));
	report(a == rdmsr(MSR_EFER) && d == 0, "RDMSR clears the upper halves and takes ECX alone");
}

struct tsc {
	u64 tsc;
	u32 aux;
};

static struct tsc rdtscp(void)
{
	u32 lo, hi, aux;

	asm volatile(".byte 0x0f, 0x01, 0xf9" : "=a"(lo), "=d"(hi), "=c"(aux) :: "memory");
	return (struct tsc){ (u64)hi << 32 | lo, aux };
}

static u64 rdpid(void)
{
	u64 id = ~0ull;

	asm volatile(".byte 0xf3, 0x0f, 0xc7, 0xf8" : "+a"(id) :: "memory");
	return id;
}

static volatile u32 user_aux;

static void user_rdtscp(void *arg)
{
	(void)arg;
	user_aux = rdtscp().aux;
}

static void user_rdpid(void *arg)
{
	(void)arg;
	user_aux = (u32)rdpid();
}

static void check_user_aux(void (*fn)(void *), bool tsd_counts, const char *name)
{
	struct fault f;

	paging_user(true);
	user_aux = 0;
	f = guarded_user(fn, NULL);
	report(f.vector == USER_DONE && user_aux == 0x87654321, "%s at CPL 3 (%x)", name, user_aux);
	write_cr4(read_cr4() | CR4_TSD);
	f = guarded_user(fn, NULL);
	report(tsd_counts ? f.vector == GP && !f.error : f.vector == USER_DONE, "%s at CPL 3 with CR4.TSD (vector %u)", name, f.vector);
	report(TRAPS(NO_FAULT, "rdtsc") || !tsd_counts, "which does not count at CPL 0");
	write_cr4(read_cr4() & ~CR4_TSD);
	paging_user(false);
}

static void check_rdtscp(void)
{
	struct tsc t;
	u64 before, after;

	if (!(cpuid(0x80000001).d >> 27 & 1)) {
		report(TRAPS(UD, ".byte 0x0f, 0x01, 0xf9"), "no RDTSCP on this CPU, and it is #UD");
		return;
	}
	wrmsr(MSR_TSC_AUX, 0x12345);
	before = rdtsc();
	t = rdtscp();
	after = rdtsc();
	report(t.tsc >= before && t.tsc <= after, "RDTSCP is between two RDTSC");
	report(t.aux == 0x12345, "and gives TSC_AUX (%x)", t.aux);
	wrmsr(MSR_TSC_AUX, 0x87654321);
	cpuid(0);
	report(rdtscp().aux == 0x87654321, "the new one too, across an exit");
	check_user_aux(user_rdtscp, true, "RDTSCP");
}

static void check_rdpid(void)
{
	if (!(cpuid2(7, 0).c >> 22 & 1)) {
		report(TRAPS(UD, ".byte 0xf3, 0x0f, 0xc7, 0xf8"), "no RDPID on this CPU, and it is #UD");
		return;
	}
	wrmsr(MSR_TSC_AUX, 0x12345);
	report(rdpid() == 0x12345, "RDPID gives TSC_AUX (%lx)", rdpid());
	wrmsr(MSR_TSC_AUX, 0x87654321);
	cpuid(0);
	report(rdpid() == 0x87654321, "zero-extended, across an exit (%lx)", rdpid());
	check_user_aux(user_rdpid, false, "RDPID");
}

static void check_tsc_aux(void)
{
	bool there = (cpuid(0x80000001).d >> 27 & 1) || (cpuid2(7, 0).c >> 22 & 1);
	u64 v;

	check_rdtscp();
	check_rdpid();
	if (there) {
		wrmsr(MSR_TSC_AUX, 0x12345);
		cpuid(0);
		report(rdmsr(MSR_TSC_AUX) == 0x12345, "TSC_AUX keeps a value");
		wrmsr(MSR_TSC_AUX, 0);
	} else {
		report_vouch(rdmsr_try(MSR_TSC_AUX, &v) == GP && wrmsr_try(MSR_TSC_AUX, 0) == GP, "no TSC_AUX without either");
	}
}

void test_main(void)
{
	check_kept();
	check_tsc_aux();
	check_bases_count();
	check_efer();
	check_pat();
	check_mtrr();
	check_apic_base();
	check_x2apic_closed();
	check_tsc();
	check_unknown();
	check_canonical();
	check_user();
	check_upper_halves();
}
