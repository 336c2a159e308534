/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads parameters and numbers from the tree that xml.c built. Knows neither expat nor what an element means. */
#include "xml.h"

#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool xml_same_name(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}

static const struct xml_node *named(const struct xml_node *n, const char *name)
{
	while (n && !xml_same_name(n->name, name))
		n = n->next;
	return n;
}

const struct xml_node *xml_child(const struct xml_node *n, const char *name)
{
	return n ? named(n->child, name) : NULL;
}

const struct xml_node *xml_sibling(const struct xml_node *n, const char *name)
{
	return named(n->next, name);
}

void xml_find_param(const struct xml_node *n, const char *name, struct xml_value *v, bool *cut)
{
	memset(v, 0, sizeof(*v));
	v->place = n->place;
	*cut = false;
	for (uint32_t i = 0; i < n->attr_count; i++) {
		if (!xml_same_name(n->attr[i].name, name))
			continue;
		if (!v->attributes++)
			v->text = n->attr[i].value;
	}
	for (const struct xml_node *c = xml_child(n, name); c; c = xml_sibling(c, name)) {
		if (!*c->text && !c->cut)
			continue;
		v->elements++;
		*cut |= c->cut;
		v->place = c->place;
		if (!v->text)
			v->text = c->text;
	}
}

int xml_param(const struct xml_node *n, const char *name, struct xml_value *v, struct image_error *err)
{
	bool cut;

	xml_find_param(n, name, v, &cut);
	if (v->attributes + v->elements > 1)
		return xml_fail(err, IMG_ERR_PARAM_TWICE, &v->place, "%s, %s", name, v->attributes && v->elements ?
				"as attribute and as element: remove one" : "names are compared without case");
	if (cut)
		return xml_fail(err, IMG_ERR_PARAM_MIXED, &v->place, "%s", name);
	return 0;
}

int xml_decimal(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		unsigned int digit;

		if (*text < '0' || *text > '9')
			return -1;
		digit = (unsigned int)(*text - '0');
		if (digit > max || v > (max - digit) / 10)
			return -1;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int xml_hex(const char *text, uint64_t *out)
{
	uint64_t v = 0;

	if (text[0] == '0' && lower(text[1]) == 'x')
		text += 2;
	if (!*text)
		return -1;
	for (; *text; text++) {
		int digit = hex_digit(*text);

		if (digit < 0 || v >> 60)
			return -1;
		v = v << 4 | (unsigned int)digit;
	}
	*out = v;
	return 0;
}
