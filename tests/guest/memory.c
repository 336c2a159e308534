/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical memory: the map matches what is there, RAM works at its edges, ROM is read-only, tables add up. */
#include "lib/guest.h"

const char test_name[] = "memory";

#define RAM 1
#define LOW_END 0xa0000ull
#define ROM_BASE 0xe0000ull
#define MMIO_BASE 0xc0000000ull
#define FOUR_G 0x100000000ull
#define LARGE 0x200000ull

static u64 ram_top, ram_total, high_end;

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
	report(ram_works(0x500), "RAM at 500");
	report(ram_works(0x9f000 - 8), "RAM below 9F000");
	report(ram_works(0x100000), "RAM at 1 M");
	report(ram_works(ram_top - 8), "the last 8 bytes of RAM below 3 GiB");
	*(volatile u32 *)at(0x2000ffe) = 0x12345678;
	report(*(volatile u16 *)at(0x2001000) == 0x1234, "an access across pages");
}

/* The last RAM range, if it lies above 4 GiB, at the same address for us. */
static void map_high(void)
{
	unsigned int i;
	u64 a;

	for (i = 0; i < e820_count(); i++) {
		struct e820 e = e820_entry(i);

		if (e.type != RAM || e.base < FOUR_G)
			continue;
		report(e.base == FOUR_G && !high_end, "one range of RAM above 4 GiB, and it begins there");
		high_end = e.base + e.len;
		for (a = e.base; a < high_end; a += LARGE)
			map_large(a, a, PTE_P | PTE_W);
	}
}

/* All of RAM behind this program, in steps of 2 MiB, without the hole. */
#define FIRST_STEP 0x2000000ull
static u64 next_step(u64 a)
{
	a += LARGE;
	return a >= ram_top && a < FOUR_G ? FOUR_G : a;
}

/* A word somewhere in that step, so that every address bit above 2^3 takes part. */
static volatile u64 *word(u64 step)
{
	return (volatile u64 *)at(step + (step * 0x9e3779b97f4a7c15ull >> 43 & (LARGE - 8)));
}

static u64 pattern(u64 a)
{
	return (a + 1) * 0xbf58476d1ce4e5b9ull;
}

/* Pages at the edges, each byte telling where it is. */
static u64 edges[8];
static unsigned int edge_count;

static void add_edge(u64 page)
{
	edges[edge_count++] = page;
}

static u8 edge_byte(u64 page, u64 i)
{
	return (u8)(pattern(page + i) >> 40);
}

static void fill_edges(void)
{
	unsigned int e;
	u64 i;

	for (e = 0; e < edge_count; e++)
		for (i = 0; i < 4096; i++)
			*(volatile u8 *)at(edges[e] + i) = edge_byte(edges[e], i);
}

static bool edge_holds(u64 page)
{
	u64 i;

	for (i = 0; i < 4096; i++)
		if (*(volatile u8 *)at(page + i) != edge_byte(page, i))
			return false;
	return true;
}

/* Everything is written before anything is read: two addresses of one byte of memory show. */
static void check_patterns(void)
{
	u64 end = high_end ? high_end : ram_top, a, n = 0, clean = 0;
	unsigned int e;
	bool ok = true;

	add_edge(FIRST_STEP);
	add_edge(ram_top - 4096);
	if (high_end) {
		add_edge(FOUR_G);
		add_edge(FOUR_G + (high_end - FOUR_G) / 2 / 4096 * 4096);
		add_edge(high_end - 4096);
	}
	for (a = FIRST_STEP; a + LARGE <= end; a = next_step(a)) {
		clean += !*word(a);
		*word(a) = pattern(a);
	}
	fill_edges();
	for (a = FIRST_STEP; a + LARGE <= end; a = next_step(a), n++)
		ok = ok && (*word(a) == pattern(a) || edge_holds((u64)word(a) & ~4095ull));
	report(ok && n, "%lu words, one in each 2 MiB, are all different memory", n);
	report_vouch(clean == n, "and all of them were zero at first");
	for (e = 0; e < edge_count; e++)
		report(edge_holds(edges[e]), "4096 bytes at %lx keep their pattern", edges[e]);
}

/* Half of the access is RAM, half is not. */
static void check_end(u64 end)
{
	*(volatile u32 *)at(end - 4) = 0x12345678;
	report_vouch(*(volatile u64 *)at(end - 4) == 0xffffffff12345678ull, "8 bytes across the end of RAM at %lx", end);
	*(volatile u64 *)at(end - 4) = 0x1122334455667788ull;
	report_vouch(*(volatile u32 *)at(end - 4) == 0x55667788 && *(volatile u32 *)at(end) == ~0u,
		     "a write across it reaches the RAM alone");
}

static void check_ends(void)
{
	/* On a PC, tables may lie there. */
	if (expect_vouch)
		check_end(ram_top);
	if (!high_end)
		return;
	map_large(high_end, high_end, PTE_P | PTE_W);
	check_end(high_end);
	report(ram_works(FOUR_G) && ram_works(high_end - 8), "the first and last 8 bytes of RAM above 4 GiB");
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
	*(volatile u64 *)at(0xc0000) = 0;
	*(volatile u64 *)at(0xdfff8) = 0;
	report_vouch(*(volatile u64 *)at(0xc0000) == ~0ull && *(volatile u64 *)at(0xdfff8) == ~0ull,
		     "no write changes what is at C0000 and DFFF8");
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
	map_high();
	check_patterns();
	check_ends();
	check_holes();
	check_acpi();
	check_rom();
}
