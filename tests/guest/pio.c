/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port I/O in long mode: every width, registers, string forms with their prefixes, page crossings, faults in the
 * middle of a string, the I/O permission map. Scratch devices: COM1's scratch register, CMOS, PIT, PIC mask.
 */
#include "lib/guest.h"

const char test_name[] = "pio";

#define SCRATCH 0x3ff
#define NOBODY 0x5004         /* no device there, in Vouch and in QEMU */
#define PF 14u
#define GP 13u

static u8 buffer[3 * 4096] __attribute__((aligned(4096)));

static void check_widths(void)
{
	unsigned int i;
	bool ok = true;

	for (i = 0; i < 256; i++) {
		outb(SCRATCH, (u8)i);
		ok = ok && inb(SCRATCH) == i;
	}
	report(ok, "the UART's scratch register keeps all bytes");
	outw(SCRATCH - 1, 0x5a00);
	report(inb(SCRATCH) == 0x5a, "a word write reaches two byte registers");
	outb(SCRATCH, 0xa7);
	report(inw(SCRATCH - 1) >> 8 == 0xa7, "a word read gathers two byte registers");
	report((inl(SCRATCH - 3) >> 24) == 0xa7, "a dword read gathers four");
	cmos_write(0x61, 0x99);
	report(cmos_read(0x61) == 0x99, "CMOS keeps a byte");
	report(inb(NOBODY) == 0xff && inw(NOBODY) == 0xffff && inl(NOBODY) == 0xffffffff, "ports of nobody read as ones");
	outl(NOBODY, 0);
	report(inl(NOBODY) == 0xffffffff, "and writes there vanish");
	report(inl(0xfffc) == 0xffffffff && inb(0xffff) == 0xff, "the highest ports read as ones");
	report_vouch(inw(0xffff) == 0xffff, "a word at the highest port does no harm");
}

static void check_registers(void)
{
	u64 a = 0x1122334455667788ull;

	asm volatile("inb %%dx, %%al" : "+a"(a) : "d"(NOBODY));
	report(a == 0x11223344556677ffull, "INB writes AL alone");
	a = 0x1122334455667788ull;
	asm volatile("inw %%dx, %%ax" : "+a"(a) : "d"(NOBODY));
	report(a == 0x112233445566ffffull, "INW writes AX alone");
	a = 0x1122334455667788ull;
	asm volatile("inl %%dx, %%eax" : "+a"(a) : "d"(NOBODY));
	report(a == 0xffffffffull, "INL clears the upper half of RAX");
	asm volatile("outb %%al, %%dx" :: "a"(0xffffffffffffff5aull), "d"(0xffffffffffff0000ull | SCRATCH));
	report(inb(SCRATCH) == 0x5a, "OUT takes AL and DX alone");
	asm volatile("outb %%al, $0x80; inb $0x80, %%al" ::: "rax");
	asm volatile(".byte 0x48, 0xed" : "=a"(a) : "d"(NOBODY));
	report(a == 0xffffffffull, "REX.W changes nothing");
	asm volatile("stc; std; outb %%al, %%dx; pushfq; cld; pop %0" : "=r"(a) : "a"(0), "d"(SCRATCH) : "cc");
	report((a & 0x401) == 0x401, "OUT leaves flags alone");
}

static void check_pci_config(void)
{
	outl(0xcf8, 0x80000000);
	report_vouch(inl(0xcf8) == 0xffffffff && inl(0xcfc) == 0xffffffff, "CF8 to CFF read as ones");
	report_vouch(inb(0xcfc) == 0xff && inw(0xcfe) == 0xffff && inb(0xcfb) == 0xff, "in all widths");
	outl(0xcf8, 0);
}

/* INS and OUTS with everything in registers. */
struct string_io {
	u64 rdi, rsi, rcx;
};

#define STRING_IO(name, insn) \
	static struct string_io name(u16 port, const void *p, u64 n) \
	{ \
		struct string_io s = { (u64)p, (u64)p, n }; \
		asm volatile(insn : "+D"(s.rdi), "+S"(s.rsi), "+c"(s.rcx) : "d"(port) : "memory"); \
		return s; \
	}
