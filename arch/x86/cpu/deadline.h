/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the LAPIC's timer can be trusted to come at a TSC value: not with some of Intel's microcode. */
#ifndef ARCH_X86_CPU_DEADLINE_H
#define ARCH_X86_CPU_DEADLINE_H

#include <vouch/types.h>

struct deadline_facts {
	bool there;                   /* CPUID says that the timer has this mode */
	bool intel;
	bool hypervisor;              /* one lies below: the timer is its own work */
	uint32_t signature;           /* CPUID leaf 1 EAX: family, model, stepping */
	uint32_t microcode;           /* revision; 0: unknown */
};

/* The revision that this CPU's timer would need to be right, if it has an older one; 0: it is right. Pure. */
uint32_t deadline_needs(const struct deadline_facts *f);

/* True if this CPU has the mode and it works. Says what is missing. */
bool deadline_usable(void);

#endif
