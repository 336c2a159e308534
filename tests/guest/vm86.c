/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual-8086 mode: in by IRET, out by whatever traps. What IOPL and the I/O permission map decide, exits of all kinds
 * from within, exceptions and interrupts with the frame that only this mode has, and its extensions (VME).
 */
#include "lib/legacy.h"

const char test_name[] = "vm86";

#define CODE   0x8000u
#define DATA   0x9000u
#define STACK  0x7000u
#define WINDOW 0x50000u               /* linear: the LAPIC, in paged runs */
#define HOLE   0x51000u               /* linear: not present, in paged runs */
#define READ_ONLY 0x52000u            /* linear: DATA, read-only */
#define SCRATCH 0x3ffu
#define IPI_VECTOR 0x60u
#define CR0_PG 0x80000000u
#define CR4_VME 1u
#define CR4_TSD 4u
#define CR4_PSE 16u
#define GP 13u
#define PF 14u

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));
static struct legacy l;

#define CODE16(name, before, insn, after) LEGACY_CODE(16, name, before, insn, after)

static void load(const u8 *code, const u8 *end)
{
	memcpy(at(CODE), code, (u64)(end - code));
	l = legacy_at(NULL, 0);
	l.cs = CODE >> 4;
	l.eflags = EFLAGS_VM | 2;
	l.ss = STACK >> 4;
	l.esp = 0xff0;
	l.v86_es = l.v86_ds = l.v86_fs = l.v86_gs = DATA >> 4;
	l.edx = SCRATCH;
}
#define LOAD(name) load(name, name##_end)

static bool trapped(u32 vector, u32 error, u64 ip)
{
	return l.vector == vector && l.error == error && l.eip == ip && l.cs == CODE >> 4 && l.eflags & EFLAGS_VM;
}
#define AT(name)     ((u64)(name##_at - name))
#define BEHIND(name) ((u64)(name##_behind - name))

/* Runs `name` as it was loaded, and says so if the trap is not the one that must come. */
#define EXPECT(name, vec, err, where, text) ({ \
	bool ok_; \
	legacy_run(&l); \
	ok_ = trapped(vec, err, where(name)); \
	report(ok_, text); \
	if (!ok_) \
		print("vector %u error %x at %x:%x flags %x cr2 %x, not %u %x at %lx\n", l.vector, l.error, l.cs, l.eip, \
		      l.eflags, l.cr2, vec, err, where(name)); \
	ok_; })

static void allow_port(u32 port, bool allow)
{
	u8 bit = (u8)(1u << (port & 7));

	legacy_tss.io[port / 8] = allow ? legacy_tss.io[port / 8] & (u8)~bit : legacy_tss.io[port / 8] | bit;
}

static void paged(void)
{
	l.cr0 = CR0_PG;
	l.cr3 = (u32)(u64)directory;
	l.cr4 |= CR4_PSE;
}

static void make_tables(void)
{
	u32 i;

	for (i = 0; i < 1024; i++) {
		directory[i] = i << 22 | 0x83;
		table[i] = i << 12 | 3 | (i <= 0x110 ? 4 : 0);
	}
	directory[0] = (u32)(u64)table | 7;
	table[WINDOW >> 12] = (u32)LAPIC | 0x17;
	table[HOLE >> 12] = 0;
	table[READ_ONLY >> 12] = DATA | 5;
}

CODE16(segments, "mov %cs, %ax\nmov %ss, %bx\nmov %ds, %cx", "hlt", "");
CODE16(wrap, "mov $0xffff, %ax\nmov %ax, %ds\nmovl 0x10, %eax", "hlt", "");

static void check_enter(void)
{
	LOAD(segments);
	l.v86_es = 0x1111;
	l.v86_fs = 0x2222;
	l.v86_gs = 0x3333;
	EXPECT(segments, GP, 0u, AT, "in by IRET, out by HLT, which is #GP(0) there");
	report(l.eax == CODE >> 4 && l.ebx == STACK >> 4 && l.ecx == DATA >> 4, "segments are paragraphs (%x %x %x)", l.eax,
	       l.ebx, l.ecx);
	report(l.ss == STACK >> 4 && l.esp == 0xff0 && l.v86_es == 0x1111 && l.v86_ds == DATA >> 4 && l.v86_fs == 0x2222 &&
	       l.v86_gs == 0x3333, "the frame holds all segments");
	report(!l.ds && !l.es && !l.fs && !l.gs, "and the handler finds null ones");
	LOAD(wrap);
	EXPECT(wrap, GP, 0u, AT, "memory above 1 MiB by segment FFFF");
	report(l.eax == *(volatile u32 *)at(0x100000), "is what lies there");
}

