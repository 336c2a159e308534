/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818 real-time clock and its 128 bytes of CMOS memory, ports 70h and 71h (Motorola MC146818 data sheet; the
 * bytes above 0Dh as PC firmware uses them). Time is the guest's clock plus an offset.
 */
#ifndef VOUCH_RTC_H
#define VOUCH_RTC_H

#include <vouch/bus.h>
#include <vouch/irq_line.h>
#include <vouch/types.h>
#include <vouch/vclock.h>

#define RTC_PORTS        2u
#define RTC_CMOS         128u
#define RTC_EPOCH_MAX    253402300799ull  /* 9999-12-31 23:59:59 */
#define RTC_REG_CENTURY  0x32u   /* in FADT, too */

struct rtc_state {
	/*
	 * Alarm, register A and B and memory as written; C's flags; 0 to 9 and the century hold the time only while it
	 * stands still.
	 */
	uint8_t cmos[RTC_CMOS];
	uint8_t index;                /* as written to 70h, with the NMI mask in bit 7 */
	/* Seconds since 1970 at guest time t (ns) are offset + (t + phase_ns) / 10^9. */
	int64_t offset;
	uint32_t phase_ns;            /* below 10^9 */
	uint64_t seen_ns;             /* guest time up to which C's flags are set */
};

struct rtc {
	struct irq_line irq;
	struct vclock *clock;
	struct vtimer timer;
	struct rtc_state s;
};

extern const struct vdev_ops rtc_ops;   /* RTC_PORTS long, byte accesses */

/*
 * epoch: seconds since 1970 that the clock shows now. low_end: end of RAM below 4 GiB, high: bytes of RAM above, for
 * the memory size bytes.
 */
void rtc_create(struct rtc *r, const struct irq_line *irq, struct vclock *clock, struct vtimers *timers, uint64_t epoch,
		uint64_t low_end, uint64_t high);
/* A battery keeps time and memory: only interrupts and the index are reset. */
void rtc_reset(struct rtc *r);

#endif
