/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every exception vector that a 64-bit kernel can cause: it arrives with the right error code, the saved RIP on the
 * instruction (faults) or behind it (traps), and is returned from.
 */
#include "lib/guest.h"

const char test_name[] = "exceptions";

#define CR0_TS 8ull
#define CR0_EM 4ull
#define CR0_MP 2ull
#define CR0_AM (1ull << 18)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define EFER_NXE 0x800ull
#define MSR_EFER 0xc0000080u
#define RFLAGS_RF 0x10000ull
#define PF 14u
#define GP 13u

static u8 page[2][4096] __attribute__((aligned(4096)));

static void check_simple(void)
{
	asm volatile("xorl %%ecx, %%ecx; movl $1, %%eax; xorl %%edx, %%edx\n" TRY("divl %%ecx") ::: "rax", "rcx", "rdx");
	report(last.vector == 0 && !last.error && !last.behind, "#DE by DIV, a fault");
	asm volatile("movl $-1, %%ecx; movl $0x80000000, %%eax; cltd\n" TRY("idivl %%ecx") ::: "rax", "rcx", "rdx");
	report(last.vector == 0 && !last.error && !last.behind, "#DE by IDIV of the least number by -1");
	report(TRAPS_BEHIND(3, "int3") && TRAPS_BEHIND(3, ".byte 0xcd, 0x03"), "#BP by INT3 and INT 3, a trap");
	report(TRAPS_BEHIND(4, "int $4"), "#OF by INT 4, a trap");
	report(FAULTS(6, 0, ".byte 0xce; nop"), "#UD by INTO, which long mode lacks");
	report(FAULTS(6, 0, "ud2"), "#UD by UD2");
	report(FAULTS(6, 0, ".byte 0x0f, 0x0a, 0x90, 0x90"), "#UD by an undefined opcode");
	report(FAULTS(6, 0, ".byte 0xf0, 0x90"), "#UD by LOCK NOP");
	report_cpu(TRAPS_BEHIND(1, ".byte 0xf1"), "#DB by ICEBP, a trap");
	report(FAULTS(GP, 0, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90"),
	       "#GP by an instruction of 16 bytes");
	report(TRAPS_BEHIND(0x90, "int $0x90"), "INT n reaches its vector");
}

static void check_fpu(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();
	u16 control = 0x37b;       /* divide by zero unmasked */
	u32 mxcsr = 0x1d80, mxcsr_old = 0x1f80;

	write_cr0(cr0 | CR0_TS);
	report(FAULTS(7, 0, "fnop"), "#NM with CR0.TS");
	write_cr0(cr0 | CR0_TS | CR0_MP);
	report(FAULTS(7, 0, "fwait"), "#NM by FWAIT with TS and MP");
	write_cr0(cr0 | CR0_EM);
	report(FAULTS(7, 0, "fnop"), "#NM with CR0.EM");
	asm volatile("clts");
	write_cr0(cr0 & ~(CR0_EM | CR0_TS));
	report(TRAPS(NO_FAULT, "fnop"), "no #NM without");
	asm volatile("fninit; fldcw %0; fldz; fld1; fdiv %%st(1), %%st" :: "m"(control));
	report(FAULTS(16, 0, "fwait"), "#MF by an unmasked divide by zero");
	asm volatile("fninit");
	write_cr4(cr4 & ~CR4_OSFXSR);
	report(FAULTS(6, 0, "xorps %%xmm0, %%xmm0"), "#UD by SSE without CR4.OSFXSR");
	write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
	asm volatile("ldmxcsr %0; xorps %%xmm0, %%xmm0; pcmpeqd %%xmm1, %%xmm1; psrld $25, %%xmm1; pslld $23, %%xmm1" :: "m"(mxcsr));
	report_cpu(FAULTS(19, 0, "divps %%xmm0, %%xmm1"), "#XM by an unmasked SSE divide by zero");
	asm volatile("ldmxcsr %0" :: "m"(mxcsr_old));
	write_cr4(cr4);
}

/* Functions whose first instruction is the one that faults. */
void load_through(void *p), load_through_stack(void *p), store_through(void *p), call_through(void *p), user_int(void *arg),
	user_int3(void *arg), user_hlt(void *arg), user_cli(void *arg), user_misaligned(void *p);
extern u8 user_misaligned_at[];
asm(".text\n"
    "load_through: movb (%rdi), %al\nret\n"
    "load_through_stack: push %rbp\nmov %rdi, %rbp\nmovb (%rbp), %al\npop %rbp\nret\n"
    "store_through: movb $0, (%rdi)\nret\n"
    "call_through: sub $8, %rsp\ncall *%rdi\nadd $8, %rsp\nret\n"
    "user_int: int $0x91\nret\n"
    "user_int3: int3\nret\n"
    "user_hlt: hlt\nret\n"
    "user_cli: cli\nret\n"
    "user_misaligned: pushfq\norl $0x40000, (%rsp)\npopfq\n"
    "user_misaligned_at: movl 1(%rdi), %eax\npushfq\nandl $~0x40000, (%rsp)\npopfq\nret\n");

#define LOADS(vec, err, reg, sel) ({ \
	asm volatile(TRY("mov %0, %%" reg) :: "r"((u64)(sel)) : "memory"); \
	last.vector == (vec) && last.error == (err) && !last.behind; })

