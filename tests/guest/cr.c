/* SPDX-License-Identifier: BSD-2-Clause */
/* Control and debug registers: bits that stick, bits that are refused, and what they do. */
#include "lib/guest.h"

const char test_name[] = "cr";

#define GP 13u
#define UD 6u
#define NM 7u
#define PF 14u
#define CR0_PE 1ull
#define CR0_MP 2ull
#define CR0_EM 4ull
#define CR0_TS 8ull
#define CR0_ET 16ull
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR4_TSD 4ull
#define CR4_DE 8ull
#define CR4_PAE 32ull
#define CR4_PGE 128ull

/* Vouch itself answers each of these while CD is set, where a CPU obeys the CD of a guest. */
static void check_cr0_reads(u64 want)
{
	u64 r13, msw = ~0ull, eax = ~0ull, ax = ~0ull;
	u16 mem[2] = { 0, 0x5a5a };

	asm volatile("mov %%cr0, %%r13; mov %%r13, %0" : "=r"(r13) :: "r13");
	report(r13 == want, "CR0 with CD, by R13 (%lx)", r13);
	asm volatile("smsw %q0" : "+r"(msw));
	report(msw == want, "CR0 with CD: SMSW, 64 bits (%lx)", msw);
	asm volatile("smsw %k0" : "+r"(eax));
	report(eax == want, "CR0 with CD: SMSW, 32 bits (%lx)", eax);
	asm volatile("smsw %w0" : "+r"(ax));
	report(ax == (~0xffffull | (want & 0xffff)), "CR0 with CD: SMSW, 16 bits (%lx)", ax);
	asm volatile("smsw %0" : "=m"(mem[0]));
	report(mem[0] == (want & 0xffff) && mem[1] == 0x5a5a, "CR0 with CD: SMSW to memory (%x)", mem[0]);
	asm volatile("clts");
	report(read_cr0() == (want & ~CR0_TS), "CR0 with CD: CLTS leaves it (%lx)", read_cr0());
}

static void check_cr0(void)
{
	u64 old = read_cr0();

	report_cpu(WRITE_CR_TRY(0, old | 1ull << 32) == GP, "CR0: a bit of the upper half is #GP");
	report_vouch(WRITE_CR_TRY(0, (old | CR0_NW) & ~CR0_CD) == GP, "CR0: NW without CD is #GP");
	write_cr0(old);
	/* QEMU's TCG obeys these two and is lost. */
	if (expect_vouch || arg_is("cpu", "real")) {
		report(WRITE_CR_TRY(0, old & ~CR0_PE) == GP, "CR0: PG without PE is #GP");
		report(WRITE_CR_TRY(0, old & ~CR0_PG) == GP, "CR0: clearing PG in 64-bit mode is #GP");
	}
	report(read_cr0() == old, "CR0 is as before (%lx)", read_cr0());
	report(WRITE_CR_TRY(0, old | CR0_CD) == NO_FAULT && read_cr0() == (old | CR0_CD), "CR0: CD sticks");
	report(WRITE_CR_TRY(0, old | CR0_CD | CR0_NW) == NO_FAULT && read_cr0() == (old | CR0_CD | CR0_NW), "CR0: CD and NW stick");
	check_cr0_reads(old | CR0_CD | CR0_NW);
	asm volatile("wbinvd");
	report(WRITE_CR_TRY(0, old) == NO_FAULT && read_cr0() == old, "CR0: caches on again, after WBINVD");
	report(WRITE_CR_TRY(0, old & ~CR0_ET) == NO_FAULT && read_cr0() & CR0_ET, "CR0: ET is always set");
	report(WRITE_CR_TRY(0, old ^ CR0_WP) == NO_FAULT && read_cr0() == (old ^ CR0_WP), "CR0: WP can change");
	report(WRITE_CR_TRY(0, old | CR0_AM) == NO_FAULT && read_cr0() == (old | CR0_AM), "CR0: AM sticks");
	write_cr0(old);
	report(WRITE_CR_TRY(0, old | 1 << 6) == NO_FAULT || last.vector == GP, "CR0: a reserved low bit does no harm");
	write_cr0(old);
	report(read_cr0() == old, "CR0 is as before (%lx)", read_cr0());
}