STRING_IO(rep_insb, "rep insb")
STRING_IO(rep_insw, "rep insw")
STRING_IO(rep_insl, "rep insl")
STRING_IO(rep_outsb, "rep outsb")
STRING_IO(rep_outsw, "rep outsw")
STRING_IO(rep_outsl, "rep outsl")
STRING_IO(one_insb, "insb")
STRING_IO(one_insw, "insw")
STRING_IO(one_insl, "insl")
STRING_IO(one_outsb, "outsb")
STRING_IO(one_outsw, "outsw")
STRING_IO(rep_insb_down, "std; rep insb; cld")
STRING_IO(rep_outsb_down, "std; rep outsb; cld")
STRING_IO(rep_insb_addr32, "addr32 rep insb")
STRING_IO(repne_insb, ".byte 0xf2, 0x6c")
STRING_IO(outsb_fs, "outsb %%fs:(%%rsi), %%dx")
STRING_IO(outsb_gs, "outsb %%gs:(%%rsi), %%dx")

static bool all(const u8 *p, u8 v, u64 n)
{
	while (n--)
		if (*p++ != v)
			return false;
	return true;
}

static void check_string_in(void)
{
	struct string_io s;

	memset(buffer, 0, sizeof(buffer));
	outb(SCRATCH, 0x3c);
	s = rep_insb(SCRATCH, buffer + 1, 100);
	report(all(buffer + 1, 0x3c, 100) && !buffer[0] && !buffer[101], "REP INSB fills 100 bytes, none beside");
	report(s.rdi == (u64)buffer + 101 && s.rcx == 0, "RDI and RCX have moved");
	s = rep_insb(SCRATCH, buffer, 0);
	report(!buffer[0] && s.rdi == (u64)buffer, "REP INSB of nothing does nothing");
	outb(SCRATCH, 0xc3);
	s = rep_insb(SCRATCH, buffer + 10, 9000);
	report(all(buffer + 10, 0xc3, 9000) && s.rcx == 0 && s.rdi == (u64)buffer + 9010, "9000 bytes over three pages");
	memset(buffer, 0, 64);
	rep_insw(NOBODY, buffer, 4);
	report(all(buffer, 0xff, 8) && !buffer[8], "REP INSW");
	memset(buffer, 0, 64);
	rep_insl(NOBODY, buffer + 3, 3);
	report(all(buffer + 3, 0xff, 12) && !buffer[2] && !buffer[15], "REP INSL, unaligned");
	s = one_insb(SCRATCH, buffer + 40, 7);
	report(buffer[40] == 0xc3 && s.rdi == (u64)buffer + 41 && s.rcx == 7, "INSB without REP");
	pit_mode(2, 0, 0);
	outb(0x43, 0x80);
	rep_insb(0x42, buffer, 2);
	outb(0x43, 0x80);
	report((u8)(buffer[1] - (pit_read(2) >> 8)) < 64, "REP INSB from the PIT gets low byte, then high byte");
}

static void check_string_out(void)
{
	static const u8 icw[] = { 0x20, 0x04, 0x01, 0xa5 };
	struct string_io s;
	unsigned int i;

	outb(0x20, 0x11);
	s = rep_outsb(0x21, icw, sizeof(icw));
	report(inb(0x21) == 0xa5, "REP OUTSB in order: a PIC takes ICW2, 3, 4 and its mask");
	report(s.rsi == (u64)icw + 4 && s.rcx == 0, "RSI and RCX have moved");
	for (i = 0; i < 5000; i++)
		buffer[i] = (u8)(i * 7);
	rep_outsb(SCRATCH, buffer, 5000);
	report(inb(SCRATCH) == (u8)(4999 * 7), "5000 bytes, the last one stays");
	s = one_outsb(SCRATCH, buffer + 9, 7);
	report(inb(SCRATCH) == 63 && s.rsi == (u64)buffer + 10 && s.rcx == 7, "OUTSB without REP");
	s = rep_outsw(SCRATCH - 1, buffer, 3);
	report(inb(SCRATCH) == buffer[5] && s.rsi == (u64)buffer + 6, "REP OUTSW");
	s = rep_outsl(SCRATCH - 3, buffer, 2);
	outb(0x3fb, 3);
	outb(0x3fc, 0);
	report(inb(SCRATCH) == buffer[7] && s.rsi == (u64)buffer + 8, "REP OUTSL");
}

