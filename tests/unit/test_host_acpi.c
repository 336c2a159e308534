/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables, good and hostile. Every table is handed out in memory of exactly its length: a byte too far crashes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "arch/x86/cpu/acpi.h"
#include "tests/unit/support/log.h"

#define MEM_SIZE 0x20000u
#define XSDT_AT  0x1000u
#define RSDT_AT  0x1800u
#define FADT_AT  0x2000u
#define MADT_AT  0x3000u
#define DSDT_AT  0x4000u
#define SSDT_AT  0x8000u

static uint8_t mem[MEM_SIZE];
static uint8_t rsdp[36];
static void *handed[1024];
static unsigned int handed_count;
static struct platform plat;

static const uint8_t *give(void *ctx, uint64_t a, uint64_t len)
{
	uint8_t *copy;

	(void)ctx;
	if (!span_ok(a, len, MEM_SIZE))
		return NULL;
	assert_true(handed_count < 1024);
	copy = malloc(len);
	assert_non_null(copy);
	memcpy(copy, mem + a, len);
	handed[handed_count++] = copy;
	return copy;
}

static bool parse_with(const uint8_t *root, uint32_t len)
{
	const struct acpi_memory m = { .map = give };
	bool ok;

	memset(&plat, 0, sizeof(plat));
	log_clear();
	ok = acpi_parse(&plat, &m, root, len);
	while (handed_count)
		free(handed[--handed_count]);
	return ok;
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void sum(uint8_t *p, uint32_t len, uint32_t at)
{
	uint8_t s = 0;
	uint32_t i;

	p[at] = 0;
	for (i = 0; i < len; i++)
		s = (uint8_t)(s + p[i]);
	p[at] = (uint8_t)-s;
}

static void header(uint32_t at, const char *sig, uint32_t len)
{
	memcpy(mem + at, sig, 4);
	put32(mem + at + 4, len);
}

static void seal(uint32_t at)
{
	uint32_t len;

	memcpy(&len, mem + at + 4, 4);
	sum(mem + at, len, 9);
}

static const uint8_t s5_plain[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x06, 0x00, 0x00 };

static void dsdt_set(uint32_t at, const char *sig, const void *aml, uint32_t len)
{
	header(at, sig, 36 + len);
	memcpy(mem + at + 36, aml, len);
	seal(at);
}

static void madt_default(void)
{
	static const uint8_t entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,				/* CPU, enabled */
		0, 8, 1, 1, 1, 0, 0, 0,				/* CPU, enabled */
		0, 8, 2, 2, 0, 0, 0, 0,				/* CPU, disabled */
		1, 12, 9, 0, 0, 0, 0xc1, 0xfe, 24, 0, 0, 0,	/* the second IOAPIC first */
		1, 12, 8, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
		2, 10, 0, 4, 20, 0, 0, 0, 0x0f, 0,		/* interrupt 4 on input 20, level, low */
		2, 10, 1, 3, 9, 0, 0, 0, 0, 0,			/* not the ISA bus */
		200, 6, 0, 0, 0, 0,				/* a kind nobody knows */
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
	};

	header(MADT_AT, "APIC", 44 + sizeof(entries));
	put32(mem + MADT_AT + 36, 0xfee00000u);
	memcpy(mem + MADT_AT + 44, entries, sizeof(entries));
	seal(MADT_AT);
}

static void fadt_default(void)
{
	uint8_t *f = mem + FADT_AT;

	header(FADT_AT, "FACP", 244);
	put32(f + 40, DSDT_AT);
	put32(f + 48, 0xb2);
	f[52] = 0xf1;
	put32(f + 56, 0x600);
	put32(f + 64, 0x604);
	put32(f + 76, 0x608);
	put32(f + 112, 1u << 8 | 1u << 10);
	f[116] = 1;
	put32(f + 120, 0xcf9);
	f[128] = 0x0f;
	seal(FADT_AT);
}

