/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The doors to the library: SHA-256 by NIST's examples, in pieces of every size; ECDSA P-256 by RFC 6979's, low s, and
 * everything that a signature or a key can get wrong; key files. Private keys here are the RFC's, or made as it runs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/cli.h"
#include "tools/key.h"

static void unhex(uint8_t *out, const char *hex, size_t len)
{
	assert_int_equal(strlen(hex), 2 * len);
	for (size_t i = 0; i < len; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
}

static void expect_sha(const void *data, size_t len, const char *hex)
{
	uint8_t want[SHA256_LEN], got[SHA256_LEN];
	struct sha256 s;

	unhex(want, hex, SHA256_LEN);
	sha256_of(data, len, got);
	assert_memory_equal(got, want, SHA256_LEN);
	if (!sha256_ni_usable())
		return;
	sha256_init_with(&s, sha256_ni_blocks);
	sha256_update(&s, data, len);
	sha256_final(&s, got);
	assert_memory_equal(got, want, SHA256_LEN);
}

/* NIST's examples to FIPS 180-4, and the long message of one million letters a; by the SHA extensions too, where they are. */
static void sha_examples(void **state)
{
	const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	const char *many = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
			   "mnopqrstnopqrstu";
	char *million = malloc(1000000);

	(void)state;
	assert_non_null(million);
	memset(million, 'a', 1000000);
	expect_sha("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	expect_sha("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	expect_sha(two, strlen(two), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	expect_sha(many, strlen(many), "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
	expect_sha(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

/* However a message is cut, and from a copy of a hash under way. */
static void sha_pieces(void **state)
{
	uint8_t data[300], whole[SHA256_LEN], got[SHA256_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(7 * i);
	for (size_t len = 0; len <= sizeof(data); len++) {
		sha256_of(data, len, whole);
		for (size_t cut = 0; cut <= len; cut += 13) {
			struct sha256 s, copy;

			sha256_init(&s);
			sha256_update(&s, data, cut);
			sha256_update(&s, NULL, 0);
			copy = s;
			sha256_update(&s, data, len - cut);
			sha256_update(&copy, data + cut, len - cut);
			sha256_final(&copy, got);
			assert_memory_equal(got, whole, SHA256_LEN);
		}
	}
}

/*
 * The SHA extensions against the library, every length from 0 to 4096 and every cut of some: FIPS 180-4 has its
 * examples above. A CPU without them has nothing to test.
 */
static void sha_extensions(void **state)
{
	uint8_t data[4097], want[SHA256_LEN], got[SHA256_LEN];
	struct sha256 s;

	(void)state;
	if (!sha256_ni_usable())
		skip();
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t len = 0; len < sizeof(data); len++) {
		sha256_of(data, len, want);
		sha256_init_with(&s, sha256_ni_blocks);
		sha256_update(&s, data, len);
		sha256_final(&s, got);
		assert_memory_equal(got, want, SHA256_LEN);
	}
	sha256_of(data + 1, 300, want);
	for (size_t cut = 0; cut <= 300; cut++) {
		struct sha256 copy;

		sha256_init_with(&s, sha256_ni_blocks);
		sha256_update(&s, data + 1, cut);
		copy = s;
		sha256_update(&s, data, 299);
		for (size_t at = cut; at < 300; at += 7)
			sha256_update(&copy, data + 1 + at, at + 7 <= 300 ? 7 : 300 - at);
		sha256_final(&copy, got);
		assert_memory_equal(got, want, SHA256_LEN);
	}
}

/* A length in bits that needs more than 32 bits, which both must write alike. */
static void sha_long(void **state)
{
	size_t piece = 1 << 20;
	uint8_t *data = calloc(1, piece), a[SHA256_LEN], b[SHA256_LEN];
	struct sha256 library, own;

	(void)state;
	assert_non_null(data);
	if (!sha256_ni_usable()) {
		free(data);
		skip();
	}
	sha256_init(&library);
	sha256_init_with(&own, sha256_ni_blocks);
	for (size_t i = 0; i < 513; i++) {
		sha256_update(&library, data, piece);
		sha256_update(&own, data, piece);
	}
	sha256_final(&library, a);
	sha256_final(&own, b);
	assert_memory_equal(a, b, SHA256_LEN);
	free(data);
}

static void equal(void **state)
{
	uint8_t a[SHA256_LEN], b[SHA256_LEN];

	(void)state;
	sha256_of("a", 1, a);
	memcpy(b, a, sizeof(a));
	assert_true(digest_equal(a, b));
	for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
		b[bit / 8] = (uint8_t)(b[bit / 8] ^ 1u << bit % 8);
		assert_false(digest_equal(a, b));
		b[bit / 8] = (uint8_t)(b[bit / 8] ^ 1u << bit % 8);
	}
}

/* RFC 6979 "ECDSA, 256 Bits (Prime Field)" (A.2.5). */
#define RFC_X  "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define RFC_UX "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define RFC_UY "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"

static const struct {
	const char *message, *r, *s, *low_s;
} rfc[] = {
	{ "sample", "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
	  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
	  "0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9" },
	{ "test", "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
	  "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083", NULL },
};

/* SEC 1 "ECPrivateKey" (C.4): version 1, the number, and the curve. */
static char *rfc_key_file(void)
{
	static char path[] = "/tmp/vouch-test-key-XXXXXX";
	uint8_t der[] = { 0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, [39] = 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
			  0x3d, 0x03, 0x01, 0x07 };
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	unhex(der + 7, RFC_X, 32);
	assert_int_equal(write(fd, der, sizeof(der)), sizeof(der));
	close(fd);
	return path;
}

static void signing(void **state)
{
	const char *path = rfc_key_file();
	struct public_key pub, same;
	int status;
	struct key *k = key_load(path, &status);
	uint8_t want[P256_POINT_LEN];

	(void)state;
	assert_int_equal(status, CLI_GOOD);
	assert_non_null(k);
	key_public(k, &pub);
	unhex(want, RFC_UX, 32);
	unhex(want + 32, RFC_UY, 32);
	assert_memory_equal(pub.point, want, sizeof(want));
	assert_int_equal(key_load_public(path, &same), CLI_GOOD);
	assert_memory_equal(&same, &pub, sizeof(pub));
	unlink(path);
	for (size_t i = 0; i < ARRAY_SIZE(rfc); i++) {
		uint8_t digest[SHA256_LEN], sig[P256_SIG_LEN], high[P256_SIG_LEN];

		sha256_of(rfc[i].message, strlen(rfc[i].message), digest);
		assert_int_equal(key_sign(k, digest, sig), CLI_GOOD);
		unhex(high, rfc[i].r, 32);
		unhex(high + 32, rfc[i].low_s ? rfc[i].low_s : rfc[i].s, 32);
		assert_memory_equal(sig, high, sizeof(sig));
		assert_int_equal(ecdsa_p256_verify(pub.point, digest, sig), 0);
		/* The RFC's own, with its high s, is a signature too, but not the one accepted. */
		unhex(high + 32, rfc[i].s, 32);
		assert_int_equal(ecdsa_p256_canonical(high), rfc[i].low_s == NULL);
		assert_int_equal(ecdsa_p256_verify(pub.point, digest, high), rfc[i].low_s ? -EBADMSG : 0);
	}
	key_free(k);
}

static void sign_with(struct key *k, const char *text, uint8_t digest[SHA256_LEN], uint8_t sig[P256_SIG_LEN])
{
	sha256_of(text, strlen(text), digest);
	assert_int_equal(key_sign(k, digest, sig), CLI_GOOD);
}

/* A flipped bit of the signature, of the digest, of the key: never good, and each with its own kind of answer. */
static void flips(void **state)
{
	uint8_t digest[SHA256_LEN], sig[P256_SIG_LEN];
	struct key *k = key_generate();
	struct public_key pub;

	(void)state;
	assert_non_null(k);
	key_public(k, &pub);
	sign_with(k, "flips", digest, sig);
	assert_int_equal(ecdsa_p256_verify(pub.point, digest, sig), 0);
	for (size_t bit = 0; bit < 8 * P256_SIG_LEN; bit += 5) {
		sig[bit / 8] = (uint8_t)(sig[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(ecdsa_p256_verify(pub.point, digest, sig), -EBADMSG);
		sig[bit / 8] = (uint8_t)(sig[bit / 8] ^ 1u << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * SHA256_LEN; bit += 11) {
		digest[bit / 8] = (uint8_t)(digest[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(ecdsa_p256_verify(pub.point, digest, sig), -EBADMSG);
		digest[bit / 8] = (uint8_t)(digest[bit / 8] ^ 1u << bit % 8);
	}
	/* A changed coordinate leaves the curve. */
	for (size_t bit = 0; bit < 8 * P256_POINT_LEN; bit += 7) {
		pub.point[bit / 8] = (uint8_t)(pub.point[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(ecdsa_p256_verify(pub.point, digest, sig), -EINVAL);
		pub.point[bit / 8] = (uint8_t)(pub.point[bit / 8] ^ 1u << bit % 8);
	}
	memset(pub.point, 0, sizeof(pub.point));
	assert_int_equal(ecdsa_p256_verify(pub.point, digest, sig), -EINVAL);
	memset(pub.point, 0xff, sizeof(pub.point));
	assert_int_equal(ecdsa_p256_verify(pub.point, digest, sig), -EINVAL);
	key_free(k);
}

static void canonical(void **state)
{
	static const char n[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
	static const char n_less[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
	static const char half[] = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";
	static const char half_more[] = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9";
	static const char one[] = "0000000000000000000000000000000000000000000000000000000000000001";
	static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
	const struct {
		const char *r, *s;
		bool good;
	} row[] = {
		{ one, one, true }, { n_less, half, true }, { one, half, true }, { zero, one, false }, { one, zero, false },
		{ n, one, false }, { one, half_more, false }, { one, n_less, false }, { one, n, false }, { n, n, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint8_t sig[P256_SIG_LEN];

		unhex(sig, row[i].r, 32);
		unhex(sig + 32, row[i].s, 32);
		assert_int_equal(ecdsa_p256_canonical(sig), row[i].good);
	}
}

static void key_ids(void **state)
{
	struct public_key a;
	uint8_t id[SHA256_LEN];
	char text[KEY_ID_TEXT];

	(void)state;
	unhex(a.point, RFC_UX, 32);
	unhex(a.point + 32, RFC_UY, 32);
	public_key_id(a.point, a.id);
	/* By openssl: pkey -pubin -in PUB -outform DER | sha256sum. */
	unhex(id, "5a7a78cca4a0f420d9bc62bb669c3c2759e39f723d3ae10dcbe0f0815a07ecd4", SHA256_LEN);
	assert_memory_equal(a.id, id, SHA256_LEN);
	key_id_text(&a, text);
	assert_int_equal(strlen(text), 64);
}

static void put(const char *path, const struct bytes *b)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	fclose(f);
}

/* Written and read again it is the same key; two new keys are two. */
static void files(void **state)
{
	char path[] = "/tmp/vouch-test-pem-XXXXXX";
	struct bytes private = { 0 }, public = { 0 }, junk = { .data = (char[]){ "no key" }, .len = 6 };
	struct key *k = key_generate(), *other = key_generate(), *again;
	struct public_key a, b;
	int status, fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && k && other);
	close(fd);
	key_public(k, &a);
	key_public(other, &b);
	assert_memory_not_equal(a.id, b.id, SHA256_LEN);
	assert_int_equal(key_write_private(k, &private), CLI_GOOD);
	assert_int_equal(key_write_public(k, &public), CLI_GOOD);
	put(path, &public);
	assert_int_equal(key_load_public(path, &b), CLI_GOOD);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_null(key_load(path, &status));
	assert_int_equal(status, CLI_REFUSED);
	put(path, &private);
	assert_int_equal(key_load_public(path, &b), CLI_GOOD);
	assert_memory_equal(&a, &b, sizeof(a));
	again = key_load(path, &status);
	assert_non_null(again);
	put(path, &junk);
	assert_int_equal(key_load_public(path, &b), CLI_REFUSED);
	assert_null(key_load(path, &status));
	unlink(path);
	assert_int_equal(key_load_public(path, &b), CLI_ENV);
	assert_null(key_load(path, &status));
	assert_int_equal(status, CLI_ENV);
	key_free(again);
	key_free(other);
	key_free(k);
	bytes_free(&private);
	bytes_free(&public);
}

/* One seed, one key, on the curve, with the id that openssl would give it; it signs, and its signature is good. */
static void made_from_a_seed(void **state)
{
	uint8_t seed[SHA256_LEN] = { 1 }, sig[P256_SIG_LEN], digest[SHA256_LEN];
	char path[] = "/tmp/vouch-test-key-XXXXXX";
	uint8_t der[] = { 0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, [39] = 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
			  0x3d, 0x03, 0x01, 0x07 };
	struct private_key a, b;
	struct public_key pub;
	struct key *k;
	int fd = mkstemp(path), status;

	(void)state;
	assert_int_equal(private_key_make(&a, seed), 0);
	assert_int_equal(private_key_make(&b, seed), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	for (size_t bit = 0; bit < 256; bit += 51) {
		seed[bit / 8] = (uint8_t)(seed[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(private_key_make(&b, seed), 0);
		assert_memory_not_equal(a.secret, b.secret, sizeof(a.secret));
		assert_memory_not_equal(a.pub.point, b.pub.point, sizeof(a.pub.point));
		seed[bit / 8] = (uint8_t)(seed[bit / 8] ^ 1u << bit % 8);
	}
	memcpy(der + 7, a.secret, 32);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, der, sizeof(der)), sizeof(der));
	close(fd);
	k = key_load(path, &status);
	assert_non_null(k);
	unlink(path);
	key_public(k, &pub);
	assert_memory_equal(&pub, &a.pub, sizeof(pub));
	sha256_of("text", 4, digest);
	assert_int_equal(key_sign(k, digest, sig), CLI_GOOD);
	assert_int_equal(ecdsa_p256_verify(a.pub.point, digest, sig), 0);
	key_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha_examples), cmocka_unit_test(sha_pieces), cmocka_unit_test(sha_extensions),
		cmocka_unit_test(sha_long), cmocka_unit_test(equal),
		cmocka_unit_test(signing), cmocka_unit_test(flips), cmocka_unit_test(canonical), cmocka_unit_test(key_ids),
		cmocka_unit_test(files), cmocka_unit_test(made_from_a_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
