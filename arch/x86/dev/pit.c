/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254. Nothing ticks: a channel remembers when its count was loaded. Times are PIT ticks since the VM's creation.
 * One liberty: in mode 3 a new count waits for the end of the cycle, not of the half cycle.
 */
#include "pit.h"

#include <string.h>

#include "ticks.h"

/* Control word (8254 "Control Word Format"). */
#define CW_SELECT(v)  ((unsigned int)(v) >> 6)
#define CW_RW(v)      (((v) >> 4) & 3u)
#define CW_MODE(v)    (((v) >> 1) & 7u)
#define CW_BCD        0x01u
#define CW_READ_BACK  3u
#define RB_NO_COUNT   0x20u
#define RB_NO_STATUS  0x10u

#define STATUS_OUT    0x80u
#define STATUS_NULL   0x40u

#define RW_LOW  1u
#define RW_HIGH 2u
#define RW_BOTH 3u

#define PORT61_GATE2   0x01u
#define PORT61_WRITES  0x0fu
#define PORT61_REFRESH 0x10u
#define PORT61_OUT2    0x20u
#define REFRESH_NS     15085ull  /* DRAM refresh request: 18 PIT ticks */

static uint64_t pit_now(const struct pit *p)
{
	return ticks_at(vclock_now(p->clock), PIT_HZ);
}

static uint32_t full_scale(const struct pit_channel *c)
{
	return c->bcd ? 10000u : 0x10000u;
}

static bool periodic(const struct pit_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* now never runs backwards, but saved state may come from anywhere. */
static uint64_t elapsed(const struct pit_channel *c, uint64_t now)
{
	if (!c->counting)
		return c->held;
	return now > c->origin ? now - c->origin : 0;
}

/* Takes over a count that waited for the end of a cycle which is over by now. */
static void settle(struct pit_channel *c, uint64_t now)
{
	if (!c->next_count || !c->counting || now < c->next_at)
		return;
	c->count = c->next_count;
	c->origin = c->next_at;
	c->next_count = 0;
}

static bool out_level(const struct pit_channel *c, uint64_t now)
{
	uint64_t e = elapsed(c, now);

	switch (c->mode) {
	case 0:
		return c->count && e >= c->count;
	case 1:
		return !c->triggered || e >= c->count;
	case 2:
		return !c->count || !c->counting || e % c->count != c->count - 1;
	case 3:
		return !c->count || !c->counting || e % c->count < (c->count + 1) / 2;
	default:                /* 4, 5: one tick low when the count expires */
		return !c->count || !c->triggered || e != c->count;
	}
}

/* What the counting element holds, before conversion to BCD: 0 to 65535, or 9999. */
static uint32_t counter(const struct pit_channel *c, uint64_t now)
{
	uint32_t scale = full_scale(c);
	uint64_t e = elapsed(c, now);
	uint32_t into;

	if (!c->count)
		return 0;
	if (!periodic(c))
		return (uint32_t)((c->count % scale + scale - e % scale) % scale);
	into = (uint32_t)(e % c->count);
	if (c->mode == 2)
		return (c->count - into) % scale;
	/* Mode 3 counts down by two, once for each half. */
	if (into >= (c->count + 1) / 2)
		into -= (c->count + 1) / 2;
	return ((c->count & ~1u) - 2 * into) % scale;
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)((v / 1000 % 10) << 12 | (v / 100 % 10) << 8 | (v / 10 % 10) << 4 | v % 10);
}

/* Digits above 9 count as the hardware's decimal counter would first see them: by their weight. */
static uint32_t from_bcd(uint32_t v)
{
	return ((v >> 12 & 15) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15)) % 10000;
}

static uint16_t visible_count(const struct pit_channel *c, uint64_t now)
{
	uint32_t v = counter(c, now);

	return c->bcd ? to_bcd(v) : (uint16_t)v;
}

/*
 * Channel 0's OUT drives the interrupt. Where an edge is due the line falls and rises; between edges it stays high, so
 * that the PIC still finds the request when it acknowledges.
 */

/* Tick of the next rising edge of OUT after now; UINT64_MAX if there is none. */
static uint64_t next_edge(const struct pit_channel *c, uint64_t now)
{
	if (!c->count || !c->counting)
		return UINT64_MAX;
	if (!periodic(c)) {
		uint64_t at = c->origin + c->count + (c->mode == 0 ? 0u : 1u);

		return c->mode == 1 || at <= now ? UINT64_MAX : at;
	}
	/* A count that waits takes over at an edge, so this one is still the old count's. */
	return c->origin + (elapsed(c, now) / c->count + 1) * c->count;
}

