/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a guest's serial port or debug port ends: bytes out, bytes in. The VM's console owner supplies it. */
#ifndef VOUCH_CHARDEV_H
#define VOUCH_CHARDEV_H

#include <vouch/types.h>

struct chardev {
	void (*put)(void *ctx, const uint8_t *bytes, size_t n);  /* guest to world; never blocks for long; NULL drops */
	void *ctx;
};

static inline void chardev_put(const struct chardev *c, const uint8_t *bytes, size_t n)
{
	if (c->put)
		c->put(c->ctx, bytes, n);
}

#endif
