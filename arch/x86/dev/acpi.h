/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's ACPI tables, true to the devices it has. Pure: bytes into a buffer. */
#ifndef VOUCH_ACPI_H
#define VOUCH_ACPI_H

#include <vouch/types.h>

#define ACPI_ROM_SIZE  0x20000u   /* E0000h-FFFFFh */
#define ACPI_RSDP_OFF  0x10000u   /* the RSDP is at GPA F0000h, where the guest's scan finds it */

struct acpi_config {
	uint32_t devices;             /* bits of enum plan_device */
	unsigned int cpus;            /* local APICs 0 to cpus - 1; at most ACPI_MAX_CPUS */
	uint8_t ioapic_id;
	/* The event log, for a table of our own; NULL: there is no such table. It fits as long as it has 48 KiB at most. */
	const uint8_t *log;
	uint32_t log_len;
	bool log_in_tpm;              /* what it says is in a TPM's PCRs too */
};
#define ACPI_LOG_MAX 0xc000u
#define ACPI_MAX_CPUS 254u        /* what MADT entries of 8-bit IDs can name */

/*
 * Fills rom, which the guest sees at GPA_ROM_BASE: RSDP, XSDT, RSDT, FADT, FACS, DSDT, MADT if there are local APICs, VTML
 * (docs/guest-interface.md) if there is an event log; the rest is zeroed. Returns the bytes up to the end of the last table,
 * or 0 if size or cfg does not allow it.
 */
size_t acpi_build(uint8_t *rom, size_t size, const struct acpi_config *cfg);

#endif
