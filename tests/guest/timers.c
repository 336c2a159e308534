/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks of the machine against each other: PM timer (the reference), TSC, PIT, RTC, LAPIC timer in its modes,
 * kvmclock. Each comparison has a few tries, since another load on the host may stop us between two readings.
 */
#include "lib/guest.h"

const char test_name[] = "timers";

#define PM_HZ 3579545u
#define PIT_HZ 1193182u
#define VECTOR 0x50
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_KVM_WALL 0x4b564d00u
#define MSR_KVM_TIME 0x4b564d01u

static volatile u32 ticks;
static volatile u64 tick_tsc;

static void on_tick(struct frame *f)
{
	(void)f;
	ticks++;
	tick_tsc = rdtsc();
	lapic_eoi();
}

static void on_rtc(struct frame *f)
{
	(void)f;
	ticks++;
	tick_tsc = rdtsc();
	cmos_read(0x0c);
	lapic_eoi();
}

static bool near(u64 a, u64 b, unsigned int per_mille)
{
	u64 d = a > b ? a - b : b - a;

	return d * 1000 <= b * per_mille;
}

/* ticks >= n, with interrupts on; false after us microseconds. */
static bool ticks_reach(u32 n, u64 us)
{
	u64 end = rdtsc() + us * tsc_khz() / 1000;

	sti();
	while (ticks < n && rdtsc() < end)
		asm volatile("pause");
	cli();
	return ticks >= n;
}

static void check_tsc(void)
{
	unsigned int try;
	u64 a = 0, b = 0;

	for (try = 0; try < 8; try++) {
		a = pm_timer_wait(PM_HZ / 20) / 50;
		b = pm_timer_wait(PM_HZ / 5) / 200;
		if (near(a, b, 20))
			break;
	}
	report(near(a, b, 20), "TSC: %lu kHz over 50 ms, %lu kHz over 200 ms", a, b);
}

/* Channel 2 counts 50 ms down, gated and read through port 61h. */
static u64 pit_channel2(void)
{
	u64 tsc;

	outb(0x61, (u8)((inb(0x61) & ~3u)));
	pit_mode(2, 0, PIT_HZ / 20);
	outb(0x61, (u8)((inb(0x61) & ~2u) | 1));
	tsc = rdtsc();
	while (!(inb(0x61) & 0x20) && rdtsc() - tsc < tsc_khz() * 1000)
		;
	return (rdtsc() - tsc) / 50;
}

static void check_pit(void)
{
	unsigned int try;
	u64 khz = 0;
	u32 low, high;

	for (try = 0; try < 8; try++) {
		khz = pit_channel2();
		if (near(khz, tsc_khz(), 20))
			break;
	}
	report(near(khz, tsc_khz(), 20), "PIT channel 2 says TSC is %lu kHz, the PM timer %lu", khz, tsc_khz());
	outb(0x61, (u8)(inb(0x61) & ~3u));
	pit_mode(2, 0, 10000);
	low = pit_read(2);
	delay_us(2000);
	high = pit_read(2);
	report_vouch(low == high, "PIT channel 2 stands still with its gate closed (%u, %u)", low, high);
	pit_mode(0, 2, PIT_HZ / 1000);
	outb(0x43, 0xe2);
	low = inb(0x40);
	report((low & 0x3f) == 0x34, "PIT read-back shows mode 2, both bytes (%x)", low);
	low = pit_read(0);
	report(low && low <= PIT_HZ / 1000, "PIT channel 0 counts below its reload value (%u)", low);
}

static void check_pit_interrupt(void)
{
	unsigned int try;
	u64 us = 0;

	interrupt_set(VECTOR, on_tick);
	ioapic_route(2, VECTOR);
	for (try = 0; try < 8; try++) {
		u64 tsc;

		pit_mode(0, 2, PIT_HZ / 100);
		ticks = 0;
		ticks_reach(1, 100000);
		tsc = tick_tsc;
		ticks = 0;
		ticks_reach(20, 500000);
		us = (tick_tsc - tsc) * 1000 / tsc_khz();
		if (near(us, 200000, 20))
			break;
	}
	report(near(us, 200000, 20), "PIT: 20 interrupts at 100 Hz take %lu us", us);
	pit_mode(0, 0, PIT_HZ / 100);
	sti_nop();
	cli();
	ticks = 0;
	ticks_reach(2, 50000);
	report(ticks == 1, "PIT mode 0: one interrupt (%u)", ticks);
	ioapic_write(0x14, 0x10000);
}