CODE16(do_cpuid, "cpuid", "hlt", "");
CODE16(in_out, "mov $0x5a, %al\nout %al, %dx\nxor %ax, %ax\nin %dx, %al", "hlt", "");
CODE16(in_byte, "", "inb %dx, %al", "");
CODE16(in_word, "dec %dx", "inw %dx, %ax", "hlt");
CODE16(in_imm, "", "inb $0x80, %al", "hlt");
CODE16(rep_ins, "cld\nmov $5, %cx\nmov $0x10, %di\nrep insb", "hlt", "");
CODE16(rep_outs, "cld\nmov $3, %cx\nmov $0x20, %si\nrep outsb", "hlt", "");
CODE16(ins_word, "mov $0xffff, %di", "insw", "hlt");

static void check_io(void)
{
	u32 leaf;

	for (leaf = 0; leaf < 2; leaf++) {
		struct cpuid want = cpuid(leaf ? 0x80000001 : 0);

		LOAD(do_cpuid);
		l.eax = leaf ? 0x80000001 : 0;
		EXPECT(do_cpuid, GP, 0u, AT, "CPUID");
		report(l.eax == want.a && l.ebx == want.b && l.ecx == want.c && l.edx == want.d, "CPUID gives what it gives elsewhere");
	}
	LOAD(in_byte);
	EXPECT(in_byte, GP, 0u, AT, "IN without permission is #GP(0)");
	LOAD(in_byte);
	l.eflags |= EFLAGS_IOPL;
	EXPECT(in_byte, GP, 0u, AT, "whatever IOPL is");
	LOAD(rep_ins);
	legacy_run(&l);
	report(l.vector == GP && !l.error && l.edi == 0x10 && l.ecx == 5, "INS too, with nothing done");
	allow_port(SCRATCH, true);
	LOAD(in_out);
	EXPECT(in_out, GP, 0u, AT, "OUT and IN with the port's bit clear");
	report((u8)l.eax == 0x5a, "reach the device (%x)", l.eax);
	LOAD(in_word);
	EXPECT(in_word, GP, 0u, AT, "a word needs the bits of both its ports");
	allow_port(SCRATCH - 1, true);
	LOAD(in_word);
	EXPECT(in_word, GP, 0u, BEHIND, "and is read with both");
	report((l.eax & 0xff00) == 0x5a00, "from both (%x)", l.eax);
	LOAD(in_imm);
	EXPECT(in_imm, GP, 0u, AT, "a port that stands in the instruction is checked too");
	memset(at(DATA), 0, 64);
	LOAD(rep_ins);
	EXPECT(rep_ins, GP, 0u, AT, "REP INSB");
	report(!memcmp(at(DATA + 0x10), "ZZZZZ", 6) && l.edi == 0x15 && !l.ecx, "fills memory at ES:DI");
	memcpy(at(DATA + 0x20), "\x11\x22\x33\x44", 4);
	LOAD(rep_outs);
	EXPECT(rep_outs, GP, 0u, AT, "REP OUTSB");
	report(inb(SCRATCH) == 0x33 && l.esi == 0x23, "takes memory at DS:SI");
	LOAD(ins_word);
	l.edx = SCRATCH - 1;
	l.edi = 0;
	legacy_run(&l);
	report_vouch(trapped(GP, 0, AT(ins_word)), "INSW across the end of a segment is #GP(0) (vector %u at %x)", l.vector, l.eip);
}

CODE16(rep_ins_hole, "cld\nmov $4, %cx\nmov $0xffe, %di", "rep insb", "hlt");
CODE16(mmio, "mov $0x5000, %ax\nmov %ax, %ds\nmovl 0x30, %ebx\nmovl $0x01234567, 0x380\norl $8, 0x380\n"
	     "mov $0x80, %si\nmovl 0x300(%si), %ecx", "hlt", "");
CODE16(mmio_movs, "cld\nmov $0x5000, %ax\nmov %ax, %ds\nmov $0x380, %si\nmov $0x40, %di\nmovsl", "hlt", "");
CODE16(read_hole, "", "movw 0x1000, %ax", "hlt");

