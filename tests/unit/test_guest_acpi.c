/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's ACPI tables, read back as a guest's operating system finds them: from the scan for the RSDP on; and by
 * iasl, which must be installed (it is: the DSDT was compiled by it).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/plan.h>
#include <vouch/vm.h>

#include "arch/x86/dev/acpi.h"
#include "arch/x86/dev/dsdt.h"

static uint8_t rom[ACPI_ROM_SIZE];

static void build(uint32_t devices, unsigned int cpus)
{
	struct acpi_config cfg = { .devices = devices, .cpus = cpus, .ioapic_id = 7 };

	memset(rom, 0xa5, sizeof(rom));
	assert_in_range(acpi_build(rom, sizeof(rom), &cfg), ACPI_RSDP_OFF + 36, sizeof(rom));
}

static uint64_t get(const uint8_t *p, unsigned int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static unsigned int sum(const uint8_t *p, size_t n)
{
	unsigned int s = 0;

	while (n--)
		s += *p++;
	return s & 0xff;
}

/* A guest-physical address in the window. */
static const uint8_t *at(uint64_t gpa_of)
{
	assert_in_range(gpa_of, GPA_ROM_BASE, GPA_ROM_BASE + sizeof(rom) - 36);
	return rom + (gpa_of - GPA_ROM_BASE);
}

static const uint8_t *rsdp(void)
{
	const uint8_t *found = NULL;

	for (size_t i = 0; i + 36 <= sizeof(rom); i += 16) {
		if (memcmp(rom + i, "RSD PTR ", 8) == 0 && sum(rom + i, 20) == 0) {
			assert_null(found);
			found = rom + i;
		}
	}
	assert_non_null(found);
	return found;
}

static void check_table(const uint8_t *t)
{
	uint64_t len = get(t + 4, 4);

	assert_true(len >= 36 && len <= sizeof(rom) - (size_t)(t - rom));
	assert_int_equal(sum(t, len), 0);
	assert_memory_equal(t + 10, "VOUCH", 5);
}

/* Finds a table through the XSDT, and through the RSDT the same one. */
static const uint8_t *table(const char *signature)
{
	const uint8_t *p = rsdp(), *xsdt = at(get(p + 24, 8)), *rsdt = at(get(p + 16, 4));
	unsigned int n = (unsigned int)(get(xsdt + 4, 4) - 36) / 8;
	const uint8_t *found = NULL;

	check_table(xsdt);
	check_table(rsdt);
	assert_int_equal(get(rsdt + 4, 4), 36 + 4 * n);
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *t = at(get(xsdt + 36 + 8 * i, 8));

		assert_int_equal(get(rsdt + 36 + 4 * i, 4), get(xsdt + 36 + 8 * i, 8));
		check_table(t);
		if (memcmp(t, signature, 4) == 0)
			found = t;
	}
	return found;
}

static void root_pointer(void **state)
{
	const uint8_t *p;

	(void)state;
	build(PLAN_STANDARD, 1);
	p = rsdp();
	assert_ptr_equal(p, rom + ACPI_RSDP_OFF);
	assert_int_equal(p[15], 2);
	assert_int_equal(get(p + 20, 4), 36);
	assert_int_equal(sum(p, 36), 0);
	assert_null(table("SSDT"));
}

static void fadt_tells_what_there_is(void **state)
{
	const uint8_t *t;

	(void)state;
	build(PLAN_STANDARD, 1);
	t = table("FACP");
	assert_non_null(t);
	assert_int_equal(get(t + 4, 4), 276);
	assert_int_equal(t[8], 6);
	assert_int_equal(get(t + 46, 2), 9);              /* SCI */
	assert_int_equal(get(t + 48, 4), 0);              /* no SMI command port, so ACPI mode always */
	assert_int_equal(get(t + 56, 4), 0x600);
	assert_int_equal(get(t + 64, 4), 0x604);
	assert_int_equal(get(t + 76, 4), 0x608);
	assert_int_equal(t[88], 4);
	assert_int_equal(t[89], 2);
	assert_int_equal(t[91], 4);
	assert_int_equal(get(t + 80, 8), 0);              /* no GPE */
	assert_int_equal(t[92], 0);
	assert_int_equal(t[108], 0x32);
	assert_int_equal(get(t + 109, 2), 0x0007);        /* COM ports, 8042, no VGA; there is an RTC */
	assert_int_equal(get(t + 112, 4), 0x0525);
	assert_int_equal(get(t + 116, 4), 0x01000801);    /* reset: one byte of I/O */
	assert_int_equal(get(t + 120, 8), 0xcf9);
	assert_int_equal(t[128], 6);
	assert_int_equal(get(t + 148, 4), 0x02002001);
	assert_int_equal(get(t + 152, 8), 0x600);
	assert_int_equal(get(t + 172, 4), 0x02001001);
	assert_int_equal(get(t + 176, 8), 0x604);
	assert_int_equal(get(t + 208, 4), 0x03002001);
	assert_int_equal(get(t + 212, 8), 0x608);
	assert_int_equal(get(t + 40, 4), get(t + 140, 8));
	assert_memory_equal(at(get(t + 36, 4)), "FACS", 4);
	assert_int_equal(get(t + 36, 4) % 64, 0);
	assert_int_equal(get(at(get(t + 36, 4)) + 4, 4), 64);
}

