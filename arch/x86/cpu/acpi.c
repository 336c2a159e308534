/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables: RSDP, RSDT or XSDT, MADT, SRAT, FADT, TPM2. References: ACPI specification "ACPI Software Programming
 * Model". Every length is checked against what holds it; a bad table is left out with a message, never half used.
 */
#include "acpi.h"

#include <string.h>

#include <vouch/log.h>

#define HEADER_LEN  36u
#define TABLE_MAX   (4u << 20)
#define TABLES_MAX  256u

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool sum_ok(const uint8_t *p, uint64_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return sum == 0;
}

struct table {
	const uint8_t *at;
	uint32_t len;
};

/* The table at a with its checksum right; at == NULL if it will not do. */
static struct table table_get(const struct acpi_memory *m, uint64_t a)
{
	const uint8_t *head = a ? m->map(m->ctx, a, HEADER_LEN) : NULL;
	char name[24];
	uint32_t len;

	if (!head)
		return (struct table){ NULL, 0 };
	log_escape(name, sizeof(name), (const char *)head, 4);
	len = get32(head + 4);
	if (len < HEADER_LEN || len > TABLE_MAX) {
		log_warn("ACPI table %s at %#lx left out: length %u", name, (unsigned long)a, len);
		return (struct table){ NULL, 0 };
	}
	head = m->map(m->ctx, a, len);
	if (!head || !sum_ok(head, len)) {
		log_warn("ACPI table %s at %#lx left out: %s", name, (unsigned long)a,
			 head ? "wrong checksum" : "not in memory");
		return (struct table){ NULL, 0 };
	}
	return (struct table){ head, len };
}

static bool table_is(struct table t, const char *sig)
{
	return memcmp(t.at, sig, 4) == 0;
}

/* ------------------------------------------------------------------------------------------------- MADT */

static void madt_override(struct platform *p, const uint8_t *e)
{
	/* COM1 is ISA interrupt 4, COM2 is 3. */
	unsigned int port = e[3] == 4 ? 0 : 1;

	if (e[2] != 0 || (e[3] != 4 && e[3] != 3))
		return;
	p->com_gsi[port] = get32(e + 4);
	p->com_flags[port] = get16(e + 8);
}

static void madt_ioapic(struct platform *p, const uint8_t *e)
{
	uint32_t base = get32(e + 8);

	if (p->ioapic_count < PLATFORM_IOAPICS)
		p->ioapics[p->ioapic_count++] = get32(e + 4);
	else
		log_warn("more than %d IOAPICs: one stays as the firmware left it", PLATFORM_IOAPICS);
	/* The one with the lowest interrupts has the ISA ones. */
	if (p->ioapic_hpa && base >= p->ioapic_gsi_base)
		return;
	p->ioapic_hpa = get32(e + 4);
	p->ioapic_gsi_base = base;
}

/* Firmware may list a CPU both as APIC and as x2APIC. */
static void madt_cpu(struct platform *p, uint32_t apic_id, uint32_t flags)
{
	unsigned int i, known = p->cpu_count < PLATFORM_CPUS ? p->cpu_count : PLATFORM_CPUS;

	if (!(flags & 1))	/* not enabled */
		return;
	for (i = 0; i < known; i++)
		if (p->cpu[i].apic_id == apic_id)
			return;
	if (p->cpu_count < PLATFORM_CPUS)
		p->cpu[p->cpu_count].apic_id = apic_id;
	p->cpu_count++;
}

static void madt_entry(struct platform *p, const uint8_t *e, uint8_t len)
{
	switch (e[0]) {
	case 0:		/* processor local APIC; ID 255 is the broadcast, no CPU */
		if (len >= 8 && e[3] != 0xff)
			madt_cpu(p, e[3], get32(e + 4));
		break;
	case 1:
		if (len >= 12)
			madt_ioapic(p, e);
		break;
	case 2:
		if (len >= 10)
			madt_override(p, e);
		break;
	case 5:
		if (len >= 12)
			p->lapic_hpa = get64(e + 4);
		break;
	case 9:		/* processor local x2APIC */
		if (len >= 16 && get32(e + 4) != 0xffffffffu)
			madt_cpu(p, get32(e + 4), get32(e + 8));
		break;
	default:
		break;
	}
}

