/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file's way out of a module that changes all the while: whatever is done to the module once a piece was copied, the
 * bytes that were hashed are those at the destination, and a change before that is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/host.h>

#include "core/file_copy.h"
#include "tests/unit/support/hostram.h"
#include "tests/unit/support/image2.h"

#define RAM (64ul << 20)
#define BIG (2 * IMAGE2_CHUNK + 12345)
#define XML "<vm class=\"PC\"><files><file id=\"a\" index=\"0\"/><file id=\"b\" index=\"1\"/></files></vm>"

static struct host host;
static struct timing timing;
static uint8_t content[BIG];
static struct test_image made;
static struct test_layout at;
static struct image img;
static struct image_error err;
static char xml[IMAGE_MAX_XML + 1];
static uint8_t digest[SHA256_LEN];    /* of the file that was copied last */
static bool hostile;                  /* what was read is changed at once, before anything is done with it */

static int copy(void *ctx, uint64_t off, void *dst, size_t len)
{
	struct test_image *t = ctx;

	assert_true(span_ok(off, len, t->size));
	memcpy(dst, t->bytes + off, len);
	for (size_t i = 0; i < len && hostile; i++)
		t->bytes[off + i] ^= 0xff;
	return 0;
}

static struct image_source source(void)
{
	return (struct image_source){ copy, &made, made.size };
}

/* Two files, of which the first has three chunks. */
static int setup(void **state)
{
	struct test_image2 spec = { .xml = XML, .count = 2 };
	struct image_source src;

	(void)state;
	hostile = false;
	hostram_init(&host.pages, RAM);
	for (size_t i = 0; i < BIG; i++)
		content[i] = (uint8_t)(i * 2654435761u >> 13);
	spec.file[0].data = content;
	spec.file[0].len = BIG;
	spec.file[1].data = "";
	test_image2_make(&made, &spec, &at);
	src = source();
	assert_int_equal(image_read_any(&img, &src, xml, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(hostram_missing(&host.pages), 0);
	test_image_free(&made);
	return 0;
}

/* Copies file f in pieces to dst; the verdict. */
static int copy_file(uint32_t f, uint8_t *dst, size_t piece)
{
	struct image_source src = source();
	struct file_copy c;
	int ret = file_copy_begin(&c, &host, &timing, &img, &src, f, digest, &err);

	if (ret)
		return ret;
	while (c.done < img.file[f].size && !ret)
		ret = file_copy_piece(&c, dst + c.done, (size_t)min_u64(piece, img.file[f].size - c.done));
	assert_int_equal(ret != 0, c.refused);
	return file_copy_end(&c);
}

static void expect_digest(const void *data, size_t len)
{
	uint8_t want[SHA256_LEN];

	sha256_of(data, len, want);
	assert_memory_equal(digest, want, SHA256_LEN);
}

static void what_was_hashed_is_what_is_there(void **state)
{
	static const size_t pieces[] = { 0x10000, 100001, 4096, BIG };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		uint8_t *dst = malloc(BIG);

		assert_non_null(dst);
		hostile = true;
		assert_int_equal(copy_file(0, dst, pieces[i]), 0);
		assert_memory_equal(dst, content, BIG);
		expect_digest(content, BIG);
		/* And the module no longer is. */
		assert_memory_not_equal(made.bytes + at.file[0], content, BIG);
		free(dst);
		teardown(state);
		setup(state);
	}
}

static void refused_with(size_t off, enum image_err code, const char *text)
{
	uint8_t *dst = malloc(BIG);

	assert_non_null(dst);
	made.bytes[off] ^= 1;
	assert_int_equal(copy_file(0, dst, 0x10000), -1);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, text));
	made.bytes[off] ^= 1;
	assert_int_equal(copy_file(0, dst, 0x10000), 0);
	free(dst);
}

static void changed_before(void **state)
{
	(void)state;
	refused_with(at.file[0], IMG_ERR_CHUNK, "chunk 0 of 0-2");
	refused_with(at.file[0] + IMAGE2_CHUNK, IMG_ERR_CHUNK, "chunk 1 of 0-2");
	refused_with(at.file[0] + BIG - 1, IMG_ERR_CHUNK, "chunk 2 of 0-2, 12345 bytes");
	refused_with(at.lists, IMG_ERR_CHUNK_LIST, "file 0");
}

/* The head was read: another file, with digests that fit it, does not do in its place any more. */
static void exchanged_after_the_head(void **state)
{
	uint8_t *dst = malloc(BIG);

	(void)state;
	assert_non_null(dst);
	made.bytes[at.file[0]] ^= 1;
	sha256_of(made.bytes + at.file[0], IMAGE2_CHUNK, made.bytes + at.lists);
	sha256_of(made.bytes + at.lists, 3 * SHA256_LEN, made.bytes + at.table + 32);
	test_image2_seal(&made, &at);
	assert_int_equal(copy_file(0, dst, 0x10000), -1);
	assert_int_equal(err.code, IMG_ERR_CHUNK_LIST);
	free(dst);
}

static void empty(void **state)
{
	uint8_t nothing;

	(void)state;
	assert_int_equal(copy_file(1, &nothing, 1), 0);
	expect_digest("", 0);
	img.file[1].digest[5] ^= 1;
	assert_int_equal(copy_file(1, &nothing, 1), -1);
	assert_int_equal(err.code, IMG_ERR_CHUNK_LIST);
}

static void no_memory(void **state)
{
	hpa_t pages[RAM >> PAGE_SHIFT];
	uint8_t *dst = malloc(BIG);
	size_t n = 0;

	(void)state;
	assert_non_null(dst);
	while (page_get(&host.pages, 0, &pages[n]))
		n++;
	assert_int_equal(copy_file(0, dst, 0x10000), -1);
	assert_int_equal(err.code, IMG_ERR_HOST_MEMORY);
	while (n)
		page_put(&host.pages, pages[--n], 0);
	free(dst);
}

static void version_1(void **state)
{
	const char *data[] = { "some bytes", "others" };
	struct image_source src;
	uint8_t dst[16] = { 0 };

	(void)state;
	test_image_free(&made);
	test_image_make(&made, 1, XML, 2, data);
	src = source();
	assert_int_equal(image_read_any(&img, &src, xml, &err), 0);
	hostile = true;
	assert_int_equal(copy_file(0, dst, 3), 0);
	assert_string_equal((char *)dst, "some bytes");
	expect_digest("some bytes", 10);
	hostile = false;
	assert_int_equal(copy_file(0, dst, 3), -1);
	assert_int_equal(err.code, IMG_ERR_HASH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_hashed_is_what_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_before, setup, teardown),
		cmocka_unit_test_setup_teardown(exchanged_after_the_head, setup, teardown),
		cmocka_unit_test_setup_teardown(empty, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(version_1, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
