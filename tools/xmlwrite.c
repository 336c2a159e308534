/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rewrites a guest configuration in one pass over expat's events: no tree, no recursion, so nesting costs nothing.
 * Well-formedness is expat's to judge, after xmlentity.c has made text of references to unknown entities. What is refused
 * beyond it: an internal DTD subset (it could add attributes), and files sections that no loader would take.
 *
 * The whole text goes to expat in one call: the byte index of an event then is an index into our text, which the
 * processing instructions need, as expat normalises line ends that must stay.
 */
#include "xmlwrite.h"

#include "common/cli.h"
#include "utf16.h"
#include "xmlentity.h"

#include <expat.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TARGETS  256              /* different targets of processing instructions: lookups are linear */
#define MAX_FILENAME 4095

/* All instructions of one target, serialised, before the root and elsewhere. */
struct pi_group {
	char *target;
	struct bytes before, after;
};

/* filename or id of the file element we are in. */
struct field {
	struct bytes text;
	bool attribute, child;        /* given as one, or as the other */
};

struct state {
	XML_Parser parser;
	const struct xmlentity *input;
	struct xmlwrite *out;
	bool failed;
	unsigned int depth;           /* of open elements */
	bool rooted;                  /* the root's start was seen */
	bool files_seen, in_files;    /* the first files child of the root; we are in it */
	bool in_file;                 /* in a file child of it: out->file[out->file_count] */
	struct bytes *capture;        /* where the text of a filename or id child goes */
	struct field filename, id;
	struct pi_group *pi;
	size_t pi_count;
};

/* ------------------------------------------------------------------ refusals */

static void fail(struct state *s, const char *fmt, ...) __printf(2, 3);
static void fail(struct state *s, const char *fmt, ...)
{
	XML_Index at = XML_GetCurrentByteIndex(s->parser);
	va_list args;

	if (s->failed)
		return;
	s->failed = true;
	s->out->line = XML_GetCurrentLineNumber(s->parser);
	s->out->column = XML_GetCurrentColumnNumber(s->parser) + 1;
	if (at > 0)
		s->out->column -= xmlentity_shift(s->input, (size_t)at);
	va_start(args, fmt);
	vsnprintf(s->out->error, sizeof(s->out->error), fmt, args);
	va_end(args);
	XML_StopParser(s->parser, XML_FALSE);
}

/* The text of the current event, as it stands in the input. */
static const char *raw_event(const struct state *s, size_t *len)
{
	XML_Index at = XML_GetCurrentByteIndex(s->parser);
	int count = XML_GetCurrentByteCount(s->parser);

	if (at < 0 || count < 0 || !span_ok((uint64_t)at, (uint64_t)count, s->input->text.len)) {
		*len = 0;
		return "";
	}
	*len = (size_t)count;
	return s->input->text.data + at;
}

/* ------------------------------------------------------------------ writing */

static const char *escape_of(char c, bool attribute)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\r':
		return "&#xD;";
	case '"':
		return attribute ? "&quot;" : NULL;
	case '\n':
		return attribute ? "&#xA;" : NULL;
	case '\t':
		return attribute ? "&#x9;" : NULL;
	default:
		return NULL;
	}
}

static void add_escaped(struct bytes *b, const char *text, size_t len, bool attribute)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		const char *escape = escape_of(text[i], attribute);

		if (!escape)
			continue;
		bytes_add(b, text + from, i - from);
		bytes_add_text(b, escape);
		from = i + 1;
	}
	bytes_add(b, text + from, len - from);
}

static void add_attribute(struct bytes *b, const char *name, const char *value)
{
	bytes_add_text(b, " ");
	bytes_add_text(b, name);
	bytes_add_text(b, "=\"");
	add_escaped(b, value, strlen(value), true);
	bytes_add_text(b, "\"");
}

/* The start tag; index, if not NULL, becomes the attribute of that name: in its place, or last. */
static void add_start(struct bytes *b, const char *name, const char **attributes, const char *index)
{
	bytes_add_text(b, "<");
	bytes_add_text(b, name);
	for (; *attributes; attributes += 2) {
		bool replace = index && strcmp(attributes[0], "index") == 0;

		add_attribute(b, attributes[0], replace ? index : attributes[1]);
		if (replace)
			index = NULL;
	}
	if (index)
		add_attribute(b, "index", index);
	bytes_add_text(b, ">");
}

/* ------------------------------------------------------------------ the files section */