static int fresh(void **ctx)
{
	uint64_t xsdt = XSDT_AT;

	(void)ctx;
	memset(mem, 0, sizeof(mem));
	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	put32(rsdp + 16, RSDT_AT);
	put32(rsdp + 20, 36);
	memcpy(rsdp + 24, &xsdt, 8);
	sum(rsdp, 20, 8);
	sum(rsdp, 36, 32);
	header(XSDT_AT, "XSDT", 36 + 16);
	put32(mem + XSDT_AT + 36, FADT_AT);
	put32(mem + XSDT_AT + 44, MADT_AT);
	seal(XSDT_AT);
	header(RSDT_AT, "RSDT", 36 + 4);
	put32(mem + RSDT_AT + 36, MADT_AT);
	seal(RSDT_AT);
	madt_default();
	fadt_default();
	dsdt_set(DSDT_AT, "DSDT", s5_plain, sizeof(s5_plain));
	return 0;
}

/* A FADT of ACPI 5 with its own sleep register: space and address as given. */
static void fadt_reduced(uint8_t space, uint64_t addr)
{
	uint8_t *f = mem + FADT_AT;

	header(FADT_AT, "FACP", 268);
	put32(f + 112, 1u << 8 | 1u << 10 | 1u << 20);
	f[244] = space;
	memcpy(f + 248, &addr, 8);
	seal(FADT_AT);
}

static void reduced_hardware_powers_off_by_its_sleep_register(void **ctx)
{
	(void)ctx;
	fadt_reduced(0, 0xfed10040u);
	assert_true(parse_with(rsdp, 36));
	assert_true(plat.hw_reduced && plat.has_s5);
	assert_int_equal(plat.sleep_addr, 0xfed10040u);
	assert_int_equal(plat.pm1a_cnt, 0);
	assert_int_equal(plat.pm_tmr, 0);
	fadt_reduced(1, 0x404);
	assert_true(parse_with(rsdp, 36));
	assert_true(plat.has_s5 && plat.sleep_space == 1);
	/* No register, one that is no port, one in a space that Vouch does not reach: no power-off is promised. */
	fadt_reduced(0, 0);
	assert_true(parse_with(rsdp, 36));
	assert_false(plat.has_s5);
	fadt_reduced(1, 0x10000);
	assert_true(parse_with(rsdp, 36));
	assert_false(plat.has_s5);
	fadt_reduced(3, 0x404);
	assert_true(parse_with(rsdp, 36));
	assert_false(plat.has_s5);
}

/* In the place of the MADT. */
static void tpm2_set(uint32_t len, uint64_t control, uint32_t method)
{
	header(MADT_AT, "TPM2", len);
	put32(mem + MADT_AT + 36, 0);
	memcpy(mem + MADT_AT + 40, &control, 8);
	put32(mem + MADT_AT + 48, method);
	seal(MADT_AT);
}

