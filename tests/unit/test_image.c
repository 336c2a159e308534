/* SPDX-License-Identifier: BSD-2-Clause */
/* The container: every way in which it can be wrong, each with its own error value; and that no byte is read twice. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/image.h"

#define XML_TWO "<vm><files><file id=\"p\" index=\"0\"/><file id=\"q\" index=\"1\"/></files></vm>"

static struct test_image t;

static int make_two(void **state)
{
	static const char *const data[] = { "abc", "defgh" };

	(void)state;
	test_image_make(&t, 1, XML_TWO, 2, data);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	test_image_free(&t);
	return 0;
}

static void refused(enum image_err code, uint64_t off)
{
	assert_int_equal(test_image_judge(&t), code);
	assert_int_equal(test_err.offset, off);
}

/* Field f (0 index, 4 size, 8 offset, 16 hash) of header i. */
static uint8_t *field(unsigned int i, unsigned int f)
{
	return t.bytes + t.table + 24 * i + f;
}

static void good(void **state)
{
	(void)state;
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(test_img.version, 1);
	assert_int_equal(test_img.file_count, 2);
	assert_int_equal(test_img.data_start, t.data);
	assert_string_equal(test_img.file[0].id, "p");
	assert_string_equal(test_img.file[1].id, "q");
	assert_int_equal(test_img.file[1].offset, t.data + 3);
	assert_int_equal(test_img.file[1].size, 5);
}

/* Whatever is cut off, it is refused and nothing is read past the end (checked by the source). */
static void every_length(void **state)
{
	size_t whole = t.size;

	(void)state;
	for (t.size = 0; t.size < whole; t.size++)
		assert_int_not_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(test_image_judge(&t), IMG_OK);
}

/* Every bit counts, but for those that an XML without meaning could hold. */
static void every_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < t.size; i++) {
		bool xml = i >= 12 && i < 12 + strlen(XML_TWO);

		for (unsigned int b = 0; b < 8; b++) {
			enum image_err code;

			t.bytes[i] = (uint8_t)(t.bytes[i] ^ 1u << b);
			code = test_image_judge(&t);
			t.bytes[i] = (uint8_t)(t.bytes[i] ^ 1u << b);
			if (!xml)
				assert_int_not_equal(code, IMG_OK);
		}
	}
}

static void read_fails(void **state)
{
	size_t places[] = { 0, 12, t.table - 8, t.table, t.data, t.data + 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		t.fail_at = places[i];
		assert_int_equal(test_image_judge(&t), IMG_ERR_READ);
	}
}

static void gap_read_fails(void **state)
{
	(void)state;
	test_image_append(&t, 0, 3);
	t.fail_at = t.size - 1;
	refused(IMG_ERR_READ, t.size - 3);
}

static void truncated(void **state)
{
	(void)state;
	for (t.size = 0; t.size < 12; t.size++)
		refused(IMG_ERR_TRUNCATED, t.size);
}

static void cookie(void **state)
{
	(void)state;
	t.bytes[4] = 'E';
	refused(IMG_ERR_COOKIE, 0);
}

static void version(void **state)
{
	(void)state;
	t.bytes[7] = 3;
	refused(IMG_ERR_VERSION, 5);
	t.bytes[7] = 1;
	t.bytes[5] = 1;
	refused(IMG_ERR_VERSION, 5);
}

static int copy_plain(void *ctx, uint64_t off, void *dst, size_t len)
{
	const struct test_image *img = ctx;

	memcpy(dst, img->bytes + off, len);
	return 0;
}

static void xml_len(void **state)
{
	(void)state;
	test_put32(t.bytes + 8, (uint32_t)(t.size - 12 - 16 + 1));
	refused(IMG_ERR_XML_LEN, 8);
	test_put32(t.bytes + 8, UINT32_MAX);
	refused(IMG_ERR_XML_LEN, 8);
}

static void xml_too_long(void **state)
{
	(void)state;
	test_image_append(&t, 0, IMAGE_MAX_XML + 100);
	test_put32(t.bytes + 8, IMAGE_MAX_XML + 1);
	refused(IMG_ERR_XML_TOO_LONG, 8);
}

