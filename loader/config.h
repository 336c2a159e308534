/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that turn the XML tree into a plan (manifest.c, config.c, config_devices.c). */
#ifndef LOADER_CONFIG_H
#define LOADER_CONFIG_H

#include <vouch/log.h>
#include <vouch/manifest.h>

#include "xml.h"

#define CONFIG_QUOTE 48               /* room for escaped text from the image in a message */

struct config {
	const struct image *img;
	struct vm_plan *plan;
	struct image_error *err;
	struct xml_place root;        /* for what is missing */
	unsigned int notes;           /* log lines that this configuration may still cause */
};

/* One log line with the guest's name and the line in the XML; silent once the configuration has used up its lines. */
void config_note(struct config *c, enum log_level level, const struct xml_place *at, const char *fmt, ...)
	__printf(4, 5);

/* Escapes text from the image into buf for a message. */
const char *config_quote(char buf[CONFIG_QUOTE], const char *text);

/*
 * Warns about every attribute of n that is not in params, and every child element that is in neither list (both end in
 * NULL).
 */
void config_warn_unknown(struct config *c, const struct xml_node *n, const char *const *params,
			 const char *const *elements);

/* Reads a decimal parameter: 0 and *out, or -1 with c->err; v->text is NULL and *out untouched if it is absent. */
__must_check int config_number(struct config *c, const struct xml_node *n, const char *name, struct xml_value *v,
			       uint64_t *out);

/* Everything below <devices>. */
__must_check int config_devices(struct config *c, const struct xml_node *devices);

#endif