static void madt_parse(struct platform *p, struct table t)
{
	uint32_t off = 44;

	if (t.len < off) {
		log_warn("ACPI MADT is too short: %u bytes", t.len);
		return;
	}
	p->lapic_hpa = get32(t.at + 36);
	while (t.len - off >= 2) {
		uint8_t len = t.at[off + 1];

		if (len < 2 || len > t.len - off) {
			log_warn("ACPI MADT entry at %u has length %u: the rest is left out", off, len);
			return;
		}
		madt_entry(p, t.at + off, len);
		off += len;
	}
}

/* ------------------------------------------------------------------------------------------------- SRAT */

/* Which node a proximity domain is, a new one if it must be; false if there are too many. */
static bool srat_node(struct platform *p, uint32_t domain, uint8_t *node)
{
	unsigned int i;

	for (i = 0; i < p->node_count && p->node_domain[i] != domain; i++)
		;
	if (i == PLATFORM_NODES)
		return false;
	if (i == p->node_count)
		p->node_domain[p->node_count++] = domain;
	*node = (uint8_t)i;
	return true;
}

static bool srat_memory(struct platform *p, const uint8_t *e)
{
	struct platform_range r = { .base = get64(e + 8), .len = get64(e + 16) };

	if (!(get32(e + 28) & 1) || !r.len)	/* not enabled, or room for memory to come */
		return true;
	if (r.len > UINT64_MAX - r.base || p->range_count == PLATFORM_RANGES || !srat_node(p, get32(e + 2), &r.node))
		return false;
	for (unsigned int i = 0; i < p->range_count; i++)
		if (span_overlap(r.base, r.len, p->range[i].base, p->range[i].len))
			return false;
	p->range[p->range_count++] = r;
	return true;
}

static bool srat_cpu(struct platform *p, uint32_t apic_id, uint32_t domain, uint32_t flags)
{
	uint8_t node;

	if (!(flags & 1))
		return true;
	if (!srat_node(p, domain, &node))
		return false;
	for (unsigned int i = 0; i < p->cpu_count && i < PLATFORM_CPUS; i++)
		if (p->cpu[i].apic_id == apic_id)
			p->cpu[i].node = node;
	return true;
}

static bool srat_entry(struct platform *p, const uint8_t *e, uint8_t len)
{
	switch (e[0]) {
	case 0:		/* CPU by APIC ID; the domain's upper three bytes come later */
		return len < 16 || srat_cpu(p, e[3], e[2] | (uint32_t)e[9] << 8 | (uint32_t)get16(e + 10) << 16, get32(e + 4));
	case 1:
		return len < 40 || srat_memory(p, e);
	case 2:		/* CPU by x2APIC ID */
		return len < 24 || srat_cpu(p, get32(e + 8), get32(e + 4), get32(e + 12));
	default:
		return true;
	}
}

/* After the MADT. Near memory is a matter of speed: from a table that contradicts itself nothing is taken. */
static void srat_parse(struct platform *p, struct table t)
{
	uint32_t off = 48;

	while (t.len > off && t.len - off >= 2) {
		uint8_t len = t.at[off + 1];

		if (len < 2 || len > t.len - off || !srat_entry(p, t.at + off, len)) {
			log_warn("ACPI SRAT entry at %u does not fit: all memory counts as equally near", off);
			p->node_count = p->range_count = 0;
			for (unsigned int i = 0; i < PLATFORM_CPUS; i++)
				p->cpu[i].node = 0;
			return;
		}
		off += len;
	}
}

/* ------------------------------------------------------------------------------------------------- FADT */

/* A field that holds an I/O port; 0 if the table ends before it or the value is no port. */
static uint16_t fadt_port(struct table t, uint32_t off)
{
	uint32_t v = t.len >= off + 4 ? get32(t.at + off) : 0;

	return v <= 0xffff ? (uint16_t)v : 0;
}

/*
 * The port of a register block: its generic address (space, width, offset, access size, address) at wide if that is
 * an I/O port, else the old field. Memory-mapped blocks are not supported: 0.
 */
static uint16_t fadt_block(struct table t, uint32_t old, uint32_t wide)
{
	uint64_t a = t.len >= wide + 12 ? get64(t.at + wide + 4) : 0;

	if (!a)
		return fadt_port(t, old);
	return t.at[wide] == 1 && a <= 0xffff ? (uint16_t)a : 0;
}

