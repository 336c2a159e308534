/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest CPU's local APIC, in xAPIC and x2APIC mode, with its timer. It decides which interrupt its CPU may take; how
 * a message finds its way to other CPUs, and what INIT and SIPI do to one, is the machine's part (wires).
 *
 * What guests see: version 0x14, six LVT entries (no CMCI), no EOI-broadcast suppression, read-only APIC ID, base fixed
 * at APIC_DEFAULT_BASE. The timer counts 1 tick per guest nanosecond at divide 1 (a 1 GHz bus, as under KVM).
 *
 * State: page[] is the register page as SDM 3A lays it out, and Xen's LAPIC_REGS record is its beginning. PPR and the
 * timer's current count are computed when read, and must be filled in by whoever saves. base, tsc_deadline and
 * esr_pending fill the rest of Xen's LAPIC record (its divisor follows from the page, its disabled word from base and the
 * page); timer_end follows from the current count or from tsc_deadline; lint and extint from the PIC's output. Callers
 * hold the VM.
 *
 * A CPU that virtualizes the APIC works on page[] by itself while the guest runs: TPR, ISR, IRR and the ICR's upper half
 * have no other copy. Of all other registers reg[] is what counts, and the page shows the same.
 */
#ifndef X86_DEV_LAPIC_H
#define X86_DEV_LAPIC_H

#include <vouch/fast.h>
#include <vouch/types.h>
#include <vouch/vclock.h>
#include <vouch/x86.h>

#include "arch/x86/dev/apic_msg.h"

#define LAPIC_VERSION   0x00050014u
#define LAPIC_REGS      64u
#define LAPIC_MMIO_SIZE 0x1000u

/* Periods below this are stretched, so that a guest cannot make Vouch do nothing but fire its timer. */
#define LAPIC_TIMER_MIN_PERIOD_NS 20000u

/* Registers: MMIO offset / 16, and x2APIC MSR - 0x800. SDM 3A "Local APIC Register Address Map" (11-1). */
enum {
	LAPIC_ID = 0x02,
	LAPIC_VER = 0x03,
	LAPIC_TPR = 0x08,
	LAPIC_APR = 0x09,
	LAPIC_PPR = 0x0a,
	LAPIC_EOI = 0x0b,
	LAPIC_RRD = 0x0c,
	LAPIC_LDR = 0x0d,
	LAPIC_DFR = 0x0e,
	LAPIC_SVR = 0x0f,
	LAPIC_ISR = 0x10,         /* 8 words each */
	LAPIC_TMR = 0x18,
	LAPIC_IRR = 0x20,
	LAPIC_ESR = 0x28,
	LAPIC_ICR = 0x30,
	LAPIC_ICR2 = 0x31,
	LAPIC_LVT_TIMER = 0x32,
	LAPIC_LVT_THERMAL = 0x33,
	LAPIC_LVT_PERF = 0x34,
	LAPIC_LVT_LINT0 = 0x35,
	LAPIC_LVT_LINT1 = 0x36,
	LAPIC_LVT_ERROR = 0x37,
	LAPIC_TMICT = 0x38,
	LAPIC_TMCCT = 0x39,
	LAPIC_TDCR = 0x3e,
	LAPIC_SELF_IPI = 0x3f,
};

struct lapic;

/* All four are set. They may be called from any function below that takes a struct lapic that is not const. */
struct lapic_wires {
	void (*ipi)(void *ctx, struct lapic *from, const struct apic_msg *m);  /* may call lapic_deliver(), on from too */
	void (*eoi)(void *ctx, uint8_t vector);                                /* a level-triggered interrupt ended */
	void (*nmi)(void *ctx, struct lapic *l);                               /* l's CPU gets an NMI */
	void (*enabled)(void *ctx, struct lapic *l);                           /* software has enabled l: it takes interrupts */
	void *ctx;
};

/* One register of the page. */
struct lapic_reg {
	uint32_t val, unused[3];
};

