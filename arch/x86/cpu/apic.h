/* SPDX-License-Identifier: BSD-2-Clause */
/* This machine's own interrupt controllers: LAPIC of this CPU, IOAPICs, the PICs (masked for good). */
#ifndef ARCH_X86_CPU_APIC_H
#define ARCH_X86_CPU_APIC_H

#include <vouch/types.h>

struct host;

/* What decides whether the boot CPU's LAPIC, and so all others, is used by its page (xAPIC) or by MSRs (x2APIC). */
struct lapic_facts {
	uint64_t base;                /* IA32_APIC_BASE, as firmware has left it */
	bool has_x2apic;              /* by CPUID */
	bool asked;                   /* x2apic=on */
	uint32_t top_id;              /* the highest APIC ID of a CPU */
};
/* IA32_APIC_BASE as it shall be. Never leads from x2APIC back to xAPIC. */
uint64_t lapic_mode(const struct lapic_facts *f);
/* Enables this CPU's LAPIC in the mode that lapic_mode() says, timer off, LINT1 = NMI, PICs masked. Needs ACPI done,
 * platform.tsc_khz and tsc_deadline; fills lapic_khz if that is not set. */
void lapic_init(struct host *h);
/*
 * The same for another CPU, on that CPU: in the boot CPU's mode, LINT1 masked (an NMI from outside is the boot CPU's).
 * NULL, or why it can't be.
 */
const char *lapic_init_other(const struct host *h);
/*
 * Parts of both. What the thermal sensor's line shall be: masked, or what firmware has set if that is an SMI, by which firmware
 * cools the machine. INIT masks it, so the other CPUs get the boot CPU's, as firmware had given it to all.
 */
uint32_t lapic_thermal_line(void);
/* Sets all lines of this CPU and enables it. */
void lapic_set_lines(uint32_t thermal, bool boot);
void host_lapic_eoi(void);

/* Sends an interprocessor interrupt by the low half of the ICR; waits, bounded, until the one before is on its way. */
#define ICR_NMI      0x00400u
#define ICR_INIT     0x04500u         /* assert */
#define ICR_STARTUP  0x04600u         /* with the number of the page to start in */
void host_ipi(uint32_t apic_id, uint32_t icr);
/* Masks everything on all IOAPICs, then routes the receive interrupts of the console's ports to this CPU. */
void ioapic_init(struct host *h);

#endif
