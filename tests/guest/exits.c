/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exit costs, seen from inside: the TSC over 200 rounds of a loop of two to four instructions, one of which
 * exits; the least of five such runs, because a hypervisor with a clock tick does other work in between. The loop
 * itself is not taken off: its DEC and JNZ and what stands beside it in LOOP() count as they do in the bare loop
 * (tests/bench/bare.c). Where the TSC counts instructions the figures are the hypervisor's work and repeat exactly.
 * Prints `EXIT: NAME hundredths` and judges only that the instruction can be executed: a figure is no test.
 *
 * Interrupts are off unless a measurement says otherwise.
 */
#include "lib/guest.h"

const char test_name[] = "exits";

#define WARM_UP 10u
#define ROUNDS 200u
#define RUNS 5u
#define WAKE_UPS 32u
#define WAKE_TICKS 1000000u
#define VECTOR 0x50u
#define X2APIC_ENABLE (1ull << 10)
#define LVT_DEADLINE 0x40000u
#define ICR_SELF 0x40000u
#define MSR_APIC_BASE 0x1bu
#define MSR_DEADLINE  0x6e0u
#define MSR_TSC_AUX   0xc0000103u
#define MSR_EFER      0xc0000080u
#define MSR_X2_TPR    0x808u
#define MSR_X2_EOI    0x80bu
#define MSR_X2_ICR    0x830u
#define MSR_X2_LVTT   0x832u

/* exits.S: stores the TSC in exits_woken, writes the x2APIC's EOI; takes RAX, RCX, RDX. */
void exits_handler(void);
/* exits.S: STI, HLT, CLI. */
void exits_halt(void);
extern volatile u64 exits_woken;

static const u8 nothing[16];

typedef u64 (*loop)(u64 rounds);   /* TSC ticks */

struct run {
	loop fn;
	u64 rounds, runs, ticks;
};

/* A loop over insn with EAX, ECX and EDX set once, before it; insn may change them and RBX. */
#define LOOP(name, insn, a0, c0, d0) \
static u64 name(u64 rounds) \
{ \
	u64 a = (a0), c = (c0), d = (d0), begin = rdtsc(); \
\
	asm volatile("1: " insn "\n\tdec %3\n\tjnz 1b" \
		     : "+a"(a), "+c"(c), "+d"(d), "+r"(rounds) :: "rbx", "memory", "cc"); \
	return rdtsc() - begin; \
}

LOOP(op_cpuid, "xor %%eax, %%eax\n\tcpuid", 0, 0, 0)
LOOP(op_vmmcall, "mov $0xffffffff, %%eax\n\t" VMMCALL, 0, 0, 0)
LOOP(op_vmcall, "mov $0xffffffff, %%eax\n\t" VMCALL, 0, 0, 0)
LOOP(op_rdmsr, "rdmsr", 0, MSR_APIC_BASE, 0)
LOOP(op_rdmsr_efer, "rdmsr", 0, MSR_EFER, 0)
LOOP(op_wrmsr_aux, "wrmsr", 0, MSR_TSC_AUX, 0)
LOOP(op_wrmsr_efer, "wrmsr", rdmsr(MSR_EFER), MSR_EFER, 0)
LOOP(op_wbinvd, "wbinvd", 0, 0, 0)
LOOP(op_in_pic, "in $0x21, %%al", 0, 0, 0)
LOOP(op_in_uart, "in %%dx, %%al", 0, 0, 0x3fd)
LOOP(op_in_pm, "in %%dx, %%eax", 0, 0, acpi_power().pm_tmr)
LOOP(op_in_nobody, "in %%dx, %%al", 0, 0, 0x3f8 + 0x200)
LOOP(op_out_80, "out %%al, $0x80", 0, 0, 0)
LOOP(op_out_uart, "out %%al, %%dx", 0, 0, 0x3f8)
/* 16 characters by one instruction; NUL shows nowhere. */
LOOP(op_outs_uart, "push %%rsi\n\tmov %%rax, %%rsi\n\tmov $16, %%ecx\n\trep outsb\n\tpop %%rsi", (u64)nothing, 0, 0x3f8)
LOOP(op_tpr_read, "mov (%%rcx), %%eax", 0, LAPIC + APIC_TPR, 0)
LOOP(op_tpr_write, "mov %%eax, (%%rcx)", 0, LAPIC + APIC_TPR, 0)
LOOP(op_eoi, "mov %%eax, (%%rcx)", 0, LAPIC + APIC_EOI, 0)
LOOP(op_cr8, "mov %%rcx, %%cr8", 0, 0, 0)
LOOP(op_cr0, "mov %%rcx, %%cr0", 0, read_cr0(), 0)
LOOP(op_cr3, "mov %%rcx, %%cr3", 0, read_cr3(), 0)
LOOP(op_x2_tpr, "rdmsr", 0, MSR_X2_TPR, 0)
LOOP(op_x2_tpr_write, "wrmsr", 0, MSR_X2_TPR, 0)
LOOP(op_x2_eoi, "wrmsr", 0, MSR_X2_EOI, 0)
/* A later moment each time, more than a day ahead: it never comes. */
LOOP(op_deadline, "inc %%eax\n\twrmsr", 0, MSR_DEADLINE, (rdtsc() >> 32) + 0x10000)
/* The first one stays pending, so that the others find it so. */
LOOP(op_ipi, "wrmsr", ICR_SELF | VECTOR, MSR_X2_ICR, 0)
/* Fifteen instructions of the guest: the six of this loop and the nine of the handler. */
LOOP(op_ipi_taken, "mov $0x40050, %%eax\n\tmov $0x830, %%ecx\n\txor %%edx, %%edx\n\twrmsr", 0, 0, 0)

