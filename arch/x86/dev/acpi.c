/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables (ACPI 6.1 "ACPI Software Programming Model", chapter 5). Written field by field at the offsets of the
 * specification; what no line here writes is zero, which means absent. The DSDT comes from dsdt.asl through iasl.
 */
#include "acpi.h"

#include <string.h>

#include <vouch/plan.h>
#include <vouch/vm.h>
#include <vouch/x86.h>

#include "arch/x86/dev/dsdt.h"
#include "layout.h"
#include "pm.h"
#include "reset.h"
#include "rtc.h"

#define HEADER_LEN 36u
#define FACS_LEN   64u
#define FADT_LEN   276u
#define RSDP_LEN   36u
#define RSDP_V1_LEN 20u

/* FADT (ACPI "Fixed ACPI Description Table", 5.2.9): offset of each field we fill. */
enum {
	FADT_FIRMWARE_CTRL = 36, FADT_DSDT = 40, FADT_SCI_INT = 46, FADT_PM1A_EVT = 56, FADT_PM1A_CNT = 64,
	FADT_PM_TMR = 76, FADT_PM1_EVT_LEN = 88, FADT_PM1_CNT_LEN = 89, FADT_PM_TMR_LEN = 91, FADT_LVL2_LAT = 96,
	FADT_LVL3_LAT = 98, FADT_CENTURY = 108, FADT_BOOT_ARCH = 109, FADT_FLAGS = 112, FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128, FADT_MINOR = 131, FADT_X_DSDT = 140, FADT_X_PM1A_EVT = 148, FADT_X_PM1A_CNT = 172,
	FADT_X_PM_TMR = 208, FADT_HYPERVISOR = 268,
};

#define FADT_REVISION       6u
#define FADT_REVISION_MINOR 1u
#define NO_LVL2 0x0fffu         /* above 100 us and 1000 us: the state does not exist */
#define NO_LVL3 0x0fffu

#define BOOT_LEGACY  0x0001u
#define BOOT_8042    0x0002u
#define BOOT_NO_VGA  0x0004u
#define BOOT_NO_RTC  0x0020u

#define FLAG_WBINVD     (1u << 0)
#define FLAG_PROC_C1    (1u << 2)
#define FLAG_SLP_BUTTON (1u << 5)  /* no fixed sleep button; the power button is a fixed one */
#define FLAG_TMR_32     (1u << 8)
#define FLAG_RESET_REG  (1u << 10)

/* Generic address (ACPI "Generic Address Structure", 5.2.3.2). */
#define GAS_IO 1u

/* MADT (ACPI "Multiple APIC Description Table", 5.2.12). */
#define MADT_PCAT_COMPAT 1u
#define MADT_ENABLED     1u
#define MPS_LEVEL_HIGH   0x000du  /* polarity 01 high, trigger 11 level */
#define MADT_ALL_CPUS    0xffu

/* VTML (docs/guest-interface.md): offset of each field, and its bits. */
enum { LOG_FLAGS = 36, LOG_OFFSET = 40, LOG_LEN = 44, LOG_HEAD_LEN = 48 };
#define LOG_FLAG_IN_TPM 1u

/* dsdt.asl asks VDEV for these bits by number. */
_Static_assert(PLAN_PIC == 0 && PLAN_PIT == 1 && PLAN_KEYBOARD == 4 && PLAN_COM1 == 5 && PLAN_COM2 == 6 &&
	       PLAN_RTC == 8, "bits of VDEV in dsdt.asl");

struct writer {
	uint8_t *rom;
	size_t size, at;              /* at: first free byte */
	bool full;
};

static void w8(uint8_t *p, uint64_t v) { *p = (uint8_t)v; }
static void w16(uint8_t *p, uint64_t v) { for (int i = 0; i < 2; i++) p[i] = (uint8_t)(v >> (8 * i)); }
static void w32(uint8_t *p, uint64_t v) { for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i)); }
static void w64(uint8_t *p, uint64_t v) { for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i)); }

