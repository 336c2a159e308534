/* SPDX-License-Identifier: BSD-2-Clause */
/* Between lapic.c (interrupts), lapic_regs.c (registers) and lapic_timer.c; for nobody else but their tests. */
#ifndef X86_DEV_LAPIC_PRIV_H
#define X86_DEV_LAPIC_PRIV_H

#include "lapic.h"

#define SVR_ENABLE (1u << 8)

#define LVT_MODE(lvt)   ((lvt) >> 8 & 7u)
#define LVT_REMOTE_IRR  (1u << 14)
#define LVT_LEVEL       (1u << 15)
#define LVT_MASK        (1u << 16)
#define LVT_TIMER_MODE(lvt) ((lvt) >> 17 & 3u)

enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE, TIMER_RESERVED };

/* ESR. */
#define ESR_SEND_VECTOR (1u << 5)
#define ESR_RECV_VECTOR (1u << 6)
#define ESR_REGISTER    (1u << 7)

static inline bool lapic_enabled(const struct lapic *l)
{
	return l->base & APIC_BASE_ENABLE;
}

static inline bool lapic_x2apic(const struct lapic *l)
{
	return l->base & APIC_BASE_X2APIC;
}

/* A register of which Vouch's copy counts: all but those that a CPU changes by itself. */
static inline void lapic_set(struct lapic *l, unsigned int n, uint32_t val)
{
	l->reg[n] = l->page[n].val = val;
}

/* lapic.c */
void lapic_reset_registers(struct lapic *l);             /* the mode (IA32_APIC_BASE) stays */
void lapic_enter_mode(struct lapic *l, uint64_t mode);   /* APIC_BASE_ENABLE | APIC_BASE_X2APIC, a legal change */
void lapic_error(struct lapic *l, uint32_t esr_bit);
void lapic_lvt_fire(struct lapic *l, unsigned int lvt);
void lapic_lint_service(struct lapic *l, unsigned int pin);
void lapic_eoi(struct lapic *l);

/* lapic_timer.c */
void lapic_timer_init(struct lapic *l, struct vtimers *timers);
void lapic_timer_stop(struct lapic *l);
/* Fires what is due, so that a register read or written now finds the timer as hardware would have it. */
void lapic_timer_sync(struct lapic *l);
uint32_t lapic_timer_count(const struct lapic *l);       /* after lapic_timer_sync() */
void lapic_timer_write_lvt(struct lapic *l, uint32_t lvt);
void lapic_timer_write_initial(struct lapic *l, uint32_t count);
void lapic_timer_write_divide(struct lapic *l, uint32_t tdcr);
void lapic_timer_write_deadline(struct lapic *l, uint64_t tsc);

#endif
