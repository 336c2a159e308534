/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware task switches: JMP, CALL, IRET and task gates of 32-bit protected mode, to 32-bit and 16-bit TSSs. AMD's CPUs
 * do them by themselves in a guest, on Intel's it is Vouch that does.
 */
#include "lib/legacy.h"

const char test_name[] = "tasks";

#define NP 11u
#define TS 10u
#define GP 13u
#define DONE 0x80u
#define CR0_TS 8u
#define CR0_PG 0x80000000u
#define CR4_PSE 0x10u
#define BUSY (2ull << 40)
#define MARK_A 0xaaaaaaaau
#define MARK_B 0xbbbbbbbbu

/* Of the spare selectors; the code below has these numbers in its text. */
#define SEL_TASK   0x90
#define SEL_TASK16 0x98
#define SEL_LDT    0xa0
#define SEL_CODE_16BIT_TASK 0xa8
#define SEL_STACK_16BIT_TASK 0xb0

struct tss16 {
	u16 link, stacks[6], ip, flags, regs[8], segs[4], ldt;
} __attribute__((packed));

static struct legacy_tss task_tss;
static struct tss16 task_tss16;
static u64 ldt[2];
static u8 task_stack[4096] __attribute__((aligned(16)));
static u32 marks[2];
static u32 dir_a[1024] __attribute__((aligned(4096))), dir_b[1024] __attribute__((aligned(4096)));
static u32 table_a[1024] __attribute__((aligned(4096))), table_b[1024] __attribute__((aligned(4096)));
static u32 page_a[1024] __attribute__((aligned(4096))), page_b[1024] __attribute__((aligned(4096)));
static struct legacy l;

#define CODE32(name, before, insn, after) LEGACY_CODE(32, name, before, insn, after)

/* In the old task. */
CODE32(do_jmp, "", "ljmp $0x90, $0", "ud2");
CODE32(do_call, "", "lcall $0x90, $0", "movl %cr0, %ebx\nint $0x80");
CODE32(do_call16, "", "lcall $0x98, $0", "movl %cr0, %ebx\nint $0x80");
CODE32(do_int, "", "int $0x70", "int $0x80");
CODE32(do_fault, "movl $0xfff8, %eax", "movl %eax, %ds", "ud2");

/* In the new one. */
CODE32(arrive, "", "movl %cr0, %ebx", "pushfl\npopl %ecx\nint $0x80");
CODE32(go_back, "pushfl\npopl %ecx\nmovl $0x77, %eax", "iret", "int $0x81");
CODE32(handler, "", "popl %ebx", "pushfl\npopl %ecx\nint $0x80");
CODE32(look, "", "movl 0x80000000, %edx", "int $0x80");
CODE32(look_fs, "", "movl %fs:4, %edx", "int $0x80");

static u64 descriptor(u64 base, u64 limit, u64 access, u64 flags)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | access << 40 | (limit >> 16 & 15) << 48 | flags << 52 |
	       (base >> 24 & 0xff) << 56;
}

/* A new task at code, with a number in each register, and an old one about to switch to it. */
static void fresh(const u8 *old, const u8 *code)
{
	unsigned int i;

	memset(&task_tss, 0, sizeof(task_tss));
	task_tss.eip = (u32)(u64)code;
	task_tss.eflags = 2;
	for (i = 0; i < 8; i++)
		task_tss.regs[i] = 0x10001000u * (i + 1);
	task_tss.regs[4] = (u32)(u64)(task_stack + sizeof(task_stack));
	for (i = 0; i < 4; i++)
		task_tss.segs[i] = SEL_DATA;
	task_tss.segs[1] = SEL_CODE32;
	gdt[SEL_TASK / 8] = descriptor((u64)&task_tss, 0x67, 0x89, 0);
	legacy_tss.link = legacy_tss.eip = legacy_tss.eflags = 0;
	l = legacy_at(old, 0);
	l.ebp = 0x1234567;
	l.esi = 0x7654321;
	l.eflags |= 0x41;                       /* CF and ZF */
}

