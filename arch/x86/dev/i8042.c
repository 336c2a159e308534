/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8042 as IBM's AT programmed it (PS/2 Technical Reference "Keyboard/Auxiliary Device Controller"). A byte for a
 * device that is not there is answered as the controller answers a silent one: data FEh with the timeout bit.
 */
#include "i8042.h"

#include <string.h>

#define STS_OBF     0x01u
#define STS_SYS     0x04u
#define STS_CMD     0x08u
#define STS_UNLOCK  0x10u       /* keyboard lock is open */
#define STS_AUX     0x20u
#define STS_TIMEOUT 0x40u

#define CFG_KBD_IRQ 0x01u
#define CFG_AUX_IRQ 0x02u
#define CFG_SYS     0x04u
#define CFG_KBD_OFF 0x10u
#define CFG_AUX_OFF 0x20u
#define CFG_XLATE   0x40u
#define CFG_BITS    0x77u

#define OUT_NO_RESET 0x01u
#define OUT_A20      0x02u
#define OUT_KBD_OBF  0x10u
#define OUT_AUX_OBF  0x20u

#define CMD_READ_CONFIG   0x20u
#define CMD_WRITE_CONFIG  0x60u
#define CMD_AUX_OFF       0xa7u
#define CMD_AUX_ON        0xa8u
#define CMD_AUX_TEST      0xa9u
#define CMD_SELF_TEST     0xaau
#define CMD_KBD_TEST      0xabu
#define CMD_KBD_OFF       0xadu
#define CMD_KBD_ON        0xaeu
#define CMD_READ_OUTPORT  0xd0u
#define CMD_WRITE_OUTPORT 0xd1u
#define CMD_FAKE_KBD      0xd2u
#define CMD_FAKE_AUX      0xd3u
#define CMD_WRITE_AUX     0xd4u
#define CMD_PULSE         0xf0u /* F0h-FFh: pulls the output lines whose bits are 0 */

#define SELF_TEST_GOOD 0x55u
#define PORT_TEST_GOOD 0x00u
#define NO_ANSWER      0xfeu

static void irq_update(struct i8042 *k)
{
	uint8_t full = k->s.status & (STS_OBF | STS_AUX);

	irq_line_set(&k->kbd_irq, full == STS_OBF && (k->s.config & CFG_KBD_IRQ));
	irq_line_set(&k->aux_irq, full == (STS_OBF | STS_AUX) && (k->s.config & CFG_AUX_IRQ));
}

/* Fills the output buffer; an unread byte is overwritten. The line falls first: each byte is an edge. */
static void answer(struct i8042 *k, uint8_t val, uint8_t flags)
{
	k->s.status &= (uint8_t)~(STS_OBF | STS_AUX | STS_TIMEOUT);
	irq_update(k);
	k->s.data = val;
	k->s.status |= (uint8_t)(STS_OBF | flags);
	irq_update(k);
}

static void do_reset(struct i8042 *k)
{
	k->control.stop(k->control.ctx, STOP_RESET, "reset by port 0x64");
}

static uint8_t read_outport(const struct i8042 *k)
{
	uint8_t val = k->s.outport;

	if (k->s.status & STS_OBF)
		val |= k->s.status & STS_AUX ? OUT_AUX_OBF : OUT_KBD_OBF;
	return val;
}

static void write_config(struct i8042 *k, uint8_t val)
{
	k->s.config = val & CFG_BITS;
	k->s.status = (uint8_t)((k->s.status & ~STS_SYS) | (val & CFG_SYS ? STS_SYS : 0));
	irq_update(k);
}

static void self_test(struct i8042 *k)
{
	k->s.status |= STS_SYS;
	k->s.config = CFG_SYS | CFG_KBD_OFF | CFG_AUX_OFF | CFG_XLATE;
	k->s.outport = OUT_NO_RESET | OUT_A20;
	answer(k, SELF_TEST_GOOD, 0);
}