/* Adds the edges that are over by now to what is owed. After settle(): beyond irq_tick the count in effect is right. */
static void collect_edges(struct pit *p, uint64_t now)
{
	const struct pit_channel *c = &p->s.ch[0];
	uint64_t edges = 1;

	if (p->s.irq_tick > now)
		return;
	if (periodic(c) && c->count) {
		edges += (now - p->s.irq_tick) / c->count;
		p->s.owed = (uint32_t)min_u64(p->s.owed + edges, max_u64(PIT_HZ / c->count, 1));
	} else {
		p->s.owed = 1;
	}
	p->s.irq_tick = next_edge(c, now);
}

/* Arms the timer for an owed interrupt, else for the next edge; floor: ticks that must lie between. */
static void arm(struct pit *p, uint64_t now, uint64_t floor)
{
	uint64_t gap = max_u64(p->s.ch[0].count / 4, floor);
	uint64_t at = p->s.owed ? now + gap : max_u64(p->s.irq_tick, now + floor);

	vtimer_arm(&p->timer, ticks_deadline(at, PIT_HZ));
}

static void pit_fire(void *ctx)
{
	struct pit *p = ctx;
	uint64_t now = pit_now(p);

	settle(&p->s.ch[0], now);
	collect_edges(p, now);
	if (p->s.owed) {
		p->s.owed--;
		irq_line_set(&p->irq, false);
		irq_line_set(&p->irq, true);
	}
	arm(p, now, ticks_at(PIT_FLOOR_NS, PIT_HZ));
}

/* After channel 0 was programmed: its OUT may have moved, its edges are elsewhere. */
static void pit_update(struct pit *p, unsigned int channel, uint64_t now)
{
	if (channel != 0)
		return;
	irq_line_set(&p->irq, out_level(&p->s.ch[0], now));
	p->s.owed = 0;
	p->s.irq_tick = next_edge(&p->s.ch[0], now);
	arm(p, now, 0);
}

/* Starts a count from the beginning. */
static void start(struct pit_channel *c, uint64_t now)
{
	c->origin = now;
	c->held = 0;
	c->counting = 1;
	c->next_count = 0;
}

static void hold(struct pit_channel *c, uint64_t now)
{
	c->held = elapsed(c, now);
	c->counting = 0;
}

static void load_count(struct pit_channel *c, uint32_t raw, uint64_t now)
{
	uint32_t n = c->bcd ? from_bcd(raw) : raw;
	bool first = !c->count;

	if (!n)
		n = full_scale(c);
	switch (c->mode) {
	case 0: case 4:
		c->count = n;
		start(c, now);
		c->triggered = 1;
		if (!c->gate)
			hold(c, now);
		break;
	case 1: case 5:         /* the gate starts it; a count in progress goes on with its own */
		if (c->triggered && elapsed(c, now) <= c->count) {
			c->next_count = n;
			c->next_at = UINT64_MAX;
		} else {
			c->count = n;
		}
		break;
	default:
		if (first || !c->gate) {
			c->count = n;
			start(c, now);
			if (!c->gate)
				hold(c, now);
		} else {
			c->next_at = c->origin + (elapsed(c, now) / c->count + 1) * c->count;
			c->next_count = n;
		}
	}
}

static void set_gate(struct pit_channel *c, bool gate, uint64_t now)
{
	bool rising = gate && !c->gate;

	if (gate == (bool)c->gate)
		return;
	settle(c, now);
	c->gate = gate;
	if (!c->count)
		return;
	switch (c->mode) {
	case 0: case 4:         /* the level lets it count */
		if (!rising) {
			hold(c, now);
		} else if (!c->write_high || c->mode == 4) {
			c->origin = now - c->held;
			c->counting = 1;
		}
		break;
	case 1: case 5:         /* the edge triggers */
		if (rising) {
			if (c->next_count)
				c->count = c->next_count;
			start(c, now);
			c->triggered = 1;
		}
		break;
	default:                /* low stops and lifts OUT, the edge starts over */
		if (rising) {
			if (c->next_count)
				c->count = c->next_count;
			start(c, now);
		} else {
			hold(c, now);
		}
	}
}

static void latch_count(struct pit_channel *c, uint64_t now)
{
	/* A second latch before the first was read is ignored. */
	if (c->count_latched)
		return;
	c->latched_count = visible_count(c, now);
	c->count_latched = (uint8_t)c->rw_mode;
}

static void latch_status(struct pit_channel *c, uint64_t now)
{
	if (c->status_latched)
		return;
	c->status = (uint8_t)((out_level(c, now) ? STATUS_OUT : 0u) | (!c->count || c->next_count ? STATUS_NULL : 0u) |
			      (unsigned int)c->rw_mode << 4 | (unsigned int)c->mode << 1 | c->bcd);
	c->status_latched = 1;
}

static void set_mode(struct pit_channel *c, uint8_t cw)
{
	uint8_t mode = CW_MODE(cw);
	uint8_t gate = c->gate;

	memset(c, 0, sizeof(*c));
	c->gate = gate;
	c->rw_mode = CW_RW(cw);
	c->mode = mode > 5 ? mode - 4 : mode;  /* x10 and x11: the third bit does not count */
	c->bcd = cw & CW_BCD;
}

