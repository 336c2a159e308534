/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest CPU's local APIC, in xAPIC and x2APIC mode, with its timer. It decides which interrupt its CPU may take; how
 * a message finds its way to other CPUs, and what INIT and SIPI do to one, is the machine's part (wires).
 *
 * What guests see: version 0x14, six LVT entries (no CMCI), no EOI-broadcast suppression, read-only APIC ID, base fixed
 * at APIC_DEFAULT_BASE. The timer counts 1 tick per guest nanosecond at divide 1 (a 1 GHz bus, as under KVM).
 *
 * State: reg[] is the register page, one word per 16 bytes, as Xen's LAPIC_REGS record and in the order of the x2APIC
 * MSRs. PPR and the timer's current count are computed when read, and must be filled in by whoever saves. base,
 * tsc_deadline and esr_pending fill the rest of Xen's LAPIC record (its divisor follows from reg[], its disabled word
 * from base and reg[]); timer_end follows from the current count or from tsc_deadline; lint and extint from the
 * PIC's output. Callers hold the VM.
 */
#ifndef X86_DEV_LAPIC_H
#define X86_DEV_LAPIC_H

#include <vouch/types.h>
#include <vouch/vclock.h>
#include <vouch/x86.h>

#include "arch/x86/dev/apic_msg.h"

#define LAPIC_VERSION   0x00050014u
#define LAPIC_REGS      64u
#define LAPIC_MMIO_SIZE 0x1000u

/* Periods below this are stretched, so that a guest cannot make Vouch do nothing but fire its timer. */
#define LAPIC_TIMER_MIN_PERIOD_NS 20000u

struct lapic;

/* All three are set. They may be called from any function below that takes a struct lapic that is not const. */
struct lapic_wires {
	void (*ipi)(void *ctx, struct lapic *from, const struct apic_msg *m);  /* may call lapic_deliver(), on from too */
	void (*eoi)(void *ctx, uint8_t vector);                                /* a level-triggered interrupt ended */
	void (*nmi)(void *ctx, struct lapic *l);                               /* l's CPU gets an NMI */
	void *ctx;
};

struct lapic {
	uint32_t reg[LAPIC_REGS];
	uint64_t base;            /* IA32_APIC_BASE */
	uint64_t tsc_deadline;    /* IA32_TSC_DEADLINE: guest TSC, 0 = not armed */
	uint64_t timer_end;       /* guest ns at which the count reaches 0, or VTIMER_OFF */
	uint32_t esr_pending;     /* errors since the last write to ESR */
	bool lint[2];             /* levels at LINT0 and LINT1 */
	bool extint;              /* an ExtINT message waits for lapic_ack_extint() */

	uint32_t id;              /* const after creation */
	bool bsp;
	struct vclock *clock;
	struct vtimer timer;
	struct lapic_wires wires;
	uint64_t refused;         /* what the guest asked for and we do not do; for whoever debugs a guest */
};

/* id is below 255. Registers l's timer with timers; both outlive l. Ends with lapic_reset(). */
void lapic_create(struct lapic *l, uint32_t id, bool bsp, struct vclock *clock, struct vtimers *timers,
		  const struct lapic_wires *w);
void lapic_reset(struct lapic *l);       /* power-up or RESET: xAPIC mode, software-disabled */
void lapic_init_reset(struct lapic *l);  /* INIT: the same, but the mode (IA32_APIC_BASE) stays */

/* What a PC's firmware leaves on the boot CPU: enabled, LINT0 = ExtINT, LINT1 = NMI. After lapic_reset(). */
void lapic_virtual_wire(struct lapic *l);

/*
 * An access to the 4 KiB page; the caller sends it here while lapic_xapic_enabled() (otherwise reads give ones and
 * writes vanish). Only aligned 32-bit writes count, and the lower half of aligned 64-bit ones; others are counted and
 * ignored. Smaller reads see their part of a register.
 */
uint64_t lapic_mmio_read(struct lapic *l, uint64_t off, unsigned int size);
void lapic_mmio_write(struct lapic *l, uint64_t off, unsigned int size, uint64_t val);

/* MSRs 0x800-0x8ff, IA32_TSC_DEADLINE, IA32_APIC_BASE. 0, or -EINVAL: #GP (or an MSR that is not ours). */
__must_check int lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *val);
__must_check int lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t val);

bool lapic_xapic_enabled(const struct lapic *l);   /* the page is decoded */
uint64_t lapic_base(const struct lapic *l);        /* GPA of the page */

uint8_t lapic_cr8(const struct lapic *l);
void lapic_set_cr8(struct lapic *l, uint8_t cr8);  /* bits 3-0 count; a value above 15 is the caller's #GP */

/* The whole TPR, for CPUs that keep it themselves while a guest runs: SDM 3A "Task Priority Register". */
uint8_t lapic_tpr(const struct lapic *l);
void lapic_set_tpr(struct lapic *l, uint8_t tpr);
/*
 * The TPR alone holds an interrupt back, which could be delivered once its bits 7:4 are below this: 1 to 15, at most the
 * TPR's own. 0 if there is none.
 */
uint8_t lapic_tpr_threshold(const struct lapic *l);

int lapic_pending(const struct lapic *l);          /* the vector that may be delivered now, or -1 */
void lapic_ack(struct lapic *l, uint8_t vector);   /* the CPU takes it: from IRR to ISR */
uint8_t lapic_ppr(const struct lapic *l);

/* May the CPU take an interrupt from the PIC? LINT0 or LINT1 says ExtINT, a message asked, or the APIC is off (BSP). */
bool lapic_accepts_extint(const struct lapic *l);
void lapic_ack_extint(struct lapic *l);            /* the CPU took one: forgets the message, if there was one */

/* A fixed interrupt arrives. Lost if the APIC is disabled; vectors below 16 only leave an error. */
void lapic_inject(struct lapic *l, uint8_t vector, bool level_trig);
/* The level at pin LINT0 or LINT1 (others ignored): true is asserted, whatever the LVT says of polarity. */
void lapic_lint(struct lapic *l, unsigned int pin, bool level);

/* Is l among those a message without shorthand is for? No, while it is globally disabled. */
bool lapic_matches(const struct lapic *l, uint32_t dest, bool logical);
/* A message arrived that is for l: fixed, lowest, NMI, ExtINT. SMI, INIT and SIPI are the machine's: ignored. */
void lapic_deliver(struct lapic *l, const struct apic_msg *m);

#endif
