/* SPDX-License-Identifier: BSD-2-Clause */
/* The few facts Vouch takes from ACPI. Table bytes are firmware's: bounded and checked, never believed. */
#ifndef ARCH_X86_CPU_ACPI_H
#define ARCH_X86_CPU_ACPI_H

#include <vouch/platform.h>
#include <vouch/types.h>

struct host;

/* How table bytes are reached: len bytes at physical address a, or NULL if that is no readable memory. */
struct acpi_memory {
	const uint8_t *(*map)(void *ctx, uint64_t a, uint64_t len);
	void *ctx;
};

/*
 * Walks from a copy of the RSDP and fills p's ACPI fields, defaults for what is missing. True if a root table was
 * found; the reasons for what was left out are logged. Pure but for m and the log.
 */
bool acpi_parse(struct platform *p, const struct acpi_memory *m, const uint8_t *rsdp, uint32_t rsdp_len);

/*
 * Finds the package that _S5_ names in AML bytes without interpreting them: false if there is none of the plain form
 * every firmware uses. The values are those for SLP_TYPa and SLP_TYPb.
 */
bool acpi_s5_find(const uint8_t *aml, uint64_t len, uint8_t *a, uint8_t *b);

/* acpi_parse() on this machine. */
void acpi_init(struct host *h);

#endif
