/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 32-bit protected mode: exceptions that long mode lacks (#BR, #OF by INTO, #TS by a bad stack) and those of segments,
 * each with its error code and the EIP it must have, from CPL 3, 1 and 0; ports by IOPL and permission map; what
 * segments forbid to instructions that exit.
 */
#include "lib/legacy.h"

const char test_name[] = "protected";

#define SCRATCH 0x3ffu
#define DE 0u
#define BP 3u
#define OF 4u
#define BR 5u
#define UD 6u
#define DF 8u
#define TS 10u
#define NP 11u
#define SS 12u
#define GP 13u
#define AC 17u
#define CR0_AM 0x40000u

/* Selectors of our own, at the end of the spare ones. */
#define SEL_ABSENT (SEL_SPARE + 7 * 8)     /* data, CPL 3, not present */
#define SEL_SMALL (SEL_SPARE + 8 * 8)      /* data, CPL 3, 16 bytes at small_area */
#define SEL_READ (SEL_SPARE + 9 * 8)       /* data, CPL 3, read-only */
#define SEL_EXECUTE (SEL_SPARE + 10 * 8)   /* code, CPL 3, not readable */
#define SEL_DOWN (SEL_SPARE + 11 * 8)      /* data, CPL 3, expand-down from small_area + 16 */
#define SEL_GATE (SEL_SPARE + 12 * 8)      /* call gate, CPL 3, to ring1 */
#define SEL_CODE_1 (SEL_SPARE + 13 * 8)    /* code of CPL 1; its stack is SEL_SMALL with another DPL */
#define SEL_DATA_1 (SEL_SPARE + 6 * 8)     /* data of CPL 1 */

static u8 small_area[4096] __attribute__((aligned(4096)));
static u8 stack1[4096] __attribute__((aligned(16)));
static struct legacy l;

#define CODE32(name, before, insn, after) LEGACY_CODE(32, name, before, insn, after)

static u64 segment(u64 base, u64 limit, u64 access, u64 flags)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | access << 40 | (limit >> 16 & 15) << 48 | flags << 52 |
	       (base >> 24 & 0xff) << 56;
}

CODE32(ring1, "mov %cs, %esi\nmov %ss, %edi\ncpuid", "int $0x80", "");

static void make_segments(void)
{
	u64 to = (u64)ring1;

	gdt[SEL_ABSENT / 8] = segment(0, 0xfffff, 0x73, 12);
	gdt[SEL_SMALL / 8] = segment((u64)small_area, 15, 0xf3, 4);
	gdt[SEL_READ / 8] = segment(0, 0xfffff, 0xf1, 12);
	gdt[SEL_EXECUTE / 8] = segment(0, 0xfffff, 0xf9, 12);
	gdt[SEL_DOWN / 8] = segment((u64)small_area, 15, 0xf7, 4);
	gdt[SEL_GATE / 8] = (to & 0xffff) | (u64)(SEL_CODE_1 | 1) << 16 | 0xecull << 40 | (to >> 16) << 48;
	gdt[SEL_CODE_1 / 8] = segment(0, 0xfffff, 0xbb, 12);
	gdt[SEL_DATA_1 / 8] = segment(0, 0xfffff, 0xb3, 12);
}

#define USER(name) (l = legacy_at(name, 3))
#define KERNEL(name) (l = legacy_at(name, 0))

CODE32(do_div, "xor %ecx, %ecx", "div %ecx", "");
CODE32(do_int3, "", "int3", "nop");
CODE32(do_into, "mov $0x7fffffff, %eax\ninc %eax", "into", "nop");
CODE32(no_into, "xor %eax, %eax\ninto", "ud2", "");
CODE32(do_bound, "", "bound %eax, (%ebx)", "ud2");
CODE32(do_ud, "", "ud2", "");
CODE32(do_int80, "", "int $0x80", "nop");
CODE32(do_int81, "", "int $0x81", "nop");
CODE32(do_hlt, "", "hlt", "");
CODE32(do_cpuid, "cpuid", "hlt", "");
CODE32(do_cr0, "", "mov %cr0, %eax", "");
CODE32(do_rdmsr, "", "rdmsr", "");
CODE32(do_aam, "", "aam $0", "");
CODE32(misaligned, "", "movl 1(%esp), %eax", "nop\nhlt");

