/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real-time clock. It does not tick: what a register shows follows from the guest's clock. A timer runs only while
 * an interrupt is enabled and none is pending; a guest that does not read register C gets no further one.
 */
#include "rtc.h"

#include <string.h>

#include "ticks.h"

enum { REG_SEC, REG_SEC_ALARM, REG_MIN, REG_MIN_ALARM, REG_HOUR, REG_HOUR_ALARM, REG_DOW, REG_DAY, REG_MONTH, REG_YEAR,
       REG_A, REG_B, REG_C, REG_D };

#define A_UIP      0x80u
#define A_DV       0x70u
#define A_DV_RUN   0x20u        /* 32.768 kHz; any other divider setting stops this clock */
#define A_RS       0x0fu

#define B_SET  0x80u
#define B_PIE  0x40u
#define B_AIE  0x20u
#define B_UIE  0x10u
#define B_SQWE 0x08u
#define B_DM   0x04u            /* binary; else BCD */
#define B_24   0x02u

#define C_IRQF 0x80u
#define C_PF   0x40u
#define C_AF   0x20u
#define C_UF   0x10u
#define C_ALL  (C_PF | C_AF | C_UF)

#define D_VRT  0x80u

#define HOUR_PM   0x80u
#define ALARM_ANY 0xc0u         /* an alarm byte with both bits set matches always */

#define RTC_HZ      32768ull
#define UIP_NS      244000ull   /* update-in-progress comes this early (MC146818 "Update Cycle") */
#define DAY_S       86400u
#define FIRST_UPDATE_NS 500000000u  /* the first update after the divider was released */

struct civil {
	int64_t year;
	unsigned int month, day;      /* from 1 */
	unsigned int hour, min, sec;
	unsigned int dow;             /* Sunday = 1 */
};

/* Days since 1970-01-01 of the proleptic Gregorian calendar; the year starts in March, so that leap days come last. */
static int64_t days_from_civil(int64_t year, unsigned int month, unsigned int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t days, struct civil *c)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	c->day = (unsigned int)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (unsigned int)(mp < 10 ? mp + 3 : mp - 9);
	c->year = yoe + era * 400 + (c->month <= 2);
	c->dow = (unsigned int)(((days + 4) % 7 + 7) % 7) + 1;  /* 1970-01-01 was a Thursday */
}

static uint8_t encode(const struct rtc_state *s, unsigned int v)
{
	return (uint8_t)(s->cmos[REG_B] & B_DM ? v : v / 10 << 4 | v % 10);
}

static unsigned int decode(const struct rtc_state *s, uint8_t v)
{
	return s->cmos[REG_B] & B_DM ? v : (v >> 4) * 10u + (v & 15u);
}