static void fadt_reset(struct platform *p, struct table t, uint32_t flags)
{
	/* Flags bit 10: RESET_REG is there. A generic address: space, width, offset, access size, address. */
	if (t.len < 129 || !(flags & 1u << 10))
		return;
	p->reset_space = t.at[116];
	p->reset_addr = get64(t.at + 120);
	p->reset_val = t.at[128];
	p->has_reset = p->reset_addr != 0 && (p->reset_space != 1 || p->reset_addr <= 0xffff);
}

/* ACPI "SLEEP_CONTROL_REG": what a machine without the PM1 blocks has in their place. */
static void fadt_sleep(struct platform *p, struct table t)
{
	if (t.len < 256)
		return;
	p->sleep_space = t.at[244];
	p->sleep_addr = get64(t.at + 248);
	if (p->sleep_space > 1 || (p->sleep_space == 1 && p->sleep_addr > 0xffff))
		p->sleep_addr = 0;
}

/* Fills p and returns where the DSDT is, or 0. */
static uint64_t fadt_parse(struct platform *p, struct table t)
{
	uint32_t flags = t.len >= 116 ? get32(t.at + 112) : 0;
	uint64_t dsdt = 0;

	p->hw_reduced = (flags & 1u << 20) != 0;
	p->pm_tmr_32 = (flags & 1u << 8) != 0;
	p->smi_cmd = fadt_port(t, 48);
	p->acpi_enable = t.len > 52 ? t.at[52] : 0;
	if (p->hw_reduced) {
		fadt_sleep(p, t);
	} else {
		p->pm1a_evt = fadt_block(t, 56, 148);
		p->pm1a_cnt = fadt_block(t, 64, 172);
		p->pm1b_cnt = fadt_block(t, 68, 184);
		p->pm_tmr = fadt_block(t, 76, 208);
	}
	fadt_reset(p, t, flags);
	if (t.len >= 148)
		dsdt = get64(t.at + 140);
	if (!dsdt && t.len >= 44)
		dsdt = get32(t.at + 40);
	return dsdt;
}

/* ------------------------------------------------------------------------------------------------- TPM2 */

/* TCG ACPI Specification "TPM2 Static Table": class, then where and by which method. What stands behind is not needed. */
static void tpm2_parse(struct platform *p, struct table t)
{
	if (t.len < 52) {
		log_warn("ACPI TPM2 is too short: %u bytes", t.len);
		return;
	}
	p->has_tpm2 = true;
	p->tpm_control = get64(t.at + 40);
	p->tpm_method = get32(t.at + 48);
}

/* -------------------------------------------------------------------------------------------------- _S5 */

/* One small integer constant at *off; moves behind it. */
static bool aml_integer(const uint8_t *aml, uint64_t len, uint64_t *off, uint32_t *v)
{
	uint64_t at = *off;
	unsigned int bytes, i;

	if (at >= len)
		return false;
	switch (aml[at++]) {
	case 0x00:	/* ZeroOp */
		*v = 0;
		*off = at;
		return true;
	case 0x01:	/* OneOp */
		*v = 1;
		*off = at;
		return true;
	case 0x0a:	/* BytePrefix */
		bytes = 1;
		break;
	case 0x0b:	/* WordPrefix */
		bytes = 2;
		break;
	case 0x0c:	/* DWordPrefix */
		bytes = 4;
		break;
	default:
		return false;
	}
	if (!span_ok(at, bytes, len))
		return false;
	for (*v = 0, i = 0; i < bytes; i++)
		*v |= (uint32_t)aml[at + i] << (8 * i);
	*off = at + bytes;
	return true;
}

/* ACPI "Package Length Encoding" at *off: moves behind it; *end is the package's end, within len. */
static bool aml_package_end(const uint8_t *aml, uint64_t len, uint64_t *off, uint64_t *end)
{
	uint64_t start = *off, size;
	unsigned int more, i;

	if (start >= len)
		return false;
	more = aml[start] >> 6;
	if (!span_ok(start + 1, more, len))
		return false;
	size = more ? aml[start] & 0x0f : aml[start] & 0x3f;
	for (i = 0; i < more; i++)
		size |= (uint64_t)aml[start + 1 + i] << (4 + 8 * i);
	*off = start + 1 + more;
	*end = start + size;
	return size >= 1u + more && span_ok(start, size, len);
}