static void xml_nul(void **state)
{
	(void)state;
	t.bytes[20] = 0;
	refused(IMG_ERR_XML_NUL, 20);
}

static void xml_end(void **state)
{
	size_t len = strlen(XML_TWO);

	(void)state;
	test_put32(t.bytes + 8, (uint32_t)len - 1);
	refused(IMG_ERR_XML_END, 12 + len - 1);
}

static void pad_xml(void **state)
{
	size_t at = 12 + strlen(XML_TWO);

	(void)state;
	for (size_t i = 1; i < 8; i++) {
		t.bytes[at + i] = 1;
		refused(IMG_ERR_PAD_XML, at + i);
		t.bytes[at + i] = 0;
	}
}

static void file_count(void **state)
{
	(void)state;
	test_put64(t.bytes + t.table - 8, 257);
	refused(IMG_ERR_FILE_COUNT, t.table - 8);
	/* 24 times this is 8 modulo 2^64. */
	test_put64(t.bytes + t.table - 8, 0x0aaaaaaaaaaaaaab);
	refused(IMG_ERR_FILE_COUNT, t.table - 8);
}

static void table_len(void **state)
{
	(void)state;
	test_put64(t.bytes + t.table - 8, 3);
	refused(IMG_ERR_TABLE_LEN, t.table);
}

static void pad_table(void **state)
{
	(void)state;
	t.bytes[t.data - 1] = 0x80;
	refused(IMG_ERR_PAD_TABLE, t.data - 1);
}

static void header_index(void **state)
{
	(void)state;
	test_put32(field(1, 0), 0);
	refused(IMG_ERR_HDR_INDEX, t.table + 24);
}

static void file_in_head(void **state)
{
	(void)state;
	test_put64(field(0, 8), t.data - 1);
	refused(IMG_ERR_FILE_IN_HEAD, t.table + 8);
	test_put64(field(0, 8), 0);
	refused(IMG_ERR_FILE_IN_HEAD, t.table + 8);
}

static void file_span(void **state)
{
	(void)state;
	test_put32(field(1, 4), 6);
	refused(IMG_ERR_FILE_SPAN, t.table + 24 + 4);
	test_put64(field(1, 8), UINT64_MAX - 2);
	refused(IMG_ERR_FILE_SPAN, t.table + 24 + 4);
	test_put32(field(1, 4), 0);
	test_put64(field(1, 8), t.size + 1);
	refused(IMG_ERR_FILE_SPAN, t.table + 24 + 4);
}

static void file_overlap(void **state)
{
	(void)state;
	test_put64(field(1, 8), t.data + 2);
	refused(IMG_ERR_FILE_OVERLAP, t.data + 2);
}

static void gap(void **state)
{
	(void)state;
	test_image_append(&t, 0, 1);
	memmove(t.bytes + t.data + 4, t.bytes + t.data + 3, 5);
	test_put64(field(1, 8), t.data + 4);
	t.bytes[t.data + 3] = 0;
	assert_int_equal(test_image_judge(&t), IMG_OK);
	t.bytes[t.data + 3] = 1;
	refused(IMG_ERR_GAP, t.data + 3);
}

/* Longer than the buffer that looks at it, and wrong in its last byte. */
static void trailing(void **state)
{
	(void)state;
	test_image_append(&t, 0, 5000);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	t.bytes[t.size - 1] = 1;
	refused(IMG_ERR_TRAILING, t.size - 1);
}

static void hash(void **state)
{
	(void)state;
	for (unsigned int b = 0; b < 64; b++) {
		uint8_t *byte = field(1, 16 + b / 8);

		*byte = (uint8_t)(*byte ^ 1u << b % 8);
		refused(IMG_ERR_HASH, t.data + 3);
		assert_non_null(strstr(test_err.text, "file 1 \"q\""));
		*byte = (uint8_t)(*byte ^ 1u << b % 8);
	}
}

