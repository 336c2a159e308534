/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables of this machine: where their bytes are mapped. What they mean is acpi.c's. */
#include "acpi.h"

#include <vouch/host.h>

#include "arch/x86/mm/paging.h"
#include "core/memory.h"

/* True if the direct map holds all of [a, a + len). */
static bool mapped(uint64_t a, uint64_t len)
{
	uint64_t page, flags;
	hpa_t at;

	for (page = align_down(a, PAGE_SIZE); page < a + len; page += PAGE_SIZE)
		if (!paging_lookup(hpa_to_ptr(hpa(page)), &at, &flags))
			return false;
	return true;
}

static const uint8_t *host_map(void *ctx, uint64_t a, uint64_t len)
{
	(void)ctx;
	if (a >= MEMORY_TOP || len > MEMORY_TOP - a)
		return NULL;
	/* Some firmware keeps tables in ranges it calls reserved: these get a window. */
	return mapped(a, len) ? hpa_to_ptr(hpa(a)) : mmio_map(hpa(a), len);
}

void acpi_init(struct host *h)
{
	const struct acpi_memory m = { .map = host_map };

	if (!acpi_parse(&h->platform, &m, h->boot.rsdp_copy, h->boot.rsdp_len))
		log_warn("no ACPI: one CPU, no power-off, console input polled");
	/* This one runs, whatever the tables say. */
	if (!h->platform.cpu_count)
		h->platform.cpu_count = 1;  /* and its APIC ID is its own: see cpus_start() */
}
