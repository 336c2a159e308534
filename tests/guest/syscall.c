/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast ways into a kernel and back: SYSCALL and SYSRET in 64-bit and compatibility mode, SYSENTER and SYSEXIT in
 * protected mode and, where the vendor has it, in long mode; the MSRs behind them. Exits lie between all of them.
 */
#include "lib/legacy.h"

const char test_name[] = "syscall";

#define MSR_SYSENTER_CS  0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_EFER   0xc0000080u
#define MSR_STAR   0xc0000081u
#define MSR_LSTAR  0xc0000082u
#define MSR_CSTAR  0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define UD 6u
#define GP 13u
#define ARITHMETIC 0x8d5u
#define SYSENTER_SEEN 0xbeef0001u

/* What the kernel's side found: stored by the entry points. */
struct seen {
	u64 rcx, r11, rflags, cs, ss, rsp;
	u32 count;
};
static volatile struct seen seen;
static u8 kernel_stack[4096] __attribute__((aligned(16)));
static u8 user_stack[4096] __attribute__((aligned(16)));
static volatile u64 return_to, return_flags;           /* what SYSRET is given, if not 0 */
static struct legacy l;

/* Entered with the user's stack, as SYSCALL leaves it. An exit on each side of the store. */
extern u8 entry64[], entry_compat[], entry_sysenter64[];
asm(".text\n"
    "entry64: pushfq; popq seen+16(%rip)\n"
    "	push %rax; push %rbx; push %rcx; push %rdx; xor %eax, %eax; cpuid; pop %rdx; pop %rcx; pop %rbx; pop %rax\n"
    "	mov %rcx, seen(%rip); mov %r11, seen+8(%rip)\n"
    "	mov %cs, seen+24(%rip); mov %ss, seen+32(%rip); mov %rsp, seen+40(%rip)\n"
    "	incl seen+48(%rip)\n"
    "	cmpq $0, return_to(%rip); je 1f; mov return_to(%rip), %rcx\n"
    "1:	cmpq $0, return_flags(%rip); je 2f; mov return_flags(%rip), %r11\n"
    "2:	mov %rax, %r9; mov $0x3ff, %edx; in %dx, %al; mov %r9, %rax\n"
    "	sysretq\n"
    "entry_compat: incl seen+48(%rip); mov %rcx, seen(%rip); mov %cs, seen+24(%rip); sysretl\n"
    "entry_sysenter64: mov %rsp, seen+40(%rip); mov %cs, seen+24(%rip); mov %ss, seen+32(%rip); pushfq; popq seen+16(%rip)\n"
    "	incl seen+48(%rip); mov %r9, %rcx; mov %r8, %rdx; sysexitq\n");

/* User code: SYSCALL with known flags; what comes back is stored, all at CPL 3. */
static volatile struct { u64 rcx, r11, rflags, cs, ss; } back;
extern u8 user64[], user64_behind[];
asm(".text\n"
    "user64: lea back(%rip), %rdi; push %rbx\n"
    "	pushq $0x8d7; popfq\n"                /* all arithmetic flags */
    "	syscall\n"
    "user64_behind: pushfq; popq 16(%rdi); mov %rcx, (%rdi); mov %r11, 8(%rdi); mov %cs, 24(%rdi); mov %ss, 32(%rdi)\n"
    "	xor %eax, %eax; cpuid\n"
    "	pop %rbx; ret\n");

static void set_up(void)
{
	seen = (struct seen){ 0 };
	back.cs = 0;
	return_to = return_flags = 0;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1);
	wrmsr(MSR_STAR, (u64)SEL_CODE64 << 32 | (u64)(SEL_USER_CODE32 | 3) << 48);
	wrmsr(MSR_LSTAR, (u64)entry64);
	wrmsr(MSR_CSTAR, (u64)entry_compat);
	wrmsr(MSR_SFMASK, 0x700);
}

