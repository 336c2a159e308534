/* SPDX-License-Identifier: BSD-2-Clause */
/* Power-off through ACPI S5 and nothing else, as an operating system does it; button=yes: when the power button says so. */
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

#define PM1_PWRBTN 0x100u

/* The button's status, with its enable bit set; then a typed character, so that what was said can be seen. */
static void await_button(u16 pm1a_evt)
{
	report(!(inw(pm1a_evt) & PM1_PWRBTN), "the power button is not pressed yet");
	outw((u16)(pm1a_evt + 2), PM1_PWRBTN);
	print("waits for the power button\n");
	/* None is unmasked; with IF=0 Bochs would keep the host's out, too, and with them what is typed. */
	asm volatile("sti");
	while (!(inw(pm1a_evt) & PM1_PWRBTN))
		asm volatile("pause");
	report(true, "the power button was pressed");
	outw(pm1a_evt, PM1_PWRBTN);
	report(!(inw(pm1a_evt) & PM1_PWRBTN), "its status can be cleared");
	while (!(inb(0x3fd) & 1))
		asm volatile("pause");
}

void test_main(void)
{
	struct acpi_power a = acpi_power();

	report(a.pm1a_cnt != 0, "the FADT names PM1a_CNT (%x)", a.pm1a_cnt);
	report_vouch(a.pm1a_cnt == 0x604 && a.s5 == 5, "PM1a_CNT is 604 and _S5 is 5 (%x, %u)", a.pm1a_cnt, a.s5);
	enable_acpi();
	if (arg_is("button", "yes"))
		await_button(a.pm1a_evt);
	report(inw(a.pm1a_cnt) & 1, "ACPI mode is on (SCI_EN)");
	outw(a.pm1a_cnt, (u16)(a.s5 << 10));
	report(true, "alive after SLP_TYP without SLP_EN");
	summary();
	outw(a.pm1a_cnt, (u16)((a.s5 << 10) | 1 << 13));
	pause_a_while();
	print("FAIL: alive after power-off\n");
	stop_here();
}