static void check_plain(void)
{
	static u32 bounds[2] = { 5, 7 };
	u32 i;

	USER(do_div);
	legacy_expect(&l, DE, 0, do_div_at, "#DE, a fault");
	USER(do_aam);
	legacy_expect(&l, DE, 0, do_aam_at, "#DE by AAM 0");
	USER(do_int3);
	legacy_expect(&l, BP, 0, do_int3_behind, "#BP, a trap");
	USER(do_into);
	legacy_expect(&l, OF, 0, do_into_behind, "#OF by INTO, a trap");
	USER(no_into);
	legacy_expect(&l, UD, 0, no_into_at, "none without OF");
	for (i = 4; i < 9; i++) {
		USER(do_bound);
		l.eax = i;
		l.ebx = (u32)(u64)bounds;
		if (i >= 5 && i <= 7)
			legacy_expect(&l, UD, 0, do_bound_behind, "no #BR within the bounds, the upper one included");
		else
			legacy_expect(&l, BR, 0, do_bound_at, "#BR by BOUND, a fault");
	}
	USER(do_ud);
	legacy_expect(&l, UD, 0, do_ud_at, "#UD, a fault");
	USER(do_int80);
	legacy_expect(&l, 0x80, 0, do_int80_behind, "INT n through a gate for CPL 3");
	USER(do_hlt);
	legacy_expect(&l, GP, 0, do_hlt_at, "#GP(0) by HLT at CPL 3");
	USER(do_cr0);
	legacy_expect(&l, GP, 0, do_cr0_at, "by a read of CR0");
	USER(do_rdmsr);
	legacy_expect(&l, GP, 0, do_rdmsr_at, "by RDMSR");
	USER(do_cpuid);
	legacy_expect(&l, GP, 0, do_cpuid_at, "CPUID at CPL 3");
	report(l.ebx == cpuid(0).b && l.cs == (SEL_USER_CODE32 | 3), "gives its answer (%x)", l.ebx);
	USER(misaligned);
	l.cr0 = CR0_AM;
	l.eflags |= EFLAGS_AC;
	legacy_run(&l);
	report_cpu(l.vector == AC && !l.error && l.eip == (u32)(u64)misaligned_at, "#AC(0), a fault (vector %u)", l.vector);
}

CODE32(load_ds, "", "mov %eax, %ds", "hlt");
CODE32(load_ss, "", "mov %eax, %ss", "hlt");
CODE32(far_jump, "", "ljmp *(%ebx)", "hlt");

static void expect_load(const u8 *code, u32 selector, u32 vector, u32 error, const char *text)
{
	l = legacy_at(code, 3);
	l.eax = selector;
	legacy_expect(&l, vector, error, code, text);
}

static void check_selectors(void)
{
	static struct { u32 offset; u16 sel; } __attribute__((packed)) far;

	expect_load(load_ds, SEL_ABSENT | 3, NP, SEL_ABSENT, "#NP by a segment that is not present: its selector is the error code");
	expect_load(load_ds, 0xfff3, GP, 0xfff0, "#GP by one beyond the GDT");
	expect_load(load_ds, SEL_DATA | 3, GP, SEL_DATA, "#GP by one of CPL 0");
	expect_load(load_ds, SEL_USER_DATA | 4 | 3, GP, SEL_USER_DATA | 4, "#GP by one in an LDT that is not there");
	expect_load(load_ds, SEL_EXECUTE | 3, GP, SEL_EXECUTE, "#GP by one that cannot be read");
	expect_load(load_ss, SEL_ABSENT | 3, SS, SEL_ABSENT, "#SS by a stack that is not present");
	expect_load(load_ss, 3, GP, 0, "#GP(0) by a null stack");
	expect_load(load_ss, SEL_USER_DATA, GP, SEL_USER_DATA, "#GP by a stack of another RPL");
	expect_load(load_ss, SEL_READ | 3, GP, SEL_READ, "#GP by a stack that is read-only");
	USER(far_jump);
	far.sel = SEL_USER_DATA | 3;
	l.ebx = (u32)(u64)&far;
	legacy_expect(&l, GP, SEL_USER_DATA, far_jump_at, "#GP by a far jump to data");
	USER(far_jump);
	far.sel = 0;
	l.ebx = (u32)(u64)&far;
	legacy_expect(&l, GP, 0, far_jump_at, "#GP(0) by one to the null selector");
}

CODE32(call_gate, "", ".byte 0x9a\n.long 0\n.word 0xb8 | 3", "hlt");
CODE32(iret_nt, "pushfl\norl $0x4000, (%esp)\npopfl", "iretl", "");
_Static_assert(SEL_GATE == 0xb8, "call_gate names it");

static void expect_stack1(u32 ss1, u32 vector, u32 error, const char *text)
{
	legacy_tss.esp1 = (u32)(u64)stack1 + sizeof(stack1);
	legacy_tss.ss1 = ss1;
	l = legacy_at(call_gate, 3);
	legacy_expect(&l, vector, error, call_gate_at, text);
}

