/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Version 2: every way in which a container can be wrong, each with its own error value and place; every bit of a
 * signed image, every length; signatures that are missing, foreign or bad; and that no byte is read twice.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/image2.h"

#define CHUNK 2097152u
#define XML_TWO "<vm name=\"two\"><files><file id=\"p\" index=\"0\"/><file id=\"q\" index=\"1\"/></files></vm>"

static struct test_image t;
static struct test_layout at;
static struct key *keys[3];
static struct public_key pub[3];

static void make(const struct test_image2 *spec)
{
	test_image_free(&t);
	test_image2_make(&t, spec, &at);
}

/* Two small files, signed by the first key. */
static struct test_image2 two(unsigned int signers)
{
	struct test_image2 spec = { XML_TWO, 2, { { "abc", 3 }, { "defgh", 5 } }, 7, signers, { NULL } };

	memcpy(spec.key, keys, sizeof(keys));
	return spec;
}

static int make_two(void **state)
{
	struct test_image2 spec = two(1);

	(void)state;
	make(&spec);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	test_image_free(&t);
	return 0;
}

static int make_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		keys[i] = key_generate();
		assert_non_null(keys[i]);
		key_public(keys[i], &pub[i]);
	}
	return 0;
}

static int drop_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		key_free(keys[i]);
	return 0;
}

static void refused(enum image_err code, uint64_t off)
{
	assert_int_equal(test_image_judge(&t), code);
	assert_int_equal(test_err.offset, off);
}

static void refused_signed(enum image_err code, unsigned int first, unsigned int count)
{
	struct image_trust trust = { pub + first, count };

	assert_int_equal(test_image_judge_signed(&t, &trust), code);
}

static uint8_t *entry(unsigned int i)
{
	return t.bytes + at.table + 64 * i;
}

static uint8_t *record(unsigned int i)
{
	return t.bytes + at.seal + 64 + 128 * i;
}

/* ------------------------------------------------------------------ good ones */

static void good(void **state)
{
	uint8_t digest[SHA256_LEN];

	(void)state;
	assert_int_equal(test_image_judge(&t), IMG_OK);
	refused_signed(IMG_OK, 0, 1);
	assert_int_equal(test_img.version, 2);
	assert_int_equal(test_img.file_count, 2);
	assert_int_equal(test_img.security_version, 7);
	assert_int_equal(test_img.data_start, at.lists);
	assert_int_equal(test_img.data_end, at.seal);
	assert_string_equal(test_img.file[1].id, "q");
	assert_int_equal(test_img.file[1].offset, at.file[1]);
	assert_int_equal(test_img.file[1].size, 5);
	sha256_of("defgh", 5, digest);
	assert_memory_equal(test_img.file[1].digest, digest, SHA256_LEN);
	sha256_of(t.bytes, at.lists, digest);
	assert_memory_equal(test_img.digest, digest, SHA256_LEN);
	assert_int_equal(test_img.signature_count, 1);
	assert_memory_equal(test_img.signature[0].key_id, pub[0].id, SHA256_LEN);
}

static void no_files(void **state)
{
	struct test_image2 spec = { .xml = "<vm/>" };

	(void)state;
	make(&spec);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(t.size, 4096 + 64);
}