struct lapic {
	struct lapic_reg page[LAPIC_MMIO_SIZE / 16];    /* page aligned by whoever has it, if a CPU is to work on it */
	uint32_t reg[LAPIC_REGS];
	bool changed;             /* ISR, IRR, TMR, the mode or SVR by us: for the vendor, who clears it */
	bool watched;             /* by the vendor: he has to look after each such change before the guest goes on */
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
void lapic_init_signal(struct lapic *l);        /* INIT: the same, but for the mode, and IDs */

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

/*
 * The TPR alone holds an interrupt back, which could be delivered once its bits 7:4 are below this: 1 to 15, at most the
 * TPR's own. 0 if there is none.
 */
uint8_t lapic_tpr_threshold(const struct lapic *l);
/* Something else hangs on a write to CR8 than the TPR's upper half: that, or the lower half, which it clears. */
bool lapic_needs_cr8(const struct lapic *l);

int lapic_pending(const struct lapic *l);          /* the vector that may be delivered now, or -1 */
void lapic_ack(struct lapic *l, uint8_t vector);   /* the CPU takes it: from IRR to ISR */
uint8_t lapic_ppr(const struct lapic *l);

/* For CPUs that work on the page by themselves (SDM 3C "APIC Virtualization and Virtual Interrupts"). */
bool lapic_x2apic_enabled(const struct lapic *l);
bool lapic_delivers(const struct lapic *l);        /* enabled, by software too: what is in the IRR may be delivered */
uint8_t lapic_highest_irr(const struct lapic *l);  /* the highest vector that may be delivered some time, or 0 */
uint8_t lapic_highest_isr(const struct lapic *l);  /* or 0 */
uint64_t lapic_levels(const struct lapic *l, unsigned int i);   /* TMR, vectors 64 * i on: whose EOI has to be known */
void lapic_eoi_done(struct lapic *l, uint8_t vector);  /* the CPU took it out of the ISR: what else an EOI does */
/* The CPU has written to the page at this offset, at the guest's will: to be undone, or made a proper write. */
void lapic_page_written(struct lapic *l, unsigned int off);
/* In x2APIC mode register n is as the page has it. PPR is not among them: the CPU knows better while it delivers. */
bool lapic_page_shows(unsigned int n);

/* May the CPU take an interrupt from the PIC? LINT0 or LINT1 says ExtINT, a message asked, or the APIC is off (BSP). */
bool lapic_accepts_extint(const struct lapic *l);
/* Does a level at LINT0 mean anything to it? From any CPU. */
bool lapic_hears_lint0(const struct lapic *l);
void lapic_ack_extint(struct lapic *l);            /* the CPU took one: forgets the message, if there was one */

/* A fixed interrupt arrives. Lost if the APIC is disabled; vectors below 16 only leave an error. */
void lapic_inject(struct lapic *l, uint8_t vector, bool level_trig);
/* The level at pin LINT0 or LINT1 (others ignored): true is asserted, whatever the LVT says of polarity. */
void lapic_lint(struct lapic *l, unsigned int pin, bool level);

/* Is l among those a message without shorthand is for? No, while it is globally disabled. */
bool lapic_matches(const struct lapic *l, uint32_t dest, bool logical);
/* A message arrived that is for l: fixed, lowest, NMI, ExtINT. SMI, INIT and SIPI are the machine's: ignored. */
void lapic_deliver(struct lapic *l, const struct apic_msg *m);

/*
 * The fast path's (lapic_fast.c): what the functions above would do, where that is simple; FAST_NO if it is not, or if the
 * APIC is not in that mode (x2: x2APIC mode). FAST_NEXT: neither the interrupts that wait nor the TPR have changed.
 */
enum fast_answer lapic_fast_eoi(struct lapic *l, bool x2);
enum fast_answer lapic_fast_icr(struct lapic *l, bool x2, uint64_t icr);
enum fast_answer lapic_fast_self_ipi(struct lapic *l, uint64_t vector);
/*
 * now: the guest's TSC. armed_ns: when the host's timer is to go off, guest ns, 0 if it must be armed anyhow. FAST_NEXT: it
 * can stay so.
 */
enum fast_answer lapic_fast_deadline(struct lapic *l, uint64_t tsc, uint64_t now, uint64_t armed_ns);
/* Four bytes at offset off of the page, below its size. A read that is done changes nothing but *val. */
bool lapic_fast_read(const struct lapic *l, unsigned int off, uint32_t *val);
enum fast_answer lapic_fast_write(struct lapic *l, unsigned int off, uint32_t val);

#endif