static void check_memory(void)
{
	LOAD(mmio);
	paged();
	EXPECT(mmio, GP, 0u, AT, "a device through page tables");
	report(l.ebx == lapic_read(APIC_VERSION) && l.ecx == (0x01234567 | 8) && lapic_read(APIC_TMICT) == l.ecx,
	       "is read and written (%x, %x)", l.ebx, l.ecx);
	LOAD(mmio_movs);
	paged();
	EXPECT(mmio_movs, GP, 0u, AT, "MOVS from a device");
	report(*(volatile u32 *)at(DATA + 0x40) == (0x01234567 | 8) && l.edi == 0x44 && l.esi == 0x384, "to memory");
	LOAD(read_hole);
	paged();
	l.v86_ds = (HOLE - 0x1000) >> 4;
	EXPECT(read_hole, PF, 4u, AT, "#PF of a read: a user's");
	report(l.cr2 == HOLE, "CR2 is the linear address (%x)", l.cr2);
	LOAD(rep_ins_hole);
	paged();
	l.v86_es = (HOLE - 0x1000) >> 4;
	table[(HOLE >> 12) - 1] = DATA | 7;
	EXPECT(rep_ins_hole, PF, 6u, AT, "#PF in the middle of REP INSB");
	report(l.cr2 == HOLE && (u16)l.ecx == 2 && (u16)l.edi == 0x1000, "two bytes of four done (%x, %x, %x)", l.cr2, l.ecx, l.edi);
	table[HOLE >> 12] = DATA | 7;
	legacy_run(&l);
	report(trapped(GP, 0, BEHIND(rep_ins_hole)) && !(u16)l.ecx && *(volatile u8 *)at(DATA + 1) == inb(SCRATCH),
	       "and the rest when the page is there");
	table[HOLE >> 12] = 0;
	table[(HOLE >> 12) - 1] = (u32)LAPIC | 0x17;
	LOAD(rep_ins);
	paged();
	l.v86_es = READ_ONLY >> 4;
	legacy_run(&l);
	report(l.vector == PF && l.error == 7 && l.cr2 == READ_ONLY + 0x10 && (u16)l.ecx == 5, "#PF of INS to a read-only page");
}

CODE16(do_int, "", "int $0x80", "hlt");
CODE16(do_int81, "", "int $0x81", "hlt");
CODE16(do_int3, "", "int3", "hlt");
CODE16(do_cd03, "", ".byte 0xcd, 3", "hlt");
CODE16(do_into, "mov $0x7fff, %ax\ninc %ax", "into", "hlt");
CODE16(do_cli, "", "cli", "hlt");
CODE16(do_sti, "", "sti", "hlt");
CODE16(do_pushf, "", "pushf", "hlt");
CODE16(do_popf, "", "popf", "hlt");
extern u8 after_iret[];
CODE16(do_iret, "pushw $0x202\npush %cs\npush $(after_iret - do_iret)", "iret", "nop\nafter_iret: hlt");

static void check_iopl(void)
{
	LOAD(do_int);
	EXPECT(do_int, GP, 0u, AT, "INT n with IOPL below 3 is #GP(0)");
	LOAD(do_int);
	l.eflags |= EFLAGS_IOPL;
	EXPECT(do_int, 0x80u, 0u, BEHIND, "with IOPL 3 it takes its gate");
	LOAD(do_int81);
	l.eflags |= EFLAGS_IOPL;
	legacy_run(&l);
	report(l.vector == GP && l.eip == AT(do_int81), "#GP if that is not for CPL 3");
	report_cpu(l.error == 0x81 * 8 + 2, "with the gate's error code (%x)", l.error);
	LOAD(do_cd03);
	EXPECT(do_cd03, GP, 0u, AT, "INT 3 in two bytes is INT n");
	LOAD(do_int3);
	EXPECT(do_int3, 3u, 0u, BEHIND, "INT3 in one does not ask for IOPL");
	LOAD(do_into);
	EXPECT(do_into, 4u, 0u, BEHIND, "nor does INTO");
	LOAD(do_cli);
	EXPECT(do_cli, GP, 0u, AT, "CLI with IOPL 0 is #GP(0)");
	LOAD(do_sti);
	EXPECT(do_sti, GP, 0u, AT, "STI");
	LOAD(do_pushf);
	EXPECT(do_pushf, GP, 0u, AT, "PUSHF");
	LOAD(do_popf);
	EXPECT(do_popf, GP, 0u, AT, "POPF");
	LOAD(do_iret);
	EXPECT(do_iret, GP, 0u, AT, "IRET");
	LOAD(do_iret);
	l.eflags |= EFLAGS_IOPL;
	legacy_run(&l);
	report(l.vector == GP && l.eip == (u64)(after_iret - do_iret) && l.eflags & EFLAGS_IF, "IRET with IOPL 3 returns there");
	LOAD(do_sti);
	l.eflags |= EFLAGS_IOPL;
	EXPECT(do_sti, GP, 0u, BEHIND, "STI with IOPL 3");
	report(l.eflags & EFLAGS_IF, "sets IF itself");
}

