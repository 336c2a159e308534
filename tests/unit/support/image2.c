/* SPDX-License-Identifier: BSD-2-Clause */
/* See image2.h. */
#include "image2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHUNK 2097152u

static size_t up(size_t v, size_t a)
{
	return (v + a - 1) / a * a;
}

static size_t chunks(size_t len)
{
	return (len + CHUNK - 1) / CHUNK;
}

static void lay_out(const struct test_image2 *spec, struct test_layout *at)
{
	size_t end;

	at->table = up(64 + strlen(spec->xml), 8);
	at->lists = end = at->table + 64 * spec->count;
	for (unsigned int i = 0; i < spec->count; i++)
		end += chunks(spec->file[i].len) > 1 ? 32 * chunks(spec->file[i].len) : 0;
	at->data = end = up(end, 4096);
	for (unsigned int i = 0; i < spec->count; i++) {
		at->file[i] = end;
		end = up(end + spec->file[i].len, 4096);
	}
	at->seal = end;
}

/* The file's digest into its entry; its list, if it has one, at *list. */
static void put_digests(struct test_image *t, const struct test_image2 *spec, const struct test_layout *at,
			unsigned int i, size_t *list)
{
	const uint8_t *data = spec->file[i].data;
	uint8_t *entry = t->bytes + at->table + 64 * i, *first = t->bytes + *list;
	size_t len = spec->file[i].len;

	test_put64(entry, at->file[i]);
	test_put64(entry + 8, len);
	if (len <= CHUNK) {
		sha256_of(data, len, entry + 32);
		return;
	}
	for (size_t off = 0; off < len; off += CHUNK, *list += 32)
		sha256_of(data + off, len - off < CHUNK ? len - off : CHUNK, t->bytes + *list);
	sha256_of(first, (size_t)(t->bytes + *list - first), entry + 32);
}

/* Selection by the lowest id that was not taken yet. */
static void put_signatures(struct test_image *t, const struct test_image2 *spec, const struct test_layout *at)
{
	uint8_t last[SHA256_LEN] = { 0 };

	for (unsigned int n = 0; n < spec->keys; n++) {
		uint8_t *record = t->bytes + at->seal + 64 + 128 * n;
		struct public_key best = { .id = { 0 } }, pub;
		struct key *signer = NULL;

		for (unsigned int k = 0; k < spec->keys; k++) {
			key_public(spec->key[k], &pub);
			if (memcmp(pub.id, last, 32) > 0 && (!signer || memcmp(pub.id, best.id, 32) < 0)) {
				best = pub;
				signer = spec->key[k];
			}
		}
		assert_non_null(signer);
		test_put64(record, 1);
		memcpy(record + 32, best.id, 32);
		memcpy(last, best.id, 32);
		assert_int_equal(key_sign(signer, t->bytes + at->seal + 8, record + 64), 0);
	}
}

void test_image2_seal(struct test_image *t, const struct test_layout *at)
{
	sha256_of(t->bytes, at->lists, t->bytes + at->seal + 8);
}

void test_image2_make(struct test_image *t, const struct test_image2 *spec, struct test_layout *at)
{
	size_t list;

	lay_out(spec, at);
	memset(t, 0, sizeof(*t));
	t->fail_at = SIZE_MAX;
	t->table = at->table;
	t->data = at->data;
	t->size = at->seal + 64 + 128 * spec->keys;
	t->bytes = calloc(t->size, 1);
	assert_non_null(t->bytes);
	memcpy(t->bytes, "v3vee\0\0\2", 8);
	test_put64(t->bytes + 8, at->seal);
	test_put64(t->bytes + 16, strlen(spec->xml));
	test_put64(t->bytes + 24, spec->count);
	test_put64(t->bytes + 32, spec->security);
	memcpy(t->bytes + 64, spec->xml, strlen(spec->xml));
	list = at->lists;
	for (unsigned int i = 0; i < spec->count; i++) {
		put_digests(t, spec, at, i, &list);
		if (spec->file[i].len)
			memcpy(t->bytes + at->file[i], spec->file[i].data, spec->file[i].len);
	}
	memcpy(t->bytes + at->seal, "v3seal\0\2", 8);
	test_put64(t->bytes + at->seal + 40, spec->keys);
	test_image2_seal(t, at);
	put_signatures(t, spec, at);
}
