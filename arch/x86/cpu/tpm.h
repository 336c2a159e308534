/* SPDX-License-Identifier: BSD-2-Clause */
/* The TPM of this machine: found by ACPI's table TPM2, its registers mapped. What is said to it: vouch/tpm.h. */
#ifndef ARCH_X86_CPU_TPM_H
#define ARCH_X86_CPU_TPM_H

#include <vouch/tpm.h>

#include "tpm_regs.h"

struct host;

struct tpm_host {
	volatile uint8_t *page;       /* locality 0, or from the control area on */
	const char *interface;        /* for messages */
	struct tpm_tis tis;
	struct tpm_crb crb;
};

/*
 * Finds the TPM and takes it; t->exchange and the rest are set, and d, which t keeps a pointer to. 0; -ENODEV: this machine
 * has none; any other: it has one that Vouch can't talk to, *why says what is wrong. Boot CPU, once.
 */
__must_check int tpm_host_open(struct tpm_host *d, struct tpm *t, const struct host *h, const char **why);

#endif
