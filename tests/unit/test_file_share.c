/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file's chunks, done by one to four CPUs under ThreadSanitizer: the bytes, the digest and what is said of a bad chunk are
 * those of one CPU that goes through the file, whoever is done first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/platform.h>
#include <vouch/smp.h>
#include <vouch/vm.h>

#include "core/block.h"
#include "core/file_share.h"
#include "core/gpa_build.h"
#include "tests/unit/support/image2.h"

#define CPUS   4u
#define CHUNKS 5u
#define BIG    ((CHUNKS - 1) * IMAGE2_CHUNK + 12345)
#define AT     0x40000u
#define XML    "<vm class=\"PC\"><files><file id=\"a\" index=\"0\"/></files></vm>"

static struct host host;
static struct vm vm;
static struct test_image made;
static struct test_layout at;
static struct image img;
static struct file_share share;
static char xml[IMAGE_MAX_XML + 1];
static uint8_t *content, *memory;     /* what should arrive, and where */
static uint64_t hole;                 /* offset in the file from which on there is no memory */
static unsigned int blocks;
static bool others;                   /* atomic: there are helpers, so the first chunk waits for the second one */
static bool second;                   /* atomic: the second one has been read */
static bool over;                     /* atomic */
static unsigned int helped;           /* atomic: chunks */

void cpu_serve(void)
{
	sched_yield();
}

uint64_t host_tsc(void)
{
	return 0;
}

void *block_get(struct page_alloc *pages, size_t bytes)
{
	(void)pages;
	blocks++;
	return calloc(1, bytes);
}

void block_put(struct page_alloc *pages, void *p, size_t bytes)
{
	(void)pages;
	(void)bytes;
	blocks--;
	free(p);
}

int gpa_build(struct vm *v, gpa_t a, uint64_t len, int (*fill)(void *ctx, void *chunk, size_t n), void *ctx)
{
	if (v != &vm)
		abort();
	for (uint64_t off = a.v - AT, end = off + len; off < end;) {
		size_t n = (size_t)min_u64(end - off, GPA_BUILD_CHUNK);
		int err = off >= hole ? -EFAULT : fill(ctx, memory + off, n);

		if (err)
			return err;
		off += n;
	}
	return 0;
}

/* What was read is gone: who reads it again reads something else. */
static int copy(void *ctx, uint64_t off, void *dst, size_t len)
{
	uint64_t in_file = off - at.file[0];

	(void)ctx;
	if (off < at.file[0]) {
		memcpy(dst, made.bytes + off, len);
		return 0;
	}
	/* The second chunk is done before the first, if somebody else can do it. */
	while (__atomic_load_n(&others, __ATOMIC_RELAXED) && in_file == 0 && !__atomic_load_n(&second, __ATOMIC_RELAXED))
		sched_yield();
	memcpy(dst, made.bytes + off, len);
	memset(made.bytes + off, 0x5a, len);
	if (in_file + len == 2 * IMAGE2_CHUNK)
		__atomic_store_n(&second, true, __ATOMIC_RELAXED);
	return 0;
}

static void *helper(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		if (file_share_help(&share))
			__atomic_fetch_add(&helped, 1, __ATOMIC_RELAXED);
		else
			sched_yield();
	}
	return NULL;
}

/* What came of one load. */
struct outcome {
	int ret;
	bool refused;
	uint8_t digest[SHA256_LEN];
	struct image_error err;
};

/* By one CPU, piece by piece, as a file of one chunk is. */
static int in_order(struct file_copy *c)
{
	return gpa_build(&vm, gpa(AT), BIG, file_copy_piece, c);
}

