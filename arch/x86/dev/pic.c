/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8259A pair: priorities, acknowledge, command words. 8086 mode only (the 8085's CALL mode and buffered mode have
 * no meaning on a PC and are ignored, as is LTIM, which the edge/level registers replace).
 * Reference: Intel 8259A datasheet, "Programming the 8259A"; 82371 (PIIX) datasheet for the edge/level registers.
 */
#include "pic.h"

#include <string.h>

#define CASCADE_IR 2u
#define SPURIOUS_IR 7u

/* IRQ 0, 1, 2, 8 and 13 are always edge triggered. */
#define ELCR_MASTER_MASK 0xf8u
#define ELCR_SLAVE_MASK  0xdeu

#define ICW1_SELECT 0x10u
#define ICW1_IC4    0x01u
#define ICW1_SNGL   0x02u
#define ICW4_AEOI   0x02u
#define ICW4_SFNM   0x10u
#define OCW3_SELECT 0x08u
#define OCW3_RIS    0x01u
#define OCW3_RR     0x02u
#define OCW3_POLL   0x04u
#define OCW3_SMM    0x20u
#define OCW3_ESMM   0x40u

/* init_state, as Xen's record has it. */
#define INIT_STEP 0x3u
#define INIT_IC4  0x4u
#define INIT_SNGL 0x8u

static inline uint8_t bit(unsigned int ir)
{
	return (uint8_t)(1u << ir);
}

/* Rank of an IR: 0 is the highest priority. */
static inline unsigned int rank(const struct pic_chip *c, unsigned int ir)
{
	return (ir - c->priority_add) & 7u;
}

/* The IR of highest priority in mask, or -1. */
static int highest(const struct pic_chip *c, uint8_t mask)
{
	for (unsigned int i = 0; i < 8; i++) {
		unsigned int ir = (c->priority_add + i) & 7u;

		if (mask & bit(ir))
			return (int)ir;
	}
	return -1;
}

/* In-service bits that hold back requests and that a non-specific EOI sees. 8259A "Special Mask Mode". */
static inline uint8_t isr_seen(const struct pic_chip *c)
{
	return c->special_mask ? (uint8_t)(c->isr & ~c->imr) : c->isr;
}

/* The IR that would be acknowledged now, or -1. */
static int request(const struct pic_chip *c)
{
	uint8_t wants = (uint8_t)(c->irr & ~c->imr);
	int ir, serving;

	if (!wants || c->init_state)
		return -1;
	ir = highest(c, wants);
	serving = highest(c, isr_seen(c));
	if (serving < 0 || rank(c, (unsigned int)ir) < rank(c, (unsigned int)serving))
		return ir;
	/* 8259A "Special Fully Nested Mode": a slave in service may ask again, for a higher IR of its own. */
	if (c->special_fully_nested && c->is_master && ir == serving && ir == (int)CASCADE_IR)
		return ir;
	return -1;
}

static void chip_set_line(struct pic_chip *c, unsigned int ir, bool level)
{
	bool was = c->lines & bit(ir);

	if (level) {
		c->lines |= bit(ir);
		if (!was || (c->elcr & bit(ir)))
			c->irr |= bit(ir);
		return;
	}
	c->lines &= (uint8_t)~bit(ir);
	if (c->elcr & bit(ir))
		c->irr &= (uint8_t)~bit(ir);
}

/*
 * The slave's INT drives the master's IR2. A request that the slave takes back must not stay latched in the master,
 * where it would end as a spurious IRQ 15: on a direct wire we can afford the chip's own rule, that an input must
 * stay high until it is acknowledged.
 */
static void set_cascade(struct pic *p, bool level)
{
	struct pic_chip *m = &p->chip[0];

	p->chip[1].int_output = level;
	chip_set_line(m, CASCADE_IR, level);
	if (!level)
		m->irr &= (uint8_t)~bit(CASCADE_IR);
}

static void set_intr(struct pic *p, bool level)
{
	if (p->chip[0].int_output == level)
		return;
	p->chip[0].int_output = level;
	p->intr(p->ctx, level);
}

