/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard controller's ports 60h and 64h, with no keyboard and no mouse attached: enough for its commands to
 * answer as a sound controller would, and for the reset that software asks of it.
 */
#ifndef VOUCH_I8042_H
#define VOUCH_I8042_H

#include <vouch/bus.h>
#include <vouch/irq_line.h>
#include <vouch/stop.h>
#include <vouch/types.h>

struct i8042_state {
	uint8_t status;               /* OBF, SYS, CMD, AUX_OBF, TIMEOUT */
	uint8_t data;                 /* output buffer */
	uint8_t config;
	uint8_t command;              /* waits for its data byte at 60h; 0 = none */
	uint8_t outport;
};

struct i8042 {
	struct irq_line kbd_irq, aux_irq;
	struct vm_control control;
	struct i8042_state s;
};

extern const struct vdev_ops i8042_data_ops;      /* port 60h, byte accesses */
extern const struct vdev_ops i8042_command_ops;   /* port 64h, byte accesses */

void i8042_create(struct i8042 *k, const struct irq_line *kbd, const struct irq_line *aux,
		  const struct vm_control *control);
void i8042_reset(struct i8042 *k);

#endif