/* cpus 0: in order. bad: a bit for each chunk that is damaged. */
static void load(struct outcome *o, unsigned int cpus, unsigned int bad)
{
	struct image_source src = { copy, NULL, made.size };
	struct timing timing = { 0 };
	pthread_t thread[CPUS];
	struct file_copy c;

	memcpy(made.bytes + at.file[0], content, BIG);
	memset(memory, 0, BIG);
	for (unsigned int i = 0; i < CHUNKS; i++)
		made.bytes[at.file[0] + i * IMAGE2_CHUNK + 100] ^= bad >> i & 1;
	memset(o, 0, sizeof(*o));
	others = cpus > 1;
	second = over = false;
	helped = 0;
	for (unsigned int i = 1; i < cpus; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, helper, NULL), 0);
	assert_int_equal(file_copy_begin(&c, &host, &timing, &img, &src, 0, o->digest, &o->err), 0);
	o->ret = cpus ? file_share_load(&share, &c, &vm, gpa(AT)) : in_order(&c);
	o->refused = c.refused;
	if (o->ret)
		c.refused = true;
	assert_int_equal(file_copy_end(&c) != 0, o->ret != 0);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	for (unsigned int i = 1; i < cpus; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_true(cpus <= 1 ? !helped : helped > 0);
	assert_int_equal(blocks, 0);
	assert_false(file_share_help(&share));
}

static void expect_same(unsigned int bad)
{
	struct outcome want, got;

	load(&want, 0, bad);
	assert_int_equal(want.refused, want.err.code != IMG_OK);
	assert_int_equal(want.ret != 0, bad || hole < BIG);
	for (unsigned int i = 0; i < 2 * CPUS; i++) {
		load(&got, 1 + i % CPUS, bad);
		assert_int_equal(got.ret != 0, want.ret != 0);
		assert_int_equal(got.refused, want.refused);
		assert_int_equal(got.err.code, want.err.code);
		assert_int_equal(got.err.offset, want.err.offset);
		assert_string_equal(got.err.text, want.err.text);
		assert_memory_equal(got.digest, want.digest, SHA256_LEN);
	}
}

static void good(void **state)
{
	uint8_t digest[SHA256_LEN];
	struct outcome o;

	(void)state;
	expect_same(0);
	sha256_of(content, BIG, digest);
	for (unsigned int cpus = 1; cpus <= CPUS; cpus++) {
		load(&o, cpus, 0);
		assert_int_equal(o.ret, 0);
		assert_memory_equal(memory, content, BIG);
		assert_memory_equal(o.digest, digest, SHA256_LEN);
	}
}

static void bad_chunks(void **state)
{
	struct outcome o;

	(void)state;
	expect_same(1);
	expect_same(1 << 2);
	expect_same(1 << (CHUNKS - 1));
	expect_same(1 << 1 | 1 << 3);
	expect_same((1 << CHUNKS) - 1);
	load(&o, CPUS, 1 | 1 << 1);
	assert_int_equal(o.err.code, IMG_ERR_CHUNK);
	assert_non_null(strstr(o.err.text, "chunk 0 of 0-4"));
	/* After a bad file a good one is as good as ever. */
	load(&o, CPUS, 0);
	assert_int_equal(o.ret, 0);
}

/* A guest that is too small for its file: whichever comes first is what is said. */
static void no_room(void **state)
{
	struct outcome o;

	(void)state;
	hole = 3 * IMAGE2_CHUNK + 0x10000;
	expect_same(0);
	expect_same(1 << 1);
	expect_same(1 << 3);
	expect_same(1 << 4);
	load(&o, CPUS, 1 << 3);
	assert_true(o.ret && !o.refused);
	load(&o, CPUS, 1 << 2);
	assert_true(o.ret && o.refused);
	hole = UINT64_MAX;
}

static int setup(void **state)
{
	struct test_image2 spec = { .xml = XML, .count = 1 };
	struct image_source src;
	struct image_error err;

	(void)state;
	hole = UINT64_MAX;
	content = malloc(BIG);
	memory = malloc(BIG);
	assert_true(content && memory);
	for (size_t i = 0; i < BIG; i++)
		content[i] = (uint8_t)(i * 2654435761u >> 13);
	spec.file[0].data = content;
	spec.file[0].len = BIG;
	test_image2_make(&made, &spec, &at);
	src = (struct image_source){ copy, NULL, made.size };
	assert_int_equal(image_read_any(&img, &src, xml, &err), 0);
	file_share_init(&share);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_image_free(&made);
	free(content);
	free(memory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(bad_chunks), cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
