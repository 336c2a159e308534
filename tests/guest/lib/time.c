/* SPDX-License-Identifier: BSD-2-Clause */
/* Time for the tests: the ACPI PM timer is the reference. */
#include "guest.h"

#define PM_MASK 0xffffffu     /* a 24-bit timer is enough for us */

static u16 pm_port(void)
{
	static u16 port;

	if (!port) {
		port = acpi_power().pm_tmr;
		if (!port) {
			report(false, "the FADT names a PM timer");
			finish();
		}
	}
	return port;
}

u64 pm_timer_wait(u32 ticks)
{
	u16 port = pm_port();
	u32 start = inl(port), now;
	u64 tsc;

	while ((now = inl(port)) == start)
		;
	start = now;
	tsc = rdtsc();
	while (((inl(port) - start) & PM_MASK) < ticks)
		;
	return rdtsc() - tsc;
}

u64 tsc_khz(void)
{
	static u64 khz;

	if (!khz)
		khz = pm_timer_wait(35795) / 10;     /* 10 ms */
	return khz;
}

void delay_us(u64 us)
{
	u64 end = rdtsc() + us * tsc_khz() / 1000;

	while (rdtsc() < end)
		;
}

bool wait_for(volatile u32 *what, u32 value, u64 us)
{
	u64 end = rdtsc() + us * tsc_khz() / 1000;

	while (*what != value)
		if (rdtsc() >= end)
			return false;
	return true;
}

u8 cmos_read(u8 reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

void cmos_write(u8 reg, u8 val)
{
	outb(0x70, reg);
	outb(0x71, val);
}