static void fadt_tells_what_is_missing(void **state)
{
	const uint8_t *t;

	(void)state;
	build(PLAN_ALWAYS, 1);
	t = table("FACP");
	assert_int_equal(get(t + 109, 2), 0x0004);
	build(PLAN_ALWAYS | 1u << PLAN_COM2, 1);
	assert_int_equal(get(table("FACP") + 109, 2), 0x0005);
	build(PLAN_ALWAYS | 1u << PLAN_KEYBOARD, 1);
	assert_int_equal(get(table("FACP") + 109, 2), 0x0006);
	build(0, 1);
	t = table("FACP");
	assert_int_equal(get(t + 109, 2), 0x0024);
	assert_int_equal(t[108], 0);
	assert_int_equal(get(t + 56, 4) | get(t + 64, 4) | get(t + 76, 4), 0);
	assert_int_equal(get(t + 112, 4) & 0x400, 0);
	assert_int_equal(get(t + 120, 8), 0);
}

struct madt {
	unsigned int lapics, ioapics, nmis, overrides;
	uint64_t gsi[16], flags[16];
};

static void read_madt(struct madt *m, const uint8_t *t)
{
	uint64_t len = get(t + 4, 4);

	memset(m, 0, sizeof(*m));
	assert_int_equal(get(t + 36, 4), 0xfee00000);
	for (uint64_t i = 44; i < len; i += t[i + 1]) {
		const uint8_t *e = t + i;

		assert_true(e[1] >= 2 && i + e[1] <= len);
		switch (e[0]) {
		case 0:
			assert_int_equal(e[1], 8);
			assert_int_equal(e[2], m->lapics);
			assert_int_equal(e[3], m->lapics++);
			assert_int_equal(get(e + 4, 4), 1);
			break;
		case 1:
			assert_int_equal(e[1], 12);
			assert_int_equal(e[2], 7);
			assert_int_equal(get(e + 4, 4), 0xfec00000);
			assert_int_equal(get(e + 8, 4), 0);
			m->ioapics++;
			break;
		case 2:
			assert_int_equal(e[1], 10);
			assert_int_equal(e[2], 0);
			assert_in_range(e[3], 0, 15);
			m->gsi[e[3]] = get(e + 4, 4);
			m->flags[e[3]] = get(e + 8, 2);
			m->overrides++;
			break;
		case 4:
			assert_int_equal(e[1], 6);
			assert_int_equal(e[2], 0xff);
			assert_int_equal(get(e + 3, 2), 0);
			assert_int_equal(e[5], 1);
			m->nmis++;
			break;
		default:
			fail_msg("entry type %u", e[0]);
		}
	}
}

static void madt_entries(void **state)
{
	static const unsigned int cpus[] = { 1, 2, 16, ACPI_MAX_CPUS };
	struct madt m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
		build(PLAN_STANDARD, cpus[i]);
		read_madt(&m, table("APIC"));
		assert_int_equal(get(table("APIC") + 40, 4), 1);
		assert_int_equal(m.lapics, cpus[i]);
		assert_int_equal(m.ioapics, 1);
		assert_int_equal(m.nmis, 1);
		assert_int_equal(m.overrides, 2);
		assert_int_equal(m.gsi[0], 2);
		assert_int_equal(m.flags[0], 0);
		assert_int_equal(m.gsi[9], 9);
		assert_int_equal(m.flags[9], 0x0d);       /* level, active high */
	}
	build(PLAN_ALWAYS | 1u << PLAN_LAPIC, 1);
	read_madt(&m, table("APIC"));
	assert_int_equal(get(table("APIC") + 40, 4), 0);
	assert_int_equal(m.lapics, 1);
	assert_int_equal(m.ioapics + m.overrides, 0);
	build(PLAN_ALWAYS | 1u << PLAN_PIC, 1);
	assert_null(table("APIC"));
}

static const uint8_t *find(const uint8_t *hay, size_t n, const void *needle, size_t len)
{
	for (size_t i = 0; i + len <= n; i++)
		if (memcmp(hay + i, needle, len) == 0)
			return hay + i;
	return NULL;
}

static void dsdt_knows_the_devices(void **state)
{
	static const uint32_t sets[] = { 0, PLAN_ALWAYS, PLAN_STANDARD };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const uint8_t *t, *vdev;

		build(sets[i], 1);
		t = at(get(table("FACP") + 40, 4));
		check_table(t);
		assert_memory_equal(t, "DSDT", 4);
		assert_int_equal(get(t + 4, 4), sizeof(dsdt_aml));
		vdev = find(t, sizeof(dsdt_aml), "\x08VDEV\x0c", 6);
		assert_non_null(vdev);
		assert_int_equal(get(vdev + 6, 4), sets[i]);
		/* Name (\_S5, Package { 5, 5, 0, 0 }), as hypervisors and ACPICA look for it. */
		assert_non_null(find(t, sizeof(dsdt_aml), "\x08_S5_\x12", 6));
	}
}