static void check_rtc(void)
{
	unsigned int try, year;
	u64 us = 0;

	interrupt_set(VECTOR, on_rtc);
	ioapic_route(8, VECTOR);
	for (try = 0; try < 8; try++) {
		u64 tsc;

		cmos_write(0x0b, 0x12);
		cmos_read(0x0c);
		ticks = 0;
		ticks_reach(1, 2000000);
		tsc = tick_tsc;
		ticks_reach(2, 2000000);
		us = (tick_tsc - tsc) * 1000 / tsc_khz();
		if (near(us, 1000000, 20))
			break;
	}
	report(near(us, 1000000, 20), "RTC: update interrupts are %lu us apart", us);
	for (try = 0; try < 8; try++) {
		u64 tsc;

		cmos_write(0x0a, 0x2a);
		cmos_write(0x0b, 0x42);
		cmos_read(0x0c);
		ticks = 0;
		ticks_reach(1, 100000);
		tsc = tick_tsc;
		ticks_reach(17, 1000000);
		us = (tick_tsc - tsc) * 1000 / tsc_khz();
		if (near(us, 250000, 20))
			break;
	}
	report(near(us, 250000, 20), "RTC: 16 periodic interrupts at 64 Hz take %lu us", us);
	cmos_write(0x0b, 0x02);
	cmos_read(0x0c);
	ioapic_write(0x20, 0x10000);
	year = cmos_read(9);
	report(cmos_read(0x0d) & 0x80, "RTC: the battery is good");
	report(year >= 0x20 && year < 0x90, "RTC: the year is 20%x", year);
}

/* The timer's count and the TSC at one moment. */
static u32 lapic_moment(u64 *tsc)
{
	u64 least = ~0ull;
	u32 count = 0;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		u64 before = rdtsc(), width;
		u32 now = lapic_read(APIC_TMCCT);

		width = rdtsc() - before;
		if (width < least) {
			least = width;
			count = now;
			*tsc = before + width / 2;
		}
	}
	return count;
}

static u64 lapic_khz(u32 divide_code, u32 divide)
{
	u64 tsc_from = 0, tsc_to = 0;
	u32 from, to;

	lapic_write(APIC_LVTT, 0x10000);
	lapic_write(APIC_TDCR, divide_code);
	lapic_write(APIC_TMICT, 0xffffffff);
	from = lapic_moment(&tsc_from);
	delay_us(50000);
	to = lapic_moment(&tsc_to);
	lapic_write(APIC_TMICT, 0);
	return (u64)(from - to) * divide * tsc_khz() / (tsc_to - tsc_from);
}

static void check_lapic(void)
{
	u64 khz = 0, khz1 = 0, us = 0;
	unsigned int try;
	u32 n;

	for (try = 0; try < 8; try++) {
		khz1 = lapic_khz(0xb, 1);
		khz = lapic_khz(0x3, 16);
		if (near(khz, khz1, 20))
			break;
	}
	report(near(khz, khz1, 20), "LAPIC timer: %lu kHz at divide 16, %lu at divide 1", khz, khz1);
	interrupt_set(VECTOR, on_tick);
	n = (u32)(khz / 16 * 50);
	for (try = 0; try < 8; try++) {
		u64 tsc = rdtsc();

		ticks = 0;
		lapic_write(APIC_LVTT, VECTOR);
		lapic_write(APIC_TMICT, n);
		ticks_reach(1, 200000);
		us = (tick_tsc - tsc) * 1000 / tsc_khz();
		if (near(us, 50000, 30))
			break;
	}
	report(near(us, 50000, 30), "LAPIC one-shot of 50 ms takes %lu us", us);
	report(lapic_read(APIC_TMCCT) == 0, "LAPIC one-shot: the count stays zero");
	ticks = 0;
	report(!ticks_reach(1, 100000), "LAPIC one-shot: once");
	for (try = 0; try < 8; try++) {
		u64 tsc;

		ticks = 0;
		lapic_write(APIC_LVTT, 0x20000 | VECTOR);
		lapic_write(APIC_TMICT, n / 2);
		ticks_reach(1, 100000);
		tsc = tick_tsc;
		ticks_reach(11, 500000);
		us = (tick_tsc - tsc) * 1000 / tsc_khz();
		if (near(us, 250000, 20))
			break;
	}
	report(near(us, 250000, 20), "LAPIC periodic: 10 times 25 ms take %lu us", us);
	lapic_write(APIC_TMICT, 0);
	sti_nop();
	cli();
	ticks = 0;
	report(!ticks_reach(1, 30000), "LAPIC periodic: an initial count of zero stops it");
	lapic_write(APIC_LVTT, 0x10000 | VECTOR);
	lapic_write(APIC_TMICT, 1000);
	report(!ticks_reach(1, 20000), "LAPIC timer: none while masked");
}