static void check_selectors(void)
{
	struct fault f;

	gdt[SEL_SPARE / 8] = 0x00cf13000000ffff;              /* a data segment that is not present */
	report(LOADS(11, SEL_SPARE, "ds", SEL_SPARE), "#NP by a segment that is not present (error %x)", last.error);
	report(LOADS(12, SEL_SPARE, "ss", SEL_SPARE), "#SS by a stack segment that is not present (error %x)", last.error);
	report(LOADS(GP, 0xfff0, "ds", 0xfff0), "#GP by a selector beyond the GDT (error %x)", last.error);
	report(LOADS(GP, 0x14, "ds", 0x14), "#GP by a selector into an LDT that is not there (error %x)", last.error);
	f = guarded(load_through, (void *)0x8000000000000000ull);
	report(f.vector == GP && f.error == 0 && f.rip == (u64)load_through, "#GP by a non-canonical address");
	f = guarded(load_through_stack, (void *)0x8000000000000000ull);
	report(f.vector == 12 || f.vector == GP, "an exception by a non-canonical stack address");
	report_cpu(f.vector == 12 && f.error == 0, "#SS by a non-canonical stack address");
	asm volatile(TRY("ltr %%ax") :: "a"(SEL_TSS));
	report(last.vector == GP && last.error == SEL_TSS && !last.behind, "#GP by LTR of a busy TSS");
	asm volatile("pushfq; orl $0x4000, (%%rsp); popfq\n" TRY("iretq") "\tpushfq; andl $~0x4000, (%%rsp); popfq"
		     ::: "memory", "cc");
	report(last.vector == GP && last.error == 0 && !last.behind, "#GP by IRETQ with NT");
	idt[0x92].type = 0x0e;
	report(TRAPS(11, "int $0x92") && !last.behind, "#NP by a gate that is not present");
	report_cpu(last.error == 0x92 * 8 + 2, "with the gate's error code (%x)", last.error);
	idt[0x92].type = 0x8e;
}

static void report_pf(struct fault f, u64 cr2, u32 error, const char *text)
{
	bool fetch = error & 0x10 || cr2 == (u64)load_through;
	u64 rip = fetch ? cr2 : (u64)(error & 2 ? store_through : load_through);

	report(f.vector == PF && f.error == error && f.cr2 == cr2 && f.rip == rip,
	       "#PF %s: error %x (vector %u error %x cr2 %lx)", text, error, f.vector, f.error, f.cr2);
}

static void report_reserved(struct fault f, u32 write, const char *text)
{
	report(f.vector == PF && (f.error & 0xa) == (8 | write), "#PF by a reserved bit: %s (error %x)", text, f.error);
	report_cpu(f.error == (9 | write), "with the present bit in its error code (%x)", f.error);
}

