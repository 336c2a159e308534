/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's real-time clock, read once a guest: MC146818 registers behind ports 70h and 71h. Never written. */
#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "arch/x86/cpu/asm.h"

#define RTC_INDEX 0x70u
#define RTC_DATA  0x71u
#define RTC_A     0x0au
#define RTC_B     0x0bu
#define RTC_A_UIP 0x80u
#define RTC_B_24H 0x02u
#define RTC_B_BINARY 0x04u
#define RTC_PM    0x80u
#define RTC_READ_TRIES 100000u

struct rtc_time {
	unsigned int sec, min, hour, day, month, year;
};

static uint8_t rtc_read(uint8_t reg)
{
	port_out8(RTC_INDEX, reg);
	return port_in8(RTC_DATA);
}

static unsigned int number(uint8_t raw, uint8_t status)
{
	return status & RTC_B_BINARY ? raw : (unsigned int)(raw >> 4) * 10 + (raw & 0xf);
}

static void read_once(struct rtc_time *t)
{
	uint8_t b = rtc_read(RTC_B), hour;

	/* Bounded: a machine without an RTC reads ones for ever, and gets a wrong time instead of no start. */
	for (unsigned int i = 0; (rtc_read(RTC_A) & RTC_A_UIP) && i < RTC_READ_TRIES; i++)
		;
	t->sec = number(rtc_read(0), b);
	t->min = number(rtc_read(2), b);
	hour = rtc_read(4);
	t->hour = number(hour & (b & RTC_B_24H ? 0xff : 0x7f), b);
	if (!(b & RTC_B_24H))
		t->hour = t->hour % 12 + (hour & RTC_PM ? 12 : 0);
	t->day = number(rtc_read(7), b);
	t->month = number(rtc_read(8), b);
	t->year = 2000 + number(rtc_read(9), b);
}

/* Days from 1970-01-01 to the first of March of year y, then month by month: the Gregorian calendar from March on. */
static uint64_t days_since_1970(unsigned int y, unsigned int m, unsigned int d)
{
	uint64_t years = m > 2 ? y : y - 1;
	uint64_t month = m > 2 ? m - 3 : m + 9;

	return years * 365 + years / 4 - years / 100 + years / 400 + (month * 153 + 2) / 5 + d - 719469;
}

uint64_t host_epoch(void)
{
	struct lock *l = &this_cpu()->host->platform.cmos_lock;
	struct rtc_time a, b;

	/* One port holds the number of the register that the other one reads. */
	lock_take(l);
	/* Twice the same: no update came between. */
	read_once(&a);
	for (unsigned int i = 0; i < 10; i++) {
		read_once(&b);
		if (a.sec == b.sec && a.min == b.min && a.hour == b.hour)
			break;
		a = b;
	}
	lock_drop(l);
	return days_since_1970(b.year, b.month, b.day) * 86400 + b.hour * 3600u + b.min * 60u + b.sec;
}