/* Chunks to the byte: one, one and a byte, three; empty files in between. */
static void sizes(void **state)
{
	static const char xml[] = "<vm><files><file id='a' index='0'/><file id='b' index='1'/><file id='c' index='2'/>"
				  "<file id='d' index='3'/><file id='e' index='4'/></files></vm>";
	uint8_t *data = malloc(3 * CHUNK);
	struct test_image2 spec = { xml, 5, { { data, CHUNK }, { data, 0 }, { data, CHUNK + 1 }, { data, 3 * CHUNK },
				    { data, 0 } }, .security = UINT64_MAX };

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < 3 * CHUNK; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 24);
	make(&spec);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(test_img.file[0].list, 0);
	assert_int_equal(test_img.file[2].list, at.lists);
	assert_int_equal(test_img.file[3].list, at.lists + 64);
	assert_int_equal(test_img.security_version, UINT64_MAX);

	/* Which chunk is bad is said, by number and place. */
	t.bytes[at.file[3] + 2 * CHUNK + 9] ^= 1;
	refused(IMG_ERR_CHUNK, at.file[3] + 2 * CHUNK);
	assert_non_null(strstr(test_err.text, "file 3 \"d\", chunk 2 of 0-2, 2097152 bytes"));
	t.bytes[at.file[2] + CHUNK] ^= 1;
	refused(IMG_ERR_CHUNK, at.file[2] + CHUNK);
	assert_non_null(strstr(test_err.text, "file 2 \"c\", chunk 1 of 0-1, 1 bytes"));
	t.bytes[at.file[0]] ^= 1;
	refused(IMG_ERR_CHUNK, at.file[0]);
	t.bytes[at.file[0]] ^= 1;
	t.bytes[at.file[2] + CHUNK] ^= 1;
	t.bytes[at.file[3] + 2 * CHUNK + 9] ^= 1;

	/* A list that was changed is told from data that was. */
	t.bytes[at.lists + 33] ^= 1;
	refused(IMG_ERR_CHUNK_LIST, at.lists);
	t.bytes[at.lists + 33] ^= 1;
	t.bytes[at.lists + 64 + 95] ^= 0x80;
	refused(IMG_ERR_CHUNK_LIST, at.lists + 64);
	t.bytes[at.lists + 64 + 95] ^= 0x80;
	assert_int_equal(test_image_judge(&t), IMG_OK);

	/* An empty file with the digest of something else. */
	entry(1)[32] ^= 1;
	test_image2_seal(&t, &at);
	refused(IMG_ERR_CHUNK_LIST, at.file[1]);
	free(data);
}

static void most_files(void **state)
{
	char *xml = malloc(256 * 40), *s = xml;
	struct test_image2 spec = { .count = 0 };
	size_t table, seal;

	(void)state;
	assert_non_null(xml);
	s += sprintf(s, "<vm><files>");
	for (int i = 0; i < 256; i++)
		s += sprintf(s, "<file id=\"f%d\" index=\"%d\"/>", i, 255 - i);
	sprintf(s, "</files></vm>");
	spec.xml = xml;
	make(&spec);
	/* 256 empty files, by hand: the maker has fewer. */
	table = at.table;
	seal = (table + 256 * 64 + 4095) / 4096 * 4096;
	test_image_append(&t, 0, seal + 64 - t.size);
	memset(t.bytes + at.seal, 0, 64);
	for (size_t i = 0; i < 256; i++) {
		test_put64(t.bytes + table + 64 * i, seal);
		sha256_of("", 0, t.bytes + table + 64 * i + 32);
	}
	test_put64(t.bytes + 8, seal);
	test_put64(t.bytes + 24, 256);
	at.lists = table + 256 * 64;
	at.seal = seal;
	memcpy(t.bytes + seal, "v3seal\0\2", 8);
	test_image2_seal(&t, &at);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_string_equal(test_img.file[255].id, "f0");
	test_put64(t.bytes + 24, 257);
	refused(IMG_ERR_FILE_COUNT, 24);
	free(xml);
}

/* ------------------------------------------------------------------ all of it */

static int copy_plain(void *ctx, uint64_t off, void *dst, size_t len)
{
	const struct test_image *img = ctx;

	if (!span_ok(off, len, img->size))
		fail_msg("read beyond the end");
	memcpy(dst, img->bytes + off, len);
	return 0;
}

/* The verdict without the bookkeeping of what was read, for tests that ask for many. */
static enum image_err quick(const struct image_trust *trust)
{
	static _Alignas(16) char memory[XML_ARENA_SIZE], xml[IMAGE_MAX_XML + 1];
	struct xml_arena arena = { .base = memory, .size = sizeof(memory) };
	struct image_source src = { copy_plain, &t, t.size };

	if (image_judge_head(&test_img, &src, xml, &arena, trust, &test_err) ||
	    image_judge_files(&test_img, &src, NULL, NULL, &test_err))
		return test_err.code;
	return IMG_OK;
}

/* Whatever is cut off, it is refused for that, and nothing is read past the end (checked by the source). */
static void every_length(void **state)
{
	size_t whole = t.size;

	(void)state;
	for (t.size = 0; t.size < whole; t.size++)
		assert_int_equal(quick(NULL), t.size < 64 ? IMG_ERR_TRUNCATED : IMG_ERR_SEAL_LEN);
	t.size = whole;
	test_image_append(&t, 0, 1);
	refused(IMG_ERR_AFTER_SEAL, whole);
}

