/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns references to unknown entities into text. Knows just enough of XML to tell where a reference can stand. */
#include "xmlentity.h"

#include "common/cli.h"

#include <stdlib.h>
#include <string.h>

/* In these nothing is a reference. */
static const struct { const char *open, *close; } zones[] = {
	{ "<!--", "-->" }, { "<![CDATA[", "]]>" }, { "<?", "?>" },
};

static bool starts_with(const char *p, const char *end, const char *what)
{
	size_t len = strlen(what);

	return (size_t)(end - p) >= len && memcmp(p, what, len) == 0;
}

/* The length of the zone that starts at p; the whole rest if it does not end; 0 if none starts. */
static size_t zone_len(const char *p, const char *end)
{
	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		const char *q;

		if (!starts_with(p, end, zones[i].open))
			continue;
		q = p + strlen(zones[i].open);
		while (q < end && !starts_with(q, end, zones[i].close))
			q++;
		return (size_t)((q < end ? q + strlen(zones[i].close) : end) - p);
	}
	return 0;
}

static bool is_name_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (unsigned char)c >= 0x80)
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '-' || c == '.');
}

static bool is_known(const char *name, size_t len)
{
	static const char *const known[] = { "lt", "gt", "amp", "quot", "apos" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i]) == len && memcmp(known[i], name, len) == 0)
			return true;
	return false;
}

/* p is behind an '&': is it a name that nobody declares, and ';'? */
static bool is_unknown(const char *p, const char *end)
{
	size_t len = 0;

	while (p + len < end && is_name_char(p[len], len == 0))
		len++;
	return len > 0 && p + len < end && p[len] == ';' && !is_known(p, len);
}

static void note(struct xmlentity *e, size_t *room)
{
	if (e->count == *room) {
		*room = *room ? 2 * *room : 16;
		e->inserted = reallocarray(e->inserted, *room, sizeof(*e->inserted));
		if (!e->inserted) {
			cli_error("out of memory");
			exit(CLI_ENV);
		}
	}
	e->inserted[e->count++] = e->text.len;
	bytes_add(&e->text, "amp;", XMLENTITY_LEN);
}

void xmlentity_keep(struct xmlentity *e, const struct bytes *text)
{
	const char *p = text->data, *end = text->len > 0 ? p + text->len : p;
	size_t room = 0;

	*e = (struct xmlentity){ 0 };
	while (p < end) {
		size_t len = *p == '<' ? zone_len(p, end) : 0;
		bool unknown = *p == '&' && is_unknown(p + 1, end);

		len += len == 0;
		bytes_add(&e->text, p, len);
		if (unknown)
			note(e, &room);
		p += len;
	}
}

void xmlentity_free(struct xmlentity *e)
{
	bytes_free(&e->text);
	free(e->inserted);
	e->inserted = NULL;
}

unsigned long xmlentity_shift(const struct xmlentity *e, size_t at)
{
	unsigned long shift = 0;
	size_t line = at < e->text.len ? at : e->text.len;

	while (line > 0 && e->text.data[line - 1] != '\n')
		line--;
	for (size_t i = 0; i < e->count; i++)
		if (e->inserted[i] >= line && e->inserted[i] < at)
			shift += XMLENTITY_LEN;
	return shift;
}