static bool busy(unsigned int sel)
{
	return gdt[sel / 8] & BUSY;
}

static bool old_saved(const u8 *eip)
{
	return legacy_tss.eip == (u32)(u64)eip && legacy_tss.regs[5] == 0x1234567 && legacy_tss.regs[6] == 0x7654321 &&
	       (u16)legacy_tss.segs[1] == SEL_CODE32 && (u16)legacy_tss.segs[2] == SEL_DATA &&
	       (legacy_tss.eflags & 0x41) == 0x41;
}

static bool new_loaded(void)
{
	return l.vector == DONE && l.eax == 0x10001000 && l.edx == 0x30003000 && l.ebp == 0x60006000 && l.esi == 0x70007000 &&
	       l.edi == 0x80008000 && (l.ebx & CR0_TS);
}

static void check_jmp(void)
{
	fresh(do_jmp, arrive);
	legacy_run(&l);
	report(new_loaded(), "JMP: the new task's registers, and CR0.TS (vector %x)", l.vector);
	report(old_saved(do_jmp_behind), "JMP: the old task's state is saved (%x)", legacy_tss.eip);
	report(!(l.ecx & EFLAGS_NT) && task_tss.link == 0, "JMP: no link, no NT");
	report(busy(SEL_TASK) && !busy(SEL_LEGACY_TSS), "JMP: the new task is busy, the old one is not");
}

static void check_call(void)
{
	fresh(do_call, go_back);
	legacy_run(&l);
	report(l.vector == DONE && l.ebp == 0x1234567 && l.esi == 0x7654321, "CALL and IRET: back (vector %x)", l.vector);
	report(l.ebx & CR0_TS, "CALL and IRET: CR0.TS");
	report((u16)task_tss.link == SEL_LEGACY_TSS && (task_tss.regs[1] & EFLAGS_NT), "CALL: link and NT");
	report(task_tss.eip == (u32)(u64)go_back_behind && task_tss.regs[0] == 0x77, "IRET: the new task's state is saved");
	report(!(task_tss.eflags & EFLAGS_NT), "IRET: its NT is cleared");
	report(!busy(SEL_TASK) && busy(SEL_LEGACY_TSS), "CALL and IRET: who is busy");
}

static void check_gates(void)
{
	legacy_idt[GP] = (u64)SEL_TASK << 16 | 0x85ull << 40;
	fresh(do_fault, handler);
	legacy_run(&l);
	legacy_gate(GP, 0);
	report(l.vector == DONE && l.ebx == 0xfff8, "a fault through a task gate: its error code (vector %x, %x)", l.vector, l.ebx);
	report(old_saved(do_fault_at), "and the old task stays at it (%x)", legacy_tss.eip);
	report_cpu(legacy_tss.eflags & EFLAGS_RF, "with RF");
	report((l.ecx & EFLAGS_NT) && (u16)task_tss.link == SEL_LEGACY_TSS, "and link and NT");
	report(busy(SEL_TASK) && busy(SEL_LEGACY_TSS), "and both are busy");

	legacy_idt[0x70] = (u64)SEL_TASK << 16 | 0x85ull << 40;
	fresh(do_int, go_back);
	legacy_run(&l);
	legacy_gate(0x70, 0);
	report(l.vector == DONE && l.ebp == 0x1234567, "INT n through a task gate, and back (vector %x)", l.vector);
	report(old_saved(do_int_behind), "and the old task is behind it (%x)", legacy_tss.eip);
}