static uint8_t encode_hour(const struct rtc_state *s, unsigned int hour)
{
	if (s->cmos[REG_B] & B_24)
		return encode(s, hour);
	return encode(s, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned int decode_hour(const struct rtc_state *s, uint8_t v)
{
	if (s->cmos[REG_B] & B_24)
		return decode(s, v);
	return decode(s, (uint8_t)(v & ~HOUR_PM)) % 12 + (v & HOUR_PM ? 12 : 0);
}

static bool is_time(unsigned int reg)
{
	return reg == REG_SEC || reg == REG_MIN || reg == REG_HOUR || (reg >= REG_DOW && reg <= REG_YEAR) ||
	       reg == RTC_REG_CENTURY;
}

static bool divider_runs(const struct rtc_state *s)
{
	return (s->cmos[REG_A] & A_DV) == A_DV_RUN;
}

/* True while the time stands still and its bytes are plain memory. */
static bool frozen(const struct rtc_state *s)
{
	return (s->cmos[REG_B] & B_SET) || !divider_runs(s);
}

/* Guest time on the divider's scale, whose whole seconds are the clock's. Ends 2^64 ns after the VM's creation. */
static uint64_t divider_ns(const struct rtc_state *s, uint64_t now)
{
	return now + s->phase_ns < now ? UINT64_MAX : now + s->phase_ns;
}

static int64_t seconds_at(const struct rtc_state *s, uint64_t now)
{
	return s->offset + (int64_t)(divider_ns(s, now) / NS_PER_S);
}

/* Writes the time at now into the time bytes. */
static void time_to_bytes(struct rtc_state *s, uint64_t now)
{
	int64_t t = seconds_at(s, now);
	int64_t days = (t >= 0 ? t : t - (DAY_S - 1)) / DAY_S;
	unsigned int tod = (unsigned int)(t - days * DAY_S);
	struct civil c;

	civil_from_days(days, &c);
	s->cmos[REG_SEC] = encode(s, tod % 60);
	s->cmos[REG_MIN] = encode(s, tod / 60 % 60);
	s->cmos[REG_HOUR] = encode_hour(s, tod / 3600);
	s->cmos[REG_DOW] = (uint8_t)c.dow;
	s->cmos[REG_DAY] = encode(s, c.day);
	s->cmos[REG_MONTH] = encode(s, c.month);
	s->cmos[REG_YEAR] = encode(s, (unsigned int)(c.year % 100 + 100) % 100);
	/* The chip does not count centuries and neither mode touches this byte: it is BCD, as firmware keeps it. */
	s->cmos[RTC_REG_CENTURY] = (uint8_t)((c.year / 1000 % 10) << 4 | (c.year / 100 % 10));
}

/* Takes the time bytes over as the time at now. Any bytes give some time: months and the rest carry over. */
static void bytes_to_time(struct rtc_state *s, uint64_t now)
{
	unsigned int month = decode(s, s->cmos[REG_MONTH]);
	uint8_t cent = s->cmos[RTC_REG_CENTURY];
	int64_t year = ((cent >> 4) * 10 + (cent & 15)) * 100 + (int64_t)decode(s, s->cmos[REG_YEAR]);
	int64_t t;

	month = month ? month - 1 : 0;
	t = days_from_civil(year + month / 12, month % 12 + 1, 1) + (int64_t)decode(s, s->cmos[REG_DAY]) - 1;
	t = t * DAY_S + (int64_t)decode_hour(s, s->cmos[REG_HOUR]) * 3600 +
	    (int64_t)decode(s, s->cmos[REG_MIN]) * 60 + (int64_t)decode(s, s->cmos[REG_SEC]);
	s->offset = t - (int64_t)(divider_ns(s, now) / NS_PER_S);
}

/* Ticks of 32768 Hz between periodic interrupts; 0 = none. */
static uint64_t period_ticks(const struct rtc_state *s)
{
	unsigned int rs = s->cmos[REG_A] & A_RS;

	if (!rs)
		return 0;
	return 1ull << (rs <= 2 ? rs + 6 : rs - 1);
}

/* First value of byte unit from `from` on that the alarm byte takes, below end; end if none. */
static unsigned int alarm_unit(unsigned int from, unsigned int end, bool any, unsigned int want)
{
	if (any)
		return from;
	return want >= from && want < end ? want : end;
}

/* Seconds from tod (time of day) to the next alarm at or after it, within a day; DAY_S if there is none. */
static unsigned int alarm_distance(const struct rtc_state *s, unsigned int tod)
{
	const uint8_t *a = s->cmos;
	bool any_h = a[REG_HOUR_ALARM] >= ALARM_ANY, any_m = a[REG_MIN_ALARM] >= ALARM_ANY,
	     any_s = a[REG_SEC_ALARM] >= ALARM_ANY;
	unsigned int want_h = decode_hour(s, a[REG_HOUR_ALARM]), want_m = decode(s, a[REG_MIN_ALARM]),
		     want_s = decode(s, a[REG_SEC_ALARM]);

	/* Today from tod, then all of tomorrow. Per day, the first hour may be partly over, and in it the first minute. */
	for (unsigned int day = 0; day < 2; day++) {
		unsigned int from = day ? 0 : tod;

		for (unsigned int h = alarm_unit(from / 3600, 24, any_h, want_h); h < 24;
		     h = alarm_unit(h + 1, 24, any_h, want_h)) {
			unsigned int m0 = h == from / 3600 ? from / 60 % 60 : 0;

			for (unsigned int m = alarm_unit(m0, 60, any_m, want_m); m < 60;
			     m = alarm_unit(m + 1, 60, any_m, want_m)) {
				bool first = h == from / 3600 && m == from / 60 % 60;
				unsigned int sec = alarm_unit(first ? from % 60 : 0, 60, any_s, want_s);

				if (sec < 60)
					return day * DAY_S + h * 3600 + m * 60 + sec - tod;
				/* A second that no minute has will not come in another minute either. */
				if (!any_s && want_s >= 60)
					return DAY_S;
			}
		}
	}
	return DAY_S;
}

static unsigned int time_of_day(const struct rtc_state *s, uint64_t second)
{
	int64_t t = s->offset + (int64_t)second;

	return (unsigned int)((t % DAY_S + DAY_S) % DAY_S);
}

/* The divider's second at which the alarm next rings, after the given one; UINT64_MAX if never. */
static uint64_t next_alarm(const struct rtc_state *s, uint64_t second)
{
	unsigned int d = alarm_distance(s, time_of_day(s, second + 1));

	return d >= DAY_S ? UINT64_MAX : second + 1 + d;
}

/* Sets C's flags for all that happened since the last call. */
static void sync_flags(struct rtc_state *s, uint64_t now)
{
	uint64_t was = divider_ns(s, s->seen_ns), is = divider_ns(s, now);
	uint64_t period = period_ticks(s);

	s->seen_ns = now;
	if (is <= was || !divider_runs(s))
		return;
	if (period && ticks_at(was, RTC_HZ) / period != ticks_at(is, RTC_HZ) / period)
		s->cmos[REG_C] |= C_PF;
	if ((s->cmos[REG_B] & B_SET) || was / NS_PER_S == is / NS_PER_S)
		return;
	s->cmos[REG_C] |= C_UF;
	if (next_alarm(s, was / NS_PER_S) <= is / NS_PER_S)
		s->cmos[REG_C] |= C_AF;
}

/* Divider time in ns of the next event that would interrupt. */
static uint64_t next_event(const struct rtc_state *s, uint64_t at)
{
	uint64_t next = VTIMER_OFF;
	uint64_t period = period_ticks(s);
	uint64_t second = at / NS_PER_S;
	uint64_t alarm;

	if (!divider_runs(s))
		return VTIMER_OFF;
	if ((s->cmos[REG_B] & B_PIE) && period)
		next = ticks_deadline((ticks_at(at, RTC_HZ) / period + 1) * period, RTC_HZ);
	if (s->cmos[REG_B] & B_SET)
		return next;
	if ((s->cmos[REG_B] & B_UIE) && second < UINT64_MAX / NS_PER_S)
		next = min_u64(next, (second + 1) * NS_PER_S);
	if (s->cmos[REG_B] & B_AIE) {
		alarm = next_alarm(s, second);
		if (alarm <= UINT64_MAX / NS_PER_S)
			next = min_u64(next, alarm * NS_PER_S);
	}
	return next;
}

/* Brings flags, interrupt line and timer up to date with the clock and the enable bits. */
static void rtc_update(struct rtc *r)
{
	struct rtc_state *s = &r->s;
	uint64_t now = vclock_now(r->clock);
	uint64_t next;

	sync_flags(s, now);
	/* The flags stand in C at the bits of their enables in B. */
	if (s->cmos[REG_C] & s->cmos[REG_B] & C_ALL)
		s->cmos[REG_C] |= C_IRQF;
	else
		s->cmos[REG_C] &= (uint8_t)~C_IRQF;
	irq_line_set(&r->irq, s->cmos[REG_C] & C_IRQF);
	next = s->cmos[REG_C] & C_IRQF ? VTIMER_OFF : next_event(s, divider_ns(s, now));
	vtimer_arm(&r->timer, next == VTIMER_OFF ? VTIMER_OFF : next - s->phase_ns);
}

static void rtc_fire(void *ctx)
{
	rtc_update(ctx);
}

static uint8_t read_a(const struct rtc_state *s, uint64_t now)
{
	uint64_t into = divider_ns(s, now) % NS_PER_S;
	bool uip = !frozen(s) && into >= NS_PER_S - UIP_NS;

	return (uint8_t)(s->cmos[REG_A] | (uip ? A_UIP : 0));
}

static uint8_t read_c(struct rtc *r)
{
	uint8_t val;

	rtc_update(r);
	val = r->s.cmos[REG_C];
	r->s.cmos[REG_C] = 0;
	rtc_update(r);
	return val;
}

static uint64_t rtc_read(void *dev, uint64_t off, unsigned int size)
{
	struct rtc *r = dev;
	struct rtc_state *s = &r->s;
	unsigned int reg = s->index & (RTC_CMOS - 1);

	(void)size;
	if (off == 0)
		return 0xff;    /* the index cannot be read back */
	switch (reg) {
	case REG_A:
		return read_a(s, vclock_now(r->clock));
	case REG_C:
		return read_c(r);
	case REG_D:
		return D_VRT;
	default:
		if (is_time(reg) && !frozen(s))
			time_to_bytes(s, vclock_now(r->clock));
		return s->cmos[reg];
	}
}

/* Changes A or B; starts and stops the time as their bits say. */
static void write_ab(struct rtc *r, unsigned int reg, uint8_t val)
{
	struct rtc_state *s = &r->s;
	uint64_t now = vclock_now(r->clock);
	bool was_frozen, had_divider;

	rtc_update(r);
	was_frozen = frozen(s);
	had_divider = divider_runs(s);
	/* B's mode bits say how the bytes read: what stands still is frozen under the old ones. */
	if (!was_frozen)
		time_to_bytes(s, now);
	if (reg == REG_A) {
		s->cmos[REG_A] = val & (uint8_t)~A_UIP;
	} else {
		if (val & B_SET)
			val &= (uint8_t)~B_UIE;
		s->cmos[REG_B] = val;
	}
	if (divider_runs(s) && !had_divider) {
		s->phase_ns = (uint32_t)((NS_PER_S + FIRST_UPDATE_NS - now % NS_PER_S) % NS_PER_S);
		s->seen_ns = now;
	}
	if (was_frozen && !frozen(s))
		bytes_to_time(s, now);
	rtc_update(r);
}

static void write_byte(struct rtc *r, unsigned int reg, uint8_t val)
{
	struct rtc_state *s = &r->s;
	uint64_t now;

	if (reg == REG_A || reg == REG_B) {
		write_ab(r, reg, val);
		return;
	}
	if (reg == REG_C || reg == REG_D)
		return;
	now = vclock_now(r->clock);
	rtc_update(r);
	if (is_time(reg) && !frozen(s)) {
		time_to_bytes(s, now);
		s->cmos[reg] = val;
		bytes_to_time(s, now);
	} else {
		s->cmos[reg] = val;
	}
	rtc_update(r);
}

static void rtc_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct rtc *r = dev;

	(void)size;
	if (off == 0)
		r->s.index = (uint8_t)val;
	else
		write_byte(r, r->s.index & (RTC_CMOS - 1), (uint8_t)val);
}

const struct vdev_ops rtc_ops = { .read = rtc_read, .write = rtc_write };

static void set_bytes(uint8_t *cmos, unsigned int at, uint64_t val, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		cmos[at + i] = (uint8_t)(val >> (8 * i));
}

/* Memory sizes where PC firmware leaves them, each capped at what its field holds. low_end: end of RAM below 4 GiB. */
static void set_memory(struct rtc_state *s, uint64_t low_end, uint64_t high)
{
	uint64_t ext_kib = low_end > (1ull << 20) ? (low_end - (1ull << 20)) >> 10 : 0;
	uint64_t above_16m = low_end > (16ull << 20) ? (low_end - (16ull << 20)) >> 16 : 0;

	set_bytes(s->cmos, 0x15, 640, 2);
	set_bytes(s->cmos, 0x17, min_u64(ext_kib, 0xffff), 2);
	set_bytes(s->cmos, 0x30, min_u64(ext_kib, 0xffff), 2);
	set_bytes(s->cmos, 0x34, min_u64(above_16m, 0xffff), 2);
	set_bytes(s->cmos, 0x5b, min_u64(high >> 16, 0xffffff), 3);
}

/* Sum of bytes 10h to 2Dh in 2Eh (high) and 2Fh (low). */
static void set_checksum(struct rtc_state *s)
{
	unsigned int sum = 0;

	for (unsigned int i = 0x10; i <= 0x2d; i++)
		sum += s->cmos[i];
	s->cmos[0x2e] = (uint8_t)(sum >> 8);
	s->cmos[0x2f] = (uint8_t)sum;
}

void rtc_create(struct rtc *r, const struct irq_line *irq, struct vclock *clock, struct vtimers *timers, uint64_t epoch,
		uint64_t low_end, uint64_t high)
{
	struct rtc_state *s = &r->s;
	uint64_t now = vclock_now(clock);

	memset(r, 0, sizeof(*r));
	r->irq = *irq;
	r->clock = clock;
	s->cmos[REG_A] = A_DV_RUN | 6;  /* 1024 Hz, as firmware leaves it */
	s->cmos[REG_B] = B_24;
	s->cmos[REG_D] = D_VRT;
	s->cmos[0x14] = 0x02;           /* equipment: an FPU, no display, no disks */
	set_memory(s, low_end, high);
	set_checksum(s);
	/* Beyond the year 9999 the registers have no digits. */
	s->offset = (int64_t)min_u64(epoch, RTC_EPOCH_MAX) - (int64_t)(now / NS_PER_S);
	s->seen_ns = now;
	time_to_bytes(s, now);
	vtimer_register(timers, &r->timer, rtc_fire, r);
}

void rtc_reset(struct rtc *r)
{
	r->s.index = 0;
	rtc_update(r);
	r->s.cmos[REG_B] &= (uint8_t)~(B_PIE | B_AIE | B_UIE | B_SQWE);
	r->s.cmos[REG_C] = 0;
	rtc_update(r);
}