static void check_msrs(void)
{
	static const u32 canonical[] = { MSR_LSTAR, MSR_CSTAR, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP };
	unsigned int i;
	u64 v;

	for (i = 0; i < ARRAY_SIZE(canonical); i++) {
		wrmsr(canonical[i], 0xffff8123456789abull);
		report(rdmsr(canonical[i]) == 0xffff8123456789abull, "MSR %x keeps an address of 64 bits", canonical[i]);
		wrmsr(canonical[i], 0);
	}
	report_cpu(wrmsr_try(MSR_LSTAR, 1ull << 63) == GP && wrmsr_try(MSR_CSTAR, 1ull << 63) == GP,
		   "LSTAR and CSTAR must be canonical");
	wrmsr(MSR_STAR, 0x1122334455667788ull);
	report(rdmsr(MSR_STAR) == 0x1122334455667788ull, "STAR keeps all bits");
	wrmsr(MSR_SFMASK, 0x47700);
	report(rdmsr(MSR_SFMASK) == 0x47700, "SFMASK keeps its bits");
	wrmsr(MSR_SYSENTER_CS, 0x1234);
	report((rdmsr(MSR_SYSENTER_CS) & 0xffff) == 0x1234, "SYSENTER_CS keeps a selector");
	report_vouch(rdmsr_try(MSR_SYSENTER_EIP + 1, &v) == GP, "there is nothing behind SYSENTER_EIP");
	wrmsr(MSR_SYSENTER_CS, 0);
}

/* The function's own address is what guarded_user() needs; what it does is user64's. */
static void user_syscall(void *arg)
{
	(void)arg;
	asm volatile("call user64" ::: "rax", "rcx", "rdx", "rdi", "r9", "r11", "memory", "cc");
}

static void check_syscall64(void)
{
	struct fault f;

	set_up();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~1ull);
	f = guarded_user(user_syscall, NULL);
	report(f.vector == UD && f.rip == (u64)user64_behind - 2, "SYSCALL without EFER.SCE is #UD");
	report(TRAPS(UD, "sysretq"), "SYSRET too");
	set_up();
	f = guarded_user(user_syscall, NULL);
	report(f.vector == USER_DONE && seen.count == 1, "SYSCALL and SYSRET (vector %u)", f.vector);
	report(seen.rcx == (u64)user64_behind, "RCX is the address behind SYSCALL");
	report((seen.r11 & 0xffff) == (0x8d7 & 0xffff), "R11 is RFLAGS (%lx)", seen.r11);
	report(!(seen.rflags & 0x700), "SFMASK clears flags (%lx)", seen.rflags);
	report_cpu((seen.rflags & ARITHMETIC) == (0x8d7 & ARITHMETIC), "and leaves others (%lx)", seen.rflags);
	report(seen.cs == SEL_CODE64 && seen.ss == SEL_CODE64 + 8, "CS and SS follow STAR (%lx, %lx)", seen.cs, seen.ss);
	report(back.cs == (SEL_USER_CODE64 | 3) && back.ss == (SEL_USER_DATA | 3), "and again back (%lx, %lx)", back.cs, back.ss);
	report((back.rflags & 0xfff) == 0x8d7, "R11 brings the flags back (%lx)", back.rflags);
	wrmsr(MSR_SFMASK, 0x8d5 | 0x700);
	guarded_user(user_syscall, NULL);
	report(!(seen.rflags & ARITHMETIC) && (seen.r11 & ARITHMETIC) == (0x8d7 & ARITHMETIC), "SFMASK may clear all others too (%lx)",
	       seen.rflags);
	return_flags = 0x203 | 1ull << 16;
	f = guarded_user(user_syscall, NULL);
	report(f.vector == USER_DONE && (back.rflags & ~0x202ull) == 1, "SYSRET takes other flags, RF never (%lx)", back.rflags);
	set_up();
	return_to = 1ull << 63;
	f = guarded_user(user_syscall, NULL);
	report(f.vector == GP && f.error == 0, "SYSRET to an address that is not canonical is #GP(0) (on either side: CS %lx)", f.cs);
	set_up();
}

