/* SPDX-License-Identifier: BSD-2-Clause */
/* The XML as such and its files section: each refusal with its value, and where it says that it happened. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/xml.h"
#include "loader/xml_arena.h"
#include "tests/unit/support/image.h"
#include "tests/unit/support/log.h"

static const char *const blobs[] = { "abc", "defgh" };

/* The verdict on an image with this XML and count files. */
static enum image_err judge(const char *xml, unsigned int count)
{
	struct test_image t;
	enum image_err code;

	test_image_make(&t, 1, xml, count, blobs);
	code = test_image_judge(&t);
	test_image_free(&t);
	return code;
}

static void refused(const char *xml, unsigned int count, enum image_err code, const char *text)
{
	assert_int_equal(judge(xml, count), code);
	if (!strstr(test_err.text, text))
		fail_msg("\"%s\" lacks \"%s\"", test_err.text, text);
}

#define FILES(s) "<vm>\n <files>" s "</files></vm>"
#define P "<file id='p' index='0'/>"

static void names_without_case(void **state)
{
	(void)state;
	assert_int_equal(judge("<VM><FiLeS><FILE ID='p' Index='0'/>"
			       "<file><iD>q</iD><INDEX>1</INDEX></file></FiLeS></VM>", 2),
			 IMG_OK);
	assert_string_equal(test_img.file[0].id, "p");
	assert_string_equal(test_img.file[1].id, "q");
}

static void empty_child_is_absent(void **state)
{
	(void)state;
	assert_int_equal(judge(FILES("<file id='p' index='0'><id/><index>  </index></file>"), 1), IMG_OK);
	refused(FILES("<file index='0'><id> </id></file>"), 1, IMG_ERR_ID_MISSING, "line 2 column 9: ");
}

static void text_is_joined(void **state)
{
	(void)state;
	assert_int_equal(judge(FILES("<file index='0'><id>a&amp;<!-- x -->b<![CDATA[ <c> ]]>&#x41;</id></file>"), 1),
			 IMG_OK);
	assert_string_equal(test_img.file[0].id, "a&b <c> A");
}

static void spaces_count(void **state)
{
	(void)state;
	assert_int_equal(judge(FILES("<file index='0'><id> p\n</id></file>"), 1), IMG_OK);
	assert_string_equal(test_img.file[0].id, " p\n");
	refused(FILES("<file id='p'><index> 0</index></file>"), 1, IMG_ERR_INDEX_NUMBER, "\" 0\"");
}

static void second_files_section(void **state)
{
	(void)state;
	log_clear();
	assert_int_equal(judge("<vm><files>" P "</files>\n<files><file id='x' filename='y'/></files></vm>", 1), IMG_OK);
	assert_string_equal(log_text(), "warn: image: second files section in line 2 of the XML ignored\n");
}

static void no_files_section(void **state)
{
	(void)state;
	assert_int_equal(judge("<vm/>", 0), IMG_OK);
	refused("<vm/>", 1, IMG_ERR_HDR_UNNAMED, "header 0");
}

static void header_unnamed(void **state)
{
	(void)state;
	refused(FILES(P), 2, IMG_ERR_HDR_UNNAMED, "header 1");
}

static void index_missing(void **state)
{
	(void)state;
	refused(FILES("<file id='p'/>"), 1, IMG_ERR_INDEX_MISSING, "line 2");
}

static void index_number(void **state)
{
	static const char *const bad[] = { "", "-0", "+0", " 0", "0 ", "0x0", "1a", "4294967296",
					   "18446744073709551616" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char xml[128];

		snprintf(xml, sizeof(xml), FILES("<file id='p' index='%s'/>"), bad[i]);
		refused(xml, 1, IMG_ERR_INDEX_NUMBER, bad[i]);
	}
	assert_int_equal(judge(FILES("<file id='p' index='000'/>"), 1), IMG_OK);
}

static void index_range(void **state)
{
	(void)state;
	refused(FILES("<file id='p' index='1'/>"), 1, IMG_ERR_INDEX_RANGE, "1 of 1");
	refused(FILES("<file id='p' index='4294967295'/>"), 1, IMG_ERR_INDEX_RANGE, "4294967295 of 1");
	refused(FILES("<file id='p' index='0'/>"), 0, IMG_ERR_INDEX_RANGE, "0 of 0");
}

static void index_duplicate(void **state)
{
	(void)state;
	refused(FILES(P "<file id='q' index='0'/>"), 2, IMG_ERR_INDEX_DUPLICATE, ": 0");
}