static void tables_keep_apart(void **state)
{
	const uint8_t *t[5];
	uint64_t len[5];

	(void)state;
	build(PLAN_STANDARD, ACPI_MAX_CPUS);
	t[0] = table("FACP");
	t[1] = table("APIC");
	t[2] = at(get(t[0] + 36, 4));
	t[3] = at(get(t[0] + 40, 4));
	t[4] = rsdp();
	for (unsigned int i = 0; i < 5; i++)
		len[i] = i == 4 ? 36 : get(t[i] + 4, 4);
	for (unsigned int i = 0; i < 5; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_true(t[i] + len[i] <= t[j] || t[j] + len[j] <= t[i]);
}

static void event_log(void **state)
{
	static uint8_t log[ACPI_LOG_MAX + 1];
	struct acpi_config cfg = { .devices = PLAN_STANDARD, .cpus = ACPI_MAX_CPUS, .log = log, .log_in_tpm = true };
	const uint8_t *t;

	(void)state;
	build(PLAN_STANDARD, 1);
	assert_null(table("VTML"));
	memset(log, 0x5a, sizeof(log));
	for (cfg.log_len = 0; cfg.log_len <= ACPI_LOG_MAX; cfg.log_len += ACPI_LOG_MAX / 4) {
		assert_int_not_equal(acpi_build(rom, sizeof(rom), &cfg), 0);
		t = table("VTML");
		assert_non_null(t);
		assert_int_equal(get(t + 4, 4), 48 + cfg.log_len);
		assert_int_equal(get(t + 36, 4), 1);
		assert_int_equal(get(t + 40, 4), 48);
		assert_int_equal(get(t + 44, 4), cfg.log_len);
		assert_memory_equal(t + 48, log, cfg.log_len);
		assert_non_null(table("APIC"));
		/* These would announce a TPM. */
		assert_null(table("TPM2"));
		assert_null(table("TCPA"));
	}
	cfg.log_len = 3;
	cfg.log_in_tpm = false;
	assert_int_not_equal(acpi_build(rom, sizeof(rom), &cfg), 0);
	assert_int_equal(get(table("VTML") + 36, 4), 0);
	cfg.log_len = ACPI_LOG_MAX + 1;
	assert_int_equal(acpi_build(rom, sizeof(rom), &cfg), 0);
}

static void refuses_what_does_not_fit(void **state)
{
	struct acpi_config cfg = { .devices = PLAN_STANDARD, .cpus = ACPI_MAX_CPUS + 1 };

	(void)state;
	assert_int_equal(acpi_build(rom, sizeof(rom), &cfg), 0);
	cfg.cpus = 1;
	assert_int_equal(acpi_build(rom, ACPI_RSDP_OFF + 35, &cfg), 0);
	assert_int_equal(acpi_build(rom, 0, &cfg), 0);
	assert_int_equal(acpi_build(rom, ACPI_RSDP_OFF + 36, &cfg), ACPI_RSDP_OFF + 36);
}

static void write_table(const char *dir, const char *name, const uint8_t *t, size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(t, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* iasl must read every table back without an error, and find in each what its signature promises. */
static void iasl_reads_them(void **state)
{
	static const char *const name[] = { "facp", "apic", "facs", "dsdt", "xsdt", "rsdt" };
	char dir[] = "/tmp/vouch-acpi-XXXXXX", cmd[1024];
	const uint8_t *t[6];

	(void)state;
	build(PLAN_STANDARD, 2);
	t[0] = table("FACP");
	t[1] = table("APIC");
	t[2] = at(get(t[0] + 36, 4));
	t[3] = at(get(t[0] + 40, 4));
	t[4] = at(get(rsdp() + 24, 8));
	t[5] = at(get(rsdp() + 16, 4));
	assert_non_null(mkdtemp(dir));
	for (unsigned int i = 0; i < 6; i++)
		write_table(dir, name[i], t[i], get(t[i] + 4, 4));
	snprintf(cmd, sizeof(cmd),
		 "cd %s && iasl -d *.aml >log 2>&1 && ! grep -qiE 'error|warning|invalid|incorrect|unknown' log *.dsl && "
		 "for t in facp apic facs dsdt xsdt rsdt; do test -s $t.dsl || exit 1; done && "
		 "grep -q '_S5' dsdt.dsl && grep -q 'System Control Interrupt\\|SCI Interrupt' facp.dsl && "
		 "iasl -we -vs -va dsdt.dsl >>log 2>&1", dir);
	if (system(cmd) != 0) {
		snprintf(cmd, sizeof(cmd), "cat %s/log; grep -iE 'error|warning|invalid|incorrect|unknown' %s/*.dsl", dir, dir);
		(void)!system(cmd);
		fail_msg("iasl -d in %s", dir);
	}
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_pointer),
		cmocka_unit_test(fadt_tells_what_there_is),
		cmocka_unit_test(fadt_tells_what_is_missing),
		cmocka_unit_test(madt_entries),
		cmocka_unit_test(dsdt_knows_the_devices),
		cmocka_unit_test(tables_keep_apart),
		cmocka_unit_test(event_log),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(iasl_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
