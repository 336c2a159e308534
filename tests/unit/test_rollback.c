/* SPDX-License-Identifier: BSD-2-Clause */
/* Security versions in a TPM's counter: every state that it may be in, with a TPM that has one index. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/policy.h>
#include <vouch/tpm.h>
#include <vouch/vm.h>

#include "core/measured.h"
#include "core/rollback.h"
#include "tests/unit/support/log.h"

#define INDEX   0x01800001u
#define COUNTER 0x02060016u
#define PLAIN   0x02060006u
#define WRITTEN 0x20000000u

static struct {
	bool defined, absent;         /* absent: there is no TPM */
	uint32_t attributes;
	uint64_t value, first;        /* first: what a new counter begins with */
	uint32_t refuses;             /* a command that fails */
	unsigned int writes;
} fake;

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t *put(uint8_t *p, uint64_t v, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
	return p + len;
}

static uint8_t *put_auth(uint8_t *p)
{
	return put(p, 0x0000010000, 5);
}

static uint8_t *give_public(uint8_t *p)
{
	p = put(put(put(put(p, 14, 2), INDEX, 4), TPM_SHA256, 2), fake.attributes, 4);
	p = put(put(p, 0, 2), 8, 2);
	memset(put(p, 34, 2), 0, 34);
	return p + 36;
}

static uint32_t increment(void)
{
	if (!fake.defined || (fake.attributes & 0xf0) != 0x10)
		return 0x18b;
	fake.value = fake.attributes & WRITTEN ? fake.value + 1 : fake.first;
	fake.attributes |= WRITTEN;
	fake.writes++;
	return 0;
}

static uint32_t define(const uint8_t *command)
{
	assert_int_equal(get32(command + 10), 0x40000001);
	assert_int_equal(get32(command + 31), INDEX);
	fake.defined = true;
	fake.attributes = get32(command + 37);
	return 0;
}

static int exchange(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got)
{
	uint32_t code = get32(command + 6), rc = 0x18b;
	uint8_t *end = response + 10;

	(void)ctx;
	(void)len;
	(void)size;
	if (code == fake.refuses) {
		rc = 0x101;
	} else if (code == 0x12a) {
		rc = define(command);
	} else if (code == 0x134) {
		rc = increment();
	} else if (fake.defined) {
		assert_int_equal(get32(command + 10), INDEX);
		rc = 0;
	}
	if (!rc && code == 0x169)
		end = give_public(end);
	else if (!rc && code == 0x14e)
		end = put_auth(put(put(put(end, 10, 4), 8, 2), fake.value, 8));
	else if (!rc)
		end = put_auth(put(end, 0, 4));
	*got = (size_t)(end - response);
	put(put(put(response, !rc && code != 0x169 ? 0x8002 : 0x8001, 2), *got, 4), rc, 4);
	return 0;
}

static bool no_pause(struct tpm *t, bool first)
{
	(void)t;
	(void)first;
	return true;
}

static struct tpm tpm = { .exchange = exchange, .pause = no_pause };

struct tpm *measured_tpm(const struct host *h)
{
	(void)h;
	return fake.absent ? NULL : &tpm;
}

/* ------------------------------------------------------------------ */

static struct policy policy;
static struct host host = { .policy = &policy };
static struct vm vm = { .host = &host, .name = "web" };
static struct image_error err;

static struct policy_guest *fresh(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&policy, 0, sizeof(policy));
	memset(&err, 0, sizeof(err));
	log_clear();
	policy.guests_listed = true;
	policy.guest_count = 2;
	strcpy(policy.guest[0].name, "db");
	strcpy(policy.guest[1].name, "web");
	policy.guest[1].counter = INDEX;
	fake.defined = true;
	fake.attributes = COUNTER | WRITTEN;
	fake.value = 3;
	fake.first = 1;
	return &policy.guest[1];
}

static int start(uint64_t version)
{
	int ret = rollback_check(&vm, version, &err);

	return ret ? ret : rollback_raise(&vm, version, &err);
}

static void refused(uint64_t version, const char *text)
{
	unsigned int writes = fake.writes;

	assert_int_equal(start(version), -1);
	assert_int_equal(err.code, IMG_ERR_POLICY);
	assert_string_equal(err.text, text);
	assert_int_equal(fake.writes, writes);
}

static void keeps(void **state)
{
	(void)state;
	fresh();
	refused(2, "launch policy: security version too low: 2, TPM counter 0x1800001 demands 3");
	refused(0, "launch policy: security version too low: 0, TPM counter 0x1800001 demands 3");
	assert_int_equal(start(3), 0);
	assert_int_equal(start(UINT64_MAX), 0);
	assert_int_equal(fake.writes, 0);
	assert_int_equal(fake.value, 3);
}