static void id_missing(void **state)
{
	(void)state;
	refused(FILES("<file index='0'/>"), 1, IMG_ERR_ID_MISSING, "line 2");
}

static void id_empty(void **state)
{
	(void)state;
	refused(FILES("<file id='' index='0'/>"), 1, IMG_ERR_ID_EMPTY, "line 2");
}

static void id_both(void **state)
{
	(void)state;
	refused(FILES("<file id='p' index='0'><id>p</id></file>"), 1, IMG_ERR_ID_BOTH, "line 2");
}

static void id_long(void **state)
{
	char id[300], xml[400];

	(void)state;
	memset(id, 'x', sizeof(id));
	id[255] = '\0';
	snprintf(xml, sizeof(xml), FILES("<file id='%s' index='0'/>"), id);
	assert_int_equal(judge(xml, 1), IMG_OK);
	assert_string_equal(test_img.file[0].id, id);
	id[255] = 'x';
	id[256] = '\0';
	snprintf(xml, sizeof(xml), FILES("<file id='%s' index='0'/>"), id);
	refused(xml, 1, IMG_ERR_ID_LONG, "xxx...");
}

static void id_duplicate(void **state)
{
	(void)state;
	refused(FILES(P "<file id='p' index='1'/>"), 2, IMG_ERR_ID_DUPLICATE, "\"p\"");
	/* Ids are compared with case. */
	assert_int_equal(judge(FILES(P "<file id='P' index='1'/>"), 2), IMG_OK);
}

static void id_escaped(void **state)
{
	(void)state;
	refused(FILES("<file id='\x1b' index='0'/>"), 1, IMG_ERR_XML_SYNTAX, "line 2");
	refused(FILES("<file id='\xc3\xa4&#10;' index='x'/><file id='\xc3\xa4&#10;' index='1'/>"), 1,
		IMG_ERR_INDEX_NUMBER, "x");
	refused(FILES("<file id='\xc3\xa4&#10;\\' index='0'/><file id='\xc3\xa4&#10;\\' index='1'/>"), 2,
		IMG_ERR_ID_DUPLICATE, "\"\\xc3\\xa4\\x0a\\x5c\"");
}

static void param_twice(void **state)
{
	(void)state;
	refused(FILES("<file id='p' index='0'><index>0</index></file>"), 1, IMG_ERR_PARAM_TWICE, "index");
	refused(FILES("<file id='p' index='0' INDEX='0'/>"), 1, IMG_ERR_PARAM_TWICE, "index");
	refused(FILES("<file index='0'><id>p</id><id>q</id></file>"), 1, IMG_ERR_PARAM_TWICE, "id");
}

static void param_mixed(void **state)
{
	(void)state;
	refused(FILES("<file index='0'><id>p<x/>q</id></file>"), 1, IMG_ERR_PARAM_MIXED, "id");
	refused(FILES("<file index='0'><id><x/>q</id></file>"), 1, IMG_ERR_PARAM_MIXED, "id");
	assert_int_equal(judge(FILES("<file index='0'><id>p<x/>\n</id></file>"), 1), IMG_OK);
}