static void check_deadline(void)
{
	bool same = true, early = false;
	unsigned int try;
	u64 tsc = 0, v;

	if (!(cpuid(1).c >> 24 & 1)) {
		report_vouch(false, "TSC deadline is there");
		return;
	}
	lapic_write(APIC_LVTT, VECTOR);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_khz());
	report(rdmsr(MSR_TSC_DEADLINE) == 0, "deadline: the MSR reads zero in another mode");
	lapic_write(APIC_LVTT, 0x40000 | VECTOR);
	ticks = 0;
	for (try = 0; try < 30 && same && !early; try++) {
		ticks = 0;
		tsc = rdtsc() + tsc_khz() * 5;
		wrmsr(MSR_TSC_DEADLINE, tsc);
		v = rdmsr(MSR_TSC_DEADLINE);
		same = v == tsc || (!v && rdtsc() >= tsc);  /* it may be over already */
		ticks_reach(1, 100000);
		early = ticks && tick_tsc < tsc;
		if (ticks && tick_tsc - tsc < tsc_khz())
			break;
	}
	report(same, "deadline: reads back");
	report(!early, "deadline: never early");
	report(!early && tick_tsc - tsc < tsc_khz(), "deadline: taken %ld us behind it",
	       (int64_t)(tick_tsc - tsc) * 1000 / (int64_t)tsc_khz());
	report(rdmsr(MSR_TSC_DEADLINE) == 0, "deadline: the MSR is zero then");
	ticks = 0;
	wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
	report(ticks_reach(1, 10000), "deadline: one in the past comes at once");
	do {                                            /* once more if the deadline was over before it was disarmed */
		sti_nop();                              /* and had left its interrupt */
		cli();
		ticks = 0;
		tsc = rdtsc() + tsc_khz() * 5;
		wrmsr(MSR_TSC_DEADLINE, tsc);
		wrmsr(MSR_TSC_DEADLINE, 0);
	} while (rdtsc() >= tsc);
	report(!ticks_reach(1, 20000), "deadline: zero disarms it");
	ticks = 0;
	lapic_write(APIC_TMICT, 100);
	report(!ticks_reach(1, 10000), "deadline: the initial count does nothing in this mode");
	ticks = 0;
	tsc = rdtsc() + tsc_khz() * 20;
	wrmsr(MSR_TSC_DEADLINE, tsc);
	sti_hlt_cli();
	report(ticks == 1 && tick_tsc >= tsc, "deadline: wakes from HLT, not early");
	lapic_write(APIC_LVTT, 0x10000);
}

extern const u8 in_shadow[];
static u32 between;

static void on_wakeup(struct frame *f)
{
	ticks++;
	between += f->rip == (u64)in_shadow;
	lapic_eoi();
}

/*
 * Interrupts that are due in the shadow of STI: where HLT stands there, one that comes before it is a wake-up lost. Half of
 * the places where this loop can be interrupted are such.
 */
static void check_shadow(void)
{
	const u32 rounds = 1000;

	if (!(cpuid(1).c >> 24 & 1))
		return;
	interrupt_set(VECTOR, on_wakeup);
	lapic_write(APIC_LVTT, 0x40000 | VECTOR);
	ticks = between = 0;
	for (u32 i = 0; i < rounds && ticks == i; i++) {
		u64 end = rdtsc() + tsc_khz() * 10000ull;

		wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_khz() / 20);
		while (ticks == i && rdtsc() < end)
			asm volatile("sti; in_shadow: nop; cli" ::: "memory");
	}
	report(ticks == rounds && !between, "deadline: %u of %u interrupts, %u of them right behind STI", ticks, rounds, between);
	lapic_write(APIC_LVTT, 0x10000);
}

struct pvclock {
	u32 version, pad;
	u64 tsc_timestamp, system_time;
	u32 mul;
	signed char shift;
	u8 flags, pad2[2];
} __attribute__((packed, aligned(64)));

static struct pvclock clock_page;
static struct { u32 version, sec, nsec; } wall __attribute__((aligned(64)));

static u64 kvmclock_ns(void)
{
	volatile struct pvclock *p = &clock_page;
	u64 d = rdtsc() - p->tsc_timestamp, product;

	d = p->shift >= 0 ? d << p->shift : d >> -p->shift;
	/* mul is a 32-bit fraction; the product needs 96 bits. */
	product = (d >> 32) * p->mul + ((d & 0xffffffff) * p->mul >> 32);
	return p->system_time + product;
}

static unsigned int bcd(u8 v)
{
	return (unsigned int)(v >> 4) * 10 + (v & 15);
}