/* Asked for the signature, each flip is refused, and for the reason that belongs to its part. */
static void judge_flip(size_t i, enum image_err code)
{
	if (code == IMG_OK)
		fail_msg("a flip of byte %zu passes", i);
	assert_non_null(strstr(test_err.text, image_err_text(code)));
	if (i >= 64 && i < at.table - 8)
		assert_true(code == IMG_ERR_MANIFEST || code == IMG_ERR_XML_NUL);
	if (i >= at.table + 32 && i < at.lists)
		assert_int_equal(code, IMG_ERR_MANIFEST);
	if (i >= at.lists && i < at.data)
		assert_int_equal(code, IMG_ERR_GAP);
	if (i >= at.file[0] && i < at.file[0] + 4000)
		assert_int_equal(code, IMG_ERR_CHUNK);
	if (i >= at.file[0] + 4000 && i < at.seal)
		assert_int_equal(code, IMG_ERR_TRAILING);
	if (i >= at.seal + 64 + 32 && i < at.seal + 64 + 64)
		assert_int_equal(code, IMG_ERR_SIG_UNKNOWN);
	if (i >= at.seal + 64 + 64)
		assert_true(code == IMG_ERR_SIG_BAD || code == IMG_ERR_SIG_FORM);
}

/* Not asked for it, only the record's key id and numbers may be others: nothing covers them, and they cover nothing. */
static void every_bit(void **state)
{
	static const char xml[] = "<vm name='bits'><files><file id='p' index='0'/></files></vm>";
	struct image_trust trust = { pub, 1 };
	uint8_t data[4000];
	struct test_image2 spec = { xml, 1, { { data, sizeof(data) } }, 7, 1, { keys[0] } };

	(void)state;
	memset(data, 'd', sizeof(data));
	make(&spec);
	for (size_t bit = 0; bit < 8 * t.size; bit++) {
		size_t i = bit / 8;

		t.bytes[i] = (uint8_t)(t.bytes[i] ^ 1u << bit % 8);
		/* In data and zeros the signature is judged first: refused unasked is refused asked, only sooner. */
		judge_flip(i, quick(i >= at.lists && i < at.seal && bit % 997 ? NULL : &trust));
		if (i >= at.seal) {
			enum image_err code = quick(NULL);

			if (i < at.seal + 64 + 32)
				assert_int_not_equal(code, IMG_OK);
			else
				assert_true(code == IMG_OK || code == IMG_ERR_SIG_FORM);
		}
		t.bytes[i] = (uint8_t)(t.bytes[i] ^ 1u << bit % 8);
	}
	assert_int_equal(quick(&trust), IMG_OK);
}

static void read_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < t.size; i += i < at.lists || i >= at.seal ? 1 : 61) {
		t.fail_at = i;
		assert_int_equal(test_image_judge(&t), IMG_ERR_READ);
	}
}

/* ------------------------------------------------------------------ header, XML, table */

static void truncated(void **state)
{
	(void)state;
	for (t.size = 8; t.size < 64; t.size++)
		refused(IMG_ERR_TRUNCATED, t.size);
}

static void version(void **state)
{
	(void)state;
	t.bytes[7] = 3;
	refused(IMG_ERR_VERSION, 5);
}

static void reserved(void **state)
{
	static const size_t header[] = { 40, 63 }, table[] = { 16, 31 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		t.bytes[header[i]] = 1;
		refused(IMG_ERR_RESERVED, header[i]);
		t.bytes[header[i]] = 0;
		entry(1)[table[i]] = 0x80;
		refused(IMG_ERR_RESERVED, at.table + 64 + table[i]);
		entry(1)[table[i]] = 0;
		t.bytes[at.seal + 48 + 15 * i] = 1;
		refused(IMG_ERR_RESERVED, at.seal + 48 + 15 * i);
		t.bytes[at.seal + 48 + 15 * i] = 0;
		record(0)[8 + 23 * i] = 1;
		refused(IMG_ERR_RESERVED, at.seal + 64 + 8 + 23 * i);
		record(0)[8 + 23 * i] = 0;
	}
	assert_int_equal(test_image_judge(&t), IMG_OK);
}

static void seal_place(void **state)
{
	(void)state;
	test_put64(t.bytes + 8, at.seal + 1);
	refused(IMG_ERR_SEAL_PLACE, 8);
	test_put64(t.bytes + 8, at.seal - 8);
	refused(IMG_ERR_SEAL_PLACE, 8);
	test_image_append(&t, 0, 4096);
	test_put64(t.bytes + 8, at.seal + 4096);
	refused(IMG_ERR_SEAL_PLACE, 8);
}

