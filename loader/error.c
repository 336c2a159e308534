/* SPDX-License-Identifier: BSD-2-Clause */
/* Composes the text of a refusal. Decides nothing and logs nothing: the caller of the loader does both. */
#include "error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const err_text[IMG_ERR_COUNT] = {
#define X(value, text) [value] = (text),
	IMAGE_ERRORS(X)
#undef X
};

const char *image_err_text(enum image_err code)
{
	return (unsigned int)code < IMG_ERR_COUNT ? err_text[code] : "unknown error";
}

/* Appends the stable text and ": detail" to the place that err->text holds already. An empty detail adds nothing. */
static void add_detail(struct image_error *err, enum image_err code, const char *fmt, va_list ap)
{
	size_t at = strlen(err->text);
	size_t room = sizeof(err->text) - at;
	int n;

	n = snprintf(err->text + at, room, "%s: ", image_err_text(code));
	if (n < 0 || (size_t)n >= room)
		return;
	at += (size_t)n;
	room -= (size_t)n;
	n = vsnprintf(err->text + at, room, fmt, ap);
	if (n <= 0)
		err->text[at - 2] = '\0';
	else if ((size_t)n >= room)
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
}

void image_set_error(struct image_error *err, enum image_err code, uint64_t off, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	err->offset = off;
	snprintf(err->text, sizeof(err->text), "offset 0x%" PRIx64 ": ", off);
	va_start(ap, fmt);
	add_detail(err, code, fmt, ap);
	va_end(ap);
}

void plan_set_error(struct image_error *err, enum image_err code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	err->offset = 0;
	err->text[0] = '\0';
	va_start(ap, fmt);
	add_detail(err, code, fmt, ap);
	va_end(ap);
}

void xml_set_error(struct image_error *err, enum image_err code, const struct xml_place *at, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	err->offset = at->offset;
	snprintf(err->text, sizeof(err->text), "line %" PRIu32 " column %" PRIu32 ": ", at->line, at->column);
	va_start(ap, fmt);
	add_detail(err, code, fmt, ap);
	va_end(ap);
}
