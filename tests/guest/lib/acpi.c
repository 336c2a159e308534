/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds ACPI tables as an operating system would, and the few fields that tests need. */
#include "guest.h"

#define OFF_RSDP 0x70     /* boot_params.acpi_rsdp_addr */
#define SDT_HEADER 36

static u32 get32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u64 get64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

bool acpi_sum_ok(const void *p, size_t len)
{
	const u8 *b = p;
	u8 sum = 0;

	for (; len; len--)
		sum = (u8)(sum + *b++);
	return !sum;
}

const void *acpi_rsdp(void)
{
	u64 at = get64(boot_params + OFF_RSDP);

	if (at)
		return (const void *)at;
	for (at = 0xe0000; at < 0x100000; at += 16)
		if (!memcmp((const void *)at, "RSD PTR ", 8) && acpi_sum_ok((const void *)at, 20))
			return (const void *)at;
	return NULL;
}

const void *acpi_table(const char sig[4])
{
	const u8 *rsdp = acpi_rsdp(), *root;
	unsigned int entry, off;

	if (!rsdp)
		return NULL;
	entry = rsdp[15] >= 2 ? 8 : 4;
	root = (const u8 *)(entry == 8 ? get64(rsdp + 24) : get32(rsdp + 16));
	if (!memcmp(sig, root, 4))
		return root;
	for (off = SDT_HEADER; off + entry <= get32(root + 4); off += entry) {
		const u8 *t = (const u8 *)(entry == 8 ? get64(root + off) : get32(root + off));

		if (!memcmp(t, sig, 4))
			return t;
	}
	if (!memcmp(sig, "DSDT", 4)) {
		const u8 *fadt = acpi_table("FACP");

		return fadt ? (const void *)(u64)get32(fadt + 40) : NULL;
	}
	return NULL;
}

/* SLP_TYPa of `Name (_S5_, Package () {n, ...})`: a byte constant, Zero or One. */
static u8 find_s5(void)
{
	const u8 *dsdt = acpi_table("DSDT");
	u32 i, len = dsdt ? get32(dsdt + 4) : 0;

	for (i = SDT_HEADER; i + 9 < len; i++) {
		const u8 *p = dsdt + i + 4;

		if (memcmp(dsdt + i, "_S5_", 4) || *p++ != 0x12)
			continue;
		p += 1 + (*p >> 6) + 1;              /* package length and element count */
		return *p == 0x0a ? p[1] : *p;
	}
	return 0;
}

struct acpi_power acpi_power(void)
{
	const u8 *fadt = acpi_table("FACP");
	struct acpi_power a = { 0 };

	if (!fadt)
		return a;
	a.pm1a_evt = (u16)get32(fadt + 56);
	a.pm1a_cnt = (u16)get32(fadt + 64);
	a.pm_tmr = (u16)get32(fadt + 76);
	a.s5 = find_s5();
	return a;
}
