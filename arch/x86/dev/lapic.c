/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's interrupts: what arrives, what the CPU may take, what an EOI ends; reset and mode changes.
 * Registers as the guest sees them are in lapic_regs.c, the timer is in lapic_timer.c.
 * Reference: SDM 3A "Advanced Programmable Interrupt Controller" (11); APM 2 (16) agrees where it matters.
 */
#include "lapic_priv.h"

#include <string.h>

#define VECTOR_MIN 16u            /* below, vectors are illegal */

#define PRIORITY_CLASS(v) ((v) & 0xf0u)

#define DFR_FLAT    0xfu
#define DFR_CLUSTER 0x0u

bool lapic_delivers(const struct lapic *l)
{
	return lapic_enabled(l) && (l->reg[LAPIC_SVR] & SVR_ENABLE);
}

static void vector_set(struct lapic *l, unsigned int map, uint8_t vector)
{
	l->page[map + vector / 32].val |= 1u << vector % 32;
	l->changed = true;
}

static void vector_clear(struct lapic *l, unsigned int map, uint8_t vector)
{
	l->page[map + vector / 32].val &= ~(1u << vector % 32);
	l->changed = true;
}

static bool vector_test(const struct lapic *l, unsigned int map, uint8_t vector)
{
	return l->page[map + vector / 32].val >> vector % 32 & 1;
}

/* The highest vector in a map of eight registers, or -1. */
static int vector_highest(const struct lapic *l, unsigned int map)
{
	const struct lapic_reg *r = &l->page[map];

	/* The usual case, and asked for at each entry. */
	if (!(r[0].val | r[1].val | r[2].val | r[3].val | r[4].val | r[5].val | r[6].val | r[7].val))
		return -1;
	for (int i = 7; i >= 0; i--) {
		uint32_t word = r[i].val;

		if (word)
			return i * 32 + 31 - __builtin_clz(word);
	}
	return -1;
}

/* SDM 3A "Task and Processor Priorities" (11.8.3.1). Equal classes may show TPR's low bits or 0: we show them. */
uint8_t lapic_ppr(const struct lapic *l)
{
	uint32_t tpr = l->page[LAPIC_TPR].val;
	int isrv = vector_highest(l, LAPIC_ISR);

	if (isrv < 0 || PRIORITY_CLASS(tpr) >= PRIORITY_CLASS((uint32_t)isrv))
		return (uint8_t)tpr;
	return (uint8_t)PRIORITY_CLASS((uint32_t)isrv);
}

int lapic_pending(const struct lapic *l)
{
	int vector = vector_highest(l, LAPIC_IRR);

	if (vector < 0 || !lapic_delivers(l))
		return -1;
	return PRIORITY_CLASS((uint32_t)vector) > PRIORITY_CLASS(lapic_ppr(l)) ? vector : -1;
}

void lapic_ack(struct lapic *l, uint8_t vector)
{
	vector_clear(l, LAPIC_IRR, vector);
	vector_set(l, LAPIC_ISR, vector);
}

void lapic_inject(struct lapic *l, uint8_t vector, bool level_trig)
{
	if (!lapic_delivers(l))
		return;
	if (vector < VECTOR_MIN) {
		lapic_error(l, ESR_RECV_VECTOR);
		return;
	}
	vector_set(l, LAPIC_IRR, vector);
	if (level_trig)
		vector_set(l, LAPIC_TMR, vector);
	else
		vector_clear(l, LAPIC_TMR, vector);
}

/*
 * Interrupts for each new kind of error. An error LVT with an illegal vector is an error itself; as its bit is set by
 * then, that ends after one step.
 */
void lapic_error(struct lapic *l, uint32_t esr_bit)
{
	bool known = l->esr_pending & esr_bit;

	l->esr_pending |= esr_bit;
	if (!known)
		lapic_lvt_fire(l, LAPIC_LVT_ERROR);
}

/* An event of a local source, always as an edge. ExtINT is not latched: the PIC's line is asked for it. */
void lapic_lvt_fire(struct lapic *l, unsigned int lvt)
{
	uint32_t val = l->reg[lvt];

	if (val & LVT_MASK)
		return;
	switch (LVT_MODE(val)) {
	case APIC_MODE_FIXED:
		lapic_inject(l, (uint8_t)val, false);
		break;
	case APIC_MODE_NMI:
		l->wires.nmi(l->wires.ctx, l);
		break;
	case APIC_MODE_EXTINT:
		break;
	default: /* SMI and INIT at a pin; the rest is reserved */
		l->refused++;
		break;
	}
}

static bool lint_is_level(uint32_t lvt)
{
	return LVT_MODE(lvt) == APIC_MODE_FIXED && (lvt & LVT_LEVEL);
}

