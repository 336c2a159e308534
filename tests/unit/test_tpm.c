/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of a TPM byte for byte, and its answers: those of a real one (libtpms 0.9), cut at each length, changed in each
 * byte, and lies about lengths.
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

#include <vouch/tpm.h>

#define INDEX 0x01800001u

/* ------------------------------------------------------------------ a TPM that says what it is told */

static uint8_t sent[TPM_COMMAND_MAX], answer[4096];
static size_t sent_len, answer_len;
static unsigned int sent_count, pauses, busy, patience;
static int broken;

static const uint8_t busy_answer[] = { 0x80, 1, 0, 0, 0, 10, 0, 0, 9, 0x22 };

static int fake_exchange(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got)
{
	const uint8_t *from = busy ? busy_answer : answer;
	size_t n = busy ? sizeof(busy_answer) : answer_len;

	(void)ctx;
	assert_in_range(len, 10, sizeof(sent));
	memcpy(sent, command, len);
	sent_len = len;
	sent_count++;
	busy -= busy ? 1 : 0;
	if (broken)
		return broken;
	if (n > size)
		return -EIO;
	memcpy(response, from, n);
	*got = n;
	return 0;
}

static bool fake_pause(struct tpm *tpm, bool first)
{
	(void)tpm;
	assert_int_equal(first, pauses == 0);
	return ++pauses != patience;
}

static struct tpm t = { .exchange = fake_exchange, .pause = fake_pause };

