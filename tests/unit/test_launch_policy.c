/* SPDX-License-Identifier: BSD-2-Clause */
/* The launch policy: every way in which a tree is wrong, and every rule of the decision. The table of docs/policy.md. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/policy.h>

#include "tests/unit/support/tree.h"

static struct tree_writer w;
static struct policy p;
static struct policy_error err;

/* ------------------------------------------------------------------ trees */

static void start(void)
{
	tree_start(&w);
	tree_open_node(&w, "");
	tree_put_text(&w, "compatible", "vouch,policy");
	tree_put_cell(&w, "version", 1);
}

static void make_key(uint8_t seed, uint8_t der[POLICY_KEY_LEN], uint8_t id[SHA256_LEN])
{
	memcpy(der, policy_key_head, POLICY_KEY_HEAD_LEN);
	memset(der + POLICY_KEY_HEAD_LEN, seed, P256_POINT_LEN);
	sha256_of(der, POLICY_KEY_LEN, id);
}

static void put_key_bytes(uint8_t seed)
{
	uint8_t der[POLICY_KEY_LEN], id[SHA256_LEN];

	make_key(seed, der, id);
	tree_put(&w, "public-key", der, sizeof(der));
	tree_put(&w, "key-id", id, sizeof(id));
}

static void put_key(const char *name, uint8_t seed)
{
	tree_open_node(&w, name);
	put_key_bytes(seed);
	tree_put_text(&w, "guests", "*");
	tree_close_node(&w);
}

static void put_keys(void)
{
	tree_open_node(&w, "keys");
	put_key("build", 1);
	tree_close_node(&w);
}

static int read_blob(size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int status;

	/* A block of its own, so that the sanitizer sees a byte behind the end; malloc aligns it. */
	memcpy(copy, w.blob, size);
	memset(&p, 0xff, sizeof(p));
	status = policy_read(&p, copy, size, &err);
	free(copy);
	return status;
}

static void expect_text(enum policy_err code, const char *text)
{
	assert_int_equal(err.code, code);
	if (strncmp(err.text, text, strlen(text)) != 0)
		fail_msg("\"%s\" does not start with \"%s\"", err.text, text);
	assert_non_null(strstr(err.text, policy_err_text(code)));
}

/* A refused policy is one that refuses. */
static void expect_nothing_allowed(void)
{
	assert_int_equal(p.integrity, INTEGRITY_SIGNED);
	assert_int_equal(p.key_count, 0);
	assert_int_equal(p.guest_count, 0);
}

static void refused(enum policy_err code, const char *text)
{
	tree_close_node(&w);
	assert_int_equal(read_blob(tree_finish(&w)), -1);
	expect_text(code, text);
	expect_nothing_allowed();
}

static void accepted(void)
{
	tree_close_node(&w);
	if (read_blob(tree_finish(&w)))
		fail_msg("%s", err.text);
	assert_int_equal(err.code, POLICY_OK);
}

/* ------------------------------------------------------------------ reading */

static void smallest(void **state)
{
	(void)state;
	start();
	put_keys();
	accepted();
	assert_int_equal(p.integrity, INTEGRITY_SIGNED);
	assert_int_equal(p.on_refusal, POLICY_CONTINUE);
	assert_int_equal(p.key_count, 1);
	assert_string_equal(p.key[0].name, "build");
	assert_true(p.key[0].any_guest);
	assert_int_equal(p.key[0].least_version, 0);
	assert_int_equal(p.key[0].key.point[0], 1);
	assert_false(p.guests_listed);
	start();
	tree_put_text(&w, "integrity", "none");
	accepted();
	assert_int_equal(p.integrity, INTEGRITY_NONE);
	assert_int_equal(p.key_count, 0);
}

static void largest(void **state)
{
	char name[POLICY_NODE_MAX + 1], names[POLICY_MAX_NAMES * (PLAN_NAME_MAX + 1)];
	uint8_t digests[POLICY_MAX_DIGESTS * SHA256_LEN];
	static const uint8_t version[8] = { 0xff, 0, 0, 0, 0, 0, 0, 0xfe };

	(void)state;
	for (size_t i = 0; i < sizeof(digests); i++)
		digests[i] = (uint8_t)(i / SHA256_LEN);
	start();
	tree_put_text(&w, "on-refusal", "stop");
	tree_put_text(&w, "integrity", "signed");
	tree_open_node(&w, "keys");
	for (unsigned int i = 0; i < POLICY_MAX_KEYS; i++) {
		snprintf(name, sizeof(name), "key-%027u", i);
		assert_int_equal(strlen(name), POLICY_NODE_MAX);
		for (unsigned int k = 0; k < POLICY_MAX_NAMES; k++)
			snprintf(names + k * 32, 32, "guest.%02u_%022u", k, i);
		tree_open_node(&w, name);
		tree_put(&w, "least-security-version", version, sizeof(version));
		tree_put(&w, "guests", names, sizeof(names));
		put_key_bytes((uint8_t)i);
		tree_close_node(&w);
	}
	tree_close_node(&w);
	tree_open_node(&w, "guests");
	for (unsigned int i = 0; i < POLICY_MAX_GUESTS; i++) {
		snprintf(name, sizeof(name), "G%030u", i);
		tree_open_node(&w, name);
		tree_put(&w, "digests", digests, sizeof(digests));
		tree_close_node(&w);
	}
	tree_close_node(&w);
	accepted();
	assert_int_equal(p.on_refusal, POLICY_STOP);
	assert_int_equal(p.key_count, POLICY_MAX_KEYS);
	assert_int_equal(p.key[15].guest_count, POLICY_MAX_NAMES);
	assert_string_equal(p.key[15].guest[15], "guest.15_0000000000000000000015");
	assert_true(p.key[3].least_version == 0xff000000000000feu);
	assert_true(p.guests_listed);
	assert_int_equal(p.guest_count, POLICY_MAX_GUESTS);
	assert_int_equal(p.guest[63].digest_count, POLICY_MAX_DIGESTS);
	assert_int_equal(p.guest[63].digest[7][31], 7);
}

