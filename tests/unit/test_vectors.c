/* SPDX-License-Identifier: BSD-2-Clause */
/* Every image and hash of tests/data/vectors gets the verdict of its index. Run from the top folder. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/image.h"

#define VECTORS "tests/data/vectors/"

static char *read_whole(const char *name, size_t *size)
{
	char path[256];
	FILE *f;
	char *s;

	snprintf(path, sizeof(path), VECTORS "%s", name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	s = malloc(*size + 1);
	assert_non_null(s);
	assert_int_equal(fread(s, 1, *size, f), *size);
	s[*size] = '\0';
	fclose(f);
	return s;
}

/* Enough of JSON for the two indices: the value of the next "key" from at on, before the object ends. */
static const char *member(const char *at, const char *key)
{
	const char *end = strchr(at, '}'), *s;
	char quoted[32];

	snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	s = strstr(at, quoted);
	assert_true(s && end && s < end);
	return s + strlen(quoted);
}

static void copy_string(char *dst, size_t size, const char *value)
{
	const char *end;

	assert_int_equal(*value, '"');
	end = strchr(value + 1, '"');
	assert_true(end && (size_t)(end - value - 1) < size);
	memcpy(dst, value + 1, (size_t)(end - value - 1));
	dst[end - value - 1] = '\0';
}

/* What the table of the specification says about each invalid vector: not only that it is refused, but why. */
static const struct {
	const char *name;
	enum image_err code;
} reasons[] = {
	{ "golden/pi-v1.img", IMG_ERR_XML_PI }, { "variant/xml-nul-tail.img", IMG_ERR_XML_NUL },
	{ "invalid/empty.img", IMG_ERR_TRUNCATED }, { "invalid/cookie.img", IMG_ERR_COOKIE },
	{ "invalid/version2.img", IMG_ERR_RESERVED }, { "invalid/version-hi.img", IMG_ERR_VERSION },
	{ "invalid/short-len.img", IMG_ERR_TRUNCATED }, { "invalid/xml-len-max.img", IMG_ERR_XML_LEN },
	{ "invalid/xml-len-2g.img", IMG_ERR_XML_LEN }, { "invalid/xml-len-plus1.img", IMG_ERR_XML_NUL },
	{ "invalid/pad1.img", IMG_ERR_XML_END }, { "invalid/pad2.img", IMG_ERR_PAD_TABLE },
	{ "invalid/num-huge.img", IMG_ERR_FILE_COUNT }, { "invalid/num-wrap.img", IMG_ERR_FILE_COUNT },
	{ "invalid/num-zero.img", IMG_ERR_PAD_TABLE }, { "invalid/num-three.img", IMG_ERR_TABLE_LEN },
	{ "invalid/off-past.img", IMG_ERR_FILE_SPAN }, { "invalid/off-wrap.img", IMG_ERR_FILE_SPAN },
	{ "invalid/off-header.img", IMG_ERR_FILE_IN_HEAD }, { "invalid/overlap.img", IMG_ERR_FILE_OVERLAP },
	{ "invalid/size-past.img", IMG_ERR_FILE_SPAN }, { "invalid/size-max.img", IMG_ERR_FILE_SPAN },
	{ "invalid/hdr-index.img", IMG_ERR_HDR_INDEX }, { "invalid/hash.img", IMG_ERR_HASH },
	{ "invalid/hash-hi.img", IMG_ERR_HASH }, { "invalid/data-bit.img", IMG_ERR_HASH },
	{ "invalid/truncated.img", IMG_ERR_FILE_SPAN }, { "invalid/xml-index-oor.img", IMG_ERR_INDEX_RANGE },
	{ "invalid/xml-index-neg.img", IMG_ERR_INDEX_NUMBER }, { "invalid/xml-index-junk.img", IMG_ERR_INDEX_NUMBER },
	{ "invalid/xml-index-big.img", IMG_ERR_INDEX_NUMBER }, { "invalid/xml-index-dup.img", IMG_ERR_INDEX_DUPLICATE },
	{ "invalid/xml-index-none.img", IMG_ERR_INDEX_MISSING }, { "invalid/xml-id-dup.img", IMG_ERR_ID_DUPLICATE },
	{ "invalid/xml-id-none.img", IMG_ERR_ID_MISSING }, { "invalid/xml-id-empty.img", IMG_ERR_ID_EMPTY },
	{ "invalid/xml-id-256.img", IMG_ERR_ID_LONG }, { "invalid/xml-open.img", IMG_ERR_XML_SYNTAX },
	{ "invalid/xml-empty.img", IMG_ERR_XML_SYNTAX },
};

static enum image_err judge(const char *name)
{
	struct test_image t = { .fail_at = SIZE_MAX };
	enum image_err code;