static void check_ts(void)
{
	expect_stack1(0, TS, 0, "#TS(0) by a null stack in the TSS");
	expect_stack1(0xfff1, TS, 0xfff0, "#TS by a stack beyond the GDT: its selector is the error code");
	expect_stack1(SEL_DATA | 1, TS, SEL_DATA, "#TS by a stack of another DPL");
	expect_stack1(SEL_DATA_1, TS, SEL_DATA_1, "#TS by a stack of another RPL");
	gdt[SEL_DATA_1 / 8] &= ~(0x80ull << 40);
	legacy_tss.ss1 = SEL_DATA_1 | 1;
	USER(call_gate);
	legacy_run(&l);
	report(l.error == SEL_DATA_1 && l.eip == (u32)(u64)call_gate_at, "an exception by a stack that is not present");
	report_cpu(l.vector == SS, "it is #SS (vector %u)", l.vector);
	gdt[SEL_DATA_1 / 8] |= 0x80ull << 40;
	USER(call_gate);
	legacy_expect(&l, 0x80, 0, ring1_behind, "a good one is used, at CPL 1");
	report(l.esi == (SEL_CODE_1 | 1) && l.edi == (SEL_DATA_1 | 1) && l.ss == l.edi && l.cs == l.esi, "by code and stack of CPL 1");
	legacy_tss.link = SEL_DATA;
	KERNEL(iret_nt);
	legacy_expect(&l, TS, SEL_DATA, iret_nt_at, "#TS by IRET with NT to what is no TSS");
	legacy_tss.link = 0;
	KERNEL(iret_nt);
	legacy_expect(&l, TS, 0, iret_nt_at, "or to nothing");
}

static void check_gates(void)
{
	u64 gate;

	USER(do_int81);
	legacy_run(&l);
	report(l.vector == GP && l.eip == (u32)(u64)do_int81_at, "#GP by a gate that is for CPL 0");
	report_cpu(l.error == 0x81 * 8 + 2, "with the gate's error code (%x)", l.error);
	gate = legacy_idt[0x81];
	legacy_idt[0x81] &= ~(0x80ull << 40);
	KERNEL(do_int81);
	legacy_run(&l);
	report(l.vector == NP && l.eip == (u32)(u64)do_int81_at, "#NP by a gate that is not present");
	report_cpu(l.error == 0x81 * 8 + 2, "with the gate's error code (%x)", l.error);
	legacy_idt[0x81] = 0;
	KERNEL(do_int81);
	legacy_run(&l);
	report(l.vector == GP && l.eip == (u32)(u64)do_int81_at, "#GP by what is no gate");
	report_cpu(l.error == 0x81 * 8 + 2, "with the gate's error code (%x)", l.error);
	legacy_idt[0x81] = gate;
	gate = legacy_idt[GP];
	legacy_idt[GP] &= ~(0x80ull << 40);
	USER(do_hlt);
	legacy_run(&l);
	report(l.vector == DF && !l.error, "#DF(0) by #NP in the delivery of #GP (vector %u, error %x)", l.vector, l.error);
	legacy_idt[GP] = gate;
}

CODE32(do_in, "", "inb %dx, %al", "hlt");
CODE32(do_out, "", "outb %al, %dx", "hlt");
CODE32(do_in_word, "", "inw %dx, %ax", "hlt");

static void check_ports(void)
{
	USER(do_in);
	l.edx = SCRATCH;
	legacy_expect(&l, GP, 0, do_in_at, "IN at CPL 3 without IOPL and permission is #GP(0)");
	USER(do_in);
	l.edx = SCRATCH;
	l.eflags |= EFLAGS_IOPL;
	outb(SCRATCH, 0x77);
	legacy_expect(&l, GP, 0, do_in_behind, "with IOPL 3 it works");
	report((u8)l.eax == 0x77, "and reads the device");
	legacy_tss.io[SCRATCH / 8] &= 0x7f;
	USER(do_out);
	l.edx = SCRATCH;
	l.eax = 0x66;
	legacy_expect(&l, GP, 0, do_out_behind, "with permission too");
	report(inb(SCRATCH) == 0x66, "and writes the device");
	USER(do_in_word);
	l.edx = SCRATCH;
	legacy_expect(&l, GP, 0, do_in_word_at, "a word needs that of two ports");
	legacy_tss.iomap = sizeof(legacy_tss);
	USER(do_in);
	l.edx = SCRATCH;
	legacy_expect(&l, GP, 0, do_in_at, "a map beyond the TSS allows nothing");
	legacy_tss.iomap = (u16)__builtin_offsetof(struct legacy_tss, io);
	legacy_tss.io[SCRATCH / 8] |= 0x80;
}

