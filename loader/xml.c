/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expat's one door: bytes in, a tree in the caller's arena out. What expat keeps on its own account comes from the same
 * arena, so that hostile XML can exhaust nothing but that. No names are interpreted here.
 *
 * Not left to chance: the encoding is UTF-8 whatever the text says; a document type is refused before its first
 * declaration, so there are no entities but XML's own five; the hash salt is fixed, so expat asks for no entropy (what
 * names made to collide can cost is bounded by XML_MAX_ELEMENTS and the arena).
 */
#include "xml.h"

#include <vouch/lib.h>
#include <vouch/log.h>

#include <expat.h>
#include <string.h>

#include "xml_arena.h"

#define HASH_SALT 0x76336565ul

struct parse {
	XML_Parser expat;
	const struct image *img;
	struct xml_arena *arena;
	struct image_error *err;
	bool failed;
	struct xml_node *root, *open; /* open: the element whose end was not seen yet */
	uint32_t depth, elements;
	char *text;                   /* all text kept, each followed by a NUL; as long as the XML is enough */
	size_t text_used, text_start; /* text_start: of the text that is being collected */
};

static void *expat_malloc(size_t size)
{
	lib_assert();
	return arena_alloc(*lib_arena_slot(), size);
}

static void *expat_realloc(void *block, size_t size)
{
	lib_assert();
	return arena_grow(*lib_arena_slot(), block, size);
}

static void expat_free(void *block)
{
	lib_assert();
	arena_free(*lib_arena_slot(), block);
}

static void here(const struct parse *p, struct xml_place *place)
{
	XML_Index at = XML_GetCurrentByteIndex(p->expat);

	place->offset = p->img->xml_offset + (at < 0 ? 0 : (uint32_t)at);
	place->line = (uint32_t)XML_GetCurrentLineNumber(p->expat);
	place->column = (uint32_t)XML_GetCurrentColumnNumber(p->expat) + 1;
}

/* Some handlers may still be called after this: each looks at p->failed first. */
static void stop(struct parse *p, enum image_err code, const char *detail)
{
	struct xml_place at;

	here(p, &at);
	xml_set_error(p->err, code, &at, "%s", detail);
	p->failed = true;
	XML_StopParser(p->expat, XML_FALSE);
}

static bool is_blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\n' && s[i] != '\r')
			return false;
	}
	return true;
}

/* Ends the text collected for the open element: at its first child, or at its end. */
static void close_text(struct parse *p)
{
	struct xml_node *n = p->open;

	if (!n || n->child)
		return;
	if (is_blank(p->text + p->text_start, p->text_used - p->text_start)) {
		p->text_used = p->text_start;
		return;
	}
	p->text[p->text_used++] = '\0';
	n->text = p->text + p->text_start;
	p->text_start = p->text_used;
}

/* Copies name and attributes behind the node, in one block. NULL: no room, or a value is too long (p->failed then). */
static struct xml_node *new_node(struct parse *p, const char *name, const char **atts, uint32_t count)
{
	size_t bytes = sizeof(struct xml_node) + count * sizeof(struct xml_attr) + strlen(name) + 1;
	struct xml_node *n;
	char *s;

	for (uint32_t i = 0; i < 2 * count; i++) {
		size_t len = strlen(atts[i]);

		if (len > XML_MAX_VALUE) {
			stop(p, IMG_ERR_XML_TEXT, "attribute");
			return NULL;
		}
		bytes += len + 1;
	}
	n = arena_alloc(p->arena, bytes);
	if (!n)
		return NULL;
	memset(n, 0, sizeof(*n));
	n->attr = (struct xml_attr *)(n + 1);
	n->attr_count = count;
	s = (char *)(n->attr + count);
	n->text = "";
	n->name = strcpy(s, name);
	s += strlen(s) + 1;
	for (uint32_t i = 0; i < count; i++) {
		n->attr[i].name = strcpy(s, atts[2 * i]);
		s += strlen(s) + 1;
		n->attr[i].value = strcpy(s, atts[2 * i + 1]);
		s += strlen(s) + 1;
	}
	here(p, &n->place);
	return n;
}