static void w_gas(uint8_t *p, uint64_t port, unsigned int bytes)
{
	w8(p, GAS_IO);
	w8(p + 1, bytes * 8);
	w8(p + 3, bytes == 4 ? 3 : bytes);      /* access size: byte, word, dword */
	w64(p + 4, port);
}

static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	return (uint8_t)(0u - sum);
}

/* Room for len bytes, aligned; NULL if there is none. */
static uint8_t *reserve(struct writer *w, size_t len, size_t align)
{
	size_t at = align_up(w->at, align);

	if (w->full || !span_ok(at, len, w->size)) {
		w->full = true;
		return NULL;
	}
	w->at = at + len;
	return w->rom + at;
}

static uint32_t address(const struct writer *w, const uint8_t *p)
{
	return (uint32_t)(GPA_ROM_BASE + (uint64_t)(p - w->rom));
}

static void header(uint8_t *t, const char *signature, size_t len, unsigned int revision)
{
	memcpy(t, signature, 4);
	w32(t + 4, len);
	w8(t + 8, revision);
	memcpy(t + 10, "VOUCH\0", 6);
	memcpy(t + 16, "VOUCHVM\0", 8);
	w32(t + 24, 1);
	memcpy(t + 28, "VCH\0", 4);
	w32(t + 32, 1);
}

static void seal(uint8_t *t, size_t len)
{
	t[9] = 0;
	t[9] = checksum(t, len);
}

static uint8_t *build_facs(struct writer *w)
{
	uint8_t *t = reserve(w, FACS_LEN, 64);

	if (!t)
		return NULL;
	memcpy(t, "FACS", 4);
	w32(t + 4, FACS_LEN);
	w8(t + 32, 2);
	return t;
}

/* Name (VDEV, dword) in AML: NameOp, the name, DWordPrefix; the value follows. */
static bool patch_devices(uint8_t *aml, size_t len, uint32_t devices)
{
	static const uint8_t name[] = { 0x08, 'V', 'D', 'E', 'V', 0x0c };

	for (size_t i = HEADER_LEN; span_ok(i, sizeof(name) + 4, len); i++) {
		if (memcmp(aml + i, name, sizeof(name)) == 0) {
			w32(aml + i + sizeof(name), devices);
			return true;
		}
	}
	return false;
}

static uint8_t *build_dsdt(struct writer *w, const struct acpi_config *cfg)
{
	uint8_t *t = reserve(w, sizeof(dsdt_aml), 16);

	if (!t)
		return NULL;
	memcpy(t, dsdt_aml, sizeof(dsdt_aml));
	if (!patch_devices(t, sizeof(dsdt_aml), cfg->devices))
		return NULL;
	seal(t, sizeof(dsdt_aml));
	return t;
}

static bool has(const struct acpi_config *cfg, enum plan_device d)
{
	return cfg->devices >> d & 1;
}

static uint16_t boot_arch(const struct acpi_config *cfg)
{
	unsigned int v = BOOT_NO_VGA;

	if (has(cfg, PLAN_COM1) || has(cfg, PLAN_COM2))
		v |= BOOT_LEGACY;
	if (has(cfg, PLAN_KEYBOARD))
		v |= BOOT_8042;
	if (!has(cfg, PLAN_RTC))
		v |= BOOT_NO_RTC;
	return (uint16_t)v;
}

static void fadt_power(uint8_t *t)
{
	w16(t + FADT_SCI_INT, LAYOUT_SCI_IRQ);
	w32(t + FADT_PM1A_EVT, LAYOUT_PM_BASE + PM_EVT_OFF);
	w32(t + FADT_PM1A_CNT, LAYOUT_PM_BASE + PM_CNT_OFF);
	w32(t + FADT_PM_TMR, LAYOUT_PM_BASE + PM_TMR_OFF);
	w8(t + FADT_PM1_EVT_LEN, 4);
	w8(t + FADT_PM1_CNT_LEN, 2);
	w8(t + FADT_PM_TMR_LEN, 4);
	w_gas(t + FADT_X_PM1A_EVT, LAYOUT_PM_BASE + PM_EVT_OFF, 4);
	w_gas(t + FADT_X_PM1A_CNT, LAYOUT_PM_BASE + PM_CNT_OFF, 2);
	w_gas(t + FADT_X_PM_TMR, LAYOUT_PM_BASE + PM_TMR_OFF, 4);
	/* The event block is one range of two 2-byte registers: its GAS has the whole width, accessed by words. */
	w8(t + FADT_X_PM1A_EVT + 3, 2);
}