static void seal_len(void **state)
{
	(void)state;
	test_put64(t.bytes + 8, at.seal + 4096);
	refused(IMG_ERR_SEAL_LEN, 8);
	test_put64(t.bytes + 8, UINT64_MAX - 4095);
	refused(IMG_ERR_SEAL_LEN, 8);
	test_put64(t.bytes + 8, at.seal);
	test_put64(t.bytes + at.seal + 40, 2);
	refused(IMG_ERR_SEAL_LEN, at.seal + 40);
	test_put64(t.bytes + at.seal + 40, 0);
	refused(IMG_ERR_AFTER_SEAL, at.seal + 64);
}

static void xml_len(void **state)
{
	(void)state;
	test_put64(t.bytes + 16, at.seal - 63);
	refused(IMG_ERR_XML_LEN, 16);
	test_put64(t.bytes + 16, UINT64_MAX);
	refused(IMG_ERR_XML_LEN, 16);
	/* It fits exactly, and leaves no room for the table. */
	test_put64(t.bytes + 16, at.seal - 64);
	refused(IMG_ERR_TABLE_LEN, 24);
}

static void xml_too_long(void **state)
{
	(void)state;
	test_image_append(&t, 0, 2 * IMAGE_MAX_XML);
	test_put64(t.bytes + 8, IMAGE_MAX_XML + 8192);
	test_put64(t.bytes + 16, IMAGE_MAX_XML + 1);
	refused(IMG_ERR_XML_TOO_LONG, 16);
}

static void xml_nul(void **state)
{
	(void)state;
	t.bytes[70] = 0;
	refused(IMG_ERR_XML_NUL, 70);
}

static void pad_xml(void **state)
{
	size_t end = 64 + strlen(XML_TWO);

	(void)state;
	assert_true(end < at.table);
	t.bytes[at.table - 1] = 'x';
	refused(IMG_ERR_PAD_XML, at.table - 1);
	/* One byte of XML given up is one that must be zero. */
	t.bytes[at.table - 1] = 0;
	test_put64(t.bytes + 16, strlen(XML_TWO) - 1);
	refused(IMG_ERR_PAD_XML, end - 1);
}

static void table_len(void **state)
{
	(void)state;
	test_put64(t.bytes + 24, 200);
	refused(IMG_ERR_TABLE_LEN, 24);
}

/* An image of 40 GiB, whose list of chunks takes room that the data then lacks: only a source can be so large. */
static int copy_far(void *ctx, uint64_t off, void *dst, size_t len)
{
	struct test_image *img = ctx;

	memset(dst, 0, len);
	if (off < img->size)
		memcpy(dst, img->bytes + off, min_u64(len, img->size - off));
	return 0;
}

