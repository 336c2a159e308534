/* SPDX-License-Identifier: BSD-2-Clause */
/* CF9h and 92h. Port 64h's reset is i8042.c's. A20 is kept as a bit only: guest memory has no gate. */
#include "reset.h"

#include <string.h>

#define CF9_SYS_RST 0x02u
#define CF9_RST_CPU 0x04u
#define CF9_FULL    0x08u

#define PORT92_FAST_RESET 0x01u
#define PORT92_A20        0x02u

uint8_t reset_cf9_read(void *r)
{
	return ((struct reset *)r)->cf9;
}

void reset_cf9_write(void *r, uint8_t val)
{
	struct reset *d = r;

	d->cf9 = val & (CF9_SYS_RST | CF9_FULL);
	/* Soft, hard and full reset are one to a guest that is verified and started again. */
	if (val & CF9_RST_CPU)
		d->control.stop(d->control.ctx, STOP_RESET, "reset by port 0xcf9");
}

static uint64_t port92_read(void *dev, uint64_t off, unsigned int size)
{
	(void)off;
	(void)size;
	return ((struct reset *)dev)->port92;
}

static void port92_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct reset *d = dev;

	(void)off;
	(void)size;
	d->port92 = val & PORT92_A20;
	if (val & PORT92_FAST_RESET)
		d->control.stop(d->control.ctx, STOP_RESET, "reset by port 0x92");
}

const struct vdev_ops reset_port92_ops = { .read = port92_read, .write = port92_write };

void reset_create(struct reset *r, const struct vm_control *control)
{
	memset(r, 0, sizeof(*r));
	r->control = *control;
}

void reset_reset(struct reset *r)
{
	r->cf9 = 0;
	r->port92 = PORT92_A20;
}