/* Compatibility mode: the same SYSCALL, by CSTAR, on AMD; #UD on Intel. The code runs at CPL 3 in a 32-bit segment. */
extern u8 compat_code[], compat_at[], compat_sysenter_at[];
asm(".text\n.code32\n"
    "compat_code: testl %ecx, %ecx; jnz 1f\n"
    "compat_at: syscall\n"
    "	mov %cs, %eax; int $0x80\n"
    "1:	\n"
    "compat_sysenter_at: sysenter\n"
    "	int $0x80\n.code64\n");

static void enter_compat(void *p)
{
	struct frame f = { .rip = (u64)compat_code, .cs = SEL_USER_CODE32 | 3, .rflags = 2,
			   .rsp = (u64)user_stack + sizeof(user_stack), .ss = SEL_USER_DATA | 3, .rcx = (u64)p };

	frame_enter(&f);
}

static bool is_intel(void)
{
	return cpuid(0).b == 0x756e6547;
}

static void check_syscall_compat(void)
{
	struct fault f;

	set_up();
	f = guarded(enter_compat, NULL);
	if (f.vector == UD)
		report(f.rip == (u64)compat_at && is_intel(), "SYSCALL in compatibility mode is #UD on Intel");
	else
		report(f.vector == USER_DONE && seen.count == 1 && seen.cs == SEL_CODE64 && f.cs == (SEL_USER_CODE32 | 3),
		       "SYSCALL in compatibility mode goes by CSTAR, and comes back there (vector %u, CS %lx)", f.vector, f.cs);
}

/* SYSENTER in long mode: only Intel has it. */
extern u8 user_sysenter_at[], user_sysenter_back[];
asm(".text\n"
    "user_sysenter: mov %rsp, %r9; lea user_sysenter_back(%rip), %r8\n"
    "user_sysenter_at: sysenter\n"
    "user_sysenter_back: xor %eax, %eax; cpuid; ret\n");
void user_sysenter(void);

static void call_sysenter(void *arg)
{
	(void)arg;
	asm volatile("push %%rbx; call user_sysenter; pop %%rbx" ::: "rax", "rcx", "rdx", "r8", "r9", "memory", "cc");
}

static void check_sysenter_long(void)
{
	struct fault f;

	set_up();
	wrmsr(MSR_SYSENTER_CS, SEL_LEGACY_CODE);
	wrmsr(MSR_SYSENTER_ESP, (u64)kernel_stack + sizeof(kernel_stack));
	wrmsr(MSR_SYSENTER_EIP, (u64)entry_sysenter64);
	gdt[SEL_LEGACY_CODE / 8] = 0x00af9b000000ffff;          /* the CPU takes none of it but the selector */
	f = guarded_user(call_sysenter, NULL);
	if (!is_intel())
		report(f.vector == UD && f.rip == (u64)user_sysenter_at, "SYSENTER in 64-bit mode is #UD but on Intel");
	if (f.vector == UD) {
		report(TRAPS(UD, "sysexitl"), "SYSEXIT too");
		f = guarded(enter_compat, at(1));
		report_cpu(f.vector == UD && f.rip == (u64)compat_sysenter_at,
			   "in compatibility mode too (vector %u at %lx)", f.vector, f.rip);
		return;
	}
	report(f.vector == USER_DONE && seen.count == 1, "SYSENTER and SYSEXIT in 64-bit mode (vector %u)", f.vector);
	report(seen.rsp == (u64)kernel_stack + sizeof(kernel_stack) && seen.cs == SEL_LEGACY_CODE && seen.ss == SEL_LEGACY_CODE + 8,
	       "stack and segments are those of the MSRs");
	wrmsr(MSR_SYSENTER_CS, 0);
	f = guarded_user(call_sysenter, NULL);
	report(f.vector == GP && !f.error && f.rip == (u64)user_sysenter_at, "SYSENTER without SYSENTER_CS is #GP(0)");
	report(TRAPS(GP, "sysexitl"), "SYSEXIT too");
}

