/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that shares its CPU with others. With be=hog it never leaves the CPU by itself and fills all registers with what
 * no other may find; with if=on it lets interrupts in, of which it has none. Else it first looks for what another left
 * behind; then it puts its own mark (mark=N) into every register that a guest can change, and looks again and again whether
 * that is still there, between work and sleep; with cr2=off it leaves CR2 out.
 */
#include "lib/guest.h"

const char test_name[] = "neighbour";

#define ROUNDS 60

struct held {
	u64 xmm[16][2];
	u64 dr[5];                           /* DR0-3, DR6 */
	u64 cr2, cr8;
	u64 msr[12];
	u64 fpu;
	u32 mxcsr;
};

static const u32 msrs[12] = {
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, /* STAR, LSTAR, CSTAR, SFMASK */
	0xc0000102, 0x174, 0x175, 0x176,                /* KERNEL_GS_BASE, SYSENTER */
	0xc0000100, 0xc0000101, 0x277, 0xc0000103,      /* FS and GS base, PAT, TSC_AUX */
};
static volatile u32 ticks;

static bool has_tsc_aux(void) { return cpuid(0x80000001).d & 1u << 27; }

static void read_held(struct held *h)
{
	memset(h, 0, sizeof(*h));
#define XMM(n) asm volatile("movups %%xmm" #n ", %0" : "=m"(h->xmm[n]))
	XMM(0); XMM(1); XMM(2); XMM(3); XMM(4); XMM(5); XMM(6); XMM(7);
	XMM(8); XMM(9); XMM(10); XMM(11); XMM(12); XMM(13); XMM(14); XMM(15);
#undef XMM
	asm volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3; mov %%dr6, %4"
		     : "=r"(h->dr[0]), "=r"(h->dr[1]), "=r"(h->dr[2]), "=r"(h->dr[3]), "=r"(h->dr[4]));
	asm volatile("fstpl %0; fldl %0; stmxcsr %1" : "=m"(h->fpu), "=m"(h->mxcsr));
	h->cr2 = arg_is("cr2", "off") ? 0 : read_cr2();
	h->cr8 = read_cr8();
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		if (msrs[i] != 0xc0000103 || has_tsc_aux())
			h->msr[i] = rdmsr(msrs[i]);
}

static void fill(u64 mark)
{
	u64 pair[2] = { mark * 0x0101010101010101ull, ~mark };
	u64 pat = 0x0007040600070406ull ^ (mark & 1 ? 0x0500000000000000ull : 0x0400000000000000ull);
	u64 real = 0x4000000000000000ull + (mark << 32);
	u32 mxcsr = 0x1f80 | (u32)(mark & 3) << 13;

#define XMM(n) asm volatile("movups %0, %%xmm" #n : : "m"(pair)); pair[0] += mark
	XMM(0); XMM(1); XMM(2); XMM(3); XMM(4); XMM(5); XMM(6); XMM(7);
	XMM(8); XMM(9); XMM(10); XMM(11); XMM(12); XMM(13); XMM(14); XMM(15);
#undef XMM
	asm volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
		     : : "r"(mark), "r"(mark + 1), "r"(mark + 2), "r"(mark + 3));
	asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul | (mark & 0xf)));
	asm volatile("fldl %0; ldmxcsr %1" : : "m"(real), "m"(mxcsr));
	asm volatile("mov %0, %%cr2" : : "r"(mark << 12));
	write_cr8(mark & 7);
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		if (msrs[i] == 0x277)
			wrmsr(msrs[i], pat);
		else if (msrs[i] != 0xc0000103 || has_tsc_aux())
			wrmsr(msrs[i], msrs[i] == 0x174 || msrs[i] == 0xc0000103 || msrs[i] == 0xc0000084 ? mark : mark << 16);
}

static void check_first(void)
{
	static struct held h;
	bool zero = true;

	asm volatile("fldz");                /* something for FSTP to take */
	read_held(&h);
	asm volatile("fstp %st(0)");
	for (size_t i = 0; i < 16; i++)
		zero &= !h.xmm[i][0] && !h.xmm[i][1];
	report(zero, "XMM registers are zero at first");
	report(!h.dr[0] && !h.dr[1] && !h.dr[2] && !h.dr[3] && h.dr[4] == 0xffff0ff0, "debug registers are as after reset");
	report(h.mxcsr == 0x1f80, "MXCSR is as after reset (%x)", h.mxcsr);
	zero = h.msr[10] == 0x0007040600070406ull;
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		zero &= i == 10 || !h.msr[i];
	report(zero, "MSRs are as after reset");
	report(!h.cr8, "CR8 is zero at first");
}

static void tick(struct frame *f)
{
	(void)f;
	ticks++;
	lapic_eoi();
}

/*
 * Some work, then sleep until a timer of a few milliseconds. It is a periodic one: QEMU forgets the shadow of STI over an
 * exit, so that a tick may come before the HLT that should wait for it.
 */
static void pass_time(void)
{
	u32 before = ticks;

	for (volatile u32 i = 0; i < 50000; i++)
		;
	lapic_write(APIC_TMICT, 200000);
	while (ticks == before)
		sti_hlt_cli();
}

static void check_kept(u64 mark)
{
	static struct held mine, now;
	unsigned int differ = 0;

	fill(mark);
	read_held(&mine);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		pass_time();
		read_held(&now);
		differ += memcmp(&mine, &now, sizeof(mine)) != 0;
	}
	report(!differ, "its registers are its own for %u rounds, and differ in %u", ROUNDS, differ);
	report(mine.msr[1] == mark << 16 && mine.dr[1] == mark + 1, "and hold the mark %lu", mark);
	write_cr8(0);
}

static void __attribute__((noreturn)) be_hog(void)
{
	bool on = arg_is("if", "on");

	fill(9);
	report(true, "spins from here on, interrupts %s", on ? "on" : "off");
	if (on)
		asm volatile("sti");
	for (;;)
		asm volatile("" ::: "memory");
}

void test_main(void)
{
	const char *mark = arg("mark");

	write_cr0((read_cr0() & ~0xcull) | 2);               /* no EM, no TS: MP */
	write_cr4(read_cr4() | 0x600);                       /* OSFXSR, OSXMMEXCPT */
	if (arg_is("be", "hog"))
		be_hog();
	check_first();
	lapic_on();
	interrupt_set(0x90, tick);                           /* above CR8's highest mark */
	lapic_write(APIC_TDCR, 0xb);
	lapic_write(APIC_LVTT, 0x20090);
	check_kept(mark ? (u64)(mark[0] - '0') : 1);
}