/* Takes an asserted level-triggered pin, unless it waits for its EOI. */
void lapic_lint_service(struct lapic *l, unsigned int pin)
{
	uint32_t lvt = l->reg[LAPIC_LVT_LINT0 + pin];

	if (!l->lint[pin] || !lint_is_level(lvt) || (lvt & (LVT_MASK | LVT_REMOTE_IRR)))
		return;
	lapic_set(l, LAPIC_LVT_LINT0 + pin, lvt | LVT_REMOTE_IRR);
	lapic_inject(l, (uint8_t)lvt, true);
}

void lapic_lint(struct lapic *l, unsigned int pin, bool level)
{
	bool was;

	if (pin > 1)
		return;
	was = l->lint[pin];
	l->lint[pin] = level;
	if (was || !level)
		return;
	/* SDM 3A "Enabling or Disabling the Local APIC" (11.4.3): without it, the pins are INTR and NMI. */
	if (!lapic_enabled(l)) {
		if (pin == 1)
			l->wires.nmi(l->wires.ctx, l);
		return;
	}
	if (lint_is_level(l->reg[LAPIC_LVT_LINT0 + pin]))
		lapic_lint_service(l, pin);
	else
		lapic_lvt_fire(l, LAPIC_LVT_LINT0 + pin);
}

static void lint_eoi(struct lapic *l, unsigned int pin, uint8_t vector)
{
	uint32_t lvt = l->reg[LAPIC_LVT_LINT0 + pin];

	if (!(lvt & LVT_REMOTE_IRR) || (uint8_t)lvt != vector)
		return;
	lapic_set(l, LAPIC_LVT_LINT0 + pin, lvt & ~LVT_REMOTE_IRR);
	lapic_lint_service(l, pin);
}

void lapic_eoi_done(struct lapic *l, uint8_t vector)
{
	if (!vector_test(l, LAPIC_TMR, vector))
		return;
	lint_eoi(l, 0, vector);
	lint_eoi(l, 1, vector);
	l->wires.eoi(l->wires.ctx, vector);
}

/* In service first, so that what the wire sends again at once is a new request. */
void lapic_eoi(struct lapic *l)
{
	int isrv = vector_highest(l, LAPIC_ISR);

	if (isrv < 0)
		return;
	vector_clear(l, LAPIC_ISR, (uint8_t)isrv);
	lapic_eoi_done(l, (uint8_t)isrv);
}

uint8_t lapic_highest_irr(const struct lapic *l)
{
	int vector = vector_highest(l, LAPIC_IRR);

	return vector < 0 || !lapic_delivers(l) ? 0 : (uint8_t)vector;
}

uint8_t lapic_highest_isr(const struct lapic *l)
{
	int vector = vector_highest(l, LAPIC_ISR);

	return vector < 0 ? 0 : (uint8_t)vector;
}

uint64_t lapic_levels(const struct lapic *l, unsigned int i)
{
	return l->page[LAPIC_TMR + 2 * i].val | (uint64_t)l->page[LAPIC_TMR + 2 * i + 1].val << 32;
}

uint8_t lapic_cr8(const struct lapic *l)
{
	return (uint8_t)(l->page[LAPIC_TPR].val >> 4 & 0xfu);
}

void lapic_set_cr8(struct lapic *l, uint8_t cr8)
{
	l->page[LAPIC_TPR].val = (cr8 & 0xfu) << 4;
}

uint8_t lapic_tpr_threshold(const struct lapic *l)
{
	uint32_t tpr = PRIORITY_CLASS(l->page[LAPIC_TPR].val);
	int vector = vector_highest(l, LAPIC_IRR), isrv = vector_highest(l, LAPIC_ISR);
	uint32_t wants = PRIORITY_CLASS((uint32_t)vector);

	if (vector < 0 || wants > tpr || !lapic_delivers(l))
		return 0;
	return isrv >= 0 && wants <= PRIORITY_CLASS((uint32_t)isrv) ? 0 : (uint8_t)(wants >> 4);
}

bool lapic_needs_cr8(const struct lapic *l)
{
	uint32_t tpr = l->page[LAPIC_TPR].val;

	if (PRIORITY_CLASS(tpr) != tpr)
		return true;
	for (unsigned int i = 0; i <= tpr / 32; i++)    /* what is above the TPR it does not hold back */
		if (l->page[LAPIC_IRR + i].val)
			return lapic_tpr_threshold(l);
	return false;
}

bool lapic_x2apic_enabled(const struct lapic *l)
{
	return lapic_enabled(l) && lapic_x2apic(l);
}

bool lapic_xapic_enabled(const struct lapic *l)
{
	return lapic_enabled(l) && !lapic_x2apic(l);
}

uint64_t lapic_base(const struct lapic *l)
{
	(void)l;
	return APIC_DEFAULT_BASE;
}

static bool lvt_is_extint(uint32_t lvt)
{
	return !(lvt & LVT_MASK) && LVT_MODE(lvt) == APIC_MODE_EXTINT;
}

bool lapic_accepts_extint(const struct lapic *l)
{
	if (!lapic_enabled(l))
		return l->bsp;
	return l->extint || lvt_is_extint(l->reg[LAPIC_LVT_LINT0]) || lvt_is_extint(l->reg[LAPIC_LVT_LINT1]);
}