static void check_16bit(void)
{
	unsigned int i;

	memset(&task_tss16, 0, sizeof(task_tss16));
	task_tss16.regs[4] = sizeof(task_stack);
	task_tss16.segs[0] = task_tss16.segs[3] = SEL_DATA;
	task_tss16.segs[1] = SEL_CODE_16BIT_TASK;
	task_tss16.segs[2] = SEL_STACK_16BIT_TASK;
	for (i = 5; i < 8; i++)
		task_tss16.regs[i] = (u16)(0x1111 * i);
	gdt[SEL_TASK16 / 8] = descriptor((u64)&task_tss16, 0x2b, 0x81, 0);
	gdt[SEL_CODE_16BIT_TASK / 8] = descriptor((u64)go_back, 0xfff, 0x9a, 4);
	gdt[SEL_STACK_16BIT_TASK / 8] = descriptor((u64)task_stack, 0xffff, 0x92, 0);
	fresh(do_call16, arrive);
	legacy_run(&l);
	report(l.vector == DONE && l.ebp == 0x1234567 && l.esi == 0x7654321, "a 16-bit TSS and back (vector %x)", l.vector);
	report(task_tss16.ip == go_back_behind - go_back && task_tss16.regs[0] == 0x77 && (task_tss16.regs[1] & EFLAGS_NT) &&
	       task_tss16.regs[7] == 0x7777 && task_tss16.link == SEL_LEGACY_TSS, "its state is saved (%x)", task_tss16.ip);
	report_cpu((gdt[SEL_CODE_16BIT_TASK / 8] & 1ull << 40) && (gdt[SEL_STACK_16BIT_TASK / 8] & 1ull << 40),
		   "its segments are accessed");
}

static void check_memory(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		dir_a[i] = dir_b[i] = i << 22 | 0x83;
	dir_a[512] = (u32)(u64)table_a | 3;
	dir_b[512] = (u32)(u64)table_b | 3;
	table_a[0] = (u32)(u64)page_a | 3;
	table_b[0] = (u32)(u64)page_b | 3;
	page_a[0] = MARK_A;
	page_b[0] = MARK_B;
	fresh(do_jmp, look);
	l.cr0 = CR0_PG;
	l.cr4 = CR4_PSE;
	l.cr3 = (u32)(u64)dir_a;
	task_tss.cr3 = (u32)(u64)dir_b;
	legacy_run(&l);
	report(l.vector == DONE && l.edx == MARK_B, "the new task has its own page tables (vector %x, %x)", l.vector, l.edx);

	marks[1] = MARK_A;
	ldt[1] = descriptor((u64)marks, 7, 0x93, 4);
	gdt[SEL_LDT / 8] = descriptor((u64)ldt, sizeof(ldt) - 1, 0x82, 0);
	fresh(do_jmp, look_fs);
	task_tss.ldt = SEL_LDT;
	task_tss.segs[4] = 0xc;
	legacy_run(&l);
	report(l.vector == DONE && l.edx == MARK_A, "and its own LDT (vector %x, %x)", l.vector, l.edx);
}

static void check_trap(void)
{
	u64 dr6;

	asm volatile("mov %0, %%dr6" :: "r"(0xffff0ff0ull));
	fresh(do_jmp, arrive);
	task_tss.trap = 1;
	legacy_run(&l);
	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	report_cpu(l.vector == 1 && l.eip == (u32)(u64)arrive && (dr6 & 0x8000), "the T flag traps (vector %x, DR6 %lx)", l.vector, dr6);
	asm volatile("mov %0, %%dr6" :: "r"(0xffff0ff0ull));
}

static void check_refusals(void)
{
	fresh(do_jmp, arrive);
	gdt[SEL_TASK / 8] |= BUSY;
	legacy_expect(&l, GP, SEL_TASK, do_jmp_at, "JMP to a busy task");
	fresh(do_jmp, arrive);
	gdt[SEL_TASK / 8] &= ~(1ull << 47);
	legacy_expect(&l, NP, SEL_TASK, do_jmp_at, "JMP to a TSS that is not present");
	fresh(do_jmp, arrive);
	gdt[SEL_TASK / 8] = descriptor((u64)&task_tss, 0x66, 0x89, 0);
	legacy_expect(&l, TS, SEL_TASK, do_jmp_at, "JMP to a TSS that is too small");
	report(legacy_tss.eip == 0, "and none of them saved anything");
}

void test_main(void)
{
	legacy_init();
	check_jmp();
	check_call();
	check_gates();
	check_16bit();
	check_memory();
	check_trap();
	check_refusals();
	report(TRAPS(6, "ud2"), "long mode works as before");
}
