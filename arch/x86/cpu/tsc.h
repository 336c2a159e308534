/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's clock. */
#ifndef ARCH_X86_CPU_TSC_H
#define ARCH_X86_CPU_TSC_H

#include <vouch/types.h>

#include "asm.h"

struct platform;

/* What this CPU itself says of its clocks: CPUID leaves 1 (EAX), 15h and 16h. */
struct tsc_facts {
	bool intel;
	uint32_t signature;
	struct cpuid_regs crystal, base;
};
struct tsc_facts tsc_facts_read(void);

/*
 * Fills tsc_khz and tsc_invariant; returns what it is known by, for the log. Needs the FADT's fields. A clock that counts comes
 * before what the CPU says; without either it is the end.
 */
const char *tsc_init(struct platform *p, const struct tsc_facts *f);

/* Spins for us microseconds; after tsc_init(). */
void host_delay_us(uint64_t us);

#endif
