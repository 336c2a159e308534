/* SPDX-License-Identifier: BSD-2-Clause */
/* An interrupt message as it travels between IOAPIC and local APICs. Who it is for is decided by the machine. */
#ifndef X86_DEV_APIC_MSG_H
#define X86_DEV_APIC_MSG_H

#include <vouch/types.h>

/* Delivery modes, encoded alike in ICR, LVT and IOAPIC redirection entries. 3 is reserved everywhere. */
enum {
	APIC_MODE_FIXED,
	APIC_MODE_LOWEST,
	APIC_MODE_SMI,
	APIC_MODE_RESERVED,
	APIC_MODE_NMI,
	APIC_MODE_INIT,
	APIC_MODE_SIPI,       /* ICR only */
	APIC_MODE_EXTINT,     /* LVT and IOAPIC only */
};

/* Destination shorthands of the ICR. */
enum { APIC_DEST_FIELD, APIC_DEST_SELF, APIC_DEST_ALL, APIC_DEST_OTHERS };

struct apic_msg {
	uint8_t mode;         /* APIC_MODE_* */
	bool logical;         /* dest is logical, else physical */
	bool level_trig;      /* sets the TMR bit at the receiver */
	bool assert_;         /* always true: an INIT de-assert is never sent */
	uint8_t vector;
	uint32_t dest;        /* ignored if there is a shorthand */
	uint8_t shorthand;    /* APIC_DEST_* */
};

#endif