static size_t from_hex(uint8_t *to, size_t size, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex += 2) {
		char pair[3] = { hex[0], hex[1], 0 };

		assert_true(n < size);
		to[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

static void answers(const char *hex)
{
	answer_len = from_hex(answer, sizeof(answer), hex);
	sent_count = pauses = busy = patience = 0;
	broken = 0;
	t.broken = false;
}

static void expect_sent(const char *hex)
{
	uint8_t want[TPM_COMMAND_MAX];
	size_t len = from_hex(want, sizeof(want), hex);

	assert_int_equal(sent_len, len);
	assert_memory_equal(sent, want, len);
}

/* ------------------------------------------------------------------ the commands, each with its parts */

static struct tpm_banks banks;
static uint32_t property;
static struct tpm_digest digest;
static struct tpm_nv nv;
static uint64_t counter;

static int run_startup(void) { return tpm_startup(&t); }
static int run_banks(void) { return tpm_get_banks(&t, &banks); }
static int run_property(void) { return tpm_get_property(&t, TPM_PT_MANUFACTURER, &property); }
static int run_public(void) { return tpm_nv_read_public(&t, INDEX, &nv); }
static int run_define(void) { return tpm_nv_define_counter(&t, INDEX); }
static int run_increment(void) { return tpm_nv_increment(&t, INDEX); }
static int run_counter(void) { return tpm_nv_read_counter(&t, INDEX, &counter); }

static int run_extend(void)
{
	struct tpm_digest d[2] = { { .alg = TPM_SHA1 }, { .alg = TPM_SHA256 } };

	memset(d[0].bytes, 0x11, sizeof(d[0].bytes));
	memset(d[1].bytes, 0x22, sizeof(d[1].bytes));
	return tpm_pcr_extend(&t, 13, d, 2);
}

static int run_read(void)
{
	digest = (struct tpm_digest){ .alg = TPM_SHA256 };
	return tpm_pcr_read(&t, 13, &digest);
}

#define H4 "11111111"
#define S4 "22222222"
#define SHA1_ONES H4 H4 H4 H4 H4
#define SHA256_TWOS S4 S4 S4 S4 S4 S4 S4 S4
#define EMPTY_AUTH "0000" "01" "0000"
#define NAME "0022" "000b" S4 S4 S4 S4 S4 S4 S4 S4

static const struct {
	const char *name;
	int (*run)(void);
	const char *command, *answer;
} cases[] = {
	{ "startup", run_startup, "8001" "0000000c" "00000144" "0000", "8001" "0000000a" "00000000" },
	{ "banks", run_banks, "8001" "00000016" "0000017a" "00000005" "00000000" "00000001",
	  "8001" "0000002b" "00000000" "00" "00000005" "00000004"
	  "000403ffffff" "000b03ffffff" "000c03ffffff" "000d03000000" },
	{ "property", run_property, "8001" "00000016" "0000017a" "00000006" "00000105" "00000001",
	  "8001" "0000001b" "00000000" "01" "00000006" "00000001" "00000105" "49424d00" },
	{ "extend", run_extend, "8002" "00000057" "00000182" "0000000d" "00000009" "40000009" "0000" "00" "0000"
	  "00000002" "0004" SHA1_ONES "000b" SHA256_TWOS,
	  "8002" "00000013" "00000000" "00000000" EMPTY_AUTH },
	{ "read", run_read, "8001" "00000014" "0000017e" "00000001" "000b" "03" "002000",
	  "8001" "0000003e" "00000000" "00000019" "00000001" "000b" "03" "002000" "00000001" "0020" SHA256_TWOS },
	{ "public", run_public, "8001" "0000000e" "00000169" "01800001",
	  "8001" "0000003e" "00000000" "000e" "01800001" "000b" "22060016" "0000" "0008" NAME },
	{ "define", run_define, "8002" "0000002d" "0000012a" "40000001" "00000009" "40000009" "0000" "00" "0000"
	  "0000" "000e" "01800001" "000b" "02060016" "0000" "0008",
	  "8002" "00000013" "00000000" "00000000" EMPTY_AUTH },
	{ "increment", run_increment, "8002" "0000001f" "00000134" "01800001" "01800001"
	  "00000009" "40000009" "0000" "00" "0000", "8002" "00000013" "00000000" "00000000" EMPTY_AUTH },
	{ "counter", run_counter, "8002" "00000023" "0000014e" "01800001" "01800001"
	  "00000009" "40000009" "0000" "00" "0000" "0008" "0000",
	  "8002" "0000001d" "00000000" "0000000a" "0008" "0000000000000105" EMPTY_AUTH },
};

static void good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		answers(cases[i].answer);
		assert_int_equal(answer_len, (unsigned int)answer[4] << 8 | answer[5]);
		if (cases[i].run())
			fail_msg("%s is not taken", cases[i].name);
		expect_sent(cases[i].command);
		assert_int_equal(sent_count, 1);
	}
	assert_int_equal(banks.count, 4);
	assert_int_equal(banks.bank[1].alg, TPM_SHA256);
	assert_int_equal(banks.bank[1].pcrs, 0xffffff);
	assert_int_equal(banks.bank[3].pcrs, 0);
	assert_int_equal(property, 0x49424d00);
	assert_int_equal(digest.bytes[0], 0x22);
	assert_int_equal(digest.bytes[31], 0x22);
	assert_true(tpm_nv_is_counter(&nv));
	assert_true(nv.attributes & TPM_NV_WRITTEN);
	assert_int_equal(counter, 0x105);
}

/* ------------------------------------------------------------------ bad answers */

/* Cut anywhere, with its size as it was and made right: never taken, never read behind its end. */
static void cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		answers(cases[i].answer);
		for (size_t len = answer_len; len-- > 0;) {
			answer_len = len;
			assert_int_equal(cases[i].run(), -EPROTO);
			if (len < 10)
				continue;
			answer[4] = (uint8_t)(len >> 8);
			answer[5] = (uint8_t)len;
			assert_int_equal(cases[i].run(), -EPROTO);
		}
	}
}

/* A byte more than was said, and a byte more than belongs there. */
static void longer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		answers(cases[i].answer);
		answer[answer_len++] = 0;
		assert_int_equal(cases[i].run(), -EPROTO);
		answer[5]++;
		assert_int_equal(cases[i].run(), -EPROTO);
	}
}