static u64 op_ipi_delivered(u64 n)
{
	u64 ticks;

	sti();
	ticks = op_ipi_taken(n);
	cli();
	return ticks;
}

/* From the deadline to the handler's first instruction, summed; halted in between. */
static u64 op_wake(u64 n)
{
	u64 sum = 0;

	while (n--) {
		u64 end = rdtsc() + WAKE_TICKS;

		exits_woken = 0;
		wrmsr(MSR_DEADLINE, end);
		while (!exits_woken)
			exits_halt();
		sum += exits_woken - end;
	}
	return sum;
}

static void run(void *arg)
{
	struct run *r = arg;

	r->fn(WARM_UP);
	for (u64 i = 0; i < r->runs; i++) {
		u64 ticks = r->fn(r->rounds);

		if (!i || ticks < r->ticks)
			r->ticks = ticks;
	}
}

static void measure_rounds(const char *name, loop fn, u64 n, u64 runs)
{
	struct run r = { .fn = fn, .rounds = n, .runs = runs };
	struct fault f = guarded(run, &r);

	report(f.vector == NO_FAULT, "%s can be executed", name);
	if (f.vector == NO_FAULT)
		print("EXIT: %s %lu\n", name, r.ticks * 100 / n);
}

static void measure(const char *name, loop fn)
{
	measure_rounds(name, fn, ROUNDS, RUNS);
}

static void instructions(void)
{
	measure("CPUID", op_cpuid);
	measure("hypercall", cpu_is_intel() ? op_vmcall : op_vmmcall);
	measure("RDMSR-APIC_BASE", op_rdmsr);
	measure("RDMSR-EFER", op_rdmsr_efer);
	measure("WRMSR-TSC_AUX", op_wrmsr_aux);
	measure("WRMSR-EFER", op_wrmsr_efer);
	measure("WBINVD", op_wbinvd);
	measure("MOV-CR8", op_cr8);
	measure("MOV-CR0", op_cr0);
	measure("MOV-CR3", op_cr3);
}

static void devices(void)
{
	measure("IN-PIC", op_in_pic);
	measure("IN-UART", op_in_uart);
	measure("IN-PM", op_in_pm);
	measure("IN-unclaimed", op_in_nobody);
	measure("OUT-80", op_out_80);
	measure("OUT-UART", op_out_uart);
	measure("OUTS-UART", op_outs_uart);
	measure("LAPIC-TPR-read", op_tpr_read);
	measure("LAPIC-TPR-write", op_tpr_write);
	measure("LAPIC-EOI", op_eoi);
}

static void x2apic(void)
{
	u64 to = (u64)exits_handler;

	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ENABLE);
	idt[VECTOR] = (struct gate){ .low = (u16)to, .sel = SEL_CODE64, .type = 0x8e, .mid = (u16)(to >> 16),
				     .high = (u32)(to >> 32) };
	measure("x2APIC-TPR-read", op_x2_tpr);
	measure("x2APIC-TPR-write", op_x2_tpr_write);
	measure("x2APIC-EOI", op_x2_eoi);
	if (cpuid(1).c >> 24 & 1) {
		wrmsr(MSR_X2_LVTT, LVT_DEADLINE | VECTOR);
		measure("TSC-deadline", op_deadline);
		wrmsr(MSR_DEADLINE, 0);
		measure_rounds("wake-up", op_wake, WAKE_UPS, 1);
	}
	measure("self-IPI", op_ipi);
	measure("self-IPI-taken", op_ipi_delivered);
}

void test_main(void)
{
	lapic_on();
	instructions();
	devices();
	if (cpuid(1).c >> 21 & 1)
		x2apic();
}