static void check_page_faults(void)
{
	u64 va = TEST_VA + 0x123, efer = rdmsr(MSR_EFER);
	void *p = at(va);
	u64 *pte = map_page(TEST_VA, 0, 0);

	report_pf(guarded(load_through, p), va, 0, "read, not present");
	report_pf(guarded(store_through, p), va, 2, "write, not present");
	report_pf(guarded_user(load_through, at(0x123)), (u64)load_through, 0x5, "user fetch of a supervisor page");
	paging_user(true);
	report_pf(guarded_user(load_through, p), va, 4, "user read, not present");
	report_pf(guarded_user(store_through, p), va, 6, "user write, not present");
	map_page(TEST_VA, (u64)page[0], PTE_P | PTE_W);
	report_pf(guarded_user(load_through, p), va, 5, "user read of a supervisor page");
	report_pf(guarded_user(store_through, p), va, 7, "user write of a supervisor page");
	report_fault(guarded(load_through, p), NO_FAULT, "none: supervisor read of it");
	map_page(TEST_VA, (u64)page[0], PTE_P | PTE_U);
	report_fault(guarded_user(load_through, p), USER_DONE, "none: user read of a user page");
	report_pf(guarded_user(store_through, p), va, 7, "user write of a read-only page");
	report_pf(guarded(store_through, p), va, 3, "supervisor write of a read-only page with CR0.WP");
	write_cr0(read_cr0() & ~(1ull << 16));
	report_fault(guarded(store_through, p), NO_FAULT, "none: the same without CR0.WP");
	write_cr0(read_cr0() | 1ull << 16);
	wrmsr(MSR_EFER, efer | EFER_NXE);
	page[0][0x123] = 0xc3;
	map_page(TEST_VA, (u64)page[0], PTE_P | PTE_W | PTE_U | PTE_NX);
	report_pf(guarded(call_through, p), va, 0x11, "fetch of an NX page");
	report_pf(guarded_user(call_through, p), va, 0x15, "user fetch of an NX page");
	report_fault(guarded(load_through, p), NO_FAULT, "none: read of an NX page");
	map_page(TEST_VA, (u64)page[0], PTE_P | PTE_W | PTE_U);
	report_fault(guarded(call_through, p), NO_FAULT, "none: fetch without NX");
	wrmsr(MSR_EFER, efer);
	*pte = (u64)page[0] | PTE_P | PTE_W | PTE_NX;
	tlb_flush();
	report_reserved(guarded(load_through, p), 0, "NX bit with EFER.NXE clear");
	map_page(TEST_VA, (u64)page[0] | 1ull << 51, PTE_P | PTE_W);
	report_reserved(guarded(load_through, p), 0, "address bit 51");
	report_reserved(guarded(store_through, p), 2, "address bit 51, for a write");
	*pte = 0;
	tlb_flush();
	paging_user(false);
}

static void check_smep_smap(void)
{
	struct cpuid c = cpuid2(7, 0);
	void *p = at(TEST_VA + 0x1123);

	page[1][0x123] = 0xc3;
	map_page(TEST_VA + 0x1000, (u64)page[1], PTE_P | PTE_W | PTE_U);
	if (c.b >> 7 & 1) {
		write_cr4(read_cr4() | CR4_SMEP);
		report_pf(guarded(call_through, p), TEST_VA + 0x1123, 0x11, "fetch of a user page with SMEP");
		write_cr4(read_cr4() & ~CR4_SMEP);
		report_fault(guarded(call_through, p), NO_FAULT, "none: without SMEP");
	} else {
		print("NOTE: no SMEP\n");
	}
	if (c.b >> 20 & 1) {
		write_cr4(read_cr4() | CR4_SMAP);
		report_pf(guarded(load_through, p), TEST_VA + 0x1123, 1, "read of a user page with SMAP");
		asm volatile("stac");
		report_fault(guarded(load_through, p), NO_FAULT, "none: with EFLAGS.AC");
		asm volatile("clac");
		write_cr4(read_cr4() & ~CR4_SMAP);
	} else {
		print("NOTE: no SMAP\n");
	}
}

static void check_user(void)
{
	struct fault f;

	paging_user(true);
	write_cr0(read_cr0() | CR0_AM);
	f = guarded_user(user_misaligned, page[0]);
	report_cpu(f.vector == 17 && f.error == 0 && f.rip == (u64)user_misaligned_at,
		   "#AC at CPL 3, a fault, with CR0.AM and EFLAGS.AC (vector %u)", f.vector);
	write_cr0(read_cr0() & ~CR0_AM);
	report_fault(guarded_user(user_misaligned, page[0]), USER_DONE, "no #AC without CR0.AM");
	f = guarded_user(user_int, NULL);
	report(f.vector == GP && f.rip == (u64)user_int, "INT n at CPL 3 through a gate of DPL 0: #GP");
	report_cpu(f.error == 0x91 * 8 + 2, "with the gate's error code (%x)", f.error);
	f = guarded_user(user_int3, NULL);
	report(f.vector == 3 && (f.cs & 3) == 3 && f.rip == (u64)user_int3 + 1, "INT3 at CPL 3");
	f = guarded_user(user_hlt, NULL);
	report(f.vector == GP && !f.error && f.rip == (u64)user_hlt, "HLT at CPL 3 is #GP(0)");
	f = guarded_user(user_cli, NULL);
	report(f.vector == GP && !f.error && f.rip == (u64)user_cli, "CLI at CPL 3 is #GP(0)");
	paging_user(false);
}