static void xml_syntax(void **state)
{
	static const char *const bad[] = {
		"", "x", "<vm>", "<vm></VM>", "<vm/><vm/>", "<vm a=b/>", "<vm a/>", "<vm a='1' a='2'/>",
		"<vm>&nosuch;</vm>",
		"<vm>&#0;</vm>", "<vm>\xff</vm>", "<vm/>x", "<vm><![CDATA[</vm>", "<vm a='<'/>",
		"\xff\xfe<\xa0v\xa0m\xa0/\xa0>",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(bad[i], 0, IMG_ERR_XML_SYNTAX, "line 1 column");
	refused("<vm>\n\n <a></b></vm>", 0, IMG_ERR_XML_SYNTAX, "line 3 column 7: ");
	assert_int_equal(test_err.offset, 12 + 12);
}

static void xml_pi(void **state)
{
	(void)state;
	refused("<?xml version='1.0'?><vm/>", 0, IMG_ERR_XML_PI, "line 1 column 1");
	refused("<vm>\n<?a b?></vm>", 0, IMG_ERR_XML_PI, "line 2 column 1");
	refused("<vm/><?a?>", 0, IMG_ERR_XML_PI, "line 1 column 6");
}

static void xml_doctype(void **state)
{
	(void)state;
	refused("<!DOCTYPE vm><vm/>", 0, IMG_ERR_XML_DOCTYPE, "line 1");
	refused("<!DOCTYPE vm [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><vm>&b;</vm>", 0, IMG_ERR_XML_DOCTYPE,
		"line 1");
	refused("<!DOCTYPE vm SYSTEM 'file:///etc/passwd'><vm/>", 0, IMG_ERR_XML_DOCTYPE, "line 1");
}

/* levels elements inside each other. */
static enum image_err judge_depth(unsigned int levels)
{
	char *xml = malloc(7 * levels + 1);
	enum image_err code;

	assert_non_null(xml);
	for (unsigned int i = 0; i < levels; i++) {
		memcpy(xml + 3 * i, "<a>", 3);
		memcpy(xml + 3 * levels + 4 * i, "</a>", 4);
	}
	xml[7 * levels] = '\0';
	code = judge(xml, 0);
	free(xml);
	return code;
}

static void xml_depth(void **state)
{
	(void)state;
	assert_int_equal(judge_depth(XML_MAX_DEPTH), IMG_OK);
	assert_int_equal(judge_depth(XML_MAX_DEPTH + 1), IMG_ERR_XML_DEPTH);
	assert_int_equal(judge_depth(100000), IMG_ERR_XML_DEPTH);
}

/* <vm> and count times s inside it. */
static enum image_err judge_many(const char *before, const char *s, size_t count, const char *after)
{
	size_t len = strlen(s);
	char *xml = malloc(strlen(before) + len * count + strlen(after) + 1), *at;
	enum image_err code;

	assert_non_null(xml);
	at = stpcpy(xml, before);
	for (size_t i = 0; i < count; i++, at += len)
		memcpy(at, s, len);
	strcpy(at, after);
	code = judge(xml, 0);
	free(xml);
	return code;
}

static void xml_elements(void **state)
{
	(void)state;
	assert_int_equal(judge_many("<vm>", "<a/>", XML_MAX_ELEMENTS - 1, "</vm>"), IMG_OK);
	assert_int_equal(judge_many("<vm>", "<a/>", XML_MAX_ELEMENTS, "</vm>"), IMG_ERR_XML_ELEMENTS);
	assert_int_equal(judge_many("<vm>", "<a/>", 250000, "</vm>"), IMG_ERR_XML_ELEMENTS);
}

/* count attributes with names of their own. */
static enum image_err judge_attributes(unsigned int count)
{
	char *xml = malloc(32 * (count + 1)), *s = xml;
	enum image_err code;

	assert_non_null(xml);
	s += sprintf(s, "<vm");
	for (unsigned int i = 0; i < count; i++)
		s += sprintf(s, " a%u=''", i);
	sprintf(s, "/>");
	code = judge(xml, 0);
	free(xml);
	return code;
}

static void xml_attributes(void **state)
{
	(void)state;
	assert_int_equal(judge_attributes(XML_MAX_ATTRIBUTES), IMG_OK);
	assert_int_equal(judge_attributes(XML_MAX_ATTRIBUTES + 1), IMG_ERR_XML_ATTRIBUTES);
}

static void xml_text(void **state)
{
	(void)state;
	assert_int_equal(judge_many("<vm><a>", "x", XML_MAX_VALUE, "</a></vm>"), IMG_OK);
	assert_int_equal(judge_many("<vm><a>", "x", XML_MAX_VALUE + 1, "</a></vm>"), IMG_ERR_XML_TEXT);
	assert_int_equal(judge_many("<vm><a b='", "x", XML_MAX_VALUE, "'/></vm>"), IMG_OK);
	assert_int_equal(judge_many("<vm><a b='", "x", XML_MAX_VALUE + 1, "'/></vm>"), IMG_ERR_XML_TEXT);
	assert_int_equal(judge_many("<vm><", "x", XML_MAX_VALUE + 1, "/></vm>"), IMG_ERR_XML_TEXT);
	assert_int_equal(judge_many("<vm><a>", "\n", XML_MAX_VALUE + 1, "</a></vm>"), IMG_ERR_XML_TEXT);
}

/* All XML there can be, in its most costly shapes, stays within the arena or is refused. */
static void xml_costly(void **state)
{
	enum image_err code;

	(void)state;
	code = judge_attributes(100000);
	assert_true(code == IMG_ERR_XML_MEMORY || code == IMG_ERR_XML_ATTRIBUTES);
	assert_int_equal(judge_many("<vm a='", "x", IMAGE_MAX_XML - 20, "'/>"), IMG_ERR_XML_TEXT);
	assert_int_equal(judge_many("<vm><", "x", IMAGE_MAX_XML - 20, "/></vm>"), IMG_ERR_XML_TEXT);
	assert_int_equal(judge_many("<vm>", "&amp;", IMAGE_MAX_XML / 5 - 20, "</vm>"), IMG_ERR_XML_TEXT);
	assert_int_equal(judge_many("<vm><!--", "x", IMAGE_MAX_XML - 20, "--></vm>"), IMG_OK);
	assert_int_equal(judge_many("<vm>", "<![CDATA[]]>", IMAGE_MAX_XML / 12 - 20, "</vm>"), IMG_OK);
	assert_int_equal(judge_many("<vm>", "<a>x</a>y", XML_MAX_ELEMENTS - 1, "</vm>"), IMG_OK);
}

/* With every size of arena up to the one that suffices: refused cleanly, never out of bounds (ASan sees the end). */
static void xml_memory(void **state)
{
	static char xml[] = "<vm a='1'><files><file id='p' index='0'/></files>text<b>more</b></vm>";
	const struct image img = { .xml = xml, .xml_len = sizeof(xml) - 1, .xml_offset = 12 };
	bool suffices = false;

	(void)state;
	for (size_t size = 0; !suffices; size += 24) {
		struct image_error err = { 0 };
		struct xml_arena arena = { .base = malloc(size), .size = size };
		struct xml_node *root = xml_parse(&img, &arena, &err);

		suffices = root;
		assert_int_equal(err.code, root ? IMG_OK : IMG_ERR_XML_MEMORY);
		assert_true(size < 100000 && arena.used <= size + 15);
		free(arena.base);
	}
}

static void arena_blocks(void **state)
{
	static _Alignas(16) char memory[1024];
	struct xml_arena a = { .base = memory, .size = sizeof(memory) };
	char *first, *second;

	(void)state;
	arena_reset(&a);
	first = arena_alloc(&a, 10);
	assert_non_null(first);
	assert_int_equal((uintptr_t)first % 16, 0);
	memset(first, 'f', 10);
	/* The newest grows where it is, and shrinks. */
	assert_ptr_equal(arena_grow(&a, first, 100), first);
	second = arena_alloc(&a, 1);
	assert_true(second >= first + 100);
	/* An older one moves, unless it had the room. */
	assert_ptr_equal(arena_grow(&a, first, 112), first);
	assert_true((char *)arena_grow(&a, first, 113) > second);
	/* Only the newest can be freed; then the one before it is the newest. */
	arena_reset(&a);
	first = arena_alloc(&a, 16);
	second = arena_alloc(&a, 16);
	arena_free(&a, first);
	assert_true((char *)arena_alloc(&a, 16) > second);
	arena_reset(&a);
	first = arena_alloc(&a, 16);
	second = arena_alloc(&a, 16);
	arena_free(&a, second);
	arena_free(&a, first);
	arena_free(&a, NULL);
	assert_ptr_equal(arena_alloc(&a, 1024 - 16), first);
	assert_null(arena_alloc(&a, 0));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_grow(&a, first, SIZE_MAX - 20));
	assert_null(arena_grow(&a, first, 1024 - 15));
}