static void tpm2_says_where_and_how(void **ctx)
{
	(void)ctx;
	tpm2_set(76, 0x1fed40040, 7);
	assert_true(parse_with(rsdp, 36));
	assert_true(plat.has_tpm2);
	assert_false(plat.has_tcpa);
	assert_true(plat.tpm_control == 0x1fed40040);
	assert_int_equal(plat.tpm_method, 7);
	/* What stands behind may be missing, what is needed not. */
	tpm2_set(52, 0, 6);
	assert_true(parse_with(rsdp, 36));
	assert_true(plat.has_tpm2);
	assert_int_equal(plat.tpm_method, 6);
	for (uint32_t len = 36; len < 52; len++) {
		tpm2_set(len, 0, 6);
		assert_true(parse_with(rsdp, 36));
		assert_false(plat.has_tpm2);
		assert_non_null(strstr(log_text(), "ACPI TPM2 is too short"));
	}
	tpm2_set(52, 0, 6);
	mem[MADT_AT + 9]++;
	assert_true(parse_with(rsdp, 36));
	assert_false(plat.has_tpm2);
	memcpy(mem + MADT_AT, "TCPA", 4);
	seal(MADT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_true(plat.has_tcpa);
	assert_false(plat.has_tpm2);
}

static void reads_what_vouch_needs(void **ctx)
{
	(void)ctx;
	assert_true(parse_with(rsdp, 36));
	assert_string_equal(log_text(), "");
	assert_int_equal(plat.cpu_count, 3);
	assert_int_equal(plat.cpu[0].apic_id, 0);
	assert_int_equal(plat.cpu[1].apic_id, 1);
	assert_int_equal(plat.cpu[2].apic_id, 256);
	assert_int_equal(plat.node_count, 0);
	assert_int_equal(plat.lapic_hpa, 0xfee00000u);
	assert_int_equal(plat.ioapic_hpa, 0xfec00000u);
	assert_int_equal(plat.ioapic_gsi_base, 0);
	assert_int_equal(plat.ioapic_count, 2);
	assert_int_equal(plat.ioapics[0], 0xfec10000u);
	assert_int_equal(plat.ioapics[1], 0xfec00000u);
	assert_int_equal(plat.com_gsi[0], 20);
	assert_int_equal(plat.com_flags[0], 0x0f);
	assert_int_equal(plat.com_gsi[1], 3);
	assert_true(plat.has_acpi);
	assert_int_equal(plat.pm1a_evt, 0x600);
	assert_int_equal(plat.pm1a_cnt, 0x604);
	assert_int_equal(plat.pm_tmr, 0x608);
	assert_true(plat.pm_tmr_32);
	assert_int_equal(plat.smi_cmd, 0xb2);
	assert_int_equal(plat.acpi_enable, 0xf1);
	assert_true(plat.has_reset);
	assert_int_equal(plat.reset_space, 1);
	assert_int_equal(plat.reset_addr, 0xcf9);
	assert_int_equal(plat.reset_val, 0x0f);
	assert_true(plat.has_s5);
	assert_int_equal(plat.s5_a, 5);
	assert_int_equal(plat.s5_b, 6);
}

/* Listed twice, as APIC and x2APIC; broadcast IDs, which are no CPU's; not enabled. */
static void counts_each_cpu_once(void **ctx)
{
	static const uint8_t entries[] = {
		0, 8, 0, 3, 1, 0, 0, 0, 0, 8, 1, 255, 1, 0, 0, 0, 0, 8, 2, 4, 2, 0, 0, 0,
		9, 16, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		9, 16, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0,
		9, 16, 0, 0, 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
	};

	(void)ctx;
	header(MADT_AT, "APIC", 44 + sizeof(entries));
	memcpy(mem + MADT_AT + 44, entries, sizeof(entries));
	seal(MADT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.cpu_count, 2);
	assert_int_equal(plat.cpu[0].apic_id, 3);
	assert_int_equal(plat.cpu[1].apic_id, 255);
}

static void more_cpus_than_places(void **ctx)
{
	uint32_t n = PLATFORM_CPUS + 10;

	(void)ctx;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *e = mem + 0x9000 + 44 + 16 * i;

		e[0] = 9;
		e[1] = 16;
		put32(e + 4, 1000 + i);
		put32(e + 8, 1);
	}
	header(0x9000, "APIC", 44 + 16 * n);
	seal(0x9000);
	put32(mem + XSDT_AT + 44, 0x9000);
	seal(XSDT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.cpu_count, n);
	assert_int_equal(plat.cpu[PLATFORM_CPUS - 1].apic_id, 1000 + PLATFORM_CPUS - 1);
}

#define SRAT_AT 0x5000u