static uint8_t *build_fadt(struct writer *w, const struct acpi_config *cfg, uint32_t facs, uint32_t dsdt)
{
	uint32_t flags = FLAG_WBINVD | FLAG_PROC_C1 | FLAG_SLP_BUTTON | FLAG_TMR_32;
	uint8_t *t = reserve(w, FADT_LEN, 16);

	if (!t)
		return NULL;
	header(t, "FACP", FADT_LEN, FADT_REVISION);
	w8(t + FADT_MINOR, FADT_REVISION_MINOR);
	w32(t + FADT_FIRMWARE_CTRL, facs);
	w32(t + FADT_DSDT, dsdt);
	w64(t + FADT_X_DSDT, dsdt);
	if (has(cfg, PLAN_PM))
		fadt_power(t);
	w16(t + FADT_LVL2_LAT, NO_LVL2);
	w16(t + FADT_LVL3_LAT, NO_LVL3);
	if (has(cfg, PLAN_RTC))
		w8(t + FADT_CENTURY, RTC_REG_CENTURY);
	w16(t + FADT_BOOT_ARCH, boot_arch(cfg));
	if (has(cfg, PLAN_RESET) && has(cfg, PLAN_PCI_CONFIG)) {
		flags |= FLAG_RESET_REG;
		w_gas(t + FADT_RESET_REG, LAYOUT_CF9_PORT, 1);
		w8(t + FADT_RESET_VALUE, RESET_CF9_VALUE);
	}
	w32(t + FADT_FLAGS, flags);
	memcpy(t + FADT_HYPERVISOR, "Vouch\0\0\0", 8);
	seal(t, FADT_LEN);
	return t;
}

static uint8_t *madt_override(uint8_t *p, unsigned int irq, unsigned int gsi, unsigned int flags)
{
	w8(p, 2);
	w8(p + 1, 10);
	w8(p + 3, irq);
	w32(p + 4, gsi);
	w16(p + 8, flags);
	return p + 10;
}

static uint8_t *madt_ioapic(uint8_t *p, const struct acpi_config *cfg)
{
	w8(p, 1);
	w8(p + 1, 12);
	w8(p + 2, cfg->ioapic_id);
	w32(p + 4, IOAPIC_DEFAULT_BASE);
	p = madt_override(p + 12, 0, LAYOUT_PIT_GSI, 0);
	return madt_override(p, LAYOUT_SCI_IRQ, LAYOUT_SCI_IRQ, MPS_LEVEL_HIGH);
}

static uint8_t *build_madt(struct writer *w, const struct acpi_config *cfg)
{
	bool ioapic = has(cfg, PLAN_IOAPIC);
	size_t len = HEADER_LEN + 8 + cfg->cpus * 8u + (ioapic ? 12u + 2 * 10u : 0) + 6u;
	uint8_t *t = reserve(w, len, 16);
	uint8_t *p;

	if (!t)
		return NULL;
	header(t, "APIC", len, 4);
	w32(t + 36, APIC_DEFAULT_BASE);
	w32(t + 40, has(cfg, PLAN_PIC) ? MADT_PCAT_COMPAT : 0);
	p = t + 44;
	for (unsigned int i = 0; i < cfg->cpus; i++, p += 8) {
		w8(p + 1, 8);
		w8(p + 2, i);
		w8(p + 3, i);
		w32(p + 4, MADT_ENABLED);
	}
	if (ioapic)
		p = madt_ioapic(p, cfg);
	w8(p, 4);                       /* NMI on every LINT1, edge, active high by default */
	w8(p + 1, 6);
	w8(p + 2, MADT_ALL_CPUS);
	w8(p + 5, 1);
	seal(t, len);
	return t;
}