static void write_control(struct pit *p, uint8_t cw, uint64_t now)
{
	unsigned int select = CW_SELECT(cw);

	if (select == CW_READ_BACK) {
		for (unsigned int i = 0; i < 3; i++) {
			if (!(cw & (2u << i)))
				continue;
			settle(&p->s.ch[i], now);
			if (!(cw & RB_NO_COUNT))
				latch_count(&p->s.ch[i], now);
			if (!(cw & RB_NO_STATUS))
				latch_status(&p->s.ch[i], now);
		}
		return;
	}
	settle(&p->s.ch[select], now);
	if (!CW_RW(cw)) {
		latch_count(&p->s.ch[select], now);
		return;
	}
	set_mode(&p->s.ch[select], cw);
	pit_update(p, select, now);
}

static void write_count(struct pit *p, unsigned int channel, uint8_t val, uint64_t now)
{
	struct pit_channel *c = &p->s.ch[channel];
	uint32_t raw;

	settle(c, now);
	switch (c->rw_mode) {
	case RW_LOW:
		raw = val;
		break;
	case RW_HIGH:
		raw = (uint32_t)val << 8;
		break;
	case RW_BOTH:
		if (!c->write_high) {
			c->write_latch = val;
			c->write_high = 1;
			/* 8254 "Mode 0": the first byte stops the count and drops OUT. */
			if (c->mode == 0) {
				c->held = 0;
				c->counting = 0;
				pit_update(p, channel, now);
			}
			return;
		}
		c->write_high = 0;
		raw = (uint32_t)val << 8 | c->write_latch;
		break;
	default:                /* no control word yet */
		return;
	}
	load_count(c, raw, now);
	pit_update(p, channel, now);
}

static uint8_t read_latched(struct pit_channel *c)
{
	if (c->count_latched & RW_LOW) {
		c->count_latched &= (uint8_t)~RW_LOW;
		return (uint8_t)c->latched_count;
	}
	c->count_latched = 0;
	return (uint8_t)(c->latched_count >> 8);
}

static uint8_t read_count(struct pit_channel *c, uint64_t now)
{
	uint16_t v;
	bool high = c->rw_mode == RW_HIGH;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (c->count_latched)
		return read_latched(c);
	settle(c, now);
	v = visible_count(c, now);
	if (c->rw_mode == RW_BOTH) {
		high = c->read_high;
		c->read_high = !high;
	}
	return (uint8_t)(high ? v >> 8 : v);
}

static uint64_t pit_read(void *dev, uint64_t off, unsigned int size)
{
	struct pit *p = dev;

	(void)size;
	if (off >= 3)
		return 0xff;    /* the control word cannot be read */
	return read_count(&p->s.ch[off], pit_now(p));
}

static void pit_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pit *p = dev;
	uint64_t now = pit_now(p);

	(void)size;
	if (off >= 3)
		write_control(p, (uint8_t)val, now);
	else
		write_count(p, (unsigned int)off, (uint8_t)val, now);
}

static uint64_t port61_read(void *dev, uint64_t off, unsigned int size)
{
	struct pit *p = dev;
	struct pit_channel *c = &p->s.ch[2];
	uint64_t now = pit_now(p);
	uint64_t val = p->s.port61;

	(void)off;
	(void)size;
	settle(c, now);
	if (vclock_now(p->clock) / REFRESH_NS & 1)
		val |= PORT61_REFRESH;
	if (out_level(c, now))
		val |= PORT61_OUT2;
	return val;
}

static void port61_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pit *p = dev;

	(void)off;
	(void)size;
	p->s.port61 = val & PORT61_WRITES;
	set_gate(&p->s.ch[2], val & PORT61_GATE2, pit_now(p));
}

const struct vdev_ops pit_ops = { .read = pit_read, .write = pit_write };
const struct vdev_ops pit_port61_ops = { .read = port61_read, .write = port61_write };

void pit_create(struct pit *p, const struct irq_line *irq, struct vclock *clock, struct vtimers *timers)
{
	memset(p, 0, sizeof(*p));
	p->irq = *irq;
	p->clock = clock;
	vtimer_register(timers, &p->timer, pit_fire, p);
}

/* The chip's own reset state is undefined. Here: mode 0, both bytes, no count, so nothing interrupts. */
void pit_reset(struct pit *p)
{
	memset(&p->s, 0, sizeof(p->s));
	for (unsigned int i = 0; i < 3; i++) {
		p->s.ch[i].rw_mode = RW_BOTH;
		p->s.ch[i].gate = i != 2;
	}
	irq_line_set(&p->irq, false);
	p->s.irq_tick = UINT64_MAX;
	vtimer_disarm(&p->timer);
}
