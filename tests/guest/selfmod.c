/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Self-modifying code where Vouch decodes or executes an instruction: the guest rewrites it right before it runs, without
 * anything serialising in between (SDM 3A "Self-Modifying Code": through the same linear address that must do), within
 * a page, across two, through another address, by another page; and instructions that Vouch executes rewrite others.
 */
#include "lib/guest.h"

const char test_name[] = "selfmod";

#define SCRATCH 0x3ff
#define MSR_APIC_BASE 0x1bu
#define ROUNDS 300u

/* Each takes what it needs in the registers of the C convention, and rewrites its own body. */
u32 store_imm(u64 device, u32 imm);
u32 store_or_load(u64 device, u32 reg, u8 opcode);
struct pair { u64 a, b; } cpuid_or_rdmsr(u8 opcode, u32 eax, u32 ecx);
void cr0_or_cr8(u64 value, u8 prefix);
u8 in_port(u8 port);
u32 movs_next(u64 device);
u8 ins_next(void);
u64 ins_itself(void);
u32 rep_ins_next(void);
u32 register_by_prefix(u64 device, u32 reg, u8 prefix);
extern u8 ins_itself_at[], rep_ins_next_at[];
asm(".text\n"
    "store_imm: movl %esi, 1f+6(%rip)\n"
    "1:	.byte 0xc7, 0x87; .long 0x380, 0\n"          /* movl $0, 0x380(%rdi) */
    "	movl 0x380(%rdi), %eax; ret\n"
    "store_or_load: movl %esi, %eax; movb %dl, 1f(%rip)\n"
    "1:	.byte 0x89, 0x87; .long 0x380\n"             /* movl %eax, 0x380(%rdi), or the other way round */
    "	ret\n"
    "register_by_prefix: movl %esi, %eax; movb %dl, 1f(%rip)\n"
    "1:	.byte 0x40, 0x8b, 0x87; .long 0x380\n"       /* movl 0x380(%rdi), %eax or %r8d */
    "	ret\n"
    "cpuid_or_rdmsr: push %rbx; mov %edx, %ecx; movl %esi, %eax; movb %dil, 1f+1(%rip)\n"
    "1:	cpuid\n"
    "	shl $32, %rdx; mov %eax, %eax; or %rdx, %rax; mov %rbx, %rdx; pop %rbx; ret\n"
    "cr0_or_cr8: movb %sil, 1f(%rip)\n"
    "1:	.byte 0x40, 0x0f, 0x22, 0xc7\n"              /* mov %rdi, %cr0 or %cr8 */
    "	ret\n"
    "in_port: movb %dil, 1f+1(%rip)\n"
    "1:	inb $0x21, %al\n"
    "	ret\n"
    "movs_next: lea 0x380(%rdi), %rsi; lea 1f+1(%rip), %rdi; movsl\n"
    "1:	movl $0, %eax; ret\n"
    "ins_next: mov $0x3ff, %edx; lea 1f+1(%rip), %rdi; insb\n"
    "1:	movb $0, %al; ret\n"
    /* Three times round: INS, which makes NOPs of itself, then NOPs. RDI tells how often it was INS. */
    "ins_itself: mov $0x3ff, %edx; mov $3, %ecx; lea ins_itself_at(%rip), %rdi\n"
    "ins_itself_at: insb\n"
    "	dec %ecx; jnz ins_itself_at; lea ins_itself_at(%rip), %rax; sub %rax, %rdi; mov %rdi, %rax; ret\n"
    "rep_ins_next: mov $0x3ff, %edx; xor %eax, %eax; mov $16, %ecx; lea rep_ins_next_at(%rip), %rdi; rep insb\n"
    "rep_ins_next_at: .rept 8; incl %eax; .endr\n"
    "	ret\n");