static void update(struct pic *p)
{
	set_cascade(p, request(&p->chip[1]) >= 0);
	set_intr(p, request(&p->chip[0]) >= 0);
}

/* The chip's side of an acknowledge cycle. */
static void chip_ack(struct pic_chip *c, unsigned int ir)
{
	if (!(c->elcr & bit(ir)))
		c->irr &= (uint8_t)~bit(ir);
	if (!c->auto_eoi)
		c->isr |= bit(ir);
	else if (c->rotate_on_auto_eoi)
		c->priority_add = (ir + 1) & 7u;
}

/* Acknowledges chip n alone and lowers its output, so that a request left over makes a new edge. -1: spurious. */
static int take(struct pic *p, unsigned int n)
{
	int ir = request(&p->chip[n]);

	if (ir >= 0)
		chip_ack(&p->chip[n], (unsigned int)ir);
	if (n)
		set_cascade(p, false);
	else
		set_intr(p, false);
	return ir;
}

static uint8_t vector_of(const struct pic_chip *c, int ir)
{
	return (uint8_t)(c->irq_base + (ir < 0 ? SPURIOUS_IR : (unsigned int)ir));
}

uint8_t pic_ack(struct pic *p)
{
	int ir = take(p, 0);
	uint8_t vector;

	if (ir == (int)CASCADE_IR)
		vector = vector_of(&p->chip[1], take(p, 1));
	else
		vector = vector_of(&p->chip[0], ir);
	update(p);
	return vector;
}

bool pic_pending(const struct pic *p)
{
	return p->chip[0].int_output;
}

void pic_set(void *pic, unsigned int irq, bool level)
{
	struct pic *p = pic;

	if (irq >= 16 || irq == CASCADE_IR)
		return;
	chip_set_line(&p->chip[irq >> 3], irq & 7u, level);
	update(p);
}

/* 8259A "Initialization Command Words 1 and 2" lists what ICW1 does to the rest of the chip. */
static void write_icw1(struct pic_chip *c, uint8_t val)
{
	c->init_state = 1;
	if (val & ICW1_IC4)
		c->init_state |= INIT_IC4;
	if (val & ICW1_SNGL)
		c->init_state |= INIT_SNGL;
	c->irr &= c->elcr;
	c->imr = 0;
	c->isr = 0;
	c->priority_add = 0;
	c->readsel_isr = false;
	c->poll = false;
	c->special_mask = false;
	c->rotate_on_auto_eoi = false;
	c->auto_eoi = false;
	c->special_fully_nested = false;
}

static void write_icw_next(struct pic_chip *c, uint8_t val)
{
	unsigned int step = c->init_state & INIT_STEP;

	if (step == 1)
		c->irq_base = val & 0xf8u;
	if (step == 3) {
		c->auto_eoi = val & ICW4_AEOI;
		c->special_fully_nested = val & ICW4_SFNM;
	}
	step++;                                    /* ICW3 tells the wiring, which is fixed */
	if (step == 2 && (c->init_state & INIT_SNGL))
		step = 3;
	if (step == 4 || (step == 3 && !(c->init_state & INIT_IC4)))
		c->init_state = 0;
	else
		c->init_state = (uint8_t)((c->init_state & ~INIT_STEP) | step);
}

static void end_of_interrupt(struct pic_chip *c, int ir, bool rotate)
{
	if (ir < 0)
		return;
	c->isr &= (uint8_t)~bit((unsigned int)ir);
	if (rotate)
		c->priority_add = ((unsigned int)ir + 1) & 7u;
}

/* 8259A "Operation Control Word 2": R, SL, EOI in bits 7-5, a level in bits 2-0. */
static void write_ocw2(struct pic_chip *c, uint8_t val)
{
	int level = val & 7;

	switch (val >> 5) {
	case 0: /* rotate in automatic EOI mode: clear */
		c->rotate_on_auto_eoi = false;
		break;
	case 4: /* and set */
		c->rotate_on_auto_eoi = true;
		break;
	case 1: /* non-specific EOI */
		end_of_interrupt(c, highest(c, isr_seen(c)), false);
		break;
	case 5: /* rotate on non-specific EOI */
		end_of_interrupt(c, highest(c, isr_seen(c)), true);
		break;
	case 3: /* specific EOI */
		end_of_interrupt(c, level, false);
		break;
	case 7: /* rotate on specific EOI */
		end_of_interrupt(c, level, true);
		break;
	case 6: /* set priority: level becomes the lowest */
		c->priority_add = ((unsigned int)level + 1) & 7u;
		break;
	default: /* 2: no operation */
		break;
	}
}