/* Two nodes, named 7 and 0x01000002: CPU 0 is in one, CPU 1 and the one with APIC ID 256 in the other. */
static void srat_default(void)
{
	uint8_t *e = mem + SRAT_AT + 48;
	uint64_t base[3] = { 0, 0x80000000u, 0x100000000ull };

	header(SRAT_AT, "SRAT", 48 + 3 * 40 + 2 * 16 + 24);
	for (unsigned int i = 0; i < 3; i++, e += 40) {
		e[0] = 1;
		e[1] = 40;
		put32(e + 2, i == 1 ? 7 : 0x01000002u);
		memcpy(e + 8, &base[i], 8);
		put32(e + 16, 0x80000000u);
		put32(e + 28, 1);
	}
	for (uint8_t i = 0; i < 2; i++, e += 16) {
		e[1] = 16;
		e[2] = i ? 2 : 7;
		e[3] = i;
		put32(e + 4, 1);
		e[11] = i ? 1 : 0;
	}
	e[0] = 2;
	e[1] = 24;
	put32(e + 4, 0x01000002u);
	put32(e + 8, 256);
	put32(e + 12, 1);
	header(XSDT_AT, "XSDT", 36 + 24);
	put32(mem + XSDT_AT + 52, SRAT_AT);
	seal(XSDT_AT);
	seal(SRAT_AT);
}

static void reads_what_memory_is_near(void **ctx)
{
	(void)ctx;
	srat_default();
	assert_true(parse_with(rsdp, 36));
	assert_string_equal(log_text(), "");
	assert_int_equal(plat.node_count, 2);
	assert_int_equal(plat.node_domain[0], 0x01000002);
	assert_int_equal(plat.node_domain[1], 7);
	assert_int_equal(plat.range_count, 3);
	assert_int_equal(plat.range[1].base, 0x80000000u);
	assert_int_equal(plat.range[1].len, 0x80000000u);
	assert_int_equal(plat.range[1].node, 1);
	assert_int_equal(plat.range[2].node, 0);
	assert_int_equal(plat.cpu[0].node, 1);
	assert_int_equal(plat.cpu[1].node, 0);
	assert_int_equal(plat.cpu[2].node, 0);
	/* What is not enabled counts for nothing. */
	put32(mem + SRAT_AT + 48 + 40 + 28, 2);
	seal(SRAT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.range_count, 2);
	assert_int_equal(plat.cpu[0].node, 1);
}

static void refuses_an_srat_that_lies(void **ctx)
{
	uint64_t huge = UINT64_MAX;

	(void)ctx;
	for (unsigned int i = 0; i < 5; i++) {
		fresh(NULL);
		srat_default();
		if (i == 0)
			mem[SRAT_AT + 48 + 1] = 0;
		else if (i == 1)
			mem[SRAT_AT + 48 + 3 * 40 + 2 * 16 + 1] = 25;
		else if (i == 2)
			memcpy(mem + SRAT_AT + 48 + 80 + 16, &huge, 8);   /* wraps */
		else if (i == 3)
			put32(mem + SRAT_AT + 48 + 16, 0x80000001u);     /* reaches into the next */
		else
			memcpy(mem + SRAT_AT + 48 + 80 + 8, mem + SRAT_AT + 48 + 8, 8);
		seal(SRAT_AT);
		assert_true(parse_with(rsdp, 36));
		assert_non_null(strstr(log_text(), "all memory counts as equally near"));
		assert_int_equal(plat.node_count, 0);
		assert_int_equal(plat.range_count, 0);
		assert_int_equal(plat.cpu[0].node, 0);
		assert_int_equal(plat.cpu_count, 3);
	}
	/* A table of nothing but its header, or less. */
	for (uint32_t len = 36; len < 50; len++) {
		fresh(NULL);
		srat_default();
		put32(mem + SRAT_AT + 4, len);
		seal(SRAT_AT);
		assert_true(parse_with(rsdp, 36));
		assert_int_equal(plat.node_count, 0);
	}
}

static void more_nodes_than_places(void **ctx)
{
	(void)ctx;
	srat_default();
	for (uint8_t i = 0; i <= PLATFORM_NODES; i++) {
		uint8_t *e = mem + SRAT_AT + 48 + 16 * i;

		memset(e, 0, 16);
		e[1] = 16;
		e[2] = i;
		put32(e + 4, 1);
	}
	put32(mem + SRAT_AT + 4, 48 + 16 * (PLATFORM_NODES + 1));
	seal(SRAT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.node_count, 0);
	assert_non_null(strstr(log_text(), "SRAT"));
}