/* Each bit flipped: taken or not, no length may lead astray. An error code is a refusal. */
static void flipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		answers(cases[i].answer);
		for (size_t bit = 0; bit < 8 * answer_len; bit++) {
			int ret;

			answer[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ret = cases[i].run();
			if (bit / 8 < 6)
				assert_int_equal(ret, -EPROTO);
			else if (bit / 8 < 10)
				assert_int_equal(ret, -EACCES);
			else
				assert_true(ret == 0 || ret == -EPROTO);
			answer[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void refused(const char *hex, int (*run)(void), int want, uint32_t rc)
{
	answers(hex);
	assert_int_equal(run(), want);
	assert_int_equal(t.rc, rc);
}

static void errors(void **state)
{
	(void)state;
	refused("8001" "0000000a" "00000100", run_banks, -EACCES, TPM_RC_INITIALIZE);
	/* No such index: the handle is at fault. Of any other command, or another handle's fault, it is a refusal. */
	refused("8001" "0000000a" "0000018b", run_public, -ENOENT, 0x18b);
	refused("8001" "0000000a" "0000018b", run_increment, -EACCES, 0x18b);
	refused("8001" "0000000a" "00000184", run_public, -EACCES, 0x184);
	/* A TPM 1.2 answers with tags of its own. */
	refused("00c4" "0000000a" "0000001e", run_banks, -EACCES, 0x1e);
	refused("00c4" "0000000a" "00000000", run_startup, -EPROTO, 0);
	/* Without the sessions that were sent, and with some that were not. */
	refused("8001" "0000000a" "00000000", run_extend, -EPROTO, 0);
	refused("8002" "00000013" "00000000" "00000000" EMPTY_AUTH, run_startup, -EPROTO, 0);
	for (int i = 0; i < 2; i++) {
		answers(cases[1].answer);
		broken = i ? -ETIMEDOUT : -EIO;
		assert_int_equal(run_banks(), broken);
	}
}

static void wrong_content(void **state)
{
	(void)state;
	/* Banks: one twice, one more than there may be, another capability, a count without its banks. */
	refused("8001" "0000001f" "00000000" "00" "00000005" "00000002" "000b03ffffff" "000b03ffffff", run_banks, -EPROTO, 0);
	assert_int_equal(banks.count, 0);
	refused("8001" "00000013" "00000000" "00" "00000005" "00000011", run_banks, -EPROTO, 0);
	refused("8001" "00000013" "00000000" "00" "00000005" "ffffffff", run_banks, -EPROTO, 0);
	refused("8001" "00000013" "00000000" "00" "00000006" "00000000", run_banks, -EPROTO, 0);
	refused("8001" "00000016" "00000000" "00" "00000005" "00000001" "000bff", run_banks, -EPROTO, 0);
	/* None at all is an answer. */
	refused("8001" "00000013" "00000000" "00" "00000005" "00000000", run_banks, 0, 0);
	/* Another property than the one asked for. */
	refused("8001" "0000001b" "00000000" "01" "00000006" "00000001" "00000106" "49424d00", run_property, -EPROTO, 0);
	refused("8001" "00000013" "00000000" "00" "00000006" "00000000", run_property, -EPROTO, 0);
	/* Another PCR, another bank, no value, a digest of another length. */
	refused("8001" "0000003e" "00000000" "00000019" "00000001" "000b" "03" "001000" "00000001" "0020" SHA256_TWOS,
		run_read, -EPROTO, 0);
	refused("8001" "00000018" "00000000" "00000019" "00000001" "000b" "03" "000000" "00000000", run_read, -EPROTO, 0);
	refused("8001" "0000001c" "00000000" "00000019" "00000001" "000b" "03" "002000" "00000000", run_read, -EPROTO, 0);
	refused("8001" "00000032" "00000000" "00000019" "00000001" "000b" "03" "002000" "00000001" "0014" SHA1_ONES,
		run_read, -EPROTO, 0);
	/* Another index; a counter of four bytes. */
	refused("8001" "0000003e" "00000000" "000e" "01800002" "000b" "22060016" "0000" "0008" NAME, run_public, -EPROTO, 0);
	refused("8002" "00000019" "00000000" "00000006" "0004" "00000105" EMPTY_AUTH, run_counter, -EPROTO, 0);
	assert_int_equal(counter, 0);
	/* An answer longer than any that is taken. */
	memset(answer, 0, sizeof(answer));
	answers("8001" "00000401" "00000000");
	answer_len = TPM_RESPONSE_MAX + 1;
	assert_int_equal(run_startup(), -EIO);
}

static void counters(void **state)
{
	const struct tpm_nv plain = { .attributes = 0x22060006, .size = 8 }, small = { .attributes = 0x22060016, .size = 4 };
	const struct tpm_nv bits = { .attributes = 0x22060026, .size = 8 }, other = { .attributes = 0x22060036, .size = 8 };

	(void)state;
	assert_false(tpm_nv_is_counter(&plain));
	assert_false(tpm_nv_is_counter(&small));
	assert_false(tpm_nv_is_counter(&bits));
	assert_false(tpm_nv_is_counter(&other));
}

/* ------------------------------------------------------------------ our own bounds */

static void bounds(void **state)
{
	static struct tpm_digest many[TPM_BANKS_MAX + 1];
	struct tpm_digest unknown = { .alg = 0x7777 };

	(void)state;
	answers(cases[3].answer);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i].alg = 0x0029;
	assert_int_equal(tpm_pcr_extend(&t, 24, many, 1), -EINVAL);
	assert_int_equal(tpm_pcr_extend(&t, 12, many, 0), -EINVAL);
	assert_int_equal(tpm_pcr_extend(&t, 12, many, TPM_BANKS_MAX + 1), -EINVAL);
	assert_int_equal(tpm_pcr_extend(&t, 12, &unknown, 1), -EINVAL);
	/* More than a command holds: not sent, not cut. */
	assert_int_equal(tpm_pcr_extend(&t, 12, many, TPM_BANKS_MAX), -EINVAL);
	assert_int_equal(tpm_pcr_read(&t, 24, &many[0]), -EINVAL);
	assert_int_equal(tpm_pcr_read(&t, 12, &unknown), -EINVAL);
	assert_int_equal(sent_count, 0);
	assert_int_equal(tpm_pcr_extend(&t, 23, many, 6), 0);
}

/* What is busy is asked again, but not for ever. */
static void retries(void **state)
{
	(void)state;
	answers(cases[0].answer);
	busy = 3;
	assert_int_equal(run_startup(), 0);
	assert_int_equal(sent_count, 4);
	assert_int_equal(pauses, 3);
	answers(cases[0].answer);
	busy = 1000000;
	assert_int_equal(run_startup(), -EACCES);
	assert_int_equal(t.rc, 0x922);
	assert_in_range(sent_count, 50, 200);
	busy = 0;
}

/* One that takes its time to say that it is busy: the caller's clock ends it, and nobody waits for it again. */
static void slow_retries(void **state)
{
	(void)state;
	answers(cases[0].answer);
	busy = 1000000;
	patience = 4;
	assert_int_equal(run_startup(), -ETIMEDOUT);
	assert_int_equal(sent_count, 4);
	assert_true(t.broken);
	busy = 0;
	assert_int_equal(run_startup(), -EIO);
	assert_int_equal(sent_count, 4);
	answers(cases[0].answer);
	broken = -ETIMEDOUT;
	assert_int_equal(run_startup(), -ETIMEDOUT);
	broken = 0;
	assert_int_equal(run_startup(), -EIO);
	assert_int_equal(sent_count, 1);
	answers(cases[0].answer);
	assert_int_equal(run_startup(), 0);
}

static void texts(void **state)
{
	char text[64];

	(void)state;
	t.rc = 0x18b;
	assert_string_equal(tpm_error_text(&t, -EACCES, text, sizeof(text)), "it refuses, code 0x18b");
	assert_string_equal(tpm_error_text(&t, -ETIMEDOUT, text, sizeof(text)), "it does not answer in time");
	assert_string_equal(tpm_error_text(&t, -EPROTO, text, sizeof(text)), "its answer is malformed");
	assert_string_equal(tpm_error_text(&t, -EIO, text, sizeof(text)), "its interface is in the wrong state");
	assert_string_equal(tpm_error_text(&t, -ENOENT, text, sizeof(text)), "it has no such index");
	assert_string_equal(tpm_error_text(&t, -EINVAL, text, 9), "error 22");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),	    cmocka_unit_test(cut),	     cmocka_unit_test(longer),
		cmocka_unit_test(flipped),  cmocka_unit_test(errors),	     cmocka_unit_test(wrong_content),
		cmocka_unit_test(counters), cmocka_unit_test(bounds),	     cmocka_unit_test(retries),
		cmocka_unit_test(slow_retries),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
