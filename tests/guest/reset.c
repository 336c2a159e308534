/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each documented way to reset a PC: how= kbd, cf9, port92, acpi, init, triple. A machine whose CMOS memory survives comes
 * back once, says so and powers off; without it (Vouch builds the guest anew) the runner counts the boots.
 */
#include "lib/guest.h"

const char test_name[] = "reset";

#define CMOS_MARK 0x60    /* unused by the firmware that plain QEMU has */

static void reset_acpi(void)
{
	const u8 *fadt = acpi_table("FACP");
	u32 flags, len;
	u64 port;

	memcpy(&len, fadt + 4, 4);
	memcpy(&flags, fadt + 112, 4);
	report_vouch(len >= 129 && flags >> 10 & 1, "the FADT has a reset register");
	if (len < 129 || !(flags >> 10 & 1))
		finish();
	memcpy(&port, fadt + 120, 8);
	report(fadt[116] == 1, "it is a port (%lx, value %x)", port, fadt[128]);
	summary();
	outb((u16)port, fadt[128]);
}

static void reset_triple(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; ud2" :: "m"(none));
}

/* INIT to oneself by the ID, which firmware follows with a start from the reset vector. By shorthand it is no such thing. */
static void reset_init(void)
{
	lapic_write(APIC_ICR, 0x8500);          /* level de-assert */
	lapic_write(APIC_ICR, 0xc4500);         /* to all others, of whom there is none */
	report(true, "alive after INITs to nobody");
	summary();
	lapic_write(APIC_ICR2, cpuid(1).b >> 24 << 24);
	lapic_write(APIC_ICR, 0x4500);
}

/* What must not reset: the same registers with other values. */
static void near_misses(void)
{
	u8 old92 = inb(0x92);

	outb(0x92, old92 & 0xfe);
	outb(0x64, 0xae);
	outb(0xcf9, 0);
	outb(0xcf9, 2);
	outl(0xcf8, 0x600);             /* a PCI configuration address, though its byte at CF9 is 6 */
	report(true, "alive after writes that must not reset");
}

void test_main(void)
{
	const char *how = arg("how");

	if (cmos_read(CMOS_MARK) == 'V' && cmos_read(CMOS_MARK + 1) == 'R') {
		cmos_write(CMOS_MARK, 0);
		report(true, "came back after the reset");
		return;
	}
	cmos_write(CMOS_MARK, 'V');
	cmos_write(CMOS_MARK + 1, 'R');
	if (!how)
		how = "kbd";
	near_misses();
	print("reset by %s\n", how);
	if (!strcmp(how, "acpi")) {
		reset_acpi();
	} else if (!strcmp(how, "init")) {
		reset_init();
	} else {
		summary();
		if (!strcmp(how, "kbd"))
			outb(0x64, 0xfe);
		else if (!strcmp(how, "cf9"))
			outb(0xcf9, 6);
		else if (!strcmp(how, "port92"))
			outb(0x92, 1);
		else if (!strcmp(how, "triple"))
			reset_triple();
	}
	pause_a_while();
	print("FAIL: alive after a reset by %s\n", how);
	stop_here();
}
