/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical memory: the map matches what is there, RAM works at its edges, ROM is read-only, tables add up. */
#include "lib/guest.h"

const char test_name[] = "memory";

#define RAM 1
#define LOW_END 0xa0000ull
#define ROM_BASE 0xe0000ull
#define MMIO_BASE 0xc0000000ull
#define FOUR_G 0x100000000ull

static u64 ram_top, ram_total;

static bool in_ram(u64 a)
{
	unsigned int i;

	for (i = 0; i < e820_count(); i++) {
		struct e820 e = e820_entry(i);

		if (e.type == RAM && a >= e.base && a - e.base < e.len)
			return true;
	}
	return false;
}

static void check_map(void)
{
	bool sorted = true, hole = true;
	unsigned int i;
	u64 end = 0;

	for (i = 0; i < e820_count(); i++) {
		struct e820 e = e820_entry(i);

		print("e820: %016lx %016lx type %u\n", e.base, e.base + e.len - 1, e.type);
		sorted = sorted && e.base >= end && e.len;
		end = e.base + e.len;
		if (e.type != RAM)
			continue;
		hole = hole && (end <= LOW_END || e.base >= 0x100000) && (end <= MMIO_BASE || e.base >= FOUR_G);
		ram_total += e.len;
		if (end > ram_top && end <= MMIO_BASE)
			ram_top = end;
	}
	report(sorted, "the map is in order, without overlap");
	report(hole, "no RAM in 640 K to 1 M, none in 3 to 4 GiB");
	report(in_ram(0x1000) && in_ram(0x9f000 - 1), "RAM below 640 K");
	report(in_ram(0x100000) && in_ram(ram_top - 1), "RAM from 1 M to %lx", ram_top);
	if (arg("mib")) {
		const char *p = arg("mib");
		u64 mib = 0;

		for (; *p >= '0' && *p <= '9'; p++)
			mib = mib * 10 + (u64)(*p - '0');
		report(ram_total <= mib << 20 && ram_total + (1 << 20) > mib << 20, "RAM is %lu MiB less the hole", mib);
	}
}

/* Writes and reads back a pattern; the old content returns. */
static bool ram_works(u64 a)
{
	volatile u64 *p = (volatile u64 *)at(a);
	u64 old = *p;
	bool ok;

	*p = 0x5aa5123456789abcull ^ a;
	ok = *p == (0x5aa5123456789abcull ^ a);
	*p = ~*p;
	ok = ok && *p == ~(0x5aa5123456789abcull ^ a);
	*p = old;
	return ok;
}

static void check_ram(void)
{
	u64 a, i;
	bool ok = true;

	report(ram_works(0x500), "RAM at 500");
	report(ram_works(0x9f000 - 8), "RAM below 9F000");
	report(ram_works(0x100000), "RAM at 1 M");
	report(ram_works(ram_top - 8), "the last 8 bytes of RAM");
	for (a = 0x2000000; a < ram_top; a += 0x200000)
		*(volatile u64 *)at(a) = a * 0x9e3779b97f4a7c15ull;
	for (a = 0x2000000, i = 0; a < ram_top; a += 0x200000, i++)
		ok = ok && *(volatile u64 *)at(a) == a * 0x9e3779b97f4a7c15ull;
	report(ok, "%lu words, one in each 2 MiB, are all different memory", i);
	*(volatile u32 *)at(0x2000ffe) = 0x12345678;
	report(*(volatile u16 *)at(0x2001000) == 0x1234, "an access across pages");
}

static void check_ram_above_4g(void)
{
	unsigned int i;

	for (i = 0; i < e820_count(); i++) {
		struct e820 e = e820_entry(i);

		if (e.type != RAM || e.base < FOUR_G)
			continue;
		map_page(TEST_VA, e.base, PTE_P | PTE_W);
		map_page(TEST_VA + 0x1000, (e.base + e.len - 1) & PTE_ADDR, PTE_P | PTE_W);
		report(ram_works(TEST_VA) && ram_works(TEST_VA + 0x1ff8), "RAM above 4 GiB, both ends");
	}
}

