/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errata of CPUs that guests could use against Vouch or each other, or that would stop Vouch, where the manufacturer's remedy
 * is a bit of a model-specific register: docs/security.md lists them. What is against speculation on the whole is spec.h's.
 */
#ifndef ARCH_X86_CPU_ERRATA_H
#define ARCH_X86_CPU_ERRATA_H

#include <vouch/types.h>

struct cpu_model {
	bool amd;                     /* or Hygon */
	unsigned int family, model;   /* with their extensions */
	bool hypervisor;              /* one lies below: the CPU's MSRs are its own business */
	bool lfence_serial;           /* LFENCE waits for all before it by itself */
};

/* This CPU's. */
struct cpu_model cpu_model_read(void);

/*
 * On each CPU, once its exceptions are handled and before guests: sets what this model's errata want set. Says on which it did
 * if say. An MSR that the CPU does not have is left out in silence, one that does not take the value is warned of.
 */
void errata_mend(const struct cpu_model *m, bool say);

#endif
