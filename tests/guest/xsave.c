/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The extended state: XSETBV's rules, and x87, SSE and AVX registers that survive a thousand exits of each kind, even those
 * in which Vouch itself uses vector registers.
 */
#include "lib/guest.h"

const char test_name[] = "xsave";

#define GP 13u
#define UD 6u
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXSAVE (1ull << 18)
#define ROUNDS 1000u

static u8 area[4096] __attribute__((aligned(64)));
static u8 before[4096] __attribute__((aligned(64)));
static u8 pattern[512] __attribute__((aligned(64)));
static volatile u32 wakes, hashes;

static u32 xsetbv_try(u32 reg, u64 v)
{
	asm volatile(TRY("xsetbv") :: "c"(reg), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
	return last.vector;
}

static u64 xgetbv(void)
{
	u32 lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (u64)hi << 32 | lo;
}

static void user_xsetbv(void *arg)
{
	(void)arg;
	asm volatile("xsetbv" :: "c"(0), "a"(1), "d"(0));
}

static void check_rules(u64 all)
{
	report(TRAPS(UD, "xgetbv") && xsetbv_try(0, 1) == UD, "XGETBV and XSETBV without CR4.OSXSAVE are #UD");
	write_cr4(read_cr4() | CR4_OSXSAVE | CR4_OSFXSR);
	report(xgetbv() == 1, "XCR0 is 1 at first (%lx)", xgetbv());
	report(xsetbv_try(0, 3) == NO_FAULT && xgetbv() == 3, "XCR0: x87 and SSE");
	report(cpuid2(0xd, 0).b == 576, "leaf D follows: %u bytes", cpuid2(0xd, 0).b);
	report(xsetbv_try(0, 2) == GP && xsetbv_try(0, 0) == GP, "XCR0 without x87 is #GP");
	report(xsetbv_try(1, 3) == GP, "XCR1 is #GP");
	report(xsetbv_try(0, 3 | 1ull << 63) == GP && xsetbv_try(0, 3 | 1ull << 40) == GP, "XCR0: unknown bits are #GP");
	report(xsetbv_try(0, all | (~all & 0xff)) == GP || all == 0xff, "XCR0: bits that leaf D does not show are #GP");
	if (all & 4) {
		report(xsetbv_try(0, 5) == GP, "XCR0: AVX without SSE is #GP");
		report(TRAPS(UD, "vxorps %%ymm0, %%ymm0, %%ymm0"), "AVX without its bit is #UD");
		report(xsetbv_try(0, 7) == NO_FAULT && xgetbv() == 7, "XCR0: AVX");
		report(TRAPS(NO_FAULT, "vxorps %%ymm0, %%ymm0, %%ymm0"), "AVX with its bit works");
		report(cpuid2(0xd, 0).b >= 832, "leaf D follows: %u bytes", cpuid2(0xd, 0).b);
	}
	report(xgetbv() == all, "XCR0 is as the last good write left it");
	paging_user(true);
	report_fault(guarded_user(user_xsetbv, NULL), GP, "XSETBV at CPL 3 is #GP");
	paging_user(false);
}

#define LOAD_YMM(n) "vmovups " #n "*32(%0), %%ymm" #n "\n"
#define LOAD_XMM(n) "movups " #n "*32(%0), %%xmm" #n "\n"
#define ALL16(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)

static void load_state(u64 all)
{
	u32 mxcsr = 0x1fa0, i;
	u16 control = 0x27f;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (u8)(i * 37 + 11);
	asm volatile("fninit; fldcw %1; fldpi; fldl2e; fld1; ldmxcsr %0" :: "m"(mxcsr), "m"(control));
	if (all & 4)
		asm volatile(ALL16(LOAD_YMM) :: "r"(pattern));
	else
		asm volatile(ALL16(LOAD_XMM) :: "r"(pattern));
}

static void save_state(u8 *to, u64 all)
{
	memset(to, 0, 4096);
	asm volatile("xsave64 (%0)" :: "r"(to), "a"((u32)all), "d"(0) : "memory");
}

static void on_wake(struct frame *f)
{
	(void)f;
	wakes++;
	lapic_eoi();
}

static void exit_cpuid(void) { cpuid(0); }
static void exit_in(void) { inb(0x80); }
static void exit_out(void) { outb(0x80, 0); }
static void exit_string(void)
{
	u8 b[8];
	void *p = b;
	u64 n = sizeof(b);

	asm volatile("rep insb" : "+D"(p), "+c"(n) : "d"(0x5000) : "memory");
}
static void exit_mmio_read(void) { lapic_read(APIC_ID); }
static void exit_mmio_write(void) { lapic_write(APIC_TPR, 0); }
static void exit_rdmsr(void) { rdmsr(0x1b); }
static void exit_wrmsr(void) { wrmsr(0x277, 0x0007040600070406ull); }
static void exit_bad_msr(void)
{
	u64 v;

	rdmsr_try(0x1234, &v);
}
static void exit_hypercall(void)
{
	if (cpu_is_intel())
		asm volatile(TRY(VMCALL) ::: "rax", "memory");
	else
		asm volatile(TRY(VMMCALL) ::: "rax", "memory");
}
static void exit_xsetbv(void) { xsetbv_try(0, xgetbv()); }
static void exit_bad_xsetbv(void) { xsetbv_try(0, 0); }
static void exit_cr(void) { write_cr4(read_cr4()); write_cr0(read_cr0()); }
static void exit_interrupt(void)
{
	lapic_self(0x60);
	sti_nop();
	cli();
}
static void exit_hlt(void)
{
	lapic_write(APIC_LVTT, 0x60);
	lapic_write(APIC_TMICT, 2000);
	sti_hlt_cli();
}
/* Debug builds of Vouch: it hashes with vector registers of its own, and says what came of it. */
static bool hash_is_right(void)
{
	struct cpuid r = cpuid(0x400000ff);

	return r.a == 0x0daa109e && r.b == 0x3efb5028 && r.c == 0x6e046427 && r.d == 0x75f70865;
}
static void exit_hash(void) { hashes += hash_is_right(); }
static void exit_wbinvd(void) { asm volatile("wbinvd"); }
static void exit_nobody(void) { (void)*(volatile u32 *)at(0xd0000000); }

static const struct {
	const char *name;
	void (*fn)(void);
	u32 rounds;
} kinds[] = {
	{ "CPUID", exit_cpuid, ROUNDS }, { "IN", exit_in, ROUNDS }, { "OUT", exit_out, ROUNDS },
	{ "REP INSB", exit_string, ROUNDS }, { "device read", exit_mmio_read, ROUNDS },
	{ "device write", exit_mmio_write, ROUNDS }, { "RDMSR", exit_rdmsr, ROUNDS }, { "WRMSR", exit_wrmsr, ROUNDS },
	{ "RDMSR of nothing", exit_bad_msr, ROUNDS }, { "a hypercall", exit_hypercall, ROUNDS }, { "XSETBV", exit_xsetbv, ROUNDS },
	{ "XSETBV refused", exit_bad_xsetbv, ROUNDS }, { "CR0 and CR4 write", exit_cr, ROUNDS },
	{ "interrupt", exit_interrupt, ROUNDS }, { "HLT", exit_hlt, ROUNDS / 5 }, { "WBINVD", exit_wbinvd, ROUNDS },
	{ "read of nobody's memory", exit_nobody, ROUNDS }, { "a hash by Vouch, if it does one", exit_hash, ROUNDS },
};

static void check_survival(u64 all)
{
	u64 xcr0 = xgetbv();
	unsigned int i;
	u32 n;

	lapic_on();
	interrupt_set(0x60, on_wake);
	lapic_write(APIC_TDCR, 0xb);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		load_state(all);
		save_state(before, all);
		for (n = 0; n < kinds[i].rounds; n++)
			kinds[i].fn();
		save_state(area, all);
		report(!memcmp(before, area, sizeof(area)) && xgetbv() == xcr0, "state survives %u times %s", kinds[i].rounds,
		       kinds[i].name);
	}
	report(before[160] == pattern[0] && before[0x27] == 0x80, "(the state was ours: XMM0 and x87 hold our values)");
	report(hashes == (arg_is("hash", "yes") ? ROUNDS : 0), "Vouch hashed %u times", hashes);
	report(wakes >= ROUNDS, "interrupts came (%u)", wakes);
}

/* What the host uses in between must not show: registers that we never loaded stay as they were. */
static void check_initial(void)
{
	u64 zero[2] = { 1, 1 };

	write_cr4(read_cr4() | CR4_OSFXSR);
	asm volatile("movups %%xmm5, %0" : "=m"(zero));
	report_vouch(!zero[0] && !zero[1], "XMM5 is zero at first");
}

void test_main(void)
{
	u64 all;

	check_initial();
	if (!(cpuid(1).c >> 26 & 1)) {
		report(TRAPS(UD, "xgetbv"), "no XSAVE on this CPU: XGETBV is #UD");
		return;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	all = (u64)cpuid2(0xd, 0).d << 32 | cpuid2(0xd, 0).a;
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	all &= 7;
	print("XCR0 can be %lx\n", all);
	check_rules(all);
	check_survival(all);
}