/* A hash over fewer bytes than the file has is none of that file. */
static void hash_of_part(void **state)
{
	struct v1_hash part = { 0 };

	(void)state;
	assert_int_equal(test_image_judge(&t), IMG_OK);
	v1_hash_update(&part, "defg", 4);
	test_img.file[1].hash = part.h;
	assert_int_equal(image_check_hash(&test_img, 1, &part, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_HASH);
	v1_hash_update(&part, "h", 1);
	test_img.file[1].hash = part.h;
	assert_int_equal(image_check_hash(&test_img, 1, &part, &test_err), 0);
}

static void unhashed(void **state)
{
	static const char *const data[] = { "abc", "defgh" };
	struct v1_hash any = { .h = 1 };

	(void)state;
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(image_check_hashed(&test_img, &test_err), 0);
	test_image_free(&t);
	test_image_make(&t, 0, XML_TWO, 2, data);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(test_img.file[0].hash, 0);
	assert_int_equal(image_check_hash(&test_img, 0, &any, &test_err), 0);
	assert_int_equal(image_check_hashed(&test_img, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_UNHASHED);
}

/* Larger than any copy that Vouch can take of it: of the old versions alone, and to the byte. */
static void too_large_whole(void **state)
{
	struct image_source src = { .size = IMAGE_MAX_WHOLE };

	(void)state;
	assert_int_equal(test_image_judge(&t), IMG_OK);
	for (uint32_t version = 0; version <= 2; version++) {
		test_img.version = version;
		src.size = IMAGE_MAX_WHOLE;
		assert_int_equal(image_check_whole(&test_img, &src, &test_err), 0);
		src.size++;
		assert_int_equal(image_check_whole(&test_img, &src, &test_err), version < 2 ? -1 : 0);
		assert_int_equal(test_err.code, version < 2 ? IMG_ERR_WHOLE : IMG_OK);
		assert_int_equal(test_err.offset, version < 2 ? IMAGE_MAX_WHOLE : 0);
	}
}

/* Files of no length lie nowhere: at the end, at each other's place, in the middle of another. */
static void empty_files(void **state)
{
	(void)state;
	test_put32(field(0, 4), 0);
	test_put64(field(0, 16), 0);
	test_put64(field(0, 8), t.data + 5);
	memset(t.bytes + t.data, 0, 3);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	test_put64(field(0, 8), t.size);
	assert_int_equal(test_image_judge(&t), IMG_OK);
}

static void most_files(void **state)
{
	static const char *data[256];
	char *xml = malloc(256 * 40), *s = xml;

	(void)state;
	assert_non_null(xml);
	test_image_free(&t);
	s += sprintf(s, "<vm><files>");
	for (int i = 0; i < 256; i++) {
		data[i] = i % 3 ? "x" : "";
		s += sprintf(s, "<file id=\"f%d\" index=\"%d\"/>", i, 255 - i);
	}
	sprintf(s, "</files></vm>");
	test_image_make(&t, 1, xml, 256, data);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_string_equal(test_img.file[255].id, "f0");
	free(xml);
}

static void progress(void *ctx, uint64_t done, uint64_t total)
{
	uint64_t *seen = ctx;

	assert_true(done >= seen[0] && done <= total);
	seen[0] = done;
	seen[1] = total;
}

static void progress_ends(void **state)
{
	struct image_source src = { copy_plain, &t, t.size };
	struct xml_arena arena = { .base = malloc(1 << 20), .size = 1 << 20 };
	char *xml = malloc(IMAGE_MAX_XML + 1);
	uint64_t seen[2] = { 0 };

	(void)state;
	assert_int_equal(image_judge(&test_img, &src, xml, &arena, progress, seen, &test_err), 0);
	assert_int_equal(seen[0], 8);
	assert_int_equal(seen[1], 8);
	free(arena.base);
	free(xml);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_two, drop)
	const struct CMUnitTest tests[] = {
		T(good), T(every_length), T(every_bit), T(read_fails), T(gap_read_fails), T(truncated),
		T(cookie), T(version), T(xml_len), T(xml_too_long), T(xml_nul),
		T(xml_end), T(pad_xml), T(file_count), T(table_len), T(pad_table), T(header_index),
		T(file_in_head), T(file_span), T(file_overlap), T(gap), T(trailing), T(hash), T(hash_of_part),
		T(unhashed), T(too_large_whole), T(empty_files), T(most_files), T(progress_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