static void check_ts(void)
{
	u64 old = read_cr0() & ~(CR0_TS | CR0_EM), v;
	u16 msw;

	write_cr0(old | CR0_TS);
	cpuid(0);
	report(TRAPS(NM, "fnop"), "TS by MOV: #NM, across an exit");
	report(read_cr0() & CR0_TS, "TS is still set");
	asm volatile("clts");
	report(!(read_cr0() & CR0_TS) && TRAPS(NO_FAULT, "fnop"), "CLTS clears it");
	asm volatile("lmsw %w0" :: "r"((old & 0xf) | CR0_TS));
	report(read_cr0() == (old | CR0_TS) && TRAPS(NM, "fnop"), "LMSW sets TS");
	asm volatile("lmsw %w0" :: "r"(old & 0xf));
	report(read_cr0() == old, "LMSW clears TS");
	asm volatile("lmsw %w0" :: "r"(old & 0xe));
	report(read_cr0() == old, "LMSW does not clear PE");
	msw = (u16)((old & 0xf) | CR0_TS);
	asm volatile("lmsw %0" :: "m"(msw));
	report(read_cr0() == (old | CR0_TS), "LMSW from memory");
	asm volatile("lmsw %w0" :: "r"((old & 0xf) | CR0_EM));
	report(read_cr0() == (old | CR0_EM) && TRAPS(NM, "fnop"), "LMSW clears TS and sets EM");
	asm volatile("lmsw %w0" :: "r"((old & 0xf) ^ CR0_MP));
	report(read_cr0() == (old ^ CR0_MP), "LMSW clears EM and changes MP");
	report(WRITE_CR_TRY(0, old ^ CR0_MP ^ CR0_TS ^ CR0_AM) == NO_FAULT && read_cr0() == (old ^ CR0_MP ^ CR0_TS ^ CR0_AM),
	       "TS, MP and AM in one MOV");
	write_cr0(old | CR0_TS);
	asm volatile("smsw %0" : "=r"(v));
	report(v == (old | CR0_TS), "SMSW (%lx)", v);
	asm volatile("clts");
	asm volatile("mov %0, %%rax; mov %%rax, %%r13; mov %%r13, %%cr0; mov %%cr0, %%r14; mov %%r14, %0"
		     : "+r"(old) :: "rax", "r13", "r14");
	report(old == read_cr0(), "CR0 through R13 and R14");
}

static void check_cr2_cr3(void)
{
	u64 cr3 = read_cr3(), v;

	asm volatile("mov %0, %%cr2" :: "r"(0x123456789abcull));
	cpuid(0);
	asm volatile("mov %%cr2, %0" : "=r"(v));
	report(v == 0x123456789abcull, "CR2 keeps a value, across an exit");
	report(WRITE_CR_TRY(3, cr3 | 0x18) == NO_FAULT && read_cr3() == (cr3 | 0x18), "CR3: PWT and PCD stick");
	report(WRITE_CR_TRY(3, cr3) == NO_FAULT && read_cr3() == cr3, "CR3 is as before");
	/* QEMU's TCG leaves its guest with an invalid-state exit instead: APM 2 "CR3 Register" wants #GP. */
	if (arg_is("cpu", "real"))
		report(WRITE_CR_TRY(3, cr3 | 1ull << 51) == GP, "CR3: a bit above the physical addresses is #GP");
	else
		print("NOTE: reserved bits of CR3 are left out (QEMU's TCG cannot)\n");
}

static void check_cr4_bit(unsigned int bit, bool there, const char *name)
{
	u64 old = read_cr4(), v = old ^ 1ull << bit;

	if (there)
		report(WRITE_CR_TRY(4, v) == NO_FAULT && read_cr4() == v, "CR4: %s can change", name);
	else if (expect_vouch || arg_is("cpu", "real"))
		report(WRITE_CR_TRY(4, v) == GP && read_cr4() == old, "CR4: %s, which CPUID does not show, is #GP", name);
	else
		print("NOTE: CR4: %s is left out (QEMU's TCG would obey)\n", name);
	write_cr4(old);
}