static void check_prefixes(void)
{
	static const u8 down[] = { 0xa5, 0x01, 0x04, 0x20 };
	struct string_io s;

	outb(0x20, 0x11);
	s = rep_outsb_down(0x21, down + 3, 4);
	report(inb(0x21) == 0xa5 && s.rsi == (u64)down - 1, "OUTS with DF runs downwards");
	memset(buffer, 0, 64);
	outb(SCRATCH, 0x77);
	s = rep_insb_down(SCRATCH, buffer + 20, 5);
	report(all(buffer + 16, 0x77, 5) && !buffer[15] && !buffer[21] && s.rdi == (u64)buffer + 15, "INS with DF too");
	wrmsr(0xc0000100, (u64)buffer);
	buffer[0x30] = 0x42;
	outsb_fs(SCRATCH, (void *)0x30, 0);
	report(inb(SCRATCH) == 0x42, "OUTS through FS");
	wrmsr(0xc0000101, (u64)buffer + 8);
	buffer[0x39] = 0x43;
	s = outsb_gs(SCRATCH, (void *)0x31, 0);
	report(inb(SCRATCH) == 0x43 && s.rsi == 0x32, "OUTS through GS");
	wrmsr(0xc0000100, 0);
	wrmsr(0xc0000101, 0);
	memset(buffer, 0, 64);
	s = rep_insb_addr32(SCRATCH, (void *)(0xdead000000000000ull | (u64)buffer), 0xbeef000000000003ull);
	report(all(buffer, 0x43, 3) && !buffer[3] && s.rdi == (u64)buffer + 3 && s.rcx == 0,
	       "INS with 32-bit addresses takes EDI and ECX (%lx, %lx)", s.rdi, s.rcx);
	memset(buffer, 0, 64);
	s = repne_insb(SCRATCH, buffer, 4);
	report(all(buffer, 0x43, 4) && s.rcx == 0, "REPNE is REP here");
}

/* What the page-fault handler saw, and what it mapped before it let the instruction go on. */
static u64 *fault_pte, fault_pte_value;
static struct frame seen;
static u64 seen_cr2;
static unsigned int faults;

static void on_page_fault(struct frame *f)
{
	seen = *f;
	seen_cr2 = read_cr2();
	faults++;
	*fault_pte = fault_pte_value;
	asm volatile("invlpg (%0)" :: "r"(seen_cr2) : "memory");
	if (faults > 4) {
		report(false, "the page fault ends");
		finish();
	}
}

/* Two pages side by side, far apart in physical memory; the second is taken away. */
static void two_pages(u64 second_flags)
{
	u64 pa = (u64)buffer;

	map_page(TEST_VA, pa + 0x2000, PTE_P | PTE_W);
	fault_pte = map_page(TEST_VA + 0x1000, pa, second_flags);
	fault_pte_value = pa | PTE_P | PTE_W;
	faults = 0;
	memset(buffer, 0, sizeof(buffer));
	trap_set(PF, on_page_fault);
}

static void check_page_crossing(void)
{
	two_pages(PTE_P | PTE_W);
	one_insl(NOBODY, (void *)(TEST_VA + 0xffd), 1);
	report(all(buffer + 0x2ffd, 0xff, 3) && buffer[0] == 0xff && !buffer[1] && !faults,
	       "INSL over pages that are not neighbours in memory");
	buffer[0x2fff] = 0x12;
	buffer[0] = 0x34;
	one_outsw(SCRATCH - 1, (void *)(TEST_VA + 0xfff), 1);
	report(inb(SCRATCH) == 0x34, "OUTSW over such pages");
}

static void check_fault_in(void)
{
	struct string_io s;

	outb(SCRATCH, 0x6d);
	two_pages(0);
	s = rep_insb(SCRATCH, (void *)(TEST_VA + 0xff0), 48);
	report(faults == 1 && seen_cr2 == TEST_VA + 0x1000 && seen.error == 2, "REP INSB into a missing page: #PF there (error %lx)",
	       seen.error);
	report(seen.rdi == TEST_VA + 0x1000 && seen.rcx == 32, "with RDI and RCX at the byte (%lx, %lx)", seen.rdi, seen.rcx);
	report(s.rcx == 0 && all(buffer + 0x2ff0, 0x6d, 16) && all(buffer, 0x6d, 32) && !buffer[32],
	       "and goes on when the page is there");
	two_pages(0);
	s = one_insw(NOBODY, (void *)(TEST_VA + 0xfff), 1);
	report(faults == 1 && seen_cr2 == TEST_VA + 0x1000 && seen.rdi == TEST_VA + 0xfff, "INSW half into a missing page (%lx)",
	       seen_cr2);
	report(buffer[0x2fff] == 0xff && buffer[0] == 0xff && s.rdi == TEST_VA + 0x1001, "is done as a whole then");
	two_pages((u64)buffer | PTE_P);
	rep_insb(SCRATCH, (void *)(TEST_VA + 0xff0), 48);
	report(faults == 1 && seen.error == 3, "INSB into a read-only page: #PF (error %lx)", seen.error);
}

