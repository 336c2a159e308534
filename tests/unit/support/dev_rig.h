/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device's wires end in, in its tests: lines that count edges, a control that records, a chardev that keeps. */
#ifndef SUPPORT_DEV_RIG_H
#define SUPPORT_DEV_RIG_H

#include <stdio.h>
#include <string.h>

#include <vouch/chardev.h>
#include <vouch/irq_line.h>
#include <vouch/stop.h>

struct rig_line {
	bool level;
	unsigned int rises, falls;
};

static inline void rig_line_set(void *ctx, unsigned int pin, bool level)
{
	struct rig_line *l = &((struct rig_line *)ctx)[pin];

	l->rises += level && !l->level;
	l->falls += !level && l->level;
	l->level = level;
}

/* Line number pin of an array of struct rig_line. */
static inline struct irq_line rig_line_to(struct rig_line *lines, unsigned int pin)
{
	return (struct irq_line){ .set = rig_line_set, .ctx = lines, .pin = pin };
}

struct rig_stop {
	unsigned int count;
	enum stop_kind kind;
	char text[160];
};

static inline void rig_stop_set(void *ctx, enum stop_kind kind, const char *text)
{
	struct rig_stop *s = ctx;

	s->count++;
	s->kind = kind;
	snprintf(s->text, sizeof(s->text), "%s", text);
}

static inline struct vm_control rig_stop_to(struct rig_stop *s)
{
	return (struct vm_control){ .stop = rig_stop_set, .ctx = s };
}

struct rig_chars {
	size_t n, puts;               /* bytes in all; only the first sizeof(bytes) are kept */
	uint8_t bytes[4096];
};

static inline void rig_chars_put(void *ctx, const uint8_t *bytes, size_t n)
{
	struct rig_chars *c = ctx;

	c->puts++;
	for (size_t i = 0; i < n; i++, c->n++)
		if (c->n < sizeof(c->bytes))
			c->bytes[c->n] = bytes[i];
}

static inline struct chardev rig_chars_to(struct rig_chars *c)
{
	return (struct chardev){ .put = rig_chars_put, .ctx = c };
}

#endif
