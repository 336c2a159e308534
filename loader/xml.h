/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XML of an image as a tree in an arena, and the rules by which parameters are read from it (docs/configuration.md,
 * "How the XML is read"). Nothing in the tree was interpreted; all strings are NUL-terminated and unescaped.
 */
#ifndef LOADER_XML_H
#define LOADER_XML_H

#include <vouch/manifest.h>

#include "error.h"

#define XML_MAX_DEPTH      64u
#define XML_MAX_ELEMENTS   4096u
#define XML_MAX_ATTRIBUTES 64u
#define XML_MAX_VALUE      0x4000u   /* bytes of one text or attribute value */

struct xml_attr {
	const char *name, *value;
};

struct xml_node {
	const char *name;
	const char *text;             /* before the first child element; "" if it is only white space */
	bool cut;                     /* more text, not blank, followed a child element */
	struct xml_attr *attr;
	uint32_t attr_count;
	struct xml_place place;
	struct xml_node *parent, *child, *last_child, *next;
};

/*
 * Parses the image's XML into a tree in the arena, which is reset first. Refuses declarations, processing instructions,
 * document types and whatever exceeds the bounds above. The root, or NULL with *err. expat's one door.
 */
struct xml_node *xml_parse(const struct image *img, struct xml_arena *arena, struct image_error *err);

/* ASCII letters alike in both cases. */
bool xml_same_name(const char *a, const char *b);

/* The first child element of that name (n = NULL allowed), and the next after one; NULL if there is none. */
const struct xml_node *xml_child(const struct xml_node *n, const char *name);
const struct xml_node *xml_sibling(const struct xml_node *n, const char *name);

/* A value and where it stands. */
struct xml_value {
	const char *text;             /* NULL: absent */
	struct xml_place place;
	unsigned int attributes, elements;    /* how often it was given as each */
};

/*
 * A parameter is an attribute or a child element of that name, never both and never twice; an empty child element
 * counts as absent. 0, or -1 with *err.
 */
__must_check int xml_param(const struct xml_node *n, const char *name, struct xml_value *v, struct image_error *err);

/* Finds it only: for a caller that has its own errors. v->text is the first found. */
void xml_find_param(const struct xml_node *n, const char *name, struct xml_value *v, bool *cut);

/* Digits only, no sign, no blanks, no more than max. 0 or -1; *out untouched then. */
__must_check int xml_decimal(const char *text, uint64_t max, uint64_t *out);

/* The same with an optional 0x, 64 bits. */
__must_check int xml_hex(const char *text, uint64_t *out);

#endif
