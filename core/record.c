/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows to columns or to JSON, piece by piece, without a buffer for the whole. */
#include "core/record.h"

#include <stdio.h>
#include <string.h>

static void put(struct record_out *o, const char *text)
{
	o->put(o->ctx, text, strlen(text));
}

/* Printable ASCII as it is, but for what the look escapes itself; returns the length. */
static size_t escape(char dst[8], char c, bool json)
{
	unsigned char byte = (unsigned char)c;

	if (byte < 0x20 || byte > 0x7e)
		return (size_t)snprintf(dst, 8, json ? "\\u%04x" : "\\x%02x", byte);
	if (json && (c == '"' || c == '\\')) {
		dst[0] = '\\';
		dst[1] = c;
		return 2;
	}
	dst[0] = c;
	return 1;
}

static void put_escaped(struct record_out *o, const char *text)
{
	char part[64];
	size_t used = 0;

	for (; *text; text++) {
		if (used > sizeof(part) - 8) {
			o->put(o->ctx, part, used);
			used = 0;
		}
		used += escape(part + used, *text, o->json);
	}
	if (used)
		o->put(o->ctx, part, used);
}

static void put_padding(struct record_out *o, size_t used, int width)
{
	size_t wide = (size_t)(width < 0 ? -width : width);

	for (; used < wide; used++)
		put(o, " ");
}

/* The last column to the left needs no blanks behind it. */
static void put_cell(struct record_out *o, const char *text)
{
	const struct record_field *f = &o->kind->field[o->field];

	if (o->field)
		put(o, "  ");
	if (f->width >= 0)
		put_padding(o, strlen(text), f->width);
	put_escaped(o, text);
	if (f->width < 0 && o->field + 1 < o->kind->count)
		put_padding(o, strlen(text), f->width);
}

static void put_header(struct record_out *o)
{
	for (o->field = 0; o->field < o->kind->count; o->field++)
		put_cell(o, o->kind->field[o->field].title);
	put(o, "\r\n");
}

static void put_json_head(struct record_out *o)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"v\":%u,\"id\":%u,", RECORD_PROTOCOL, (unsigned int)o->id);
	put(o, text);
}

void record_begin(struct record_out *o, const struct record_kind *kind)
{
	bool fresh = o->kind != kind;

	o->kind = kind;
	if (o->json) {
		put_json_head(o);
		put(o, "\"");
		put(o, kind->name);
		put(o, "\":{");
	} else if (fresh && kind->look == RECORD_COLUMNS) {
		put_header(o);
	}
	o->field = 0;
}

static void put_key(struct record_out *o)
{
	if (o->field)
		put(o, ",");
	put(o, "\"");
	put(o, o->kind->field[o->field].name);
	put(o, "\":");
}

static void put_plain(struct record_out *o, const char *text)
{
	const struct record_field *f = &o->kind->field[o->field];

	switch (o->kind->look) {
	case RECORD_COLUMNS:
		put_cell(o, text);
		break;
	case RECORD_LIST:
		put(o, f->title);
		put(o, ":");
		put_padding(o, strlen(f->title) + 1, 18);
		put_escaped(o, text);
		put(o, "\r\n");
		break;
	default:
		put_escaped(o, text);
		break;
	}
}

void record_text(struct record_out *o, const char *text)
{
	if (o->json) {
		put_key(o);
		put(o, "\"");
		put_escaped(o, text);
		put(o, "\"");
	} else {
		put_plain(o, text);
	}
	o->field++;
}

void record_number(struct record_out *o, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", (unsigned long)value);
	if (o->json) {
		put_key(o);
		put(o, text);
	} else {
		put_plain(o, text);
	}
	o->field++;
}

void record_end(struct record_out *o)
{
	if (o->json)
		put(o, "}}\r\n");
	else if (o->kind->look != RECORD_LIST)
		put(o, "\r\n");
}

void record_line(struct record_out *o, const struct record_kind *kind, const char *text)
{
	record_begin(o, kind);
	record_text(o, text);
	record_end(o);
}

void record_done(struct record_out *o, const char *error)
{
	if (!o->json) {
		if (error) {
			put_escaped(o, error);
			put(o, "\r\n");
		}
		return;
	}
	put_json_head(o);
	if (error) {
		put(o, "\"error\":\"");
		put_escaped(o, error);
		put(o, "\"}\r\n");
	} else {
		put(o, "\"done\":true}\r\n");
	}
}