static size_t good_tree(void)
{
	start();
	put_keys();
	tree_close_node(&w);
	return tree_finish(&w);
}

static void not_a_tree(void **state)
{
	size_t size, i;

	(void)state;
	size = good_tree();
	for (i = 0; i < size; i++) {
		assert_int_equal(read_blob(i), -1);
		assert_int_equal(err.code, POLICY_ERR_HEADER);
	}
	/* Bytes behind the end would be measured and mean nothing. */
	assert_int_equal(read_blob(size + 1), -1);
	expect_text(POLICY_ERR_HEADER, "not a flattened device tree: it says ");
	memset(w.blob, 0, POLICY_MAX_SIZE + 1);
	assert_int_equal(read_blob(POLICY_MAX_SIZE + 1), -1);
	expect_text(POLICY_ERR_SIZE, "larger than Vouch accepts: 65537 bytes");
	assert_int_equal(read_blob(POLICY_MAX_SIZE), -1);
	expect_text(POLICY_ERR_HEADER, "not a flattened device tree: ");
	expect_nothing_allowed();
}

/* Every field of the header, and every bit of the whole: refused, or still a policy with what it says. */
static void flipped_bits(void **state)
{
	size_t size, refusals = 0;

	(void)state;
	size = good_tree();
	for (size_t bit = 0; bit < 8 * size; bit++) {
		w.blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (read_blob(size)) {
			refusals++;
			expect_nothing_allowed();
		} else {
			/* All that may change and stay a policy: bits of the key's name, of padding, of the version before 17. */
			assert_int_equal(p.integrity, INTEGRITY_SIGNED);
			assert_int_equal(p.key_count, 1);
			assert_int_equal(p.key[0].key.point[0], 1);
			assert_int_equal(p.key[0].least_version, 0);
			assert_false(p.guests_listed);
		}
		w.blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(refusals > 8 * size * 8 / 10);
}

static void header_fields(void **state)
{
	size_t size;

	static const struct { size_t at; uint32_t value; } bad[] = {
		{ 0, 0xd00dfeee }, { 4, 1 }, { 8, 0x10000 }, { 12, 0xffffffff }, { 16, 0x10000 }, { 20, 16 }, { 20, 18 }, { 8, 57 },
		{ 8, 58 }, { 16, 44 }, { 16, 41 },
		{ 24, 18 }, { 32, 0xffff }, { 36, 0xfffffffc },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		size = good_tree();
		tree_set(w.blob + bad[i].at, bad[i].value);
		assert_int_equal(read_blob(size), -1);
		assert_int_equal(err.code, POLICY_ERR_HEADER);
	}
	size = good_tree();
	tree_set(w.blob + 28, 1);
	assert_int_equal(read_blob(size), -1);
	expect_text(POLICY_ERR_TREE, "device tree is malformed: it reserves memory or names a boot CPU");
}

static void structure(void **state)
{
	(void)state;
	start();
	put_keys();
	w.structure_len -= 4;
	tree_open_node(&w, "open");
	refused(POLICY_ERR_TREE, "device tree is malformed");
	start();
	put_keys();
	tree_close_node(&w);
	refused(POLICY_ERR_TREE, "device tree is malformed");
	start();
	tree_set(w.structure + w.structure_len, 5);
	w.structure_len += 4;
	refused(POLICY_ERR_TREE, "device tree is malformed");
	start();
	put_keys();
	tree_set(w.structure + 12, 0x7fffffff);
	refused(POLICY_ERR_TREE, "device tree is malformed");
}

static void put_guests(void)
{
	tree_open_node(&w, "guests");
	tree_open_node(&w, "web");
	tree_close_node(&w);
	tree_close_node(&w);
}

static void put_tag(uint32_t tag)
{
	tree_set(w.structure + w.structure_len, tag);
	w.structure_len += 4;
}

/* Where libfdt's walks do not come: what stands there must not be passed over. */
static void order(void **state)
{
	(void)state;
	start();
	put_keys();
	put_guests();
	tree_put_text(&w, "on-refusal", "stop");
	refused(POLICY_ERR_TREE, "device tree is malformed: a property stands behind a child of its node");
	start();
	tree_put_text(&w, "integrity", "none");
	put_guests();
	tree_put_text(&w, "integrity", "signed");
	tree_put_text(&w, "nonesuch", "yes");
	refused(POLICY_ERR_TREE, "device tree is malformed: a property stands behind a child of its node");
	start();
	put_keys();
	put_guests();
	put_tag(4);                           /* a no-operation hides nothing */
	tree_put_text(&w, "on-refusal", "stop");
	refused(POLICY_ERR_TREE, "device tree is malformed: a property stands behind a child of its node");
	start();
	put_keys();
	tree_close_node(&w);
	put_tag(9);
	tree_open_node(&w, "guests");
	tree_open_node(&w, "web");
	tree_close_node(&w);
	refused(POLICY_ERR_TREE, "device tree is malformed: its structure goes on behind its end");
	start();
	put_keys();
	tree_close_node(&w);
	put_tag(9);
	refused(POLICY_ERR_TREE, "device tree is malformed: its structure goes on behind its end");
	start();
	put_tag(4);
	tree_put_text(&w, "on-refusal", "stop");
	put_tag(4);
	put_keys();
	put_tag(4);
	put_guests();
	accepted();
	assert_int_equal(p.on_refusal, POLICY_STOP);
	assert_true(p.guests_listed);
}

static void head(void **state)
{
	(void)state;
	tree_start(&w);
	tree_open_node(&w, "");
	refused(POLICY_ERR_COMPATIBLE, "/:compatible: not a policy of Vouch");
	tree_start(&w);
	tree_open_node(&w, "");
	tree_put_text(&w, "compatible", "vouch,policy2");
	refused(POLICY_ERR_COMPATIBLE, "/:compatible: ");
	tree_start(&w);
	tree_open_node(&w, "");
	tree_put(&w, "compatible", "vouch,policy\0more", 18);
	refused(POLICY_ERR_COMPATIBLE, "/:compatible: ");
	tree_start(&w);
	tree_open_node(&w, "");
	tree_put_text(&w, "compatible", "vouch,policy");
	refused(POLICY_ERR_COMPATIBLE, "/:version: not a policy of Vouch: the property is missing");
	/* What a later version holds is not even looked at. */
	for (uint32_t version = 0; version < 3; version += 2) {
		tree_start(&w);
		tree_open_node(&w, "");
		tree_put_text(&w, "later", "yes");
		tree_put_text(&w, "compatible", "vouch,policy");
		tree_put_cell(&w, "version", version);
		refused(POLICY_ERR_VERSION, "/:version: unknown policy version: this Vouch knows <1>");
	}
	tree_start(&w);
	tree_open_node(&w, "");
	tree_put_text(&w, "compatible", "vouch,policy");
	tree_put(&w, "version", "\0\0\0\0\0\0\0\1", 8);
	refused(POLICY_ERR_VERSION, "/:version: ");
	tree_start(&w);
	tree_open_node(&w, "");
	tree_put_text(&w, "compatible", "vouch,policy");
	tree_put(&w, "version", "\1", 1);
	refused(POLICY_ERR_LENGTH, "/:version: value has the wrong length: a number has 4 or 8 bytes, this has 1");
}

static void root(void **state)
{
	static const char *const levels[] = { "none", "checksum", "sha256", "signed" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		start();
		tree_put_text(&w, "integrity", levels[i]);
		put_keys();
		accepted();
		assert_int_equal(p.integrity, i);
	}
	start();
	tree_put_text(&w, "integrity", "Signed");
	refused(POLICY_ERR_CHOICE, "/:integrity: value is none of those known: \"Signed\"");
	start();
	tree_put_text(&w, "integrity", "\x1b[2J");
	refused(POLICY_ERR_CHOICE, "/:integrity: value is none of those known: \"\\x1b[2J\"");
	start();
	tree_put_text(&w, "on-refusal", "ignore");
	refused(POLICY_ERR_CHOICE, "/:on-refusal: ");
	for (int i = 0; i < 3; i++) {
		static const char *const tpm[] = { "optional", "required" };

		start();
		if (i < 2)
			tree_put_text(&w, "tpm", tpm[i]);
		put_keys();
		accepted();
		assert_int_equal(p.tpm_required, i == 1);
	}
	start();
	tree_put_text(&w, "tpm", "yes");
	refused(POLICY_ERR_CHOICE, "/:tpm: value is none of those known: \"yes\"");
	start();
	tree_put(&w, "integrity", "signed", 6);
	refused(POLICY_ERR_STRING, "/:integrity: value is not a string");
	start();
	tree_put(&w, "integrity", "none\0signed", 12);
	refused(POLICY_ERR_STRING, "/:integrity: ");
	start();
	tree_put(&w, "integrity", NULL, 0);
	refused(POLICY_ERR_STRING, "/:integrity: ");
	start();
	tree_put_text(&w, "integrity", "none");
	tree_put_text(&w, "integrity", "signed");
	refused(POLICY_ERR_PROPERTY_TWICE, "/:integrity: property given twice");
	start();
	tree_put_cell(&w, "version", 1);
	refused(POLICY_ERR_PROPERTY_TWICE, "/:version: ");
	start();
	tree_put_text(&w, "integrity ", "none");
	refused(POLICY_ERR_PROPERTY, "/:integrity : unknown property");
	start();
	tree_put_text(&w, "key\nfile", "none");
	refused(POLICY_ERR_PROPERTY, "/:key\\x0afile: unknown property");
	start();
	refused(POLICY_ERR_NO_KEY, "demands signatures and trusts no key: add /keys");
}

static void branches(void **state)
{
	(void)state;
	start();
	tree_open_node(&w, "secrets");
	tree_close_node(&w);
	refused(POLICY_ERR_NODE, "/secrets: unknown node");
	start();
	tree_open_node(&w, "keys");
	tree_close_node(&w);
	refused(POLICY_ERR_NO_KEY, "/keys: demands signatures and trusts no key");
	start();
	put_keys();
	put_keys();
	refused(POLICY_ERR_NODE_TWICE, "/keys: node given twice");
	start();
	put_keys();
	tree_open_node(&w, "guests");
	tree_close_node(&w);
	refused(POLICY_ERR_NO_GUEST, "/guests: list of guests is empty");
	start();
	put_keys();
	for (int i = 0; i < 2; i++) {
		tree_open_node(&w, "guests");
		tree_open_node(&w, i ? "b" : "a");
		tree_close_node(&w);
		tree_close_node(&w);
	}
	refused(POLICY_ERR_NODE_TWICE, "/guests: node given twice");
	start();
	tree_open_node(&w, "keys");
	tree_put_text(&w, "guests", "*");
	tree_close_node(&w);
	refused(POLICY_ERR_PROPERTY, "/keys:guests: unknown property");
	start();
	tree_open_node(&w, "keys");
	tree_open_node(&w, "build");
	put_key_bytes(1);
	tree_put_text(&w, "guests", "*");
	tree_open_node(&w, "more");
	tree_close_node(&w);
	tree_close_node(&w);
	tree_close_node(&w);
	refused(POLICY_ERR_NODE, "/keys/build/more: unknown node");
	start();
	tree_open_node(&w, "guests");
	tree_open_node(&w, "web");
	tree_open_node(&w, "more");
	tree_close_node(&w);
	tree_close_node(&w);
	tree_close_node(&w);
	refused(POLICY_ERR_NODE, "/guests/web/more: unknown node");
}

/* One key node whose properties the caller has put between key_start() and key_refused(). */
static void key_start(const char *name)
{
	start();
	tree_open_node(&w, "keys");
	tree_open_node(&w, name);
}

static void key_refused(enum policy_err code, const char *text)
{
	tree_close_node(&w);
	tree_close_node(&w);
	refused(code, text);
}

static void keys(void **state)
{
	uint8_t der[POLICY_KEY_LEN], id[SHA256_LEN];

	(void)state;
	make_key(1, der, id);
	key_start("a");
	put_key_bytes(1);
	key_refused(POLICY_ERR_PROPERTY_MISSING, "/keys/a:guests: property is missing");
	key_start("a");
	tree_put(&w, "key-id", id, sizeof(id));
	tree_put_text(&w, "guests", "*");
	key_refused(POLICY_ERR_PROPERTY_MISSING, "/keys/a:public-key: property is missing");
	key_start("a");
	tree_put(&w, "public-key", der, sizeof(der));
	tree_put_text(&w, "guests", "*");
	key_refused(POLICY_ERR_PROPERTY_MISSING, "/keys/a:key-id: property is missing");
	key_start("a");
	tree_put_text(&w, "key-file", "a.pem");
	key_refused(POLICY_ERR_PROPERTY, "/keys/a:key-file: unknown property");
	key_start("a");
	tree_put(&w, "public-key", der, sizeof(der) - 1);
	key_refused(POLICY_ERR_KEY, "/keys/a:public-key: not a public key on P-256: 91 bytes");
	for (size_t i = 0; i < POLICY_KEY_HEAD_LEN; i++) {
		key_start("a");
		der[i] ^= 1;
		tree_put(&w, "public-key", der, sizeof(der));
		der[i] ^= 1;
		key_refused(POLICY_ERR_KEY, "/keys/a:public-key: ");
	}
	key_start("a");
	tree_put(&w, "key-id", id, sizeof(id) - 1);
	key_refused(POLICY_ERR_LENGTH, "/keys/a:key-id: value has the wrong length: an id has 32 bytes, this has 31");
	key_start("a");
	der[POLICY_KEY_LEN - 1] ^= 1;
	tree_put(&w, "public-key", der, sizeof(der));
	tree_put(&w, "key-id", id, sizeof(id));
	tree_put_text(&w, "guests", "*");
	key_refused(POLICY_ERR_KEY_ID, "/keys/a:key-id: not the SHA-256 of public-key");
	key_start("a");
	tree_put(&w, "least-security-version", "\1\2\3\4\5", 5);
	key_refused(POLICY_ERR_LENGTH, "/keys/a:least-security-version: value has the wrong length");
	key_start("a@0");
	key_refused(POLICY_ERR_NODE_NAME, "/keys/a@0: node name not allowed");
	key_start("a123456789012345678901234567890123456789");
	key_refused(POLICY_ERR_NODE_NAME, "/keys/a123456789012345678901234567...: node name not allowed");
	key_start("build");
	put_key_bytes(1);
	tree_put_text(&w, "guests", "*");
	tree_close_node(&w);
	put_key("build", 2);
	tree_open_node(&w, "x");
	key_refused(POLICY_ERR_NODE_TWICE, "/keys/build: node given twice");
	key_start("one");
	put_key_bytes(1);
	tree_put_text(&w, "guests", "*");
	tree_close_node(&w);
	put_key("two", 1);
	tree_open_node(&w, "x");
	key_refused(POLICY_ERR_KEY_TWICE, "/keys/two: key given twice: it is /keys/one");
}

static void many_keys(void **state)
{
	(void)state;
	start();
	tree_open_node(&w, "keys");
	for (uint8_t i = 0; i <= POLICY_MAX_KEYS; i++) {
		char name[] = { (char)('a' + i), '\0' };

		put_key(name, i);
	}
	tree_close_node(&w);
	refused(POLICY_ERR_NODES_MANY, "/keys/q: more nodes than Vouch accepts: at most 16 keys");
	start();
	tree_open_node(&w, "guests");
	for (int i = 0; i <= POLICY_MAX_GUESTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "g%d", i);
		tree_open_node(&w, name);
		tree_close_node(&w);
	}
	tree_close_node(&w);
	refused(POLICY_ERR_NODES_MANY, "/guests/g64: more nodes than Vouch accepts: at most 64 guests");
}