static void uses_the_rsdt_of_old_firmware(void **ctx)
{
	(void)ctx;
	rsdp[15] = 0;
	sum(rsdp, 20, 8);
	assert_true(parse_with(rsdp, 20));
	assert_int_equal(plat.cpu_count, 3);
	assert_false(plat.has_acpi);
	assert_false(plat.has_s5);
}

static void falls_back_when_the_xsdt_is_bad(void **ctx)
{
	(void)ctx;
	mem[XSDT_AT + 40] ^= 1;
	assert_true(parse_with(rsdp, 36));
	assert_non_null(strstr(log_text(), "ACPI table XSDT at 0x1000 left out: wrong checksum"));
	assert_false(plat.has_acpi);
	assert_int_equal(plat.cpu_count, 3);
}

static void refuses_bad_roots(void **ctx)
{
	uint32_t i;

	(void)ctx;
	assert_false(parse_with(rsdp, 0));
	assert_false(parse_with(rsdp, 19));
	for (i = 0; i < 20; i++) {
		rsdp[i] ^= 0x10;
		assert_false(parse_with(rsdp, 36));
		rsdp[i] ^= 0x10;
	}
	/* Defaults stay usable without any table. */
	assert_int_equal(plat.com_gsi[0], 4);
	assert_int_equal(plat.com_gsi[1], 3);
	memcpy(mem + RSDT_AT, "EVIL", 4);
	seal(RSDT_AT);
	assert_false(parse_with(rsdp, 20));
}

static void leaves_out_tables_that_lie(void **ctx)
{
	static const uint32_t lengths[] = { 0, 1, 35, 0x7fffffffu, 0xffffffffu, MEM_SIZE };
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		put32(mem + FADT_AT + 4, lengths[i]);
		assert_true(parse_with(rsdp, 36));
		assert_false(plat.has_acpi);
		assert_non_null(strstr(log_text(), "FACP at 0x2000 left out"));
		assert_int_equal(plat.cpu_count, 3);
	}
	fresh(NULL);
	mem[MADT_AT + 50] ^= 0x80;
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.cpu_count, 0);
	assert_non_null(strstr(log_text(), "APIC at 0x3000 left out: wrong checksum"));
	fresh(NULL);
	put32(mem + XSDT_AT + 36, MEM_SIZE - 20);	/* the header itself is not in memory */
	seal(XSDT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_false(plat.has_acpi);
}

static void stops_at_a_bad_madt_entry(void **ctx)
{
	static const uint8_t bad[] = { 0, 1, 255 };
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(bad); i++) {
		fresh(NULL);
		mem[MADT_AT + 44 + 8 + 1] = bad[i];
		seal(MADT_AT);
		assert_true(parse_with(rsdp, 36));
		assert_int_equal(plat.cpu_count, 1);
		assert_non_null(strstr(log_text(), "the rest is left out"));
	}
	/* An entry shorter than its kind: skipped, not read. */
	fresh(NULL);
	mem[MADT_AT + 44 + 1] = 4;
	mem[MADT_AT + 44 + 4 + 1] = 4;
	seal(MADT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.cpu_count, 2);
}

static void the_last_entry_may_be_short(void **ctx)
{
	static const uint8_t kinds[] = { 0, 1, 2, 5, 9 };
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(kinds); i++) {
		fresh(NULL);
		header(MADT_AT, "APIC", 46);
		mem[MADT_AT + 44] = kinds[i];
		mem[MADT_AT + 45] = 2;
		seal(MADT_AT);
		assert_true(parse_with(rsdp, 36));
		assert_string_equal(log_text(), "");
		assert_int_equal(plat.cpu_count, 0);
		assert_int_equal(plat.ioapic_count, 0);
	}
}