static void check_holes(void)
{
	static const u64 hole[] = { MMIO_BASE, 0xd1234560, 0xdffffff8, 0xfebffff8 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hole); i++) {
		volatile u64 *p = (volatile u64 *)at(hole[i]);

		if (in_ram(hole[i]))
			continue;
		report_vouch(*p == ~0ull && *(volatile u8 *)p == 0xff, "%lx reads as ones", hole[i]);
		*p = 0;
		report_vouch(*p == ~0ull, "and a write there vanishes");
	}
	map_page(TEST_VA + 0x2000, 0xff00000000ull, PTE_P | PTE_W);
	report_vouch(*(volatile u64 *)at(TEST_VA + 0x2000) == ~0ull, "an address far above RAM reads as ones");
	report_vouch(*(volatile u64 *)at(ram_top) == ~0ull || ram_top != ram_total + (0x100000 - LOW_END),
		     "the first bytes behind RAM read as ones");
	report_vouch(*(volatile u32 *)at(0xa0000) == ~0u && *(volatile u32 *)at(0xc0000) == ~0u,
		     "A0000 and C0000 read as ones");
}

static void check_rom(void)
{
	volatile u8 *rsdp = (volatile u8 *)acpi_rsdp();
	u8 old;

	if (!rsdp || (u64)rsdp < ROM_BASE || (u64)rsdp >= 0x100000) {
		report_vouch(false, "the RSDP lies in the ROM window");
		return;
	}
	old = *rsdp;
	*rsdp = (u8)~old;
	report_vouch(*rsdp == old, "a write to the ROM window changes nothing");
	*rsdp = old;
	*(volatile u64 *)at(0xe0000) = 0x1122334455667788ull;
	report_vouch(*(volatile u64 *)at(0xe0000) != 0x1122334455667788ull, "nor at its first byte");
	*(volatile u64 *)at(0xffff8) = 0x1122334455667788ull;
	report_vouch(*(volatile u64 *)at(0xffff8) != 0x1122334455667788ull, "nor at its last");
	asm volatile("lock orb $0xff, %0" : "+m"(*rsdp));
	report_vouch(*rsdp == old, "nor with a locked instruction");
}

static void check_table(const char sig[5], bool wanted)
{
	const u8 *t = acpi_table(sig);
	u32 len = 0;

	if (t)
		memcpy(&len, t + 4, 4);
	if (!t)
		report(!wanted, "table %s: none", sig);
	else
		report(len >= 36 && len < 0x100000 && acpi_sum_ok(t, len), "table %s at %lx, %u bytes, adds up", sig,
		       (u64)t, len);
}

static void check_acpi(void)
{
	const u8 *rsdp = acpi_rsdp();
	const u8 *madt;

	report(rsdp && acpi_sum_ok(rsdp, 20), "RSDP at %lx adds up", (u64)rsdp);
	if (!rsdp)
		return;
	report_vouch(rsdp[15] == 2 && acpi_sum_ok(rsdp, 36), "RSDP is of revision 2 and adds up as a whole");
	check_table("XSDT", expect_vouch);
	check_table("FACP", true);
	check_table("APIC", true);
	check_table("DSDT", true);
	madt = acpi_table("APIC");
	if (madt) {
		u32 lapic;

		memcpy(&lapic, madt + 36, 4);
		report(lapic == LAPIC, "the MADT names the LAPIC's address");
	}
	report_vouch(!memcmp(boot_params + 0x70, "\0\0\0\0\0\0\0\0", 8) ||
		     !memcmp((const void *)*(const u64 *)(const void *)(boot_params + 0x70), "RSD PTR ", 8),
		     "boot_params.acpi_rsdp_addr is none or right");
}

void test_main(void)
{
	check_map();
	check_ram();
	check_ram_above_4g();
	check_holes();
	check_acpi();
	check_rom();
}