static void command(struct i8042 *k, uint8_t cmd)
{
	struct i8042_state *s = &k->s;

	s->command = 0;
	s->status |= STS_CMD;
	switch (cmd) {
	case CMD_READ_CONFIG:
		answer(k, s->config, 0);
		break;
	case CMD_SELF_TEST:
		self_test(k);
		break;
	case CMD_KBD_TEST:
	case CMD_AUX_TEST:
		answer(k, PORT_TEST_GOOD, 0);
		break;
	case CMD_AUX_OFF:
		s->config |= CFG_AUX_OFF;
		break;
	case CMD_AUX_ON:
		s->config &= (uint8_t)~CFG_AUX_OFF;
		break;
	case CMD_KBD_OFF:
		s->config |= CFG_KBD_OFF;
		break;
	case CMD_KBD_ON:
		s->config &= (uint8_t)~CFG_KBD_OFF;
		break;
	case CMD_READ_OUTPORT:
		answer(k, read_outport(k), 0);
		break;
	case CMD_WRITE_CONFIG:
	case CMD_WRITE_OUTPORT:
	case CMD_FAKE_KBD:
	case CMD_FAKE_AUX:
	case CMD_WRITE_AUX:
		s->command = cmd;
		break;
	default:
		if (cmd >= CMD_PULSE && !(cmd & OUT_NO_RESET))
			do_reset(k);
		break;          /* others are unknown to the chip too */
	}
}

static void data(struct i8042 *k, uint8_t val)
{
	uint8_t cmd = k->s.command;

	k->s.command = 0;
	k->s.status &= (uint8_t)~STS_CMD;
	switch (cmd) {
	case CMD_WRITE_CONFIG:
		write_config(k, val);
		break;
	case CMD_WRITE_OUTPORT:
		k->s.outport = val & (OUT_NO_RESET | OUT_A20);
		if (!(val & OUT_NO_RESET))
			do_reset(k);
		break;
	case CMD_FAKE_KBD:
		answer(k, val, 0);
		break;
	case CMD_FAKE_AUX:
		answer(k, val, STS_AUX);
		break;
	case CMD_WRITE_AUX:
		answer(k, NO_ANSWER, STS_AUX | STS_TIMEOUT);
		break;
	default:                /* for the keyboard; writing to it also switches it on */
		k->s.config &= (uint8_t)~CFG_KBD_OFF;
		answer(k, NO_ANSWER, STS_TIMEOUT);
		break;
	}
}

static uint64_t data_read(void *dev, uint64_t off, unsigned int size)
{
	struct i8042 *k = dev;

	(void)off;
	(void)size;
	k->s.status &= (uint8_t)~(STS_OBF | STS_AUX | STS_TIMEOUT);
	irq_update(k);
	return k->s.data;
}

static void data_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	(void)off;
	(void)size;
	data(dev, (uint8_t)val);
}

static uint64_t command_read(void *dev, uint64_t off, unsigned int size)
{
	(void)off;
	(void)size;
	return ((struct i8042 *)dev)->s.status | STS_UNLOCK;
}

static void command_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	(void)off;
	(void)size;
	command(dev, (uint8_t)val);
}

const struct vdev_ops i8042_data_ops = { .read = data_read, .write = data_write };
const struct vdev_ops i8042_command_ops = { .read = command_read, .write = command_write };

void i8042_create(struct i8042 *k, const struct irq_line *kbd, const struct irq_line *aux,
		  const struct vm_control *control)
{
	memset(k, 0, sizeof(*k));
	k->kbd_irq = *kbd;
	k->aux_irq = *aux;
	k->control = *control;
}

/* As firmware leaves it: tested, interrupts off, A20 open. */
void i8042_reset(struct i8042 *k)
{
	memset(&k->s, 0, sizeof(k->s));
	k->s.status = STS_SYS;
	k->s.config = CFG_SYS | CFG_XLATE;
	k->s.outport = OUT_NO_RESET | OUT_A20;
	irq_update(k);
}
