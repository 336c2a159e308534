/* SPDX-License-Identifier: BSD-2-Clause */
/* Marks in registers; see mark.h. No interrupt handler of these kernels uses more than the general registers. */
#include "mark.h"

#define CR0_MP 2u
#define CR0_EM_TS 0xcu
#define CR4_OSFXSR_OSXMMEXCPT 0x600u
#define CR4_OSXSAVE 0x40000u
#define XCR0_AVX 7u
#define MSR_TSC_AUX 0xc0000103u
#define MSR_PAT 0x277u
#define MSR_SYSENTER_CS 0x174u
#define MSR_SFMASK 0xc0000084u

static const u32 msrs[MARK_MSRS] = {
	0xc0000081, 0xc0000082, 0xc0000083, MSR_SFMASK, /* STAR, LSTAR, CSTAR, SFMASK */
	0xc0000102, MSR_SYSENTER_CS, 0x175, 0x176,      /* KERNEL_GS_BASE, SYSENTER */
	0xc0000100, 0xc0000101, MSR_PAT, MSR_TSC_AUX,   /* FS and GS base, PAT, TSC_AUX */
};
static bool avx;

static bool has_tsc_aux(void) { return cpuid(0x80000001).d & 1u << 27; }

void mark_init(void)
{
	write_cr0((read_cr0() & ~(u64)CR0_EM_TS) | CR0_MP);
	write_cr4(read_cr4() | CR4_OSFXSR_OSXMMEXCPT);
	if ((cpuid(1).c >> 26 & 5) != 5)     /* XSAVE and AVX */
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	asm volatile("xsetbv" :: "c"(0), "a"(XCR0_AVX), "d"(0));
	avx = true;
}

bool mark_has_avx(void)
{
	return avx;
}

static void read_vectors(struct mark *m)
{
#define XMM(n) asm volatile("movups %%xmm" #n ", %0" : "=m"(m->vector[n]))
#define YMM(n) asm volatile("vmovups %%ymm" #n ", %0" : "=m"(m->vector[n]))
#define ALL(R) R(0); R(1); R(2); R(3); R(4); R(5); R(6); R(7); R(8); R(9); R(10); R(11); R(12); R(13); R(14); R(15)
	if (avx) {
		ALL(YMM);
	} else {
		ALL(XMM);
	}
#undef XMM
#undef YMM
}

static void set_vectors(u64 mark)
{
	u64 v[4] = { mark * 0x0101010101010101ull, ~mark, mark << 8, mark * 0x1111 };

#define XMM(n) asm volatile("movups %0, %%xmm" #n : : "m"(v)); v[0] += mark
#define YMM(n) asm volatile("vmovups %0, %%ymm" #n : : "m"(v)); v[0] += mark; v[3] += mark
	if (avx) {
		ALL(YMM);
	} else {
		ALL(XMM);
	}
#undef XMM
#undef YMM
#undef ALL
}

void mark_read(struct mark *m)
{
	memset(m, 0, sizeof(*m));
	read_vectors(m);
	asm volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3; mov %%dr6, %4; mov %%dr7, %5"
		     : "=r"(m->dr[0]), "=r"(m->dr[1]), "=r"(m->dr[2]), "=r"(m->dr[3]), "=r"(m->dr[4]), "=r"(m->dr[5]));
	asm volatile("fstpl %0; fldl %0; stmxcsr %1" : "=m"(m->fpu), "=m"(m->mxcsr));
	m->cr2 = arg_is("cr2", "off") ? 0 : read_cr2();
	m->cr8 = read_cr8();
	for (size_t i = 0; i < MARK_MSRS; i++)
		if (msrs[i] != MSR_TSC_AUX || has_tsc_aux())
			m->msr[i] = rdmsr(msrs[i]);
}

static u64 msr_mark(u32 msr, u64 mark)
{
	switch (msr) {
	case MSR_PAT:
		return MARK_PAT_RESET ^ (mark & 1 ? 0x0500000000000000ull : 0x0400000000000000ull);
	case MSR_SYSENTER_CS:
	case MSR_SFMASK:
	case MSR_TSC_AUX:
		return mark;
	default:
		return mark << 16;
	}
}

void mark_set(u64 mark)
{
	u64 real = 0x4000000000000000ull + (mark << 32);
	u32 mxcsr = 0x1f80 | (u32)(mark & 3) << 13;

	set_vectors(mark);
	asm volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
		     : : "r"(mark), "r"(mark + 1), "r"(mark + 2), "r"(mark + 3));
	asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul | (mark & 0xf)));
	asm volatile("mov %0, %%dr7" : : "r"(0x400 | (mark & 3) << 8));      /* LE, GE; no breakpoint is on */
	asm volatile("fldl %0; ldmxcsr %1" : : "m"(real), "m"(mxcsr));
	asm volatile("mov %0, %%cr2" : : "r"(mark << 12));
	write_cr8(mark & 7);
	for (size_t i = 0; i < MARK_MSRS; i++)
		if (msrs[i] != MSR_TSC_AUX || has_tsc_aux())
			wrmsr(msrs[i], msr_mark(msrs[i], mark));
}

/* The mark is at 0(%rsp), the rounds at 8(%rsp); register number n holds mark + n. */
u64 mark_hold_asm(u64 mark, u64 rounds);
asm(".text\n"
    "mark_hold_asm: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi; push %rdi\n"
    "	mov %rdi, %rax; lea 1(%rdi), %rbx; lea 2(%rdi), %rcx; lea 3(%rdi), %rdx; lea 4(%rdi), %rsi; lea 5(%rdi), %rbp\n"
    "	lea 8(%rdi), %r8; lea 9(%rdi), %r9; lea 10(%rdi), %r10; lea 11(%rdi), %r11; lea 12(%rdi), %r12\n"
    "	lea 13(%rdi), %r13; lea 14(%rdi), %r14; lea 15(%rdi), %r15\n"
    "1:	decq 8(%rsp); jnz 1b\n"
    "	sub (%rsp), %rax\n"
    ".macro judge reg, n\n"
    "	sub (%rsp), %\\reg; sub $\\n, %\\reg; or %\\reg, %rax\n"
    ".endm\n"
    "	judge rbx, 1; judge rcx, 2; judge rdx, 3; judge rsi, 4; judge rbp, 5; judge rdi, 0; judge r8, 8; judge r9, 9\n"
    "	judge r10, 10; judge r11, 11; judge r12, 12; judge r13, 13; judge r14, 14; judge r15, 15\n"
    ".purgem judge\n"
    "	pop %rdi; pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

bool mark_hold(u64 mark, u64 rounds)
{
	return !mark_hold_asm(mark, rounds);
}
