/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a test: its summary, and power-off by ACPI. Plain QEMU gets the verdict by its debug-exit port. */
#include "guest.h"

#define DEBUG_EXIT 0xf4   /* isa-debug-exit: QEMU ends with status (value << 1) | 1 */

void stop_here(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

void pause_a_while(void)
{
	u64 from = rdtsc();

	while (rdtsc() - from < 1000000000)
		asm volatile("pause");
}

void poweroff_acpi(void)
{
	struct acpi_power a = acpi_power();

	if (a.pm1a_cnt)
		outw(a.pm1a_cnt, (u16)((a.s5 << 10) | 1 << 13));
}

void summary(void)
{
	print("SUMMARY: %u passed, %u failed\n", passed, failed);
}

void finish(void)
{
	cli();
	summary();
	if (!expect_vouch)
		outb(DEBUG_EXIT, failed || !passed);
	poweroff_acpi();
	pause_a_while();
	print("FAIL: power-off did not happen\n");
	stop_here();
}