bool lapic_hears_lint0(const struct lapic *l)
{
	return lapic_enabled(l) ? !(l->reg[LAPIC_LVT_LINT0] & LVT_MASK) : l->bsp;
}

void lapic_ack_extint(struct lapic *l)
{
	l->extint = false;
}

static bool matches_physical(const struct lapic *l, uint32_t dest)
{
	/* 0xff is a broadcast in x2APIC mode too: the IOAPIC has only 8 bits. Of other senders in that mode see machine.c. */
	return dest == UINT32_MAX || dest == 0xff || dest == l->id;
}

/* SDM 3A "Logical Destination Mode" (11.6.2.2), and "in x2APIC Mode" (11.12.10.1). */
static bool matches_logical(const struct lapic *l, uint32_t dest)
{
	uint32_t ldr = l->reg[LAPIC_LDR];

	if (dest == UINT32_MAX)
		return true;
	if (lapic_x2apic(l))
		return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffffu);
	if (dest == 0xff)
		return true;
	if (dest > 0xff)
		return false;
	ldr >>= 24;
	switch (l->reg[LAPIC_DFR] >> 28) {
	case DFR_FLAT:
		return dest & ldr;
	case DFR_CLUSTER:
		return dest >> 4 == ldr >> 4 && (dest & ldr & 0xfu);
	default:
		return false;
	}
}

bool lapic_matches(const struct lapic *l, uint32_t dest, bool logical)
{
	if (!lapic_enabled(l))
		return false;
	return logical ? matches_logical(l, dest) : matches_physical(l, dest);
}

void lapic_deliver(struct lapic *l, const struct apic_msg *m)
{
	if (!lapic_enabled(l))
		return;
	switch (m->mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST:
		lapic_inject(l, m->vector, m->level_trig);
		break;
	case APIC_MODE_NMI:
		l->wires.nmi(l->wires.ctx, l);
		break;
	case APIC_MODE_EXTINT:
		l->extint = true;
		break;
	default:
		break;
	}
}

/* ID and logical ID look different in the two modes. */
static void set_ids(struct lapic *l)
{
	if (lapic_x2apic(l)) {
		lapic_set(l, LAPIC_ID, l->id);
		lapic_set(l, LAPIC_LDR, l->id >> 4 << 16 | 1u << (l->id & 15u));
	} else {
		lapic_set(l, LAPIC_ID, l->id << 24);
	}
}

/* SDM 3A "Local APIC State After Power-Up or Reset" (11.4.7.1). */
void lapic_reset_registers(struct lapic *l)
{
	lapic_timer_stop(l);
	memset(l->page, 0, sizeof(l->page));
	memset(l->reg, 0, sizeof(l->reg));
	l->changed = true;
	l->esr_pending = 0;
	l->extint = false;
	lapic_set(l, LAPIC_VER, LAPIC_VERSION);
	lapic_set(l, LAPIC_DFR, UINT32_MAX);
	lapic_set(l, LAPIC_SVR, 0xff);
	for (unsigned int i = LAPIC_LVT_TIMER; i <= LAPIC_LVT_ERROR; i++)
		lapic_set(l, i, LVT_MASK);
	set_ids(l);
}

/* SDM 3A "x2APIC State Transitions" (11.12.5): being disabled resets; from xAPIC to x2APIC most registers stay. */
void lapic_enter_mode(struct lapic *l, uint64_t new_mode)
{
	l->base = APIC_DEFAULT_BASE | (l->bsp ? APIC_BASE_BSP : 0) | new_mode;
	/* One that is off hears the PIC, too: as in write_lvt(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	l->changed = true;
	if (!(new_mode & APIC_BASE_ENABLE)) {
		lapic_reset_registers(l);
		return;
	}
	set_ids(l);
	l->page[LAPIC_ICR2].val = 0;
}

void lapic_reset(struct lapic *l)
{
	lapic_enter_mode(l, APIC_BASE_ENABLE);
	lapic_reset_registers(l);
}

/* SDM 3A "Local APIC State After an INIT Reset" (11.4.7.3). */
void lapic_init_signal(struct lapic *l)
{
	lapic_reset_registers(l);
}

void lapic_virtual_wire(struct lapic *l)
{
	lapic_set(l, LAPIC_SVR, l->reg[LAPIC_SVR] | SVR_ENABLE);
	lapic_set(l, LAPIC_LVT_LINT0, APIC_MODE_EXTINT << 8);
	lapic_set(l, LAPIC_LVT_LINT1, APIC_MODE_NMI << 8);
	l->changed = true;
}

void lapic_create(struct lapic *l, uint32_t id, bool bsp, struct vclock *clock, struct vtimers *timers,
		  const struct lapic_wires *w)
{
	memset(l, 0, sizeof(*l));
	l->id = id;
	l->bsp = bsp;
	l->clock = clock;
	l->wires = *w;
	lapic_timer_init(l, timers);
	lapic_reset(l);
}
