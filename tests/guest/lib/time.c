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

/* Both clocks at one moment: the closest of a few pairs, since the host may stop us between two readings. */
struct moment pm_moment(void)
{
	u16 port = pm_port();
	struct moment best = { 0, 0 };
	u64 least = ~0ull;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		u64 before = rdtsc(), width;
		u32 pm = inl(port);

		width = rdtsc() - before;
		if (width < least) {
			least = width;
			best = (struct moment){ before + width / 2, pm };
		}
	}
	return best;
}

u64 pm_timer_wait(u32 ticks)
{
	struct moment from = pm_moment(), to;
	u16 port = pm_port();

	while (((inl(port) - from.pm) & PM_MASK) < ticks)
		;
	to = pm_moment();
	return (to.tsc - from.tsc) * ticks / ((to.pm - from.pm) & PM_MASK);
}

/* The middle one of three, since a host that runs something else between two readings spoils one. */
u64 tsc_khz(void)
{
	static u64 khz;
	u64 a, b, c;

	if (khz)
		return khz;
	a = pm_timer_wait(71591) / 20;               /* 20 ms */
	b = pm_timer_wait(71591) / 20;
	c = pm_timer_wait(71591) / 20;
	khz = (a <= b) == (b <= c) ? b : (b <= a) == (a <= c) ? a : c;
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