/* Protected mode has them on every CPU with SEP. */
LEGACY_CODE(32, do_sysenter, "", "sysenter", "hlt");
LEGACY_CODE(32, do_sysexit, "mov $0x1234, %eax", ".byte 0x0f, 0x35", "hlt");
LEGACY_CODE(32, after_exit, "mov %cs, %esi\nmov %ss, %edi\ncpuid", "int $0x80", "");
LEGACY_CODE(16, v86_sysenter, "", "sysenter", "hlt");

static void check_sysenter_protected(void)
{
	u32 stack = (u32)(u64)kernel_stack + sizeof(kernel_stack);

	legacy_init();
	wrmsr(MSR_SYSENTER_CS, 0);
	l = legacy_at(do_sysenter, 3);
	legacy_expect(&l, GP, 0, do_sysenter_at, "SYSENTER without SYSENTER_CS is #GP(0)");
	wrmsr(MSR_SYSENTER_CS, SEL_LEGACY_CODE);
	wrmsr(MSR_SYSENTER_ESP, stack);
	wrmsr(MSR_SYSENTER_EIP, (u64)legacy_sysenter);
	l = legacy_at(do_sysenter, 3);
	l.eflags |= EFLAGS_IF | EFLAGS_IOPL | 0x8d5;
	legacy_expect(&l, LEGACY_SYSENTER, 0, legacy_sysenter, "SYSENTER at CPL 3");
	report(l.cs == SEL_LEGACY_CODE && l.ss == SEL_LEGACY_CODE + 8 && l.esp == stack, "stack and segments are those of the MSRs");
	report((l.eflags & 0x3fd5) == (EFLAGS_IOPL | 0x8d5), "IF is clear, other flags as they were (%x)", l.eflags);
	l = legacy_at(do_sysenter, 0);
	legacy_expect(&l, LEGACY_SYSENTER, 0, legacy_sysenter, "SYSENTER at CPL 0");
	l = legacy_at(do_sysexit, 0);
	l.edx = (u32)(u64)after_exit;
	l.ecx = (u32)(u64)user_stack + sizeof(user_stack);
	legacy_expect(&l, 0x80, 0, after_exit_behind, "SYSEXIT");
	report(l.esi == (SEL_LEGACY_CODE | 3) + 16 && l.edi == (SEL_LEGACY_CODE | 3) + 24 &&
	       l.esp == (u32)(u64)user_stack + sizeof(user_stack), "to CPL 3, with the segments behind the kernel's");
	l = legacy_at(do_sysexit, 3);
	legacy_expect(&l, GP, 0, do_sysexit_at, "SYSEXIT at CPL 3 is #GP(0)");
	wrmsr(MSR_SYSENTER_CS, 0);
	l = legacy_at(do_sysexit, 0);
	legacy_expect(&l, GP, 0, do_sysexit_at, "SYSEXIT without SYSENTER_CS is #GP(0)");
	wrmsr(MSR_SYSENTER_CS, SEL_LEGACY_CODE);
	memcpy(at(0x8000), v86_sysenter, (u64)(v86_sysenter_end - v86_sysenter));
	l = legacy_at(NULL, 0);
	l.eflags = EFLAGS_VM | 2;
	l.cs = 0x800;
	l.ss = 0x700;
	l.esp = 0xff0;
	legacy_expect(&l, LEGACY_SYSENTER, 0, legacy_sysenter, "SYSENTER in virtual-8086 mode");
	report(l.cs == SEL_LEGACY_CODE && !(l.eflags & EFLAGS_VM), "ends that mode (%x)", l.eflags);
}

void test_main(void)
{
	outb(0x21, 0xff);                     /* what firmware has left running stays out of this */
	outb(0xa1, 0xff);
	report(cpuid(1).d >> 11 & 1, "CPUID shows SYSENTER");
	report(cpuid(0x80000001).d >> 11 & 1, "CPUID shows SYSCALL");
	check_msrs();
	paging_user(true);
	check_syscall64();
	check_syscall_compat();
	check_sysenter_long();
	paging_user(false);
	check_sysenter_protected();
	report(TRAPS(6, "ud2"), "long mode works as before");
}