static void numbers(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(xml_decimal("18446744073709551615", UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(xml_decimal("18446744073709551616", UINT64_MAX, &v), -1);
	assert_int_equal(xml_decimal("3", 3, &v), 0);
	assert_int_equal(xml_decimal("4", 3, &v), -1);
	assert_int_equal(v, 3);
	assert_int_equal(xml_hex("ffffffffffffffff", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(xml_hex("0XfF", &v), 0);
	assert_int_equal(v, 255);
	assert_int_equal(xml_hex("10000000000000000", &v), -1);
	assert_int_equal(xml_hex("0x", &v), -1);
	assert_int_equal(xml_hex("", &v), -1);
	assert_int_equal(xml_hex("-1", &v), -1);
	assert_int_equal(xml_hex("1g", &v), -1);
	assert_int_equal(v, 255);
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
	const struct CMUnitTest tests[] = {
		T(names_without_case), T(empty_child_is_absent), T(text_is_joined), T(spaces_count),
		T(second_files_section), T(no_files_section), T(header_unnamed), T(index_missing), T(index_number),
		T(index_range), T(index_duplicate), T(id_missing), T(id_empty), T(id_both), T(id_long),
		T(id_duplicate), T(id_escaped), T(param_twice), T(param_mixed), T(xml_syntax), T(xml_pi),
		T(xml_doctype), T(xml_depth), T(xml_elements), T(xml_attributes), T(xml_text), T(xml_costly),
		T(xml_memory), T(arena_blocks), T(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