static void check_fault_out(void)
{
	struct string_io s;

	two_pages(0);
	memset(buffer + 0x2ff0, 0x11, 16);
	memset(buffer, 0x22, 32);
	s = rep_outsb(SCRATCH, (void *)(TEST_VA + 0xff0), 20);
	report(faults == 1 && seen.error == 0 && seen.rcx == 4 && seen.rsi == TEST_VA + 0x1000,
	       "REP OUTSB from a missing page: #PF there (error %lx, rcx %lx)", seen.error, seen.rcx);
	report(s.rcx == 0 && inb(SCRATCH) == 0x22, "and goes on when the page is there");
	trap_set(PF, NULL);
}

static void far_ins(void *arg)
{
	asm volatile("insb" :: "D"(arg), "d"(SCRATCH) : "memory");
}

static void check_bad_address(void)
{
	report_fault(guarded(far_ins, (void *)0x0000900000000000ull), GP, "INS at a non-canonical address is #GP");
}

static void user_in(void *arg)
{
	asm volatile("inb %%dx, %%al" :: "d"(arg) : "rax");
}

static void user_ins(void *arg)
{
	asm volatile("rep insb" :: "D"(arg), "c"(16), "d"(SCRATCH) : "memory");
}

static struct {
	struct tss tss;
	u8 map[0x2001];
} __attribute__((packed, aligned(4096))) big_tss;

static void check_permission(void)
{
	u64 base = (u64)&big_tss, limit = sizeof(big_tss) - 1;
	static u8 user_buffer[4096] __attribute__((aligned(4096)));
	struct fault f;

	memcpy(&big_tss.tss, &tss, sizeof(tss));
	memset(big_tss.map, 0xff, sizeof(big_tss.map));
	big_tss.tss.iomap = sizeof(struct tss);
	gdt[SEL_SPARE / 8] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[SEL_SPARE / 8 + 1] = base >> 32;
	asm volatile("ltr %w0" :: "r"(SEL_SPARE));
	paging_user(true);
	report_fault(guarded_user(user_in, (void *)SCRATCH), GP, "IN at CPL 3 without permission is #GP");
	big_tss.map[SCRATCH / 8] &= (u8)~(1u << (SCRATCH % 8));
	report_fault(guarded_user(user_in, (void *)SCRATCH), USER_DONE, "IN at CPL 3 with the port's bit clear works");
	report_fault(guarded_user(user_in, (void *)(SCRATCH - 1)), GP, "its neighbour is #GP");
	outb(SCRATCH, 0x1f);
	f = guarded_user(user_ins, user_buffer);
	report(f.vector == USER_DONE && all(user_buffer, 0x1f, 16) && !user_buffer[16], "REP INSB at CPL 3 works");
	map_page(TEST_VA + 0x2000, (u64)user_buffer, PTE_P | PTE_W);
	f = guarded_user(user_ins, (void *)(TEST_VA + 0x2000));
	report(f.vector == PF && f.error == 7 && f.cr2 == TEST_VA + 0x2000, "into a supervisor page: #PF (error %x)", f.error);
	map_page(TEST_VA + 0x3000, (u64)user_buffer, PTE_P | PTE_U);
	f = guarded_user(user_ins, (void *)(TEST_VA + 0x3000));
	report(f.vector == PF && f.error == 7, "into a read-only page: #PF (error %x)", f.error);
	paging_user(false);
	gdt_load();
}

static void check_accessed_bits(void)
{
	u64 *pte = map_page(TEST_VA + 0x4000, (u64)buffer, PTE_P | PTE_W);

	rep_outsb(SCRATCH, (void *)(TEST_VA + 0x4000), 1);
	report((*pte & (PTE_A | PTE_D)) == PTE_A, "OUTS sets the page's A bit alone");
	rep_insb(SCRATCH, (void *)(TEST_VA + 0x4000), 1);
	report((*pte & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "INS sets A and D");
}

void test_main(void)
{
	check_widths();
	check_registers();
	check_pci_config();
	check_string_in();
	check_string_out();
	check_prefixes();
	check_page_crossing();
	check_fault_in();
	check_fault_out();
	check_bad_address();
	check_permission();
	check_accessed_bits();
}