/* In long mode a stack comes from the TSS alone: what lies beyond its limit is #TS with the TSS as error code. */
static void check_ts(void)
{
	u64 base = (u64)&tss, limit = __builtin_offsetof(struct tss, ist[6]) - 1;

	gdt[SEL_TSS / 8] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	asm volatile("ltr %w0" :: "r"(SEL_TSS));
	gate_set(0x93, 14, 0, 6);
	tss.ist[5] = tss.rsp[0];
	report(TRAPS_BEHIND(0x93, "int $0x93"), "the last stack within the TSS is used");
	gate_set(0x93, 14, 0, 7);
	report(FAULTS(10, SEL_TSS, "int $0x93"), "#TS by a stack beyond the end of the TSS (vector %u error %x)", last.vector,
	       last.error);
	gate_set(0x93, 14, 0, 0);
	gdt_load();
}

/* SDM 3B "Instruction-Breakpoint Exception Condition" (17.3.1.1): a fault's RFLAGS image has RF set. */
static void check_resume_flag(void)
{
	report_cpu(FAULTS(6, 0, "ud2") && last.rflags & RFLAGS_RF, "RF is set in the frame of a fault");
	report(TRAPS_BEHIND(3, "int3") && !(last.rflags & RFLAGS_RF), "not in that of a trap");
	asm volatile(TRY("rdmsr") :: "c"(0xdeadbeef) : "rax", "rdx");
	report_vouch(last.vector == GP && last.rflags & RFLAGS_RF, "it is where an MSR is denied");
	asm volatile(TRY("insb") :: "D"(TEST_VA + 0x100000), "d"(0x3ff) : "memory");
	report_vouch(last.vector == PF && last.rflags & RFLAGS_RF, "and where INS has no page");
	cpuid(0);
	report(TRAPS_BEHIND(0x90, "int $0x90") && !(last.rflags & RFLAGS_RF), "an exit leaves it clear");
}

static void no_stack(void *p)
{
	asm volatile("mov %0, %%rsp; push %%rax" :: "r"(p));
}

static void fault_again(void *arg)
{
	(void)arg;
	idt[GP].type = 0x0e;      /* #GP's own gate is not present: #NP while delivering #GP */
	asm volatile("mov %0, %%ds" :: "r"(0xfff0));
}

static void check_double_fault(void)
{
	struct fault f = guarded(no_stack, at(TEST_VA + 0x100000));

	report(f.vector == 8 && f.error == 0, "#DF by a page fault without a stack, on the stack of IST 1 (vector %u)", f.vector);
	report(f.cr2 == TEST_VA + 0x100000 - 8 || (f.cr2 & ~0xffull) == ((TEST_VA + 0x100000 - 0x100) & ~0xffull),
	       "CR2 is the stack's address (%lx)", f.cr2);
	f = guarded(fault_again, NULL);
	idt[GP].type = 0x8e;
	report(f.vector == 8 && f.error == 0, "#DF by #NP in the delivery of #GP (vector %u)", f.vector);
}

static volatile u32 steps;
static volatile u64 step_rip[32];

static void on_step(struct frame *f)
{
	if (steps < 32)
		step_rip[steps] = f->rip;
	steps++;
}

/* Runs one instruction with TF set: exactly one #DB for it, with RIP behind it. */
#define STEP(before, insn) ({ \
	u64 behind_; \
	steps = 0; \
	asm volatile(before "\n\tpushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t" insn "\n1:\tpushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq\n" \
		     "\tlea 1b(%%rip), %0" : "=S"(behind_) : "d"(0x3ff) : "rax", "rbx", "rcx", "memory", "cc"); \
	step_rip[0] == behind_ && steps >= 3; })

/* Three elements with TF set: RIP on the instruction twice, then behind it. */
#define STEP_REP(insn) ({ \
	u64 at_, behind_, n_ = 3; \
	void *di_ = (void *)area, *si_ = di_; \
	steps = 0; \
	asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n2:\t" insn "\n1:\tpushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq\n" \
		     "\tlea 1b(%%rip), %0\n\tlea 2b(%%rip), %1" : "=&r"(behind_), "=&r"(at_), "+c"(n_), "+D"(di_), "+S"(si_) \
		     : "d"(0x3ff) : "memory", "cc"); \
	step_rip[0] == at_ && step_rip[1] == at_ && step_rip[2] == behind_; })

#define CR8_VECTOR 0x61

static volatile u32 interrupted, steps_before;

static void on_interrupt(struct frame *f)
{
	(void)f;
	steps_before = steps;
	interrupted++;
	lapic_eoi();
}