/* The CPU exits before it looks at the operand, so that the emulator has to. QEMU alone never looks, and may abort. */
CODE32(do_insb, "", "insb", "hlt");
CODE32(do_insl, "", "insl", "hlt");
CODE32(do_outsb_fs, "", "outsb %fs:(%esi), %dx", "hlt");
CODE32(do_outsb_ss, "", "outsb %ss:(%esi), %dx", "hlt");
CODE32(do_outsb_cs, "", "outsb %cs:(%esi), %dx", "hlt");
CODE32(rep_insb, "mov $32, %ecx", "rep insb", "hlt");

static void string_io(const u8 *code, u32 selector, u32 offset)
{
	l = legacy_at(code, 3);
	l.eflags |= EFLAGS_IOPL;
	l.edx = SCRATCH;
	l.es = l.fs = selector;
	l.edi = l.esi = offset;
	legacy_run(&l);
}

static void report_segment(bool fault, u32 vector, const u8 *insn, const u8 *behind, const char *text)
{
	u32 eip = (u32)(u64)(fault ? insn : behind);

	report(l.vector == (fault ? vector : GP) && !l.error && l.eip == eip, "%s (vector %u error %x at %x)", text,
		     l.vector, l.error, l.eip);
}
#define SEGMENT(fault, vector, name, text) report_segment(fault, vector, name##_at, name##_behind, text)

static void check_segments(void)
{
	memset(small_area, 0, sizeof(small_area));
	outb(SCRATCH, 0x42);
	string_io(do_insb, SEL_SMALL | 3, 15);
	SEGMENT(false, GP, do_insb, "INSB to the last byte of a segment");
	report(small_area[15] == 0x42, "writes it");
	string_io(do_insb, SEL_SMALL | 3, 16);
	SEGMENT(true, GP, do_insb, "INSB behind it: #GP(0)");
	string_io(do_insl, SEL_SMALL | 3, 13);
	SEGMENT(true, GP, do_insl, "INSL across the end: #GP(0)");
	string_io(do_insl, SEL_SMALL | 3, 0xfffffffe);
	SEGMENT(true, GP, do_insl, "INSL around the end of 32 bits: #GP(0)");
	string_io(rep_insb, SEL_SMALL | 3, 4);
	SEGMENT(true, GP, rep_insb, "REP INSB over the end: #GP(0)");
	report(l.ecx == 20 && l.edi == 16, "with the bytes before it done (%u left, %x)", l.ecx, l.edi);
	string_io(do_insb, SEL_READ | 3, (u32)(u64)small_area);
	SEGMENT(true, GP, do_insb, "INSB to a read-only segment: #GP(0)");
	string_io(do_insb, SEL_USER_CODE32 | 3, (u32)(u64)small_area);
	SEGMENT(true, GP, do_insb, "to a code segment: #GP(0)");
	string_io(do_insb, 0, (u32)(u64)small_area);
	SEGMENT(true, GP, do_insb, "to a null one: #GP(0)");
	string_io(do_insb, SEL_DOWN | 3, 15);
	SEGMENT(true, GP, do_insb, "to what an expand-down segment leaves out: #GP(0)");
	string_io(do_insb, SEL_DOWN | 3, 16);
	SEGMENT(false, GP, do_insb, "to what it has");
	report(small_area[16] == 0x42, "is written");
	string_io(do_outsb_fs, SEL_SMALL | 3, 16);
	SEGMENT(true, GP, do_outsb_fs, "OUTSB from behind a segment: #GP(0)");
	string_io(do_outsb_fs, 0, 16);
	SEGMENT(true, GP, do_outsb_fs, "from a null one: #GP(0)");
	string_io(do_outsb_fs, SEL_READ | 3, (u32)(u64)small_area);
	SEGMENT(false, GP, do_outsb_fs, "from a read-only one");
	string_io(do_outsb_cs, SEL_SMALL | 3, (u32)(u64)small_area);
	SEGMENT(false, GP, do_outsb_cs, "through CS");
	l = legacy_at(do_outsb_ss, 3);
	l.eflags |= EFLAGS_IOPL;
	l.ss = SEL_SMALL | 3;
	l.edx = SCRATCH;
	l.esi = 16;
	legacy_run(&l);
	SEGMENT(true, SS, do_outsb_ss, "OUTSB through SS from behind it: #SS(0)");
}

