/* SPDX-License-Identifier: BSD-2-Clause */
/* See image.h. */
#include "image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct image test_img;
struct vm_plan test_plan;
struct image_error test_err;

void test_put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

void test_put64(uint8_t *p, uint64_t v)
{
	test_put32(p, (uint32_t)v);
	test_put32(p + 4, (uint32_t)(v >> 32));
}

/* From the words of the specification, not from the loader. */
static uint64_t hash_of(const uint8_t *s, size_t len)
{
	uint64_t h = 0;

	for (size_t i = 0; i < len; i++) {
		uint64_t t;

		h = h * 16 + s[i] + i;
		t = h & 0xf0000000u;
		if (t)
			h ^= t >> 24;
		h &= ~t;
	}
	return h;
}

void test_image_make(struct test_image *t, unsigned int version, const char *xml, unsigned int count,
		     const char *const *data)
{
	size_t lens[IMAGE_MAX_FILES + 1];

	assert_true(count <= IMAGE_MAX_FILES + 1);
	for (unsigned int i = 0; i < count; i++)
		lens[i] = strlen(data[i]);
	test_image_make_bytes(t, version, xml, count, (const void *const *)data, lens);
}

void test_image_make_bytes(struct test_image *t, unsigned int version, const char *xml, unsigned int count,
			   const void *const *data, const size_t *lens)
{
	size_t len = strlen(xml), hdr = version ? 24 : 16, off;

	memset(t, 0, sizeof(*t));
	t->table = 28 + len;
	t->data = 36 + len + count * hdr;
	t->size = t->data;
	t->fail_at = SIZE_MAX;
	t->noted = false;
	for (unsigned int i = 0; i < count; i++)
		t->size += lens[i];
	t->bytes = calloc(t->size, 1);
	assert_non_null(t->bytes);
	memcpy(t->bytes, "v3vee", 5);
	t->bytes[7] = (uint8_t)version;
	test_put32(t->bytes + 8, (uint32_t)len);
	memcpy(t->bytes + 12, xml, len);
	test_put64(t->bytes + 20 + len, count);
	off = t->data;
	for (unsigned int i = 0; i < count; i++) {
		uint8_t *h = t->bytes + t->table + i * hdr;
		size_t n = lens[i];

		test_put32(h, i);
		test_put32(h + 4, (uint32_t)n);
		test_put64(h + 8, off);
		if (version)
			test_put64(h + 16, hash_of(data[i], n));
		memcpy(t->bytes + off, data[i], n);
		off += n;
	}
}

void test_image_xml(struct test_image *t, const char *xml)
{
	test_image_make(t, 1, xml, 0, NULL);
}

void test_image_free(struct test_image *t)
{
	free(t->bytes);
	memset(t, 0, sizeof(*t));
}

void test_image_append(struct test_image *t, uint8_t value, size_t len)
{
	t->bytes = realloc(t->bytes, t->size + len);
	assert_non_null(t->bytes);
	memset(t->bytes + t->size, value, len);
	t->size += len;
}

static int copy(void *ctx, uint64_t off, void *dst, size_t len)
{
	struct test_image *t = ctx;

	assert_true(len > 0 && off <= t->size && len <= t->size - off);
	if (t->fail_at >= off && t->fail_at < off + len)
		return -5;
	for (size_t i = 0; i < len; i++)
		assert_int_equal(t->reads[off + i]++, 0);
	memcpy(dst, t->bytes + off, len);
	return 0;
}

static enum image_err verdict(struct test_image *t, const struct image_trust *trust, bool plan)
{
	struct image_source src = { copy, t, t->size };
	static _Alignas(16) char memory[XML_ARENA_SIZE], xml[IMAGE_MAX_XML + 1];
	struct xml_arena arena = { .base = memory, .size = sizeof(memory) };
	int got;

	t->reads = calloc(t->size + 1, 1);
	assert_non_null(t->reads);
	memset(&test_err, 0, sizeof(test_err));
	got = image_judge_head(&test_img, &src, xml, &arena, trust, &test_err);
	if (!got)
		got = image_judge_files(&test_img, &src, NULL, NULL, &test_err);
	for (size_t i = 0; !got && i < t->size; i++)
		assert_int_equal(t->reads[i], 1);
	test_img.noted = t->noted;
	if (!got && plan)
		got = manifest_plan(&test_img, &arena, &test_plan, &test_err);
	assert_int_equal(got, test_err.code == IMG_OK ? 0 : -1);
	assert_true(got == 0 || strstr(test_err.text, image_err_text(test_err.code)));
	free(t->reads);
	test_img.xml = NULL;
	return test_err.code;
}

enum image_err test_image_judge(struct test_image *t)
{
	return verdict(t, NULL, false);
}

enum image_err test_image_judge_signed(struct test_image *t, const struct image_trust *trust)
{
	return verdict(t, trust, false);
}

enum image_err test_image_plan(struct test_image *t)
{
	return verdict(t, NULL, true);
}