CODE16(do_div, "xor %cx, %cx", "div %cx", "");
CODE16(do_ud, "", "ud2", "");
CODE16(do_bound, "mov $9, %ax\nmovl $0x00020001, 0x30", "bound %ax, 0x30", "");
CODE16(do_cr0, "", "mov %cr0, %eax", "");
CODE16(do_wcr0, "", "mov %eax, %cr0", "");
CODE16(do_dr7, "", "mov %dr7, %eax", "");
CODE16(do_rdmsr, "movl $0xc0000080, %ecx", "rdmsr", "");
CODE16(do_wrmsr, "movl $0xc0000080, %ecx", "wrmsr", "");
CODE16(do_lmsw, "", "lmsw %ax", "");
CODE16(do_clts, "", "clts", "");
CODE16(do_invd, "", "invd", "");
CODE16(do_lgdt, "", "lgdtl 0x30", "");
CODE16(do_sldt, "", "sldt %ax", "");
CODE16(do_lar, "", "lar %ax, %bx", "");
CODE16(do_rdtsc, "", "rdtsc", "hlt");

static void check_exceptions(void)
{
	LOAD(do_div);
	EXPECT(do_div, 0u, 0u, AT, "#DE");
	LOAD(do_ud);
	EXPECT(do_ud, 6u, 0u, AT, "#UD");
	LOAD(do_bound);
	EXPECT(do_bound, 5u, 0u, AT, "#BR");
	LOAD(do_cr0);
	EXPECT(do_cr0, GP, 0u, AT, "#GP by a read of CR0");
	LOAD(do_wcr0);
	EXPECT(do_wcr0, GP, 0u, AT, "by a write");
	LOAD(do_dr7);
	EXPECT(do_dr7, GP, 0u, AT, "of DR7");
	LOAD(do_rdmsr);
	EXPECT(do_rdmsr, GP, 0u, AT, "by RDMSR");
	LOAD(do_wrmsr);
	EXPECT(do_wrmsr, GP, 0u, AT, "by WRMSR");
	LOAD(do_lmsw);
	EXPECT(do_lmsw, GP, 0u, AT, "by LMSW");
	LOAD(do_clts);
	EXPECT(do_clts, GP, 0u, AT, "by CLTS");
	LOAD(do_invd);
	EXPECT(do_invd, GP, 0u, AT, "by INVD");
	LOAD(do_lgdt);
	EXPECT(do_lgdt, GP, 0u, AT, "by LGDT");
	LOAD(do_sldt);
	EXPECT(do_sldt, 6u, 0u, AT, "#UD by SLDT");
	LOAD(do_lar);
	EXPECT(do_lar, 6u, 0u, AT, "and by LAR");
	LOAD(do_rdtsc);
	EXPECT(do_rdtsc, GP, 0u, BEHIND, "RDTSC");
	LOAD(do_rdtsc);
	l.cr4 = CR4_TSD;
	EXPECT(do_rdtsc, GP, 0u, AT, "is #GP with CR4.TSD");
}

CODE16(spin, "1: cpuid", "jmp 1b", "");

static void check_interrupts(void)
{
	LOAD(do_cpuid);
	l.eflags |= EFLAGS_IF;
	lapic_self(IPI_VECTOR);
	legacy_run(&l);
	report(trapped(IPI_VECTOR, 0, 0), "a pending interrupt comes first (vector %u at %x)", l.vector, l.eip);
	lapic_eoi();
	LOAD(do_cpuid);
	lapic_self(IPI_VECTOR);
	EXPECT(do_cpuid, GP, 0u, AT, "not with IF clear");
	LOAD(do_sti);
	l.eflags |= EFLAGS_IOPL;
	legacy_run(&l);
	report(l.vector == IPI_VECTOR || l.vector == GP, "STI lets it in, or the HLT behind it traps first");
	if (l.vector == GP) {
		l.eip = (u32)AT(do_sti);
		l.eflags &= ~(u32)EFLAGS_IF;
		*(volatile u8 *)at(CODE + BEHIND(do_sti)) = 0x90;
		legacy_run(&l);
	}
	lapic_eoi();
	lapic_write(APIC_TDCR, 0xb);
	lapic_write(APIC_LVTT, IPI_VECTOR);
	lapic_write(APIC_TMICT, 100000);
	LOAD(spin);
	l.eflags |= EFLAGS_IF;
	legacy_run(&l);
	report(l.vector == IPI_VECTOR && l.eflags & EFLAGS_VM && l.eip <= AT(spin), "an interrupt ends a loop of exits");
	lapic_write(APIC_LVTT, 0x10000);
	lapic_eoi();
}