CODE32(write_cr0_32, "", "mov %eax, %cr0", "mov %cr0, %ebx\nint $0x80");
CODE32(write_cr4_32, "", "mov %eax, %cr4", "mov %cr4, %ebx\nint $0x80");
CODE32(do_lmsw, "", "lmsw %ax", "mov %cr0, %ebx\nint $0x80");
CODE32(do_lmsw_mem, "", "lmsw (%esi)", "mov %cr0, %ebx\nint $0x80");
CODE32(do_clts, "", "clts", "mov %cr0, %ebx\nint $0x80");
CODE32(enter_long, "mov $0xc0000080, %ecx\nrdmsr\nor $0x100, %eax\nwrmsr\nmov %ebx, %eax", "mov %eax, %cr0", "int $0x80");
CODE32(lme_paged, "mov $0xc0000080, %ecx\nrdmsr\nor $0x100, %eax", "wrmsr", "int $0x80");

/* What MOV to a control register may not do outside long mode. QEMU alone takes some of it, and is lost then. */
static void check_refused_control(void)
{
	static const struct { u32 cr0; const char *text; } bad[] = {
		{ 0x80000010, "CR0: PG without PE is #GP(0)" },
		{ 0x20000011, "CR0: NW without CD is #GP(0)" },
	};
	static u32 directory[1024] __attribute__((aligned(4096)));
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KERNEL(write_cr0_32);
		l.eax = bad[i].cr0;
		legacy_run(&l);
		report(l.vector == GP && !l.error && l.eip == (u32)(u64)write_cr0_32_at, "%s (vector %u)", bad[i].text, l.vector);
	}
	KERNEL(write_cr4_32);
	l.eax = 0x80000000;
	legacy_run(&l);
	report(l.vector == GP && !l.error && l.eip == (u32)(u64)write_cr4_32_at, "CR4: a reserved bit is #GP(0) (vector %u)",
	       l.vector);
	/* At an exit in this state QEMU loses its host's CR0.PG. */
	if (arg_is("cpu", "real")) {
		KERNEL(enter_long);
		l.ebx = 0x80000011;
		legacy_run(&l);
		report(l.vector == GP && !l.error && l.eip == (u32)(u64)enter_long_at,
		       "long mode without CR4.PAE is #GP(0) (vector %u)", l.vector);
	}
	for (i = 0; i < 1024; i++)
		directory[i] = i << 22 | 0x83;
	KERNEL(lme_paged);
	l.cr0 = 0x80000000;
	l.cr3 = (u32)(u64)directory;
	l.cr4 = 16;
	legacy_run(&l);
	report(l.vector == GP && !l.error && l.eip == (u32)(u64)lme_paged_at, "EFER.LME with paging on is #GP(0) (vector %u)",
	       l.vector);
}

static void check_control(void)
{
	static u16 word = 0xfffe;
	unsigned int i;

	KERNEL(write_cr0_32);
	l.eax = 0x60000033;
	legacy_run(&l);
	report(l.vector == 0x80 && (l.ebx & 0x6000003f) == 0x60000033, "CR0: caches off, and MP (%x)", l.ebx);
	KERNEL(do_lmsw);
	l.eax = 0xfff8;
	legacy_run(&l);
	report(l.vector == 0x80 && (l.ebx & 0x3f) == 0x39, "LMSW sets TS, and does not clear PE (%x)", l.ebx);
	KERNEL(do_lmsw_mem);
	l.esi = (u32)(u64)&word;
	legacy_run(&l);
	report(l.vector == 0x80 && (l.ebx & 0x3f) == 0x3f && !(l.ebx >> 16), "LMSW from memory: four bits count (%x)", l.ebx);
	KERNEL(do_clts);
	l.cr0 = 8;
	legacy_run(&l);
	report(l.vector == 0x80 && !(l.ebx & 8), "CLTS clears TS (%x)", l.ebx);
	for (i = 0; i < 3; i++) {
		static const u8 *const code[] = { write_cr0_32, do_lmsw, do_clts };

		l = legacy_at(code[i], 3);
		legacy_expect(&l, GP, 0, code[i], "#GP(0) by MOV to CR0, LMSW and CLTS at CPL 3");
	}
}

void test_main(void)
{
	legacy_init();
	make_segments();
	check_plain();
	check_selectors();
	check_ts();
	check_gates();
	check_ports();
	check_control();
	if (expect_vouch)
		check_refused_control();
	if (expect_vouch)
		check_segments();
	report(TRAPS(6, "ud2"), "long mode works as before");
}
