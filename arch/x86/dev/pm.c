/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI fixed hardware. The PM timer is the guest's clock in other units; nothing runs unless its interrupt is enabled.
 */
#include "pm.h"

#include <string.h>

#include "ticks.h"

/* PM1 status and enable (ACPI "PM1 Event Grouping", 4.8.3.1). */
#define PM1_TMR    0x0001u
#define PM1_GBL    0x0020u
#define PM1_PWRBTN 0x0100u
#define PM1_RTC    0x0400u
#define PM1_WAK    0x8000u
#define PM1_EN_ALL (PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_RTC)
#define PM1_STS_W1C (PM1_EN_ALL | PM1_WAK)

/* PM1 control (ACPI "PM1 Control Grouping", 4.8.3.2). GBL_RLS and SLP_EN read as zero. */
#define CNT_SCI_EN  0x0001u
#define CNT_KEEP    0x1c02u      /* SLP_TYP, BM_RLD */
#define CNT_SLP_TYP(v) (((unsigned int)(v) >> 10) & 7u)
#define CNT_SLP_EN  0x2000u

/* TMR_STS rises whenever the timer's top bit changes (TMR_VAL_EXT: 32 bits). */
#define TMR_TOP 31u

static uint64_t tmr_now(const struct pm *p)
{
	return ticks_at(vclock_now(p->clock), PM_TMR_HZ);
}

uint32_t pm_timer(const struct pm *p)
{
	return (uint32_t)tmr_now(p);
}

static uint16_t status(const struct pm *p)
{
	return (uint16_t)(p->s.sts | (p->s.tmr_sts ? PM1_TMR : 0));
}

/* Brings TMR_STS up to date, drives the SCI, and arms the timer if the next overflow would interrupt. */
static void pm_update(struct pm *p)
{
	uint64_t now = tmr_now(p);

	if (now >> TMR_TOP != p->s.tmr_seen >> TMR_TOP)
		p->s.tmr_sts = true;
	p->s.tmr_seen = now;
	irq_line_set(&p->sci, status(p) & p->s.en);
	if ((p->s.en & PM1_TMR) && !p->s.tmr_sts)
		vtimer_arm(&p->timer, ticks_deadline(((now >> TMR_TOP) + 1) << TMR_TOP, PM_TMR_HZ));
	else
		vtimer_disarm(&p->timer);
}

static void pm_fire(void *ctx)
{
	pm_update(ctx);
}

static uint64_t pm_read(void *dev, uint64_t off, unsigned int size)
{
	struct pm *p = dev;
	uint8_t regs[PM_LEN] = { 0 };
	uint64_t val = 0;
	uint16_t sts;
	uint32_t tmr;

	if (off == PM_TMR_OFF && size == 4)     /* the hot one */
		return pm_timer(p);
	pm_update(p);
	sts = status(p);
	tmr = (uint32_t)p->s.tmr_seen;
	memcpy(&regs[PM_EVT_OFF], &sts, 2);
	memcpy(&regs[PM_EVT_OFF + 2], &p->s.en, 2);
	memcpy(&regs[PM_CNT_OFF], &p->s.cnt, 2);
	memcpy(&regs[PM_TMR_OFF], &tmr, 4);
	if (span_ok(off, size, PM_LEN))
		memcpy(&val, &regs[off], size);
	return val;
}

static void write_control(struct pm *p, uint16_t val)
{
	p->s.cnt = (uint16_t)((val & CNT_KEEP) | CNT_SCI_EN);
	/* Only S5 is offered in the tables; another type is not a sleep state and nothing happens. */
	if ((val & CNT_SLP_EN) && CNT_SLP_TYP(val) == PM_SLP_S5)
		p->control.stop(p->control.ctx, STOP_POWEROFF, "powered off (ACPI S5)");
}

static void write_byte(struct pm *p, uint64_t off, uint8_t val, uint16_t *cnt)
{
	unsigned int shift = off & 1 ? 8 : 0;
	uint16_t bits = (uint16_t)((unsigned int)val << shift);
	uint16_t keep = (uint16_t)(0xff00u >> shift);

	switch (off & ~1ull) {
	case PM_EVT_OFF:
		if (bits & PM1_TMR)
			p->s.tmr_sts = false;
		p->s.sts &= (uint16_t)~(bits & PM1_STS_W1C);
		break;
	case PM_EVT_OFF + 2:
		p->s.en = (uint16_t)((p->s.en & keep) | (bits & PM1_EN_ALL));
		break;
	case PM_CNT_OFF:
		*cnt = (uint16_t)((*cnt & keep) | bits);
		break;
	default:                /* the timer cannot be written */
		break;
	}
}

static void pm_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pm *p = dev;
	uint16_t cnt = p->s.cnt;

	pm_update(p);
	for (unsigned int i = 0; i < size; i++)
		write_byte(p, off + i, (uint8_t)(val >> (8 * i)), &cnt);
	/* SLP_EN acts once, on the whole register; it is never kept, so a write beside it does not find it. */
	if (off < PM_CNT_OFF + 2 && off + size > PM_CNT_OFF)
		write_control(p, cnt);
	pm_update(p);
}

const struct vdev_ops pm_ops = { .read = pm_read, .write = pm_write };

void pm_create(struct pm *p, const struct irq_line *sci, const struct vm_control *control, struct vclock *clock,
	       struct vtimers *timers)
{
	memset(p, 0, sizeof(*p));
	p->sci = *sci;
	p->control = *control;
	p->clock = clock;
	vtimer_register(timers, &p->timer, pm_fire, p);
}

void pm_reset(struct pm *p)
{
	memset(&p->s, 0, sizeof(p->s));
	p->s.cnt = CNT_SCI_EN;
	p->s.tmr_seen = tmr_now(p);
	pm_update(p);
}

void pm_power_button(struct pm *p)
{
	p->s.sts |= PM1_PWRBTN;
	pm_update(p);
}

void pm_rtc_alarm(struct pm *p)
{
	p->s.sts |= PM1_RTC;
	pm_update(p);
}