static void write_ocw3(struct pic_chip *c, uint8_t val)
{
	if (val & OCW3_POLL)
		c->poll = true;
	if (val & OCW3_RR)
		c->readsel_isr = val & OCW3_RIS;
	if (val & OCW3_ESMM)
		c->special_mask = val & OCW3_SMM;
}

static void chip_write(struct pic *p, unsigned int n, uint64_t off, uint8_t val)
{
	struct pic_chip *c = &p->chip[n];

	if (off == 0) {
		if (val & ICW1_SELECT)
			write_icw1(c, val);
		else if (val & OCW3_SELECT)
			write_ocw3(c, val);
		else
			write_ocw2(c, val);
	} else if (c->init_state) {
		write_icw_next(c, val);
	} else {
		c->imr = val;
	}
	update(p);
}

/* 8259A "Poll Command": the read acts as an acknowledge of this chip alone. */
static uint8_t poll_read(struct pic *p, unsigned int n)
{
	int ir = take(p, n);

	p->chip[n].poll = false;
	update(p);
	return ir < 0 ? 0 : (uint8_t)(0x80u | (unsigned int)ir);
}

static uint8_t chip_read(struct pic *p, unsigned int n, uint64_t off)
{
	const struct pic_chip *c = &p->chip[n];

	if (c->poll)
		return poll_read(p, n);
	if (off != 0)
		return c->imr;
	return c->readsel_isr ? c->isr : c->irr;
}

static uint64_t master_read(void *dev, uint64_t off, unsigned int size)
{
	(void)size;
	return chip_read(dev, 0, off);
}

static void master_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	(void)size;
	chip_write(dev, 0, off, (uint8_t)val);
}

static uint64_t slave_read(void *dev, uint64_t off, unsigned int size)
{
	(void)size;
	return chip_read(dev, 1, off);
}

static void slave_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	(void)size;
	chip_write(dev, 1, off, (uint8_t)val);
}

static uint64_t elcr_read(void *dev, uint64_t off, unsigned int size)
{
	const struct pic *p = dev;

	(void)size;
	return p->chip[off & 1].elcr;
}

/* An input that becomes level triggered shows its line; one that becomes edge triggered waits for an edge. */
static void elcr_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pic *p = dev;
	struct pic_chip *c = &p->chip[off & 1];
	uint8_t elcr = (uint8_t)(val & (off & 1 ? ELCR_SLAVE_MASK : ELCR_MASTER_MASK));
	uint8_t changed = elcr ^ c->elcr;

	(void)size;
	c->elcr = elcr;
	c->irr = (uint8_t)((c->irr & ~changed) | (changed & elcr & c->lines));
	update(p);
}

const struct vdev_ops pic_master_ops = { .read = master_read, .write = master_write };
const struct vdev_ops pic_slave_ops = { .read = slave_read, .write = slave_write };
const struct vdev_ops pic_elcr_ops = { .read = elcr_read, .write = elcr_write };

static void chip_reset(struct pic_chip *c)
{
	uint8_t lines = c->lines;
	bool is_master = c->is_master, out = c->int_output;

	memset(c, 0, sizeof(*c));
	c->lines = lines;
	c->is_master = is_master;
	c->int_output = out;
	c->imr = 0xff;
}

void pic_reset(struct pic *p)
{
	chip_reset(&p->chip[0]);
	chip_reset(&p->chip[1]);
	update(p);
}

void pic_create(struct pic *p, void (*intr)(void *ctx, bool level), void *ctx)
{
	memset(p, 0, sizeof(*p));
	p->intr = intr;
	p->ctx = ctx;
	p->chip[0].is_master = true;
	pic_reset(p);
}