/* Seconds since 1970 by the RTC in its BCD, 24-hour mode. */
static u64 rtc_seconds(void)
{
	static const u16 days_before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	unsigned int y, m, d;
	u64 days;

	while (cmos_read(0x0a) & 0x80)
		;
	y = bcd(cmos_read(9)) + 2000;
	m = bcd(cmos_read(8));
	d = bcd(cmos_read(7));
	days = (y - 1970) * 365 + (y - 1969) / 4 + days_before[(m - 1) % 12] + d - 1 + (m > 2 && y % 4 == 0);
	return ((days * 24 + bcd(cmos_read(4))) * 60 + bcd(cmos_read(2))) * 60 + bcd(cmos_read(0));
}

static void check_kvmclock(void)
{
	u64 a, b, us = 0, rtc, now, tsc;
	unsigned int try;
	struct cpuid c = cpuid(0x40000101);

	if (cpuid(0x40000100).a != 0x40000101 || !(c.a >> 3 & 1)) {
		report_vouch(false, "kvmclock is there");
		return;
	}
	report(wrmsr_try(MSR_KVM_TIME, (u64)&clock_page | 1) == NO_FAULT, "kvmclock: on");
	report(rdmsr(MSR_KVM_TIME) == ((u64)&clock_page | 1), "kvmclock: the MSR reads back");
	report(clock_page.version && !(clock_page.version & 1), "kvmclock: version %u is even", clock_page.version);
	report(clock_page.mul != 0, "kvmclock: factor %x, shift %d, flags %x", clock_page.mul, clock_page.shift, clock_page.flags);
	report(!!(clock_page.flags & 1) == !!(c.a >> 24 & 1), "kvmclock: TSC-stable flag as CPUID says");
	for (try = 0; try < 8; try++) {
		a = kvmclock_ns();
		pm_timer_wait(PM_HZ / 5);
		b = kvmclock_ns();
		us = (b - a) / 1000;
		if (near(us, 200000, 10))
			break;
	}
	report(near(us, 200000, 10), "kvmclock: 200 ms by the PM timer are %lu us", us);
	report(wrmsr_try(MSR_KVM_WALL, (u64)&wall) == NO_FAULT && wall.version && !(wall.version & 1), "kvmclock: wall clock");
	rtc = rtc_seconds();
	now = wall.sec + (wall.nsec + kvmclock_ns()) / 1000000000;
	report(rtc - now + 2 <= 4, "kvmclock: wall clock %lu, RTC %lu", now, rtc);
	report(wrmsr_try(MSR_KVM_TIME, 0xd0000001) == 13, "kvmclock: a page outside RAM is #GP");
	a = kvmclock_ns();
	tsc = rdtsc();
	wrmsr(0x10, tsc + (1ull << 36));
	b = kvmclock_ns();
	wrmsr(0x10, rdtsc() - (1ull << 36));
	report(b - a < 1000000000, "kvmclock: a written TSC does not move it (%ld ns)", (int64_t)(b - a));
	report(wrmsr_try(MSR_KVM_TIME, 0) == NO_FAULT, "kvmclock: off");
}

/* A second and a half in HLT, woken by the PIT: the clocks agree afterwards, and the PIT has hardly lost a tick. */
static void check_sleep(void)
{
	struct moment from, now;
	u64 pm_us, tsc_us;
	u32 woken = 0;

	interrupt_set(VECTOR, on_tick);
	ioapic_route(2, VECTOR);
	pit_mode(0, 2, PIT_HZ / 20);
	sti_hlt_cli();
	ticks = 0;
	from = now = pm_moment();
	while (((now.pm - from.pm) & 0xffffff) < PM_HZ * 3 / 2) {
		sti_hlt_cli();
		woken++;
		now = pm_moment();
	}
	ioapic_write(0x14, 0x10000);
	pm_us = ((now.pm - from.pm) & 0xffffff) * 1000000ull / PM_HZ;
	tsc_us = (now.tsc - from.tsc) * 1000 / tsc_khz();
	report(near(tsc_us, pm_us, 10), "sleep: %lu us by the TSC, %lu by the PM timer", tsc_us, pm_us);
	report(ticks >= 24 && ticks <= 32 && woken <= ticks + 2, "sleep: %u ticks of 50 ms, woken %u times", ticks, woken);
}

static void check_pm_timer(void)
{
	struct acpi_power p = acpi_power();
	u32 a = inl(p.pm_tmr), b, i;
	bool ok = true;

	for (i = 0; i < 10000; i++) {
		b = inl(p.pm_tmr);
		ok = ok && ((b - a) & 0xffffff) < 0x400000;
		a = b;
	}
	report(ok, "the PM timer only grows");
}

void test_main(void)
{
	lapic_on();
	pic_init(0x30, 0xffff);
	if (arg_is("only", "shadow")) {
		check_shadow();
		return;
	}
	check_pm_timer();
	check_tsc();
	check_pit();
	check_pit_interrupt();
	check_rtc();
	check_lapic();
	check_deadline();
	check_kvmclock();
	check_sleep();
}
