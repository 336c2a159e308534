/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's clock. */
#ifndef ARCH_X86_CPU_TSC_H
#define ARCH_X86_CPU_TSC_H

#include <vouch/types.h>

struct platform;

/* Fills tsc_khz and tsc_invariant; returns what it measured against, for the log. Needs the FADT's fields. */
const char *tsc_init(struct platform *p);

/* Spins for us microseconds; after tsc_init(). */
void host_delay_us(uint64_t us);

#endif