/* The package behind a name that ends at off. */
static bool s5_package(const uint8_t *aml, uint64_t len, uint64_t off, uint8_t *a, uint8_t *b)
{
	uint32_t va, vb = 0;
	uint8_t count;
	uint64_t end;

	if (off >= len || aml[off++] != 0x12)	/* PackageOp */
		return false;
	if (!aml_package_end(aml, len, &off, &end) || off >= end)
		return false;
	count = aml[off++];
	if (count < 1 || !aml_integer(aml, end, &off, &va))
		return false;
	if (count > 1 && !aml_integer(aml, end, &off, &vb))
		return false;
	/* SLP_TYP has three bits. */
	if (va > 7 || vb > 7)
		return false;
	*a = (uint8_t)va;
	*b = (uint8_t)vb;
	return true;
}

bool acpi_s5_find(const uint8_t *aml, uint64_t len, uint8_t *a, uint8_t *b)
{
	uint64_t i;

	for (i = 1; i + 4 <= len; i++) {
		bool named;

		if (memcmp(aml + i, "_S5_", 4) != 0)
			continue;
		/* NameOp, or NameOp and a root prefix. */
		named = aml[i - 1] == 0x08 || (i >= 2 && aml[i - 1] == '\\' && aml[i - 2] == 0x08);
		if (named && s5_package(aml, len, i + 4, a, b))
			return true;
	}
	return false;
}

static void s5_look(struct platform *p, struct table t)
{
	if (!p->has_s5 && t.at)
		p->has_s5 = acpi_s5_find(t.at + HEADER_LEN, t.len - HEADER_LEN, &p->s5_a, &p->s5_b);
}

/* ------------------------------------------------------------------------------------------------- root */

/* The root table, XSDT before RSDT; *entry is the size of its entries. */
static struct table root_get(const struct acpi_memory *m, const uint8_t *rsdp, uint32_t len, unsigned int *entry)
{
	struct table t = { NULL, 0 };

	if (len < 20 || memcmp(rsdp, "RSD PTR ", 8) != 0 || !sum_ok(rsdp, 20)) {
		log_warn("the ACPI root pointer is bad");
		return t;
	}
	if (len >= 36 && rsdp[15] >= 2 && sum_ok(rsdp, 36)) {
		t = table_get(m, get64(rsdp + 24));
		*entry = 8;
		if (t.at && table_is(t, "XSDT"))
			return t;
	}
	t = table_get(m, get32(rsdp + 16));
	*entry = 4;
	if (t.at && !table_is(t, "RSDT"))
		t.at = NULL;
	return t;
}

static void platform_defaults(struct platform *p)
{
	p->com_gsi[0] = 4;
	p->com_gsi[1] = 3;
}

bool acpi_parse(struct platform *p, const struct acpi_memory *m, const uint8_t *rsdp, uint32_t rsdp_len)
{
	struct table root, srat = { NULL, 0 };
	bool have_madt = false, have_fadt = false;
	unsigned int entry = 4;
	uint32_t off, n = 0;

	platform_defaults(p);
	root = root_get(m, rsdp, rsdp_len, &entry);
	if (!root.at)
		return false;
	for (off = HEADER_LEN; off + entry <= root.len && n < TABLES_MAX; off += entry, n++) {
		struct table t = table_get(m, entry == 8 ? get64(root.at + off) : get32(root.at + off));

		if (!t.at)
			continue;
		if (table_is(t, "APIC") && !have_madt) {
			have_madt = true;
			madt_parse(p, t);
		} else if (table_is(t, "FACP") && !have_fadt) {
			have_fadt = true;
			s5_look(p, table_get(m, fadt_parse(p, t)));
		} else if (table_is(t, "SSDT")) {
			s5_look(p, t);
		} else if (table_is(t, "TPM2") && !p->has_tpm2) {
			tpm2_parse(p, t);
		} else if (table_is(t, "TCPA")) {
			p->has_tcpa = true;
		} else if (table_is(t, "SRAT") && !srat.at) {
			srat = t;
		}
	}
	if (srat.at)
		srat_parse(p, srat);
	p->has_acpi = have_fadt;
	/* A _S5 without a register to write it to is of no use. */
	p->has_s5 = p->has_s5 && (p->pm1a_cnt || p->sleep_addr);
	return true;
}
