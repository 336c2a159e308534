/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 interval timer and what a PC hangs on its channel 2: port 61h (Intel 8254 data sheet; ISA chipsets' "NMI
 * Status and Control"). Counts are computed from the guest's clock when somebody looks; only channel 0 needs a timer.
 */
#ifndef VOUCH_PIT_H
#define VOUCH_PIT_H

#include <vouch/bus.h>
#include <vouch/irq_line.h>
#include <vouch/types.h>
#include <vouch/vclock.h>

#define PIT_HZ       1193182ull
#define PIT_PORTS    4u
/*
 * Interrupts of channel 0 never come closer than this, whatever the guest programs; the counts it reads are exact. What
 * a guest missed of a periodic interrupt while it was not run, up to a second's worth, it gets at four times the rate.
 */
#define PIT_FLOOR_NS 100000ull

/* The first ten members are those of Xen's PIT record, the others say when. */
struct pit_channel {
	uint32_t count;               /* in effect: 1 to 65536, or 10000 in BCD; 0 until one was written */
	uint16_t latched_count;
	uint8_t count_latched;        /* bytes of latched_count still to be read: bit 0 low, bit 1 high */
	uint8_t status_latched;
	uint8_t status;
	uint8_t read_high;            /* RW mode 3: the high byte is next */
	uint8_t write_high;
	uint8_t write_latch;          /* the low byte, until the high one comes */
	uint8_t rw_mode, mode, bcd, gate;

	uint8_t counting;             /* elapsed = now - origin; else elapsed = held */
	uint8_t triggered;            /* modes 1 and 5: the gate has started a count */
	uint32_t next_count;          /* modes 2 and 3: taken over at the cycle's end, tick next_at; 0 = none */
	uint64_t next_at;
	uint64_t origin;              /* PIT tick at which count was loaded */
	uint64_t held;
};

struct pit_state {
	struct pit_channel ch[3];
	uint8_t port61;               /* bits 0 to 3, as written */
	uint64_t irq_tick;            /* channel 0: the next edge of OUT, or UINT64_MAX */
	uint32_t owed;                /* edges that are over and did not interrupt yet */
};

struct pit {
	struct irq_line irq;
	struct vclock *clock;
	struct vtimer timer;
	struct pit_state s;
};

extern const struct vdev_ops pit_ops;          /* PIT_PORTS long, byte accesses */
extern const struct vdev_ops pit_port61_ops;   /* one port, byte accesses */

void pit_create(struct pit *p, const struct irq_line *irq, struct vclock *clock, struct vtimers *timers);
void pit_reset(struct pit *p);

#endif
