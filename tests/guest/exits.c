/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exit costs, seen from inside: the TSC over many rounds of one instruction, less the loop around it. With
 * QEMU's -icount the TSC counts instructions, so the figures are the hypervisor's work and repeat exactly. Prints
 * `EXIT: NAME hundredths` and judges only that the instruction could be executed: a figure is no test.
 */
#include "lib/guest.h"

const char test_name[] = "exits";

#define ROUNDS 1000u
#define X2APIC_ENABLE (1ull << 10)
#define MSR_APIC_BASE 0x1bu
#define MSR_TSC_AUX   0xc0000103u
#define MSR_EFER      0xc0000080u
#define MSR_X2_TPR    0x808u
#define MSR_X2_EOI    0x80bu

static u64 loop_cost;

static void op_nothing(void *unused) { (void)unused; asm volatile("" ::: "memory"); }
static void op_cpuid(void *unused) { (void)unused; cpuid(0); }
static void op_vmmcall(void *unused)
{
	u64 nr = 0xffffffff;

	(void)unused;
	asm volatile("vmmcall" : "+a"(nr) :: "memory");
}
static void op_vmcall(void *unused)
{
	u64 nr = 0xffffffff;

	(void)unused;
	asm volatile("vmcall" : "+a"(nr) :: "memory");
}
static void op_rdmsr(void *unused) { (void)unused; rdmsr(MSR_APIC_BASE); }
static void op_rdmsr_efer(void *unused) { (void)unused; rdmsr(MSR_EFER); }
static void op_wrmsr(void *unused) { (void)unused; wrmsr(MSR_TSC_AUX, 0); }
static void op_wbinvd(void *unused) { (void)unused; asm volatile("wbinvd" ::: "memory"); }
static void op_in_pic(void *unused) { (void)unused; inb(0x21); }
static void op_in_uart(void *unused) { (void)unused; inb(0x3fd); }
static void op_out_80(void *unused) { (void)unused; outb(0x80, 0); }
static void op_in_nobody(void *unused) { (void)unused; inb(0x2f8 + 0x100); }
static void op_tpr_read(void *unused) { (void)unused; lapic_read(APIC_TPR); }
static void op_tpr_write(void *unused) { (void)unused; lapic_write(APIC_TPR, 0); }
static void op_eoi(void *unused) { (void)unused; lapic_write(APIC_EOI, 0); }
static void op_cr8(void *unused) { (void)unused; write_cr8(0); }
static void op_cr0(void *unused) { (void)unused; write_cr0(read_cr0()); }
static void op_cr3(void *unused) { (void)unused; write_cr3(read_cr3()); }
static void op_x2_tpr(void *unused) { (void)unused; rdmsr(MSR_X2_TPR); }
static void op_x2_tpr_write(void *unused) { (void)unused; wrmsr(MSR_X2_TPR, 0); }
static void op_x2_eoi(void *unused) { (void)unused; wrmsr(MSR_X2_EOI, 0); }

static u64 rounds(void (*op)(void *))
{
	u64 begin;

	op(NULL);
	begin = rdtsc();
	for (unsigned int i = 0; i < ROUNDS; i++)
		op(NULL);
	return rdtsc() - begin;
}

static void measure(const char *name, void (*op)(void *))
{
	struct fault f = guarded(op, NULL);
	u64 cost;

	report(f.vector == NO_FAULT, "%s can be executed", name);
	if (f.vector != NO_FAULT)
		return;
	cost = rounds(op) - loop_cost;
	print("EXIT: %s %lu\n", name, cost * 100 / ROUNDS);
}

void test_main(void)
{
	lapic_on();
	loop_cost = rounds(op_nothing);
	measure("CPUID", op_cpuid);
	if (cpu_is_intel())
		measure("VMCALL", op_vmcall);
	else
		measure("VMMCALL", op_vmmcall);
	measure("RDMSR-APIC_BASE", op_rdmsr);
	measure("RDMSR-EFER", op_rdmsr_efer);
	measure("WRMSR-TSC_AUX", op_wrmsr);
	measure("WBINVD", op_wbinvd);
	measure("IN-PIC", op_in_pic);
	measure("IN-UART-LSR", op_in_uart);
	measure("IN-unclaimed", op_in_nobody);
	measure("OUT-80", op_out_80);
	measure("LAPIC-TPR-read", op_tpr_read);
	measure("LAPIC-TPR-write", op_tpr_write);
	measure("LAPIC-EOI-write", op_eoi);
	measure("MOV-CR8", op_cr8);
	measure("MOV-CR0", op_cr0);
	measure("MOV-CR3", op_cr3);
	if (!(cpuid(1).c >> 21 & 1))
		return;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ENABLE);
	measure("x2APIC-TPR-read", op_x2_tpr);
	measure("x2APIC-TPR-write", op_x2_tpr_write);
	measure("x2APIC-EOI", op_x2_eoi);
}