static const char *attribute_of(const char **attributes, const char *name)
{
	for (; *attributes; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return NULL;
}

static void field_begin(struct field *f, const char *value)
{
	f->text.len = 0;
	f->child = false;
	f->attribute = value != NULL;
	if (value)
		bytes_add_text(&f->text, value);
}

/* A file element starts: its number goes to index. */
static void file_start(struct state *s, const char **attributes, char index[12])
{
	if (s->out->file_count == IMAGE_MAX_FILES) {
		fail(s, "more than %d files", IMAGE_MAX_FILES);
		return;
	}
	s->in_file = true;
	s->out->file[s->out->file_count].line = XML_GetCurrentLineNumber(s->parser);
	field_begin(&s->filename, attribute_of(attributes, "filename"));
	field_begin(&s->id, attribute_of(attributes, "id"));
	snprintf(index, 12, "%u", s->out->file_count);
}

/* A child of a file element: the first filename and the first id count. */
static void field_start(struct state *s, const char *name)
{
	struct field *f = strcmp(name, "filename") == 0 ? &s->filename : &s->id;

	if (f->attribute)
		fail(s, "the file's %s is given as an attribute and as a child element; keep one", name);
	if (!f->child)
		s->capture = &f->text;
	f->child = true;
}

static char *take_string(const struct bytes *b)
{
	char *text = cli_alloc(b->len + 1);

	if (b->len > 0)
		memcpy(text, b->data, b->len);
	return text;
}

static bool id_is_used(const struct state *s, const char *id)
{
	for (uint32_t i = 0; i < s->out->file_count; i++)
		if (strcmp(s->out->file[i].id, id) == 0)
			return true;
	return false;
}

/* A file element ends: now its filename and id are known. */
static void file_end(struct state *s)
{
	struct xmlwrite_file *f = &s->out->file[s->out->file_count];

	s->in_file = false;
	if (s->filename.text.len == 0)
		fail(s, "file %u has no filename", s->out->file_count);
	else if (s->filename.text.len > MAX_FILENAME)
		fail(s, "the filename of file %u is longer than %d bytes", s->out->file_count, MAX_FILENAME);
	else if (s->id.text.len == 0)
		fail(s, "file %u has no id", s->out->file_count);
	else if (s->id.text.len > IMAGE_MAX_ID)
		fail(s, "the id of file %u is longer than %d bytes", s->out->file_count, IMAGE_MAX_ID);
	if (s->failed)
		return;
	f->filename = take_string(&s->filename.text);
	f->id = take_string(&s->id.text);
	if (id_is_used(s, f->id))
		fail(s, "the id '%.100s' is used twice", f->id);
	s->out->file_count++;
}

/* ------------------------------------------------------------------ processing instructions */

static struct pi_group *pi_find(struct state *s, const char *target)
{
	for (size_t i = 0; i < s->pi_count; i++)
		if (strcmp(s->pi[i].target, target) == 0)
			return &s->pi[i];
	if (s->pi_count == MAX_TARGETS)
		return NULL;
	s->pi[s->pi_count].target = cli_strdup(target);
	return &s->pi[s->pi_count++];
}

/* What stands between the target (with the white space after it) and the closing mark. */
static void add_pi_rest(struct state *s, struct bytes *b, const char *target)
{
	size_t len, at = 2 + strlen(target);
	const char *raw = raw_event(s, &len);

	while (at < len && strchr(" \t\r\n", raw[at]))
		at++;
	if (len < at + 2 || len == at + 2)
		return;
	bytes_add_text(b, " ");
	bytes_add(b, raw + at, len - at - 2);
}

static void XMLCALL on_pi(void *user, const XML_Char *target, const XML_Char *data)
{
	struct state *s = user;
	struct pi_group *group;
	struct bytes *b;

	(void)data;
	if (s->failed)
		return;
	s->out->has_pi = true;
	group = pi_find(s, target);
	if (!group) {
		fail(s, "more than %d kinds of processing instructions", MAX_TARGETS);
		return;
	}
	b = s->rooted ? &group->after : &group->before;
	bytes_add_text(b, s->rooted ? "\n<?" : "<?");
	bytes_add_text(b, target);
	add_pi_rest(s, b, target);
	bytes_add_text(b, s->rooted ? "?>" : "?>\n");
}

/* ------------------------------------------------------------------ elements and text */

static void root_start(struct state *s)
{
	s->rooted = true;
	for (size_t i = 0; i < s->pi_count; i++)
		bytes_add(&s->out->xml, s->pi[i].before.data, s->pi[i].before.len);
}

static void enter_element(struct state *s, const char *name, const char **attributes, char index[12])
{
	bool field = strcmp(name, "filename") == 0 || strcmp(name, "id") == 0;

	if (s->depth == 1) {
		root_start(s);
	} else if (s->depth == 2 && !s->files_seen && strcmp(name, "files") == 0) {
		s->files_seen = true;
		s->in_files = true;
	} else if (s->depth == 3 && s->in_files && strcmp(name, "file") == 0) {
		file_start(s, attributes, index);
	} else if (s->depth == 4 && s->in_file && field) {
		field_start(s, name);
	}
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct state *s = user;
	char index[12] = "";

	if (s->failed)
		return;
	s->depth++;
	enter_element(s, name, attributes, index);
	add_start(&s->out->xml, name, attributes, index[0] ? index : NULL);
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
	struct state *s = user;

	if (s->failed)
		return;
	bytes_add_text(&s->out->xml, "</");
	bytes_add_text(&s->out->xml, name);
	bytes_add_text(&s->out->xml, ">");
	if (s->depth == 4)
		s->capture = NULL;
	else if (s->depth == 3 && s->in_file)
		file_end(s);
	else if (s->depth == 2)
		s->in_files = false;
	s->depth--;
}

static void XMLCALL on_text(void *user, const XML_Char *text, int len)
{
	struct state *s = user;

	if (s->failed)
		return;
	add_escaped(&s->out->xml, text, (size_t)len, false);
	if (s->capture && s->depth == 4)
		bytes_add(s->capture, text, (size_t)len);
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system, const XML_Char *public,
			       int internal)
{
	(void)name;
	(void)system;
	(void)public;
	if (internal)
		fail(user, "DOCTYPE with an internal subset, which could change the document; remove it");
}

/* ------------------------------------------------------------------ the run */

static void set_handlers(struct state *s)
{
	XML_SetUserData(s->parser, s);
	XML_SetElementHandler(s->parser, on_start, on_end);
	XML_SetCharacterDataHandler(s->parser, on_text);
	XML_SetProcessingInstructionHandler(s->parser, on_pi);
	XML_SetStartDoctypeDeclHandler(s->parser, on_doctype);
}

static void parse(struct state *s)
{
	if (XML_Parse(s->parser, s->input->text.data, (int)s->input->text.len, 1) != XML_STATUS_OK)
		fail(s, "%s", XML_ErrorString(XML_GetErrorCode(s->parser)));
	for (size_t i = 0; i < s->pi_count; i++)
		bytes_add(&s->out->xml, s->pi[i].after.data, s->pi[i].after.len);
	if (!s->failed && s->out->xml.len > IMAGE_MAX_XML)
		fail(s, "the rewritten XML has %zu bytes; more than %u are refused", s->out->xml.len, IMAGE_MAX_XML);
}

static void release(struct state *s)
{
	for (size_t i = 0; i < s->pi_count; i++) {
		free(s->pi[i].target);
		bytes_free(&s->pi[i].before);
		bytes_free(&s->pi[i].after);
	}
	free(s->pi);
	bytes_free(&s->filename.text);
	bytes_free(&s->id.text);
	XML_ParserFree(s->parser);
}

/* expat would take NULs for a sign of UTF-16 without a mark. */
static bool has_nul(struct xmlwrite *x, const struct bytes *text)
{
	const char *line = text->data;
	const char *nul = text->len > 0 ? memchr(text->data, 0, text->len) : NULL;

	if (!nul)
		return false;
	x->line = 1;
	for (const char *p = text->data; p < nul; p++) {
		if (*p == '\n') {
			x->line++;
			line = p + 1;
		}
	}
	x->column = (unsigned long)(nul - line) + 1;
	snprintf(x->error, sizeof(x->error), "NUL byte (UTF-16 needs a byte order mark)");
	return true;
}

static bool run_utf8(struct xmlwrite *x, const struct bytes *text)
{
	struct xmlentity input;
	struct state s = { .input = &input, .out = x };

	if (has_nul(x, text))
		return false;
	xmlentity_keep(&input, text);
	/* The encoding is fixed here: what the document declares is ignored, as the original does. */
	s.parser = input.text.len <= INT32_MAX ? XML_ParserCreate("UTF-8") : NULL;
	if (s.parser) {
		s.pi = cli_alloc(MAX_TARGETS * sizeof(*s.pi));
		set_handlers(&s);
		parse(&s);
		release(&s);
	} else {
		snprintf(x->error, sizeof(x->error), "too large to parse");
		s.failed = true;
	}
	xmlentity_free(&input);
	return !s.failed;
}

bool xmlwrite_run(struct xmlwrite *x, const struct bytes *text)
{
	struct bytes utf8 = { 0 };
	size_t bad = 0;
	bool ok;

	*x = (struct xmlwrite){ 0 };
	if (!utf16_has_mark(text))
		return run_utf8(x, text);
	ok = utf16_decode(text, &utf8, &bad);
	if (ok)
		ok = run_utf8(x, &utf8);
	else
		snprintf(x->error, sizeof(x->error), "invalid UTF-16 at offset %zu", bad);
	bytes_free(&utf8);
	return ok;
}

void xmlwrite_free(struct xmlwrite *x)
{
	for (uint32_t i = 0; i < x->file_count; i++) {
		free(x->file[i].filename);
		free(x->file[i].id);
	}
	bytes_free(&x->xml);
	x->file_count = 0;
}