/* MOV to CR8 lets an interrupt through: the #DB for it comes first, and is not lost. */
static void check_step_over_cr8(void)
{
	bool stepped;

	lapic_write(APIC_SVR, 0x1ff);
	interrupt_set(CR8_VECTOR, on_interrupt);
	write_cr8(6);
	lapic_self(CR8_VECTOR);
	sti();
	stepped = STEP("xorl %%eax, %%eax", "mov %%rax, %%cr8");
	cli();
	report(stepped && interrupted == 1, "TF: #DB behind MOV to CR8");
	report(interrupted == 1 && steps_before == 1, "the interrupt it lets through comes after that");
	interrupt_set(CR8_VECTOR, NULL);
}

static void check_single_step(void)
{
	static volatile u8 area[8];

	outb(0x3ff, 0x5a);
	trap_set(1, on_step);
	report(STEP("", "nop"), "TF: #DB behind NOP");
	report(STEP("xorl %%eax, %%eax", "cpuid"), "TF: #DB behind CPUID");
	report(STEP("", "inb %%dx, %%al"), "TF: #DB behind IN");
	report(STEP("movl $0xc0000080, %%ecx", "rdmsr"), "TF: #DB behind RDMSR");
	report(STEP("movl $0xfee00020, %%ecx", "movl (%%rcx), %%eax"), "TF: #DB behind a device read");
	report_vouch(STEP_REP("rep insb") && area[2] && !area[3], "TF: #DB behind each element of REP INSB (%u)", steps - 3);
	report_vouch(STEP_REP("addr32 rep outsb"), "TF: of REP OUTSB (%u)", steps - 3);
	if (expect_vouch)                             /* QEMU alone sleeps for ever */
		report(STEP("", "hlt"), "TF: #DB ends HLT");
	check_step_over_cr8();
	trap_set(1, NULL);
}

static volatile u64 seen_dr6, seen_rip;

static void on_breakpoint(struct frame *f)
{
	u64 v;

	asm volatile("mov %%dr6, %0" : "=r"(v));
	seen_dr6 = v;
	seen_rip = f->rip;
	asm volatile("mov %0, %%dr6" :: "r"(0xffff0ff0ull));
	asm volatile("mov %0, %%dr7" :: "r"(0x400ull));
}

static void check_breakpoint(void)
{
	static volatile u32 watched;
	u64 here;

	trap_set(1, on_breakpoint);
	seen_dr6 = 0;
	asm volatile("mov %0, %%dr0; mov %1, %%dr7" :: "r"(&watched), "r"(0xd0402ull));
	watched = 1;
	asm volatile("nop" ::: "memory");
	asm volatile("mov %0, %%dr7" :: "r"(0x400ull));
	/* QEMU's TCG does not arm the breakpoints of its own guests. */
	report_cpu(seen_dr6 & 1, "#DB by a data breakpoint (DR6 %lx)", seen_dr6);
	seen_dr6 = 0;
	asm volatile("lea 1f(%%rip), %0; mov %0, %%dr0; mov %1, %%dr7; nop; 1: nop" : "=&r"(here) : "r"(0x402ull));
	asm volatile("mov %0, %%dr7" :: "r"(0x400ull));
	report_cpu(seen_dr6 & 1 && seen_rip == here, "#DB by an instruction breakpoint, a fault (DR6 %lx)", seen_dr6);
	trap_set(1, NULL);
}

static volatile u64 syscall_seen;
extern u8 syscall_entry[];
asm(".text\nsyscall_entry: movq %rcx, syscall_seen(%rip)\n\tsysretq\n");

static void user_syscall(void *arg)
{
	(void)arg;
	asm volatile("syscall" ::: "rcx", "r11", "memory");
}

static void check_syscall(void)
{
	struct fault f;

	paging_user(true);
	report_fault(guarded_user(user_syscall, NULL), 6, "SYSCALL without EFER.SCE is #UD");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1);
	wrmsr(0xc0000081, (u64)SEL_CODE64 << 32 | (u64)(SEL_USER_CODE32 | 3) << 48);
	wrmsr(0xc0000082, (u64)syscall_entry);
	wrmsr(0xc0000084, 0x700);
	cpuid(0);
	f = guarded_user(user_syscall, NULL);
	report(f.vector == USER_DONE && syscall_seen, "SYSCALL and SYSRET, across exits (vector %u)", f.vector);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~1ull);
	paging_user(false);
}

void test_main(void)
{
	const char *only = arg("only"), *skip = arg("skip");

	if (only && !strcmp(only, "step")) {
		check_single_step();
		return;
	}
	check_simple();
	check_fpu();
	check_selectors();
	check_page_faults();
	check_smep_smap();
	check_user();
	check_ts();
	check_resume_flag();
	check_double_fault();
	if (!skip)
		check_single_step();
	check_breakpoint();
	check_syscall();
}