static void check_cr4(void)
{
	struct cpuid one = cpuid(1), seven = cpuid2(7, 0);
	u64 old = read_cr4();

	check_cr4_bit(0, one.d >> 1 & 1, "VME");
	check_cr4_bit(1, one.d >> 1 & 1, "PVI");
	check_cr4_bit(2, one.d >> 4 & 1, "TSD");
	check_cr4_bit(3, one.d >> 2 & 1, "DE");
	check_cr4_bit(4, one.d >> 3 & 1, "PSE");
	check_cr4_bit(6, one.d >> 7 & 1, "MCE");
	check_cr4_bit(7, one.d >> 13 & 1, "PGE");
	check_cr4_bit(8, true, "PCE");
	check_cr4_bit(9, one.d >> 24 & 1, "OSFXSR");
	check_cr4_bit(10, one.d >> 25 & 1, "OSXMMEXCPT");
	check_cr4_bit(11, seven.c >> 2 & 1, "UMIP");
	check_cr4_bit(12, seven.c >> 16 & 1, "LA57");
	check_cr4_bit(13, false, "VMXE");
	check_cr4_bit(14, false, "SMXE");
	check_cr4_bit(15, false, "bit 15");
	check_cr4_bit(16, seven.b & 1, "FSGSBASE");
	check_cr4_bit(17, one.c >> 17 & 1, "PCIDE");
	check_cr4_bit(18, one.c >> 26 & 1, "OSXSAVE");
	check_cr4_bit(19, false, "bit 19");
	check_cr4_bit(20, seven.b >> 7 & 1, "SMEP");
	check_cr4_bit(21, seven.b >> 20 & 1, "SMAP");
	check_cr4_bit(22, seven.c >> 3 & 1, "PKE");
	check_cr4_bit(31, false, "bit 31");
	check_cr4_bit(63, false, "bit 63");
	if (expect_vouch || arg_is("cpu", "real"))
		report(WRITE_CR_TRY(4, old & ~CR4_PAE) == GP && read_cr4() == old, "CR4: clearing PAE in long mode is #GP");
}

static void check_cr8(void)
{
	unsigned int i;
	bool ok = true;

	for (i = 0; i < 16; i++)
		ok = ok && WRITE_CR_TRY(8, i) == NO_FAULT && read_cr8() == i;
	report(ok, "CR8 keeps 0 to 15");
	report_cpu(WRITE_CR_TRY(8, 16) == GP, "CR8: bit 4 is #GP");
	report_cpu(WRITE_CR_TRY(8, 1ull << 63) == GP, "CR8: bit 63 is #GP");
	write_cr8(0);
	report(TRAPS(UD, ".byte 0x0f, 0x20, 0xc8; nop") && TRAPS(UD, ".byte 0x0f, 0x22, 0xe8; nop"), "CR1 and CR5 are #UD");
}

static void check_debug_registers(void)
{
	u64 v0, v3, v6, v7, old = read_cr4();

	asm volatile("mov %0, %%dr0; mov %1, %%dr3" :: "r"(0x1111222233334444ull), "r"(0xffff800012345678ull));
	asm volatile("mov %0, %%dr7" :: "r"(0x700ull));
	cpuid(0);
	inb(0x80);
	asm volatile("mov %%dr0, %0; mov %%dr3, %1; mov %%dr7, %2" : "=r"(v0), "=r"(v3), "=r"(v7));
	report(v0 == 0x1111222233334444ull && v3 == 0xffff800012345678ull, "DR0 and DR3 keep values, across exits");
	report(v7 == 0x700 || v7 == 0x400, "DR7 keeps its value (%lx)", v7);
	asm volatile("mov %0, %%dr7" :: "r"(0x400ull));
	asm volatile(TRY("mov %0, %%dr7") :: "r"(1ull << 32));
	report_cpu(last.vector == GP, "DR7: the upper half is #GP");
	asm volatile("mov %1, %%dr6; mov %%dr6, %0" : "=r"(v6) : "r"(0ull));
	report((v6 & 0xff0) == 0xff0, "DR6: reserved ones (%lx)", v6);
	asm volatile("mov %0, %%dr6" :: "r"(0xffff0ff0ull));
	write_cr4(old | CR4_DE);
	report(TRAPS(UD, ".byte 0x0f, 0x21, 0xe0; nop"), "DR4 with CR4.DE is #UD");
	write_cr4(old & ~CR4_DE);
	asm volatile(TRY(".byte 0x0f, 0x21, 0xe0") ::: "rax");
	report(last.vector == NO_FAULT, "DR4 without is DR6");
	write_cr4(old);
	asm volatile("xor %%eax, %%eax; mov %%rax, %%dr0; mov %%rax, %%dr3" ::: "rax");
}

