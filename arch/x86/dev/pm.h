/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI fixed hardware: PM1 event and control registers, PM timer, power button (ACPI "ACPI Hardware Specification",
 * chapter 4). There is no SMI command port: the guest finds itself in ACPI mode.
 */
#ifndef VOUCH_PM_H
#define VOUCH_PM_H

#include <vouch/bus.h>
#include <vouch/irq_line.h>
#include <vouch/stop.h>
#include <vouch/types.h>
#include <vouch/vclock.h>

/* Offsets in the block; acpi.c tells the guest. */
#define PM_EVT_OFF 0u         /* status, then enable, 2 bytes each */
#define PM_CNT_OFF 4u         /* 2 bytes; two more read zero */
#define PM_TMR_OFF 8u         /* 4 bytes, read-only */
#define PM_LEN     12u

#define PM_TMR_HZ  3579545ull
#define PM_SLP_S5  5u         /* SLP_TYP of _S5; no other sleep state exists */

struct pm_state {
	uint16_t sts;                 /* without TMR_STS, which follows from tmr_seen */
	uint16_t en, cnt;
	bool tmr_sts;
	uint64_t tmr_seen;            /* tick up to which overflows went into tmr_sts */
};

struct pm {
	struct irq_line sci;          /* level */
	struct vm_control control;
	struct vclock *clock;
	struct vtimer timer;
	struct pm_state s;
};

extern const struct vdev_ops pm_ops;    /* PM_LEN long, accesses of 1, 2 and 4 bytes */

void pm_create(struct pm *p, const struct irq_line *sci, const struct vm_control *control, struct vclock *clock,
	       struct vtimers *timers);
void pm_reset(struct pm *p);

/* PM_TMR_OFF as the guest reads it now, 4 bytes. */
uint32_t pm_timer(const struct pm *p);

/* The button is pressed and let go; what comes of it is the guest's decision. */
void pm_power_button(struct pm *p);

/* The RTC asserts its interrupt: RTC_STS, which the guest may have as an SCI. */
void pm_rtc_alarm(struct pm *p);

#endif