static void raises(void **state)
{
	(void)state;
	fresh()->counter_raise = true;
	assert_int_equal(start(3), 0);
	assert_int_equal(fake.writes, 0);
	assert_int_equal(start(7), 0);
	assert_int_equal(fake.value, 7);
	assert_non_null(strstr(log_text(), "raised: security version 7 is the least from now on\n"));
	refused(6, "launch policy: security version too low: 6, TPM counter 0x1800001 demands 7");
	/* Not all at once, and never above it. */
	assert_int_equal(start(UINT64_MAX), 0);
	assert_int_equal(fake.value, 7 + 256);
	assert_non_null(strstr(log_text(), "263 is the least from now on; the image's is higher still"));
	/* A check alone raises nothing. */
	assert_int_equal(rollback_check(&vm, 1000, &err), 0);
	assert_int_equal(fake.value, 263);
}

static void base(void **state)
{
	struct policy_guest *g = fresh();

	(void)state;
	g->counter_base = 3;
	assert_int_equal(start(0), 0);
	g->counter_raise = true;
	assert_int_equal(start(2), 0);
	assert_int_equal(fake.value, 5);
	refused(1, "launch policy: security version too low: 1, TPM counter 0x1800001 demands 2");
	g->counter_base = 6;
	refused(100, "launch policy: TPM counter 0x1800001: it counts 5, its base is 6");
	fake.value = UINT64_MAX;
	g->counter_base = 0;
	assert_int_equal(start(UINT64_MAX), 0);
	assert_int_equal(fake.value, UINT64_MAX);
}

static void begins(void **state)
{
	(void)state;
	fresh()->counter_raise = true;
	fake.defined = false;
	assert_int_equal(start(2), 0);
	assert_int_equal(fake.value, 2);
	assert_int_equal(fake.attributes, COUNTER | WRITTEN);
	assert_non_null(strstr(log_text(), "new, it begins with 1"));
	/* Deleted and made anew it begins above all that was: nothing older comes back by that. */
	fake.defined = false;
	fake.first = 9;
	assert_int_equal(start(8), -1);
	assert_string_equal(err.text, "launch policy: security version too low: 8, TPM counter 0x1800001 demands 9");
	/* Defined by the operator, never counted. */
	fresh()->counter_raise = true;
	fake.attributes = COUNTER;
	assert_int_equal(start(1), 0);
	assert_int_equal(fake.value, 1);
	fresh();
	fake.attributes = COUNTER;
	refused(1, "launch policy: TPM counter 0x1800001: it was never counted");
	fresh();
	fake.defined = false;
	refused(1, "launch policy: TPM counter 0x1800001: it is not there: it has no such index");
}

static void fails(void **state)
{
	static const uint32_t commands[] = { 0x169, 0x14e };

	(void)state;
	fresh();
	fake.attributes = PLAIN | WRITTEN;
	refused(9, "launch policy: TPM counter 0x1800001: the index is no counter");
	fresh();
	fake.absent = true;
	refused(9, "launch policy: TPM counter 0x1800001: there is no TPM that works");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		fresh();
		fake.refuses = commands[i];
		assert_int_equal(start(9), -1);
		assert_non_null(strstr(err.text, "it refuses, code 0x101"));
	}
	fresh()->counter_raise = true;
	fake.refuses = 0x134;
	refused(9, "launch policy: TPM counter 0x1800001: it cannot be raised: it refuses, code 0x101");
	fresh()->counter_raise = true;
	fake.defined = false;
	fake.refuses = 0x12a;
	refused(9, "launch policy: TPM counter 0x1800001: it cannot be defined: it refuses, code 0x101");
	fake.refuses = 0x134;
	refused(9, "launch policy: TPM counter 0x1800001: it does not begin: it refuses, code 0x101");
	/* Lost between the two. */
	fresh()->counter_raise = true;
	assert_int_equal(rollback_check(&vm, 9, &err), 0);
	fake.absent = true;
	assert_int_equal(rollback_raise(&vm, 9, &err), -1);
}

/* Who has no counter in the policy needs no TPM. */
static void others(void **state)
{
	(void)state;
	fresh()->counter = 0;
	fake.absent = true;
	assert_int_equal(start(0), 0);
	fresh();
	strcpy(policy.guest[1].name, "mail");
	fake.absent = true;
	assert_int_equal(start(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps), cmocka_unit_test(raises), cmocka_unit_test(base),
		cmocka_unit_test(begins), cmocka_unit_test(fails), cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