static void user_cr0(void *arg)
{
	(void)arg;
	asm volatile("mov %%cr0, %%rax" ::: "rax");
}

static void user_dr7(void *arg)
{
	(void)arg;
	asm volatile("mov %%dr7, %%rax" ::: "rax");
}

static void user_clts(void *arg)
{
	(void)arg;
	asm volatile("clts");
}

static void user_rdtsc(void *arg)
{
	(void)arg;
	rdtsc();
}

static void user_wbinvd(void *arg)
{
	(void)arg;
	asm volatile("wbinvd");
}

static void user_invlpg(void *arg)
{
	asm volatile("invlpg (%0)" :: "r"(arg));
}

static void user_smsw(void *arg)
{
	(void)arg;
	asm volatile("smsw %%eax" ::: "rax");
}

static void user_sgdt(void *arg)
{
	u8 buf[16];

	(void)arg;
	asm volatile("sgdt %0" : "=m"(buf));
}

static void check_user(void)
{
	u64 old = read_cr4();

	paging_user(true);
	report_fault(guarded_user(user_cr0, NULL), GP, "CR0 at CPL 3 is #GP");
	report_fault(guarded_user(user_dr7, NULL), GP, "DR7 at CPL 3 is #GP");
	report_fault(guarded_user(user_clts, NULL), GP, "CLTS at CPL 3 is #GP");
	report_fault(guarded_user(user_wbinvd, NULL), GP, "WBINVD at CPL 3 is #GP");
	report_fault(guarded_user(user_invlpg, NULL), GP, "INVLPG at CPL 3 is #GP");
	report_fault(guarded_user(user_rdtsc, NULL), USER_DONE, "RDTSC at CPL 3 without CR4.TSD works");
	write_cr4(old | CR4_TSD);
	report_fault(guarded_user(user_rdtsc, NULL), GP, "RDTSC at CPL 3 with CR4.TSD is #GP");
	write_cr4(old);
	report_fault(guarded_user(user_smsw, NULL), USER_DONE, "SMSW at CPL 3 works");
	if (cpuid2(7, 0).c >> 2 & 1) {
		write_cr4(old | 1 << 11);
		report_fault(guarded_user(user_smsw, NULL), GP, "SMSW at CPL 3 with CR4.UMIP is #GP");
		report_fault(guarded_user(user_sgdt, NULL), GP, "SGDT at CPL 3 with CR4.UMIP is #GP");
		write_cr4(old);
	}
	paging_user(false);
}

static void check_tlb(void)
{
	static u64 page[2][512] __attribute__((aligned(4096)));
	volatile u64 *va = at(TEST_VA);
	u64 *pte = map_page(TEST_VA, (u64)page[0], PTE_P | PTE_W);

	page[0][0] = 1;
	page[1][0] = 2;
	report(*va == 1, "a mapping");
	*pte = (u64)page[1] | PTE_P | PTE_W;
	asm volatile("invlpg (%0)" :: "r"(va) : "memory");
	report(*va == 2, "another one after INVLPG");
	*pte = (u64)page[0] | PTE_P | PTE_W;
	write_cr3(read_cr3());
	report(*va == 1, "the first one after a CR3 write");
	write_cr4(read_cr4() | CR4_PGE);
	*pte = (u64)page[1] | PTE_P | PTE_W | PTE_G;
	asm volatile("invlpg (%0)" :: "r"(va) : "memory");
	report(*va == 2, "a global mapping");
	*pte = (u64)page[0] | PTE_P | PTE_W | PTE_G;
	write_cr4(read_cr4() & ~CR4_PGE);
	report(*va == 1, "is gone after CR4.PGE changed");
}

static void check_sysregs(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) g, i;
	u16 tr, ldt;

	cpuid(0);
	asm volatile("sgdt %0; sidt %1; str %2; sldt %3" : "=m"(g), "=m"(i), "=r"(tr), "=r"(ldt));
	report(g.base == (u64)gdt && i.base == (u64)idt && i.limit == sizeof(idt) - 1, "GDTR and IDTR are ours, across an exit");
	report(tr == SEL_TSS && ldt == 0, "TR and LDTR too");
}

void test_main(void)
{
	check_cr0();
	check_ts();
	check_cr2_cr3();
	check_cr4();
	check_cr8();
	check_debug_registers();
	check_user();
	check_tlb();
	check_sysregs();
}