	t.bytes = (uint8_t *)read_whole(name, &t.size);
	code = test_image_judge(&t);
	test_image_free(&t);
	return code;
}

static void images(void **state)
{
	size_t len, seen = 0, refused = 0;
	char *json = read_whole("index.json", &len), name[64];

	(void)state;
	for (const char *at = strchr(json, '{'); at; at = strchr(at + 1, '{')) {
		bool accept = !strncmp(member(at, "accept"), "true", 4);
		enum image_err code;

		copy_string(name, sizeof(name), member(at, "name"));
		code = judge(name);
		if (accept != (code == IMG_OK))
			fail_msg("%s: %s", name, code == IMG_OK ? "accepted" : test_err.text);
		seen++;
		refused += !accept;
	}
	free(json);
	assert_int_equal(seen, 56);
	assert_int_equal(refused, ARRAY_SIZE(reasons));
}

static void right_reasons(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		enum image_err code = judge(reasons[i].name);

		if (code != reasons[i].code)
			fail_msg("%s: %s", reasons[i].name, test_err.text);
	}
}

/* No image lies in the folders without standing in the index. */
static void none_forgotten(void **state)
{
	static const char *const folders[] = { "golden", "variant", "invalid" };
	size_t len, images_found = 0;
	char *json = read_whole("index.json", &len);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char path[64], quoted[300];
		struct dirent *e;
		DIR *d;

		snprintf(path, sizeof(path), VECTORS "%s", folders[i]);
		d = opendir(path);
		assert_non_null(d);
		while ((e = readdir(d))) {
			if (!strstr(e->d_name, ".img"))
				continue;
			snprintf(quoted, sizeof(quoted), "\"%s/%s\"", folders[i], e->d_name);
			assert_non_null(strstr(json, quoted));
			images_found++;
		}
		closedir(d);
	}
	assert_int_equal(images_found, 56);
	free(json);
}

/* The inputs of hash.json, by name; buf has room for the longest. */
static size_t hash_input(const char *name, uint8_t *buf)
{
	static const uint8_t carry[16] = { 15, 14, 13, 12, 11, 10, 9, 32 };
	size_t mib = 1 << 20;

	memset(buf, 0, mib + 1);
	if (!strcmp(name, "41") || !strcmp(name, "ff") || !strcmp(name, "00"))
		return buf[0] = (uint8_t)strtoul(name, NULL, 16), (size_t)1;
	if (!strcmp(name, "abc"))
		return memcpy(buf, "abc", 3), (size_t)3;
	if (!strcmp(name, "hello"))
		return memcpy(buf, "hello, vouch!", 13), (size_t)13;
	if (!strcmp(name, "ff*37"))
		return memset(buf, 0xff, 37), (size_t)37;
	if (!strcmp(name, "zeros4096"))
		return 4096;
	if (!strncmp(name, "carry", 5))
		return memcpy(buf, carry, 16), 8 + (size_t)strtoul(name[5] ? name + 6 : "0", NULL, 10);
	if (!strcmp(name, "0..255") || !strncmp(name, "mib", 3)) {
		for (size_t i = 0; i < mib; i++)
			buf[i] = (uint8_t)(*name == 'm' ? 7 * i + (i >> 8) : i);
		buf[mib] = 0x5a;
		return *name != 'm' ? 256 : strcmp(name, "mib") ? mib + 1 : mib;
	}
	assert_string_equal(name, "empty");
	return 0;
}

static void hashes(void **state)
{
	size_t len, seen = 0;
	char *json = read_whole("hash.json", &len), name[64], hex[32];
	uint8_t *buf = malloc((1 << 20) + 1);

	(void)state;
	assert_non_null(buf);
	for (const char *at = strchr(json, '{'); at; at = strchr(at + 1, '{')) {
		struct v1_hash whole = { 0 }, pieces = { 0 };
		size_t n, cut;

		copy_string(name, sizeof(name), member(at, "name"));
		copy_string(hex, sizeof(hex), member(at, "hash64"));
		n = hash_input(name, buf);
		assert_int_equal(n, strtoul(member(at, "length"), NULL, 10));
		v1_hash_update(&whole, buf, n);
		assert_int_equal(whole.h, strtoull(hex, NULL, 16));
		cut = n / 3;
		v1_hash_update(&pieces, buf, cut);
		v1_hash_update(&pieces, buf + cut, 0);
		v1_hash_update(&pieces, buf + cut, n - cut);
		assert_int_equal(pieces.h, whole.h);
		assert_int_equal(pieces.i, n);
		seen++;
	}
	assert_int_equal(seen, 15);
	free(buf);
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images), cmocka_unit_test(right_reasons), cmocka_unit_test(none_forgotten),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
