/* SPDX-License-Identifier: BSD-2-Clause */
/* From images to decisions: what is gathered of each version, and whose signatures count. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/policy.h>

#include "tests/unit/support/image2.h"

#define XML "<vm name=\"web\"><files><file id=\"p\" index=\"0\"/></files></vm>"
#define SIGNATURE(at, n) ((at).seal + 64 + 128 * (n))

static struct test_image t;
static struct test_layout at;
static struct key *keys[3];
static struct policy p;
static struct policy_facts facts;
static struct image_error err;

/* Trusts the first two of three keys. */
static int set_up(void **state)
{
	(void)state;
	policy_none(&p, INTEGRITY_SIGNED);
	for (uint32_t i = 0; i < ARRAY_SIZE(keys); i++) {
		keys[i] = key_generate();
		assert_non_null(keys[i]);
	}
	for (p.key_count = 0; p.key_count < 2; p.key_count++) {
		key_public(keys[p.key_count], &p.key[p.key_count].key);
		p.key[p.key_count].any_guest = true;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		key_free(keys[i]);
	test_image_free(&t);
	return 0;
}

static void make(unsigned int count, struct key *a, struct key *b, struct key *c)
{
	struct test_image2 spec = { XML, 1, { { "abc", 3 } }, 7, count, { a, b, c } };

	test_image_free(&t);
	test_image2_make(&t, &spec, &at);
}

static enum policy_verdict decide(void)
{
	struct policy_decision d;

	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(policy_gather(&facts, &p, &test_img, &err), 0);
	facts.name = "web";
	return policy_decide(&p, &facts, &d);
}

static void whose(void **state)
{
	(void)state;
	make(0, NULL, NULL, NULL);
	assert_int_equal(decide(), POLICY_REFUSED_UNSIGNED);
	assert_int_equal(facts.level, INTEGRITY_SHA256);
	assert_int_equal(facts.security_version, 7);
	assert_true(facts.has_digest);
	assert_memory_equal(facts.digest, t.bytes + at.seal + 8, SHA256_LEN);
	make(1, keys[2], NULL, NULL);
	assert_int_equal(decide(), POLICY_REFUSED_KEY);
	assert_int_equal(facts.signature_count, 1);
	assert_int_equal(facts.verified_count, 0);
	make(1, keys[1], NULL, NULL);
	assert_int_equal(decide(), POLICY_ALLOWED);
	assert_int_equal(facts.verified_count, 1);
	assert_memory_equal(facts.verified[0], p.key[1].key.id, SHA256_LEN);
	make(3, keys[2], keys[1], keys[0]);
	assert_int_equal(decide(), POLICY_ALLOWED);
	assert_int_equal(facts.signature_count, 3);
	assert_int_equal(facts.verified_count, 2);
	p.key[0].least_version = p.key[1].least_version = 8;
	assert_int_equal(decide(), POLICY_REFUSED_VERSION);
	p.key[1].least_version = 7;
	assert_int_equal(decide(), POLICY_ALLOWED);
	p.key[0].least_version = p.key[1].least_version = 0;
}

/* A stranger's signature may be nonsense; a trusted key's is not passed over for another's sake. */
static void wrong_signature(void **state)
{
	(void)state;
	make(1, keys[2], NULL, NULL);
	t.bytes[SIGNATURE(at, 0) + 64 + 8] ^= 1;
	assert_int_equal(decide(), POLICY_REFUSED_KEY);
	for (int bit = 0; bit < 8; bit++) {
		make(2, keys[0], keys[1], NULL);
		t.bytes[SIGNATURE(at, 1) + 64 + 8] ^= (uint8_t)(1 << bit);
		assert_int_equal(test_image_judge(&t), IMG_OK);
		assert_int_equal(policy_gather(&facts, &p, &test_img, &err), -1);
		assert_int_equal(err.code, IMG_ERR_SIG_BAD);
	}
	/* Even where no signature is asked for. */
	p.integrity = INTEGRITY_NONE;
	assert_int_equal(policy_gather(&facts, &p, &test_img, &err), -1);
	p.integrity = INTEGRITY_SIGNED;
	/* One key's signature under the other's id: swapped ids leave the order, so take one record and rename it. */
	make(1, keys[2], NULL, NULL);
	memcpy(t.bytes + SIGNATURE(at, 0) + 32, p.key[0].key.id, SHA256_LEN);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(policy_gather(&facts, &p, &test_img, &err), -1);
	assert_int_equal(err.code, IMG_ERR_SIG_BAD);
}

/* A signature over another image. */
static void moved_signature(void **state)
{
	uint8_t record[128];

	(void)state;
	make(1, keys[0], NULL, NULL);
	memcpy(record, t.bytes + SIGNATURE(at, 0), sizeof(record));
	test_put64(t.bytes + 32, 8);
	test_image2_seal(&t, &at);
	assert_int_equal(test_image_judge(&t), IMG_OK);
	assert_int_equal(policy_gather(&facts, &p, &test_img, &err), -1);
	assert_int_equal(err.code, IMG_ERR_SIG_BAD);
	assert_memory_equal(record, t.bytes + SIGNATURE(at, 0), sizeof(record));
}

static void older_versions(void **state)
{
	const char *data[] = { "abc" };

	(void)state;
	for (unsigned int version = 0; version < 2; version++) {
		test_image_free(&t);
		test_image_make(&t, version, XML, 1, data);
		assert_int_equal(decide(), version ? POLICY_REFUSED_CHECKSUM : POLICY_REFUSED_UNHASHED);
		assert_int_equal(facts.level, version ? INTEGRITY_CHECKSUM : INTEGRITY_NONE);
		assert_false(facts.has_digest);
		assert_int_equal(facts.signature_count + facts.verified_count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose), cmocka_unit_test(wrong_signature), cmocka_unit_test(moved_signature),
		cmocka_unit_test(older_versions),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
