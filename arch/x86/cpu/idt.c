/* SPDX-License-Identifier: BSD-2-Clause */
/* The IDT and what each vector means to the host. Exceptions but one are our own bugs and end in panic_regs(). */
#include "cpu.h"

#include <vouch/host.h>
#include <vouch/smp.h>
#include <vouch/x86.h>

#include "apic.h"
#include "asm.h"
#include "core/log_port.h"
#include "smp.h"

extern const uint8_t isr_stubs[256][16];
extern const uint8_t msr_read_safe_try[], msr_write_safe_try[], msr_safe_fault[];

static void gate_set(struct idt_gate *g, const void *handler)
{
	uint64_t at = (uint64_t)(uintptr_t)handler;

	*g = (struct idt_gate){
		.offset_low = (uint16_t)at, .offset_mid = (uint16_t)(at >> 16), .offset_high = (uint32_t)(at >> 32),
		.selector = SEL_CODE, .type = 0x8e,	/* present, interrupt gate */
	};
}

void idt_fill(struct pcpu_arch *a)
{
	unsigned int i;

	for (i = 0; i < 256; i++)
		gate_set(&a->idt[i], isr_stubs[i]);
}

void cpu_ist_arm(bool on)
{
	struct pcpu_arch *a = this_cpu()->arch;

	/* The handlers may run between any two of these stores: each gate is right by itself, with IST or without. */
	__atomic_store_n(&a->idt[EXC_NMI].ist, on ? IST_NMI : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&a->idt[EXC_MC].ist, on ? IST_MC : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&a->idt[EXC_DF].ist, on ? IST_DF : 0, __ATOMIC_RELAXED);
	a->ist_armed = on;
	__asm__ volatile("" : : : "memory");
}

/* An NMI can land inside any of our code: no lock, no FPU, no FS; it says so and goes back. */
static void nmi_entry(const struct cpu_regs *r)
{
	struct pcpu_arch *a = this_cpu()->arch;
	uint8_t why;

	cpus_stop_here();
	/* IBM PC/AT system control port B: bit 7 memory parity or SERR#, bit 6 channel check. */
	why = port_in8(0x61);

	a->nmi_count++;
	/* A storm must not fill the log. */
	if (a->nmi_count > 64 && a->nmi_count & (a->nmi_count - 1))
		return;
	log_emergency("NMI %lu on CPU %u at %#lx: %s; going on", (unsigned long)a->nmi_count, this_cpu()->id,
		      (unsigned long)r->rip,
		      why & 0x80 ? "memory or bus error (SERR)" : why & 0x40 ? "channel check" : "no known source");
}

static void unexpected_entry(const struct cpu_regs *r)
{
	struct pcpu_arch *a = this_cpu()->arch;

	if (++a->unexpected_count <= 16)
		log_emergency("unexpected interrupt %#lx on CPU %u", (unsigned long)r->vector, this_cpu()->id);
	/* The PICs are masked: from there only their spurious interrupts come, which want no EOI from the LAPIC. */
	if (r->vector >= VEC_PIC + 16)
		host_lapic_eoi();
}

/* True if the fault is one that msr_read_safe() or msr_write_safe() asked for. */
static bool fault_expected(struct cpu_regs *r)
{
	if (r->vector != EXC_GP ||
	    (r->rip != (uint64_t)(uintptr_t)msr_read_safe_try && r->rip != (uint64_t)(uintptr_t)msr_write_safe_try))
		return false;
	r->rip = (uint64_t)(uintptr_t)msr_safe_fault;
	return true;
}

void cpu_sleep(void)
{
	cpu_idle();
	__asm__ volatile("cli" : : : "memory");
}

/* The vectors that come back to where they came from. */
static void isr_dispatch(struct cpu_regs *r)
{
	struct pcpu *p = this_cpu();

	switch (r->vector) {
	case EXC_NMI:
		nmi_entry(r);
		return;
	case VEC_TIMER:
		p->host_event = true;
		host_lapic_eoi();
		return;
	case VEC_KICK:
		p->host_event = true;
		host_lapic_eoi();
		cpu_serve();
		return;
	case VEC_COM1:
	case VEC_COM2:
		p->host_event = true;
		console_poll(&p->host->console);
		host_lapic_eoi();
		return;
	case VEC_SPURIOUS:
		return;
	default:
		if (fault_expected(r))
			return;
		if (r->vector < 32)
			panic_regs(r);
		unexpected_entry(r);
	}
}

void isr_entry(struct cpu_regs *r)
{
	isr_dispatch(r);
	/* What came between STI and HLT (an NMI, and whatever its IRET let in) has been seen to: do not sleep on it. */
	if (r->rip == (uint64_t)(uintptr_t)cpu_idle_hlt)
		r->rip++;
}