static void key_guests(void **state)
{
	static const struct { const char *value; size_t len; enum policy_err code; const char *text; } bad[] = {
		{ "", 0, POLICY_ERR_STRING, "/keys/a:guests: value is not a string" },
		{ "web", 3, POLICY_ERR_STRING, "/keys/a:guests: value is not a string" },
		{ "", 1, POLICY_ERR_GUEST_NAME, "/keys/a:guests: guest name not allowed: \"\"" },
		{ "web\0\0db", 8, POLICY_ERR_GUEST_NAME, "/keys/a:guests: guest name not allowed: \"\"" },
		{ "web\0*", 6, POLICY_ERR_GUEST_NAME, "/keys/a:guests: guest name not allowed: \"*\"" },
		{ "web*", 5, POLICY_ERR_GUEST_NAME, "/keys/a:guests: guest name not allowed: \"web*\"" },
		{ "we b", 5, POLICY_ERR_GUEST_NAME, "/keys/a:guests: " },
		{ "12345678901234567890123456789012", 33, POLICY_ERR_GUEST_NAME, "/keys/a:guests: " },
		{ "web\0db\0web", 11, POLICY_ERR_VALUE_TWICE, "/keys/a:guests: value given twice: \"web\"" },
		{ "a\0b\0c\0d\0e\0f\0g\0h\0i\0j\0k\0l\0m\0n\0o\0p\0q", 34, POLICY_ERR_NAMES_MANY,
		  "/keys/a:guests: more guest names than Vouch accepts: at most 16" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		key_start("a");
		tree_put(&w, "guests", bad[i].value, bad[i].len);
		key_refused(bad[i].code, bad[i].text);
	}
	key_start("a");
	put_key_bytes(1);
	tree_put(&w, "guests", "web\0db", 7);
	tree_put_cell(&w, "least-security-version", 0x01020304);
	tree_close_node(&w);
	tree_close_node(&w);
	accepted();
	assert_false(p.key[0].any_guest);
	assert_int_equal(p.key[0].guest_count, 2);
	assert_string_equal(p.key[0].guest[1], "db");
	assert_int_equal(p.key[0].least_version, 0x01020304);
}

static void guest_start(const char *name)
{
	start();
	tree_put_text(&w, "integrity", "sha256");
	tree_open_node(&w, "guests");
	tree_open_node(&w, name);
}

static void guest_refused(enum policy_err code, const char *text)
{
	tree_close_node(&w);
	tree_close_node(&w);
	refused(code, text);
}

static void guests(void **state)
{
	uint8_t digests[(POLICY_MAX_DIGESTS + 1) * SHA256_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(digests); i++)
		digests[i] = (uint8_t)(i / SHA256_LEN);
	guest_start("we b");
	guest_refused(POLICY_ERR_GUEST_NAME, "/guests/we b: guest name not allowed");
	guest_start("*");
	guest_refused(POLICY_ERR_GUEST_NAME, "/guests/*: guest name not allowed");
	guest_start("web");
	tree_put(&w, "digests", digests, 31);
	guest_refused(POLICY_ERR_LENGTH, "/guests/web:digests: value has the wrong length: each digest has 32 bytes, all have 31");
	guest_start("web");
	tree_put(&w, "digests", NULL, 0);
	guest_refused(POLICY_ERR_LENGTH, "/guests/web:digests: ");
	guest_start("web");
	tree_put(&w, "digests", digests, sizeof(digests));
	guest_refused(POLICY_ERR_DIGESTS_MANY, "/guests/web:digests: more digests than Vouch accepts: at most 8");
	guest_start("web");
	digests[SHA256_LEN - 1] = 1;
	memset(digests + SHA256_LEN, 0, SHA256_LEN);
	digests[2 * SHA256_LEN - 1] = 1;
	tree_put(&w, "digests", digests, 2 * SHA256_LEN);
	guest_refused(POLICY_ERR_VALUE_TWICE, "/guests/web:digests: value given twice");
	guest_start("web");
	tree_put_text(&w, "integrity", "none");
	guest_refused(POLICY_ERR_PROPERTY, "/guests/web:integrity: unknown property");
	guest_start("web");
	tree_close_node(&w);
	tree_open_node(&w, "web");
	guest_refused(POLICY_ERR_NODE_TWICE, "/guests/web: node given twice");
	guest_start("web");
	tree_close_node(&w);
	tree_close_node(&w);
	accepted();
	assert_true(p.guests_listed);
	assert_int_equal(p.guest[0].digest_count, 0);
}

/* ------------------------------------------------------------------ deciding */

static struct policy_facts facts;
static struct policy_decision decision;

static void decided(enum policy_verdict verdict, int key, const char *text)
{
	memset(&decision, 0xff, sizeof(decision));
	assert_int_equal(policy_decide(&p, &facts, &decision), verdict);
	assert_int_equal(decision.verdict, verdict);
	assert_int_equal(decision.key, key);
	assert_string_equal(decision.text, text);
	assert_non_null(strstr(decision.text, policy_verdict_text(verdict)));
}

static void set_key(uint32_t i, const char *name, const char *guest, uint64_t least)
{
	struct policy_key *key = &p.key[i];

	memset(key, 0, sizeof(*key));
	snprintf(key->name, sizeof(key->name), "%s", name);
	memset(key->key.id, (int)i + 1, SHA256_LEN);
	key->any_guest = !guest;
	key->guest_count = guest ? 1 : 0;
	if (guest)
		snprintf(key->guest[0], sizeof(key->guest[0]), "%s", guest);
	key->least_version = least;
	if (i >= p.key_count)
		p.key_count = i + 1;
}

/* An image of version 2 for guest web, security version 5, with signatures by the first n keys. */
static void set_facts(uint32_t n)
{
	facts = (struct policy_facts){
		.level = INTEGRITY_SHA256, .name = "web", .signature_count = n, .verified_count = n, .security_version = 5,
		.has_digest = true,
	};
	memset(facts.verified[0], 1, SHA256_LEN);
	memset(facts.verified[1], 2, SHA256_LEN);
	memset(facts.digest, 0xd1, SHA256_LEN);
}

static void levels(void **state)
{
	static const enum policy_verdict want[3][4] = {
		/* none            checksum                 sha256                   signed (demanded) */
		{ POLICY_ALLOWED, POLICY_REFUSED_UNHASHED, POLICY_REFUSED_UNHASHED, POLICY_REFUSED_UNHASHED },
		{ POLICY_ALLOWED, POLICY_ALLOWED, POLICY_REFUSED_CHECKSUM, POLICY_REFUSED_CHECKSUM },
		{ POLICY_ALLOWED, POLICY_ALLOWED, POLICY_ALLOWED, POLICY_REFUSED_UNSIGNED },
	};

	(void)state;
	for (int reached = 0; reached < 3; reached++) {
		for (int demanded = 0; demanded < 4; demanded++) {
			policy_none(&p, (enum integrity)demanded);
			set_facts(0);
			facts.level = (enum integrity)reached;
			assert_int_equal(policy_decide(&p, &facts, &decision), want[reached][demanded]);
		}
	}
	policy_none(&p, INTEGRITY_CHECKSUM);
	set_facts(0);
	facts.level = INTEGRITY_NONE;
	decided(POLICY_REFUSED_UNHASHED, -1, "the image holds no hashes: v0; checksum is demanded");
	policy_none(&p, INTEGRITY_SIGNED);
	facts.level = INTEGRITY_CHECKSUM;
	decided(POLICY_REFUSED_CHECKSUM, -1, "the image holds checksums only: v1; signed is demanded");
	set_facts(0);
	decided(POLICY_REFUSED_UNSIGNED, -1, "the image is not signed: signed is demanded");
	policy_none(&p, INTEGRITY_SHA256);
	decided(POLICY_ALLOWED, -1, "allowed: sha256");
}

static void raising(void **state)
{
	(void)state;
	policy_none(&p, INTEGRITY_SHA256);
	policy_raise(&p, INTEGRITY_NONE);
	policy_raise(&p, INTEGRITY_CHECKSUM);
	assert_int_equal(p.integrity, INTEGRITY_SHA256);
	policy_raise(&p, INTEGRITY_SIGNED);
	assert_int_equal(p.integrity, INTEGRITY_SIGNED);
}

static void signatures(void **state)
{
	(void)state;
	policy_none(&p, INTEGRITY_SIGNED);
	set_key(0, "build", "web", 5);
	set_facts(1);
	decided(POLICY_ALLOWED, 0, "allowed: signed by key build");
	facts.verified_count = 0;
	decided(POLICY_REFUSED_KEY, -1, "no trusted key signed the image: 1 signature by others");
	facts.signature_count = 3;
	decided(POLICY_REFUSED_KEY, -1, "no trusted key signed the image: 3 signatures by others");
	/* Verified by a key that is not in this policy. */
	set_facts(1);
	facts.verified[0][31] ^= 1;
	decided(POLICY_REFUSED_KEY, -1, "no trusted key signed the image: 1 signature by others");
	/* The level says signed, but no signature does. */
	set_facts(0);
	facts.level = INTEGRITY_SIGNED;
	decided(POLICY_REFUSED_UNSIGNED, -1, "the image is not signed: signed is demanded");
	/* Below signed, signatures are not asked for. */
	p.integrity = INTEGRITY_SHA256;
	set_facts(0);
	decided(POLICY_ALLOWED, -1, "allowed: sha256");
}

static void names(void **state)
{
	(void)state;
	policy_none(&p, INTEGRITY_SIGNED);
	set_key(0, "build", "web", 0);
	set_facts(1);
	facts.name = "";
	decided(POLICY_REFUSED_NAMELESS, -1, "the image does not name its guest: vm@name is needed");
	facts.name = "db";
	decided(POLICY_REFUSED_NAME, 0, "the key may not sign for this guest: key build, guest db");
	facts.name = "webb";
	assert_int_equal(policy_decide(&p, &facts, &decision), POLICY_REFUSED_NAME);
	facts.name = "we";
	assert_int_equal(policy_decide(&p, &facts, &decision), POLICY_REFUSED_NAME);
	facts.name = "\x1b[2J";
	decided(POLICY_REFUSED_NAME, 0, "the key may not sign for this guest: key build, guest \\x1b[2J");
	set_key(0, "build", NULL, 0);
	facts.name = "anything";
	decided(POLICY_ALLOWED, 0, "allowed: signed by key build");
	facts.name = "";
	assert_int_equal(policy_decide(&p, &facts, &decision), POLICY_REFUSED_NAMELESS);
}

static void versions(void **state)
{
	(void)state;
	policy_none(&p, INTEGRITY_SIGNED);
	set_key(0, "build", NULL, 6);
	set_facts(1);
	decided(POLICY_REFUSED_VERSION, 0, "security version too low: 5, key build demands 6");
	facts.security_version = 6;
	decided(POLICY_ALLOWED, 0, "allowed: signed by key build");
	set_key(0, "build", NULL, UINT64_MAX);
	decided(POLICY_REFUSED_VERSION, 0, "security version too low: 6, key build demands 18446744073709551615");
	facts.security_version = UINT64_MAX;
	decided(POLICY_ALLOWED, 0, "allowed: signed by key build");
}

/* One key that agrees is enough; none of two halves makes a whole. */
static void two_keys(void **state)
{
	(void)state;
	policy_none(&p, INTEGRITY_SIGNED);
	set_key(0, "stranger", "db", 0);
	set_key(1, "old", "web", 9);
	set_facts(2);
	decided(POLICY_REFUSED_VERSION, 1, "security version too low: 5, key old demands 9");
	set_key(1, "good", "web", 5);
	decided(POLICY_ALLOWED, 1, "allowed: signed by key good");
	facts.verified_count = 1;
	decided(POLICY_REFUSED_NAME, 0, "the key may not sign for this guest: key stranger, guest web");
	set_key(0, "old", "web", 9);
	facts.verified_count = 2;
	decided(POLICY_ALLOWED, 1, "allowed: signed by key good");
}

static void listed(void **state)
{
	(void)state;
	policy_none(&p, INTEGRITY_SHA256);
	p.guests_listed = true;
	p.guest_count = 2;
	strcpy(p.guest[0].name, "db");
	strcpy(p.guest[1].name, "web");
	set_facts(0);
	decided(POLICY_ALLOWED, -1, "allowed: sha256");
	facts.name = "other";
	decided(POLICY_REFUSED_GUEST, -1, "the policy does not list this guest: other");
	facts.name = "";
	decided(POLICY_REFUSED_NAMELESS, -1, "the image does not name its guest: vm@name is needed");
	facts.name = "web";
	p.guest[1].digest_count = 2;
	memset(p.guest[1].digest[1], 0xd1, SHA256_LEN);
	decided(POLICY_ALLOWED, -1, "allowed: sha256");
	for (size_t bit = 0; bit < 8 * SHA256_LEN; bit++) {
		facts.digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
		decided(POLICY_REFUSED_DIGEST, -1, "digest is none of those expected: guest web");
		facts.digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	p.guest[1].digest_count = 1;
	decided(POLICY_REFUSED_DIGEST, -1, "digest is none of those expected: guest web");
	/* No digest is not a digest of zeros. */
	facts.has_digest = false;
	memset(facts.digest, 0, SHA256_LEN);
	decided(POLICY_REFUSED_DIGEST, -1, "digest is none of those expected: guest web");
	/* Even at level none: what the list says holds. */
	p.integrity = INTEGRITY_NONE;
	facts.level = INTEGRITY_NONE;
	decided(POLICY_REFUSED_DIGEST, -1, "digest is none of those expected: guest web");
	/* A good signature does not replace a digest. */
	set_facts(1);
	p.integrity = INTEGRITY_SIGNED;
	set_key(0, "build", NULL, 0);
	decided(POLICY_REFUSED_DIGEST, 0, "digest is none of those expected: guest web");
	memset(p.guest[1].digest[0], 0xd1, SHA256_LEN);
	decided(POLICY_ALLOWED, 0, "allowed: signed by key build");
}

static void possible(bool want, const char *text)
{
	facts.name = NULL;                    /* not known yet: must not be looked at */
	memset(&decision, 0xff, sizeof(decision));
	assert_int_equal(policy_may_allow(&p, &facts, &decision), want);
	assert_string_equal(decision.text, text);
	assert_int_not_equal(decision.verdict, POLICY_ALLOWED);
}

/* What no name can mend. */
static void nameless(void **state)
{
	(void)state;
	policy_none(&p, INTEGRITY_SIGNED);
	set_key(0, "first", NULL, 6);
	set_key(1, "second", NULL, 7);
	set_facts(2);
	possible(false, "security version too low: 5, key first demands 6");
	p.key[1].least_version = 5;
	possible(true, "");
	facts.verified_count = 1;             /* the one that demands more */
	possible(false, "security version too low: 5, key first demands 6");
	p.integrity = INTEGRITY_SHA256;
	possible(true, "");
	p.guests_listed = true;
	p.guest_count = 2;
	p.guest[0].digest_count = p.guest[1].digest_count = 1;
	possible(false, "digest is none of those expected: of any guest listed");
	memset(p.guest[1].digest[0], 0xd1, SHA256_LEN);
	possible(true, "");
	facts.has_digest = false;
	possible(false, "digest is none of those expected: of any guest listed");
	p.guest[0].digest_count = 0;
	possible(true, "");
}

/* ------------------------------------------------------------------ texts */

static void texts(void **state)
{
	const struct policy_decision zeroed = { 0 };

	(void)state;
	assert_int_not_equal(zeroed.verdict, POLICY_ALLOWED);
	for (int i = 0; i < POLICY_ERR_COUNT; i++)
		assert_non_null(policy_err_text((enum policy_err)i));
	assert_string_equal(policy_err_text(POLICY_ERR_COUNT), "unknown error");
	assert_string_equal(policy_verdict_text(POLICY_VERDICT_COUNT), "unknown verdict");
	assert_string_equal(policy_verdict_text(POLICY_REFUSED_KEY), "no trusted key signed the image");
}

/* Lines "| `VALUE` | TEXT | ..." of the document, in any order: the same as the header's, each once. */
static void document(void **state)
{
#define X(value, text) { #value, text },
	static const struct { const char *value, *text; } row[] = { POLICY_ERRORS(X) POLICY_VERDICTS(X) };
#undef X
	FILE *f = fopen("docs/policy.md", "r");
	char line[512], want[256];
	size_t found[ARRAY_SIZE(row)] = { 0 }, rows = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "| `POLICY_", 10) != 0)
			continue;
		rows++;
		for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
			snprintf(want, sizeof(want), "| `%s` | %s |", row[i].value, row[i].text);
			found[i] += strncmp(line, want, strlen(want)) == 0;
		}
	}
	fclose(f);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		if (strcmp(row[i].value, "POLICY_OK") == 0)
			assert_int_equal(found[i], 0);
		else if (found[i] != 1)
			fail_msg("docs/policy.md has %zu rows for %s: %s", found[i], row[i].value, row[i].text);
	}
	assert_int_equal(rows, ARRAY_SIZE(row) - 1);
}