CODE16(steps, "", "nop\ncpuid\ninb %dx, %al\nmov $1, %cx\nnop", "hlt");

static void check_single_step(void)
{
	static const u8 length[] = { 1, 2, 1, 3, 1 };
	u32 i, ip = 0;
	bool ok = true;

	LOAD(steps);
	l.eflags |= EFLAGS_TF;
	for (i = 0; i < ARRAY_SIZE(length); i++) {
		legacy_run(&l);
		ip += length[i];
		if (ok && !trapped(1, 0, ip))
			print("step %u: vector %u at %x, not %x\n", i, l.vector, l.eip, ip);
		ok = ok && trapped(1, 0, ip);
		l.edx = SCRATCH;              /* CPUID has changed it */
	}
	report(ok, "TF: a #DB behind each instruction, exits or not");
	asm volatile("mov %0, %%dr6" :: "r"(0xffff0ff0ull));
}

CODE16(int40, "", "int $0x40", "hlt\nint40_handler: mov $0x1234, %ax\ncpuid\nint40_hlt: hlt");
CODE16(vme_cli, "", "cli", "hlt");
CODE16(vme_pushf, "", "pushf\npop %ax", "hlt");
extern u8 int40_handler[], int40_hlt[];

static void vme(void)
{
	l.cr4 = CR4_VME;
}

static void check_vme(void)
{
	volatile u16 *ivt = at(0), *stack = at(STACK + 0xff0 - 6);

	if (!(cpuid(1).d >> 1 & 1)) {
		u64 cr4 = read_cr4();

		report_vouch(WRITE_CR_TRY(4, cr4 | CR4_VME) == GP, "no VME on this CPU, and no CR4.VME");
		write_cr4(cr4);
		return;
	}
	ivt[0x40 * 2] = (u16)(int40_handler - int40);
	ivt[0x40 * 2 + 1] = CODE >> 4;
	LOAD(int40);
	vme();
	EXPECT(int40, GP, 0u, AT, "VME: INT n whose bit is set is #GP(0) as ever");
	legacy_tss.vme[0x40 / 8] &= 0xfe;
	LOAD(int40);
	vme();
	l.eflags |= EFLAGS_VIF;
	legacy_run(&l);
	report(trapped(GP, 0, (u64)(int40_hlt - int40)) && l.esp == 0xff0 - 6, "VME: with it clear, by the table at address 0");
	report(stack[0] == BEHIND(int40) && stack[1] == CODE >> 4 && (stack[2] & 0x3200) == 0x3200 && !(l.eflags & EFLAGS_VIF),
	       "VME: its frame shows VIF as IF, and IOPL 3; VIF is clear then (%x)", stack[2]);
	legacy_tss.vme[0x40 / 8] |= 1;
	LOAD(vme_cli);
	vme();
	l.eflags |= EFLAGS_VIF | EFLAGS_IF;
	EXPECT(vme_cli, GP, 0u, BEHIND, "VME: CLI");
	report(!(l.eflags & EFLAGS_VIF) && l.eflags & EFLAGS_IF, "clears VIF, not IF");
	LOAD(do_sti);
	vme();
	EXPECT(do_sti, GP, 0u, BEHIND, "VME: STI");
	report(l.eflags & EFLAGS_VIF && !(l.eflags & EFLAGS_IF), "sets VIF, not IF");
	LOAD(do_sti);
	vme();
	l.eflags |= EFLAGS_VIP;
	EXPECT(do_sti, GP, 0u, AT, "VME: STI with VIP is #GP(0)");
	LOAD(vme_pushf);
	vme();
	l.eflags |= EFLAGS_VIF;
	EXPECT(vme_pushf, GP, 0u, BEHIND, "VME: PUSHF");
	report((l.eax & 0x3200) == 0x3200, "pushes VIF as IF (%x)", l.eax);
}

void test_main(void)
{
	u32 i;
	bool ok = true;

	lapic_on();
	legacy_init();
	make_tables();
	check_enter();
	check_io();
	check_memory();
	check_iopl();
	check_exceptions();
	check_interrupts();
	check_single_step();
	check_vme();
	for (i = 0; i < 50; i++) {
		LOAD(do_cpuid);
		if (i & 1)
			paged();
		legacy_run(&l);
		ok = ok && trapped(GP, 0, AT(do_cpuid));
	}
	report(ok, "50 times in and out");
	report(TRAPS(6, "ud2"), "long mode works as before");
}