/* Vouch's own: where a TPM's log would be announced by TPM2 or TCPA, which promise a TPM that the guest does not have. */
static uint8_t *build_log(struct writer *w, const struct acpi_config *cfg)
{
	size_t len = LOG_HEAD_LEN + cfg->log_len;
	uint8_t *t = cfg->log_len <= ACPI_LOG_MAX ? reserve(w, len, 16) : NULL;

	if (!t)
		return NULL;
	header(t, "VTML", len, 1);
	w32(t + LOG_FLAGS, cfg->log_in_tpm ? LOG_FLAG_IN_TPM : 0);
	w32(t + LOG_OFFSET, LOG_HEAD_LEN);
	w32(t + LOG_LEN, cfg->log_len);
	memcpy(t + LOG_HEAD_LEN, cfg->log, cfg->log_len);
	seal(t, len);
	return t;
}

/* RSDT and XSDT are alike but for the width of their entries. tables: NULL where there is none. */
static uint8_t *build_root(struct writer *w, const char *signature, unsigned int width, uint8_t *const tables[], size_t count)
{
	size_t len = HEADER_LEN;
	uint8_t *t, *entry;

	for (size_t i = 0; i < count; i++)
		len += tables[i] ? width : 0;
	t = reserve(w, len, 16);
	if (!t)
		return NULL;
	header(t, signature, len, 1);
	entry = t + HEADER_LEN;
	for (size_t i = 0; i < count; i++) {
		if (!tables[i])
			continue;
		w32(entry, address(w, tables[i]));      /* the upper halves of an XSDT's entries stay zero */
		entry += width;
	}
	seal(t, len);
	return t;
}

static void build_rsdp(uint8_t *t, uint32_t rsdt, uint32_t xsdt)
{
	memcpy(t, "RSD PTR ", 8);
	memcpy(t + 9, "VOUCH\0", 6);
	w8(t + 15, 2);
	w32(t + 16, rsdt);
	w8(t + 8, checksum(t, RSDP_V1_LEN));
	w32(t + 20, RSDP_LEN);
	w64(t + 24, xsdt);
	w8(t + 32, checksum(t, RSDP_LEN));
}

size_t acpi_build(uint8_t *rom, size_t size, const struct acpi_config *cfg)
{
	/* Tables below the RSDP, so that its place never moves. */
	struct writer w = { .rom = rom, .size = ACPI_RSDP_OFF };
	uint8_t *facs, *dsdt, *fadt, *madt = NULL, *log = NULL, *xsdt, *rsdt;

	if (!span_ok(ACPI_RSDP_OFF, RSDP_LEN, size) || cfg->cpus > ACPI_MAX_CPUS)
		return 0;
	memset(rom, 0, size);
	facs = build_facs(&w);
	dsdt = build_dsdt(&w, cfg);
	if (!facs || !dsdt)
		return 0;
	fadt = build_fadt(&w, cfg, address(&w, facs), address(&w, dsdt));
	if (has(cfg, PLAN_LAPIC))
		madt = build_madt(&w, cfg);
	if (cfg->log)
		log = build_log(&w, cfg);
	if (!fadt || w.full || (cfg->log && !log))
		return 0;
	xsdt = build_root(&w, "XSDT", 8, (uint8_t *const[]){ fadt, madt, log }, 3);
	rsdt = build_root(&w, "RSDT", 4, (uint8_t *const[]){ fadt, madt, log }, 3);
	if (!xsdt || !rsdt)
		return 0;
	build_rsdp(rom + ACPI_RSDP_OFF, address(&w, rsdt), address(&w, xsdt));
	return ACPI_RSDP_OFF + RSDP_LEN;
}