static void check_next(void)
{
	unsigned int i;
	bool ok = true;
	u64 cr0 = read_cr0();
	u32 was;

	for (i = 0; i < ROUNDS; i++) {
		u32 v = i * 0x01000193u ^ 0x811c9dc5u;

		ok = ok && store_imm(LAPIC, v) == v;
	}
	report(ok, "the value that the next instruction stores in a register");
	lapic_write(APIC_TMICT, 0x1000);
	for (ok = true, was = 0x1000, i = 0; i < ROUNDS; i++) {
		bool load = i % 3 == 2;
		u32 got = store_or_load(LAPIC, i, load ? 0x8b : 0x89);

		ok = ok && got == (load ? was : i);
		was = load ? was : i;
	}
	report(ok && lapic_read(APIC_TMICT) == was, "a store or a load");
	lapic_write(APIC_TMICT, 0x12345678);
	for (ok = true, i = 0; i < ROUNDS; i++) {
		u32 got = register_by_prefix(LAPIC, 0xaaaabbbb, i & 1 ? 0x44 : 0x40);

		ok = ok && got == (i & 1 ? 0xaaaabbbb : 0x12345678);
	}
	report(ok, "its register, by a prefix");
	for (ok = true, i = 0; i < ROUNDS; i++) {
		bool msr = i & 1;
		struct pair p = cpuid_or_rdmsr(msr ? 0x32 : 0xa2, 0, MSR_APIC_BASE);

		ok = ok && (msr ? p.a == rdmsr(MSR_APIC_BASE) : (u32)p.b == cpuid(0).b);
	}
	report(ok, "CPUID or RDMSR");
	for (ok = true, i = 0; i < ROUNDS; i++) {
		cr0_or_cr8(i % 3 ? i & 15 : cr0, i % 3 ? 0x44 : 0x40);
		ok = ok && read_cr0() == cr0 && read_cr8() == (i % 3 ? i & 15 : i ? (i - 1) & 15 : 0);
	}
	write_cr8(0);
	report(ok, "MOV to CR0 or to CR8");
	outb(0x21, 0xa5);
	outb(0xa1, 0x5a);
	for (ok = true, i = 0; i < ROUNDS; i++)
		ok = ok && in_port(i & 1 ? 0x21 : 0xa1) == (i & 1 ? 0xa5 : 0x5a);
	report(ok, "the port of an IN");
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

static void check_by_device(void)
{
	unsigned int i;
	bool ok = true;
	u64 moved;

	for (i = 0; i < 256; i++) {
		lapic_write(APIC_TMICT, 0x5500 | i);
		ok = ok && movs_next(LAPIC) == (0x5500 | i);
	}
	report(ok, "MOVS from a device rewrites the next instruction");
	for (ok = true, i = 0; i < 256; i++) {
		outb(SCRATCH, (u8)i);
		ok = ok && ins_next() == i;
	}
	report(ok, "INS does");
	outb(SCRATCH, 0x90);
	moved = ins_itself();
	report(moved == 1 && ins_itself_at[0] == 0x90, "INS rewrites itself, and is another instruction when it comes again (%lu)", moved);
	report(rep_ins_next() == 0 && rep_ins_next_at[15] == 0x90, "REP INS rewrites all that follows");
}

/* mov $imm, 0x380(%rdi); mov 0x380(%rdi), %eax; ret: at the end of a page, so that `before` bytes of it lie there. */
static const u8 piece[] = { 0xc7, 0x87, 0x80, 0x03, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x8b, 0x87, 0x80, 0x03, 0, 0, 0xc3 };

static u32 call_piece(const u8 *p)
{
	u32 got;

	asm volatile("call *%1" : "=a"(got) : "r"(p), "D"(LAPIC) : "memory");
	return got;
}

static void put32(u8 *p, u32 v)
{
	asm volatile("movl %1, (%0)" :: "r"(p), "r"(v) : "memory");
}

static void check_pages(void)
{
	static u8 pages[3][4096] __attribute__((aligned(4096)));
	unsigned int before, i;
	bool ok = true;
	u64 *pte;

	map_page(TEST_VA, (u64)pages[2], PTE_P | PTE_W);
	pte = map_page(TEST_VA + 0x1000, (u64)pages[0], PTE_P | PTE_W);
	for (before = 1; before < sizeof(piece); before++) {
		u8 *p = at(TEST_VA + 0x1000 - before);

		memcpy(p, piece, sizeof(piece));
		ok = ok && call_piece(p) == 0x44332211;
		for (i = 0; i < 8; i++) {
			put32(p + 6, i * 0x10204081u);
			ok = ok && call_piece(p) == i * 0x10204081u;
		}
	}
	report(ok, "an instruction across two pages, rewritten in either");
	/* Another linear address: here, a serialising instruction is the guest's duty. */
	for (ok = true, i = 0; i < ROUNDS; i++) {
		u8 *p = at(TEST_VA + 0x1000 - 4);

		if (!i)
			memcpy(p, piece, sizeof(piece));
		put32(&pages[0][2], i);
		cpuid(0);
		ok = ok && call_piece(p) == i;
	}
	report(ok, "rewritten through another address");
	memcpy(pages[1], pages[0], 4096);
	put32(&pages[1][2], 0xcafe);
	put32(&pages[0][2], 0xbeef);
	for (ok = true, i = 0; i < ROUNDS; i++) {
		*pte = (u64)pages[i & 1] | PTE_P | PTE_W;
		asm volatile("invlpg (%0)" :: "r"(TEST_VA + 0x1000) : "memory");
		ok = ok && call_piece(at(TEST_VA + 0x1000 - 4)) == (i & 1 ? 0xcafe : 0xbeef);
	}
	report(ok, "another page at its second half's address");
}

void test_main(void)
{
	lapic_on();
	check_next();
	check_by_device();
	check_pages();
	lapic_write(APIC_TMICT, 0);
	report(TRAPS(6, "ud2"), "the CPU is as before");
}
