/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's pair of 8259A interrupt controllers and its edge/level registers.
 *
 * struct pic_chip holds what Xen's hvm_hw_vpic record holds (8 bytes a chip: save through it without loss); lines,
 * the levels at the inputs, belong to the devices and to Xen's ISA_IRQ record. Callers hold the VM.
 */
#ifndef X86_DEV_PIC_H
#define X86_DEV_PIC_H

#include <vouch/bus.h>
#include <vouch/types.h>

#define PIC_MASTER_PORT 0x20u
#define PIC_SLAVE_PORT  0xa0u
#define PIC_ELCR_PORT   0x4d0u
#define PIC_PORTS       2u        /* length of each of the three ranges; all take bytes */

struct pic_chip {
	uint8_t irr;              /* requests: latched edges, or the level of a level line */
	uint8_t imr;
	uint8_t isr;
	uint8_t irq_base;         /* vector of IR0 */
	uint8_t init_state;       /* 0 idle, else bits 0-1: next ICW less one; bit 2: ICW4 comes; bit 3: no ICW3 */
	uint8_t priority_add;     /* the IR with the highest priority */
	bool readsel_isr;         /* port 0 reads ISR, else IRR */
	bool poll;                /* the next read is a poll */
	bool auto_eoi;
	bool rotate_on_auto_eoi;
	bool special_fully_nested;
	bool special_mask;
	bool is_master;           /* wired, not programmable */
	uint8_t elcr;             /* set bits: level triggered */
	bool int_output;

	uint8_t lines;            /* levels at IR0-7 */
};

struct pic {
	struct pic_chip chip[2];  /* 0 master, 1 slave on its IR2 */
	void (*intr)(void *ctx, bool level);
	void *ctx;
};

/* dev of all three is the struct pic. */
extern const struct vdev_ops pic_master_ops;
extern const struct vdev_ops pic_slave_ops;
extern const struct vdev_ops pic_elcr_ops;

/*
 * intr is told each change of the master's INT output; it may be called from every function below that takes a
 * struct pic that is not const, and must not call back. It is not called before the first line is set.
 */
void pic_create(struct pic *p, void (*intr)(void *ctx, bool level), void *ctx);

/*
 * Power-up: everything masked (the 8259A leaves it open; so no line can reach a guest that has not programmed the
 * chips). Lines keep their levels. intr hears of it if the output was high.
 */
void pic_reset(struct pic *p);

/* Sets the level of ISA IRQ 0-15; fits struct irq_line. IRQ 2 is the cascade and others do not exist: ignored. */
void pic_set(void *pic, unsigned int irq, bool level);

/* The INT output. */
bool pic_pending(const struct pic *p);

/*
 * The CPU's interrupt acknowledge cycle: the vector to deliver. With nothing pending it is the spurious one, IR7 of
 * the chip that was asked, and no in-service bit is set for it there.
 */
uint8_t pic_ack(struct pic *p);

#endif
