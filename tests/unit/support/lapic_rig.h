/* SPDX-License-Identifier: BSD-2-Clause */
/* One local APIC on a fake clock with recording wires, for the tests of its parts. TSC: 2.5 ticks a guest ns. */
#ifndef SUPPORT_LAPIC_RIG_H
#define SUPPORT_LAPIC_RIG_H

#include <string.h>

#include "arch/x86/dev/lapic_priv.h"
#include "clock.h"

#define RIG_TSC_KHZ 2500000u

struct lapic_rig {
	struct lapic l __attribute__((aligned(LAPIC_MMIO_SIZE)));
	struct vclock clock;
	struct vtimers timers;
	unsigned int ipis, eois, nmis, enables;
	struct apic_msg last;         /* the last IPI */
	uint8_t eoi_vector;
	bool loop_self;               /* IPIs with the self shorthand come back, as the machine does it */
};

static inline void rig_ipi(void *ctx, struct lapic *from, const struct apic_msg *m)
{
	struct lapic_rig *r = ctx;

	r->ipis++;
	r->last = *m;
	if (r->loop_self && m->shorthand == APIC_DEST_SELF)
		lapic_deliver(from, m);
}

static inline void rig_eoi(void *ctx, uint8_t vector)
{
	struct lapic_rig *r = ctx;

	r->eois++;
	r->eoi_vector = vector;
}

static inline void rig_nmi(void *ctx, struct lapic *l)
{
	struct lapic_rig *r = ctx;

	if (l == &r->l)
		r->nmis++;
}

static inline void rig_enabled(void *ctx, struct lapic *l)
{
	struct lapic_rig *r = ctx;

	r->enables += lapic_delivers(l);
}

static inline void rig_create(struct lapic_rig *r, uint32_t id, bool bsp)
{
	struct lapic_wires w = { .ipi = rig_ipi, .eoi = rig_eoi, .nmi = rig_nmi, .enabled = rig_enabled, .ctx = r };

	*r = (struct lapic_rig){ .loop_self = true };
	memset(&r->l, 0xa5, sizeof(r->l));
	vclock_init(&r->clock, RIG_TSC_KHZ);
	vtimers_init(&r->timers, &r->clock);
	lapic_create(&r->l, id, bsp, &r->clock, &r->timers, &w);
}

static inline void rig_write(struct lapic_rig *r, unsigned int n, uint32_t val)
{
	lapic_mmio_write(&r->l, n * 16, 4, val);
}

static inline uint32_t rig_read(struct lapic_rig *r, unsigned int n)
{
	return (uint32_t)lapic_mmio_read(&r->l, n * 16, 4);
}

/* Software-enabled with spurious vector 0xff. */
static inline void rig_enable(struct lapic_rig *r)
{
	rig_write(r, LAPIC_SVR, 0x1ff);
}

#endif
