/* SPDX-License-Identifier: BSD-2-Clause */
/* Power-off through ACPI S5 and nothing else, as an operating system does it. */
#include "lib/guest.h"

const char test_name[] = "poweroff";

/* Legacy firmware leaves ACPI off until asked; a FADT without SMI command says that it is always on. */
static void enable_acpi(void)
{
	const u8 *fadt = acpi_table("FACP");
	u32 smi_cmd;

	memcpy(&smi_cmd, fadt + 48, 4);
	report_vouch(!smi_cmd, "the FADT names no SMI command port");
	if (smi_cmd)
		outb((u16)smi_cmd, fadt[52]);
}

void test_main(void)
{
	struct acpi_power a = acpi_power();

	report(a.pm1a_cnt != 0, "the FADT names PM1a_CNT (%x)", a.pm1a_cnt);
	report_vouch(a.pm1a_cnt == 0x604 && a.s5 == 5, "PM1a_CNT is 604 and _S5 is 5 (%x, %u)", a.pm1a_cnt, a.s5);
	enable_acpi();
	report(inw(a.pm1a_cnt) & 1, "ACPI mode is on (SCI_EN)");
	outw(a.pm1a_cnt, (u16)(a.s5 << 10));
	report(true, "alive after SLP_TYP without SLP_EN");
	summary();
	outw(a.pm1a_cnt, (u16)((a.s5 << 10) | 1 << 13));
	pause_a_while();
	print("FAIL: alive after power-off\n");
	stop_here();
}