static void lists_len(void **state)
{
	uint64_t seal = 40ull << 30;
	struct image_source src = { copy_far, &t, seal + 64 };
	char *xml = malloc(IMAGE_MAX_XML + 1);

	(void)state;
	assert_non_null(xml);
	test_put64(t.bytes + 8, seal);
	test_put64(entry(0) + 8, seal);
	test_put64(entry(0), 4096);
	assert_int_equal(image_read_any(&test_img, &src, xml, &test_err), -1);
	/* The list of that size fits; what it leaves for the data does not. */
	assert_int_equal(test_err.code, IMG_ERR_FILE_PLACE);
	test_put64(entry(0), align_up(at.lists + 20480 * 32, 4096));
	assert_int_equal(image_read_any(&test_img, &src, xml, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_FILE_SPAN);
	assert_int_equal(test_err.offset, at.table + 8);
	free(xml);
}

static void file_place(void **state)
{
	uint64_t bad[] = { at.file[1] + 4096, at.file[1] - 4096, at.file[0], 0, UINT64_MAX, at.file[1] + 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		test_put64(entry(1), bad[i]);
		refused(IMG_ERR_FILE_PLACE, at.table + 64);
	}
}

static void file_span(void **state)
{
	(void)state;
	test_put64(entry(1) + 8, 4097);
	refused(IMG_ERR_FILE_SPAN, at.table + 64 + 8);
	test_put64(entry(1) + 8, UINT64_MAX);
	refused(IMG_ERR_FILE_SPAN, at.table + 64 + 8);
	/* As long as its page: the place of the seal does not tell, the digest does. */
	test_put64(entry(1) + 8, 4096);
	refused(IMG_ERR_MANIFEST, at.seal + 8);
	test_image2_seal(&t, &at);
	refused(IMG_ERR_CHUNK, at.file[1]);
}

static void gaps(void **state)
{
	size_t places[] = { at.lists, at.data - 1, at.file[0] + 3, at.file[1] - 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		t.bytes[places[i]] = 1;
		refused(IMG_ERR_GAP, places[i]);
		t.bytes[places[i]] = 0;
	}
	t.bytes[at.seal - 1] = 1;
	refused(IMG_ERR_TRAILING, at.seal - 1);
}

/* Rules of the XML hold as ever, and its places are those in this image. */
static void xml_rules(void **state)
{
	struct test_image2 spec = two(0);

	(void)state;
	spec.xml = "<vm><files><file id='p' index='0'/></files></vm>";
	make(&spec);
	refused(IMG_ERR_HDR_UNNAMED, at.table + 64);
	spec.xml = "<vm><files></vm>";
	make(&spec);
	refused(IMG_ERR_XML_SYNTAX, 64 + strlen("<vm><files></"));
}

/* ------------------------------------------------------------------ seal and signatures */

static void seal_cookie(void **state)
{
	(void)state;
	for (size_t i = 0; i < 8; i++) {
		t.bytes[at.seal + i] ^= 1;
		refused(IMG_ERR_SEAL_COOKIE, at.seal);
		t.bytes[at.seal + i] ^= 1;
	}
}

static void manifest(void **state)
{
	size_t covered[] = { 32, 39, 64 + 10, at.table + 32, at.lists - 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(covered); i++) {
		t.bytes[covered[i]] ^= 4;
		refused(IMG_ERR_MANIFEST, at.seal + 8);
		t.bytes[covered[i]] ^= 4;
	}
}

static void sig_count(void **state)
{
	(void)state;
	test_put64(t.bytes + at.seal + 40, 17);
	refused(IMG_ERR_SIG_COUNT, at.seal + 40);
	/* 128 times this is 128 modulo 2^64. */
	test_put64(t.bytes + at.seal + 40, (1ull << 57) + 1);
	refused(IMG_ERR_SIG_COUNT, at.seal + 40);
}

static void sig_kind(void **state)
{
	(void)state;
	test_put64(record(0), 2);
	refused(IMG_ERR_SIG_KIND, at.seal + 64);
	test_put64(record(0), 1ull << 32 | 1);
	refused(IMG_ERR_SIG_KIND, at.seal + 64);
}

static void sig_form(void **state)
{
	(void)state;
	memset(record(0) + 64, 0, 32);
	refused(IMG_ERR_SIG_FORM, at.seal + 128);
	memset(record(0) + 64, 0xff, 32);
	refused(IMG_ERR_SIG_FORM, at.seal + 128);
	make_two(state);
	memset(record(0) + 96, 0, 32);
	refused(IMG_ERR_SIG_FORM, at.seal + 128);
	record(0)[96] = 0x80;
	refused(IMG_ERR_SIG_FORM, at.seal + 128);
}

static void sig_order(void **state)
{
	struct test_image2 spec = two(3);
	uint8_t copy[128];

	(void)state;
	make(&spec);
	refused_signed(IMG_OK, 0, 3);
	assert_int_equal(test_img.signature_count, 3);
	memcpy(copy, record(1), 128);
	memcpy(record(1), record(2), 128);
	memcpy(record(2), copy, 128);
	refused(IMG_ERR_SIG_ORDER, at.seal + 64 + 256 + 32);
	/* Twice the same. */
	memcpy(record(1), record(0), 128);
	refused(IMG_ERR_SIG_ORDER, at.seal + 64 + 128 + 32);
}

static void whose(void **state)
{
	struct test_image2 spec = two(2);
	bool is;

	(void)state;
	/* One of two trusted keys will do; a foreign record is passed over. */
	make(&spec);
	refused_signed(IMG_OK, 0, 1);
	refused_signed(IMG_OK, 1, 1);
	refused_signed(IMG_OK, 1, 2);
	refused_signed(IMG_ERR_SIG_UNKNOWN, 2, 1);
	refused_signed(IMG_ERR_SIG_UNKNOWN, 0, 0);
	assert_int_equal(image_signed_by(&test_img, &pub[1], &is, &test_err), 0);
	assert_true(is);
	assert_int_equal(image_signed_by(&test_img, &pub[2], &is, &test_err), 0);
	assert_false(is);
	/* Stripped. */
	spec = two(0);
	make(&spec);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	refused_signed(IMG_ERR_SIG_NONE, 0, 3);
}

/* A bad signature under a trusted id refuses the image even beside a good one. */
static void sig_bad(void **state)
{
	struct test_image2 spec = two(2);
	unsigned int of_first;

	(void)state;
	make(&spec);
	of_first = memcmp(record(0) + 32, pub[0].id, 32) == 0 ? 0 : 1;
	record(of_first)[64 + 31] ^= 1;
	refused_signed(IMG_ERR_SIG_BAD, 0, 2);
	assert_int_equal(test_err.offset, at.seal + 64 + 128 * of_first + 64);
	refused_signed(IMG_ERR_SIG_BAD, 0, 1);
	refused_signed(IMG_OK, 1, 1);

	/* The same signature over another image: its seal is right, and that is not enough. */
	spec = two(1);
	make(&spec);
	test_put64(t.bytes + 32, 8);
	test_image2_seal(&t, &at);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	refused_signed(IMG_ERR_SIG_BAD, 0, 1);

	/* Table and seal swapped for those of the same key's other image: that one's data this is not. */
	make(&spec);
	entry(0)[40] ^= 1;
	test_image2_seal(&t, &at);
	assert_int_equal(key_sign(keys[0], t.bytes + at.seal + 8, record(0) + 64), 0);
	refused_signed(IMG_ERR_CHUNK, 0, 1);
}

/* A key that is no point of the curve under the id of a record: the policy is at fault, and that is an error too. */
static void sig_key(void **state)
{
	struct public_key bad = pub[0];
	struct image_trust trust = { &bad, 1 };

	(void)state;
	bad.point[5] ^= 1;
	assert_int_equal(test_image_judge_signed(&t, &trust), IMG_ERR_SIG_KEY);
}

static void unnamed(void **state)
{
	struct test_image2 spec = two(1);

	(void)state;
	spec.xml = "<vm><files><file id='p' index='0'/><file id='q' index='1'/></files></vm>";
	make(&spec);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	refused_signed(IMG_ERR_UNNAMED, 0, 1);
	assert_int_equal(test_err.offset, 64);
	spec.xml = "<vm name='not allowed'><files><file id='p' index='0'/><file id='q' index='1'/></files></vm>";
	make(&spec);
	refused_signed(IMG_ERR_CFG_NAME, 0, 1);
	spec.xml = "<vm name=''><files><file id='p' index='0'/><file id='q' index='1'/></files></vm>";
	make(&spec);
	refused_signed(IMG_ERR_CFG_NAME, 0, 1);
	/* The name is judged only when the signature is good: XML is not parsed before. */
	record(0)[64 + 31] ^= 1;
	refused_signed(IMG_ERR_SIG_BAD, 0, 1);
}

static void asked(void **state)
{
	static const char *const data[] = { "abc", "defgh" };
	struct image_trust trust = { pub, 1 };

	(void)state;
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(image_check_digests(&test_img, &test_err), 0);
	assert_int_equal(image_check_hashed(&test_img, &test_err), 0);
	assert_int_equal(image_check_security(&test_img, 7, &test_err), 0);
	assert_int_equal(image_check_security(&test_img, 8, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_SECURITY);
	assert_int_equal(test_err.offset, 32);
	/* What version 1 calls a hash is none here, whatever is compared. */
	assert_int_equal(image_check_hash(&test_img, 0, &(struct v1_hash){ .i = 3 }, &test_err), -1);
	for (unsigned int v = 0; v < 2; v++) {
		test_image_free(&t);
		test_image_make(&t, v, XML_TWO, 2, data);
		assert_int_equal(test_image_judge(&t), IMG_OK);
		assert_int_equal(image_check_digests(&test_img, &test_err), -1);
		assert_int_equal(test_err.code, IMG_ERR_NO_DIGESTS);
		assert_int_equal(test_image_judge_signed(&t, &trust), IMG_ERR_NO_DIGESTS);
		assert_int_equal(image_check_security(&test_img, 1, &test_err), -1);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_two, drop)
	const struct CMUnitTest tests[] = {
		T(good), T(no_files), T(sizes), T(most_files), T(every_length), T(every_bit), T(read_fails),
		T(truncated), T(version), T(reserved), T(seal_place), T(seal_len), T(xml_len), T(xml_too_long),
		T(xml_nul), T(pad_xml), T(table_len), T(lists_len), T(file_place), T(file_span), T(gaps),
		T(xml_rules), T(seal_cookie), T(manifest), T(sig_count), T(sig_kind), T(sig_form),
		T(sig_order), T(whose), T(sig_bad), T(sig_key), T(unnamed), T(asked),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