static void link_node(struct parse *p, struct xml_node *n)
{
	struct xml_node *parent = p->open;

	n->parent = parent;
	if (!parent)
		p->root = n;
	else if (!parent->child)
		parent->child = n;
	else
		parent->last_child->next = n;
	if (parent)
		parent->last_child = n;
	p->open = n;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **atts)
{
	struct parse *p = ctx;
	struct xml_node *n;
	uint32_t count = 0;

	lib_assert();
	if (p->failed)
		return;
	while (count <= XML_MAX_ATTRIBUTES && atts[2 * count])
		count++;
	if (count > XML_MAX_ATTRIBUTES)
		return stop(p, IMG_ERR_XML_ATTRIBUTES, "at most 64");
	if (++p->elements > XML_MAX_ELEMENTS)
		return stop(p, IMG_ERR_XML_ELEMENTS, "at most 4096");
	if (++p->depth > XML_MAX_DEPTH)
		return stop(p, IMG_ERR_XML_DEPTH, "at most 64 levels");
	if (strlen(name) > XML_MAX_VALUE)
		return stop(p, IMG_ERR_XML_TEXT, "element name");
	close_text(p);
	n = new_node(p, name, atts, count);
	if (n)
		link_node(p, n);
	else if (!p->failed)
		stop(p, IMG_ERR_XML_MEMORY, "");
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
	struct parse *p = ctx;

	(void)name;
	lib_assert();
	if (p->failed)
		return;
	close_text(p);
	p->open = p->open->parent;
	p->depth--;
}

/* Text behind a child element is no part of a parameter: it is only remembered that there was some. */
static void XMLCALL on_text(void *ctx, const XML_Char *s, int len)
{
	struct parse *p = ctx;

	lib_assert();
	if (p->failed)
		return;
	if (p->open->child) {
		p->open->cut |= !is_blank(s, (size_t)len);
		return;
	}
	if (p->text_used - p->text_start + (size_t)len > XML_MAX_VALUE)
		return stop(p, IMG_ERR_XML_TEXT, "element text");
	memcpy(p->text + p->text_used, s, (size_t)len);
	p->text_used += (size_t)len;
}

static void XMLCALL on_pi(void *ctx, const XML_Char *target, const XML_Char *data)
{
	struct parse *p = ctx;

	(void)target;
	(void)data;
	lib_assert();
	if (!p->failed)
		stop(p, IMG_ERR_XML_PI, "remove it from the configuration and build the image again");
}

static void XMLCALL on_declaration(void *ctx, const XML_Char *version, const XML_Char *encoding, int standalone)
{
	(void)standalone;
	on_pi(ctx, version, encoding);
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid,
			       int subset)
{
	struct parse *p = ctx;

	(void)name;
	(void)sysid;
	(void)pubid;
	(void)subset;
	lib_assert();
	if (!p->failed)
		stop(p, IMG_ERR_XML_DOCTYPE, "the builder should have removed it");
}

static void set_handlers(struct parse *p)
{
	XML_SetUserData(p->expat, p);
	XML_SetElementHandler(p->expat, on_start, on_end);
	XML_SetCharacterDataHandler(p->expat, on_text);
	XML_SetProcessingInstructionHandler(p->expat, on_pi);
	XML_SetXmlDeclHandler(p->expat, on_declaration);
	XML_SetStartDoctypeDeclHandler(p->expat, on_doctype);
	XML_SetParamEntityParsing(p->expat, XML_PARAM_ENTITY_PARSING_NEVER);
	XML_SetHashSalt(p->expat, HASH_SALT);
}

static int memory_fail(const struct parse *p)
{
	return image_fail(p->err, IMG_ERR_XML_MEMORY, p->img->xml_offset, "%s", "");
}

/* expat gave up by itself: its reason, at its place. */
static int syntax_fail(const struct parse *p)
{
	enum XML_Error code = XML_GetErrorCode(p->expat);
	struct xml_place at;

	if (code == XML_ERROR_NO_MEMORY)
		return memory_fail(p);
	here(p, &at);
	return xml_fail(p->err, IMG_ERR_XML_SYNTAX, &at, "%s", XML_ErrorString(code));
}

static int run(struct parse *p)
{
	static const XML_Memory_Handling_Suite memory = { expat_malloc, expat_realloc, expat_free };
	int result = -1;

	/* Text comes out no longer than it went in, and each text has a tag for its NUL. */
	p->text = arena_alloc(p->arena, (size_t)p->img->xml_len + 1);
	p->expat = p->text ? XML_ParserCreate_MM("UTF-8", &memory, NULL) : NULL;
	if (!p->expat)
		return memory_fail(p);
	set_handlers(p);
	if (XML_Parse(p->expat, p->img->xml, (int)p->img->xml_len, XML_TRUE) == XML_STATUS_OK && !p->failed)
		result = 0;
	else if (!p->failed)
		result = syntax_fail(p);
	XML_ParserFree(p->expat);
	return result;
}

struct xml_node *xml_parse(const struct image *img, struct xml_arena *arena, struct image_error *err)
{
	struct parse p = { .img = img, .arena = arena, .err = err };
	void **slot = lib_arena_slot();
	int result;

	arena_reset(arena);
	*slot = arena;
	result = run(&p);
	*slot = NULL;
	return result ? NULL : p.root;
}