/* ------------------------------------------------------------------ counters */

static void start_guest(const char *integrity, const char *guest)
{
	start();
	tree_put_text(&w, "integrity", integrity);
	put_keys();
	tree_open_node(&w, "guests");
	tree_open_node(&w, guest);
}

static void end_guest(void)
{
	tree_close_node(&w);
	tree_close_node(&w);
}

static void counters(void **state)
{
	static const uint8_t big[8] = { 0x80, 0, 0, 0, 0, 0, 0, 1 };

	(void)state;
	start_guest("signed", "web");
	tree_put_cell(&w, "tpm-counter", 0x01ffffff);
	tree_put(&w, "tpm-counter-base", big, sizeof(big));
	tree_put_text(&w, "on-newer", "raise");
	end_guest();
	accepted();
	assert_int_equal(p.guest[0].counter, 0x01ffffff);
	assert_true(p.guest[0].counter_base == 0x8000000000000001);
	assert_true(p.guest[0].counter_raise);
	start_guest("signed", "web");
	tree_put_cell(&w, "tpm-counter", 0x01000000);
	tree_put_text(&w, "on-newer", "keep");
	end_guest();
	accepted();
	assert_true(!p.guest[0].counter_base && !p.guest[0].counter_raise);
	for (int i = 0; i < 4; i++) {
		static const uint32_t bad[] = { 0, 0x00ffffff, 0x02000000, 0x81000001 };

		start_guest("signed", "web");
		tree_put_cell(&w, "tpm-counter", bad[i]);
		end_guest();
		refused(POLICY_ERR_COUNTER, "/guests/web:tpm-counter: TPM counter cannot be used: an NV index is");
	}
	start_guest("sha256", "web");
	tree_put_cell(&w, "tpm-counter", 0x01800001);
	end_guest();
	refused(POLICY_ERR_COUNTER, "TPM counter cannot be used: guest web: it takes integrity = \"signed\"");
	for (int i = 0; i < 2; i++) {
		start_guest("signed", "web");
		if (i)
			tree_put_text(&w, "on-newer", "raise");
		else
			tree_put_cell(&w, "tpm-counter-base", 1);
		end_guest();
		refused(POLICY_ERR_COUNTER, "TPM counter cannot be used: guest web has none: add tpm-counter");
	}
	start_guest("signed", "web");
	tree_put_cell(&w, "tpm-counter", 0x01800001);
	tree_put_text(&w, "on-newer", "stop");
	end_guest();
	refused(POLICY_ERR_CHOICE, "/guests/web:on-newer: ");
	start_guest("signed", "web");
	tree_put_cell(&w, "tpm-counter", 0x01800001);
	tree_close_node(&w);
	tree_open_node(&w, "db");
	tree_put_cell(&w, "tpm-counter", 0x01800001);
	end_guest();
	refused(POLICY_ERR_VALUE_TWICE, "/guests/db:tpm-counter: value given twice: guest web has it");
	start_guest("signed", "web");
	tree_put(&w, "tpm-counter", big, 3);
	end_guest();
	refused(POLICY_ERR_LENGTH, "/guests/web:tpm-counter: ");
}

int main(void)
{
#define T(x) cmocka_unit_test(counters), cmocka_unit_test(x)
	const struct CMUnitTest tests[] = {
		T(smallest), T(largest), T(not_a_tree), T(flipped_bits), T(header_fields), T(structure), T(order), T(head),
		T(root), T(branches), T(keys), T(many_keys), T(key_guests), T(guests), T(levels), T(raising), T(signatures), T(names),
		T(versions), T(two_keys), T(listed), T(nameless), T(texts), T(document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