static void half_an_entry_is_none(void **ctx)
{
	(void)ctx;
	header(XSDT_AT, "XSDT", 36 + 8 + 4);
	seal(XSDT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_true(plat.has_acpi);
	assert_int_equal(plat.cpu_count, 0);
}

static void cuts_of_madt_and_fadt_are_harmless(void **ctx)
{
	uint32_t len;

	(void)ctx;
	for (len = 36; len < 130; len++) {
		fresh(NULL);
		put32(mem + MADT_AT + 4, len);
		seal(MADT_AT);
		put32(mem + FADT_AT + 4, len);
		seal(FADT_AT);
		assert_true(parse_with(rsdp, 36));
		assert_int_equal(plat.has_reset, len >= 129);
		assert_int_equal(plat.pm_tmr, len >= 80 ? 0x608 : 0);
		assert_int_equal(plat.has_s5, len >= 68);
	}
}

static void ports_must_be_ports(void **ctx)
{
	(void)ctx;
	put32(mem + FADT_AT + 64, 0x10604);
	put32(mem + FADT_AT + 120, 0x10cf9);
	seal(FADT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.pm1a_cnt, 0);
	assert_false(plat.has_s5);
	assert_false(plat.has_reset);
}

static void wide_addresses_win(void **ctx)
{
	(void)ctx;
	mem[FADT_AT + 208] = 1;
	put32(mem + FADT_AT + 212, 0x808);
	mem[FADT_AT + 172] = 0;		/* memory: Vouch does not do that */
	put32(mem + FADT_AT + 176, 0xfed00000u);
	seal(FADT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.pm_tmr, 0x808);
	assert_int_equal(plat.pm1a_evt, 0x600);
	assert_int_equal(plat.pm1a_cnt, 0);
	assert_false(plat.has_s5);
	fresh(NULL);
	mem[FADT_AT + 208] = 1;
	put32(mem + FADT_AT + 212, 0x808);
	put32(mem + FADT_AT + 216, 1);	/* no port */
	seal(FADT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.pm_tmr, 0);
}

static void more_ioapics_than_places(void **ctx)
{
	unsigned int i;

	(void)ctx;
	for (i = 0; i < 20; i++) {
		uint8_t *e = mem + MADT_AT + 44 + 12 * i;

		memset(e, 0, 12);
		e[0] = 1;
		e[1] = 12;
		put32(e + 4, 0xfec00000u + i * 0x1000);
		put32(e + 8, (19 - i) * 24);
	}
	header(MADT_AT, "APIC", 44 + 12 * 20);
	seal(MADT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_int_equal(plat.ioapic_count, PLATFORM_IOAPICS);
	assert_int_equal(plat.ioapic_gsi_base, 0);
	assert_non_null(strstr(log_text(), "stays as the firmware left it"));
}

static void finds_s5_in_an_ssdt(void **ctx)
{
	(void)ctx;
	dsdt_set(DSDT_AT, "DSDT", "nothing", 7);
	dsdt_set(SSDT_AT, "SSDT", s5_plain, sizeof(s5_plain));
	header(XSDT_AT, "XSDT", 36 + 24);
	put32(mem + XSDT_AT + 52, SSDT_AT);
	seal(XSDT_AT);
	assert_true(parse_with(rsdp, 36));
	assert_true(plat.has_s5);
}

static void too_many_tables_end(void **ctx)
{
	uint32_t i, n = (MEM_SIZE - 0x10000 - 36) / 8;

	(void)ctx;
	header(0x10000, "XSDT", 36 + n * 8);
	for (i = 0; i < n; i++)
		put32(mem + 0x10000 + 36 + i * 8, 0x10000);	/* itself */
	seal(0x10000);
	put32(rsdp + 24, 0x10000);
	sum(rsdp, 36, 32);
	assert_true(parse_with(rsdp, 36));
	assert_false(plat.has_acpi);
}

/* -------------------------------------------------------------------------------------------------- _S5 */

static bool s5(const void *aml, size_t len, int a, int b)
{
	uint8_t *copy = malloc(len ? len : 1), va = 99, vb = 99;
	bool ok;

	assert_non_null(copy);
	memcpy(copy, aml, len);
	ok = acpi_s5_find(copy, len, &va, &vb);
	free(copy);
	return ok && va == a && vb == b;
}

#define S5(a, b, ...) s5((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), a, b)

static void forms_of_s5(void **ctx)
{
	(void)ctx;
	assert_true(s5(s5_plain, sizeof(s5_plain), 5, 6));
	assert_true(S5(1, 0, 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x01, 0x00, 0, 0));
	assert_true(S5(7, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x04, 0x01, 0x0a, 0x07));
	/* Package length in two bytes; word and dword constants. */
	assert_true(S5(3, 4, 0x08, '_', 'S', '5', '_', 0x12, 0x4b, 0x00, 0x02, 0x0b, 3, 0, 0x0c, 4, 0, 0, 0));
	/* A mention before the definition. */
	assert_true(S5(5, 0, 'x', '_', 'S', '5', '_', 0x08, '_', 'S', '5', '_', 0x12, 0x05, 0x02, 0x0a, 5, 0));
}

static void not_s5(void **ctx)
{
	(void)ctx;
	assert_false(s5("", 0, 0, 0));
	assert_false(s5("_S5_", 4, 0, 0));
	assert_false(S5(0, 0, 0x08, '_', 'S', '5', '_', 0x14, 0x06, 0x02, 0, 0, 0, 0));		/* a method */
	assert_false(S5(0, 0, '_', 'S', '5', '_', 0x12, 0x04, 0x02, 0, 0));			/* no name operator */
	assert_false(S5(8, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x05, 0x02, 0x0a, 8, 0));		/* not three bits */
	assert_false(S5(0, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x02, 0x00));			/* empty */
	assert_false(S5(5, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x03, 0x01, 0x0a, 0x05));		/* element cut by its package */
	assert_false(S5(5, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x3f, 0x01, 0x0a, 0x05));		/* package past the table */
	assert_false(S5(5, 0, 0x08, '_', 'S', '5', '_', 0x12, 0xcf, 0xff, 0xff, 0xff, 0x01, 0x0a, 0x05));
	assert_false(S5(0, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x00, 0x01, 0x00));		/* length zero */
	assert_false(S5(0, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x04, 0x01, 0x0d, 'a', 0));	/* a string */
}

static void cut_anywhere(void **ctx)
{
	size_t len;

	(void)ctx;
	for (len = 0; len < sizeof(s5_plain); len++)
		assert_false(s5(s5_plain, len, 5, 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_what_vouch_needs, fresh),
		cmocka_unit_test_setup(tpm2_says_where_and_how, fresh),
		cmocka_unit_test_setup(reduced_hardware_powers_off_by_its_sleep_register, fresh),
		cmocka_unit_test_setup(counts_each_cpu_once, fresh),
		cmocka_unit_test_setup(more_cpus_than_places, fresh),
		cmocka_unit_test_setup(reads_what_memory_is_near, fresh),
		cmocka_unit_test_setup(refuses_an_srat_that_lies, fresh),
		cmocka_unit_test_setup(more_nodes_than_places, fresh),
		cmocka_unit_test_setup(uses_the_rsdt_of_old_firmware, fresh),
		cmocka_unit_test_setup(falls_back_when_the_xsdt_is_bad, fresh),
		cmocka_unit_test_setup(refuses_bad_roots, fresh),
		cmocka_unit_test_setup(leaves_out_tables_that_lie, fresh),
		cmocka_unit_test_setup(stops_at_a_bad_madt_entry, fresh),
		cmocka_unit_test_setup(the_last_entry_may_be_short, fresh),
		cmocka_unit_test_setup(half_an_entry_is_none, fresh),
		cmocka_unit_test_setup(cuts_of_madt_and_fadt_are_harmless, fresh),
		cmocka_unit_test_setup(ports_must_be_ports, fresh),
		cmocka_unit_test_setup(wide_addresses_win, fresh),
		cmocka_unit_test_setup(more_ioapics_than_places, fresh),
		cmocka_unit_test_setup(finds_s5_in_an_ssdt, fresh),
		cmocka_unit_test_setup(too_many_tables_end, fresh),
		cmocka_unit_test(forms_of_s5),
		cmocka_unit_test(not_s5),
		cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
