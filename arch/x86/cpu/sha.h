/* SPDX-License-Identifier: BSD-2-Clause */
/* How this host computes SHA-256 over long input. */
#ifndef ARCH_X86_CPU_SHA_H
#define ARCH_X86_CPU_SHA_H

struct host;

/* Chooses h->sha256 by CPUID and features=. All CPUs are taken to be like this one. Returns the choice in words. */
const char *sha_init(struct host *h);

#endif
