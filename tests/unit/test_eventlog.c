/* SPDX-License-Identifier: BSD-2-Clause */
/* The event log byte for byte, PCR arithmetic, and the words of what is measured. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vouch/eventlog.h>
#include <vouch/measure.h>
#include <vouch/types.h>

static uint8_t memory[8192];
static struct eventlog l;

static const uint16_t two_banks[] = { TPM_SHA1, TPM_SHA256 };

/* ------------------------------------------------------------------ the log */

static void head_bytes(void **state)
{
	static const uint8_t want[] = {
		0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 37, 0, 0, 0,
		'S', 'p', 'e', 'c', ' ', 'I', 'D', ' ', 'E', 'v', 'e', 'n', 't', '0', '3', 0,
		0, 0, 0, 0, 0, 2, 0, 2, 2, 0, 0, 0, 4, 0, 20, 0, 11, 0, 32, 0, 0,
	};

	(void)state;
	for (size_t size = 0; size < sizeof(want); size++)
		assert_int_equal(eventlog_start(&l, memory, size, two_banks, 2), -ENOSPC);
	memset(memory, 0xee, sizeof(memory));
	assert_int_equal(eventlog_start(&l, memory, sizeof(want), two_banks, 2), 0);
	assert_int_equal(l.len, sizeof(want));
	assert_memory_equal(memory, want, sizeof(want));
	assert_int_equal(memory[sizeof(want)], 0xee);
}

static void bad_banks(void **state)
{
	static const uint16_t unknown[] = { TPM_SHA256, 0x0012 }, twice[] = { TPM_SHA256, TPM_SHA256 };
	static const uint16_t five[] = { TPM_SHA1, TPM_SHA256, TPM_SHA384, TPM_SHA512, TPM_SHA1 };

	(void)state;
	assert_int_equal(eventlog_start(&l, memory, sizeof(memory), unknown, 2), -EINVAL);
	assert_int_equal(eventlog_start(&l, memory, sizeof(memory), twice, 2), -EINVAL);
	assert_int_equal(eventlog_start(&l, memory, sizeof(memory), five, 5), -EINVAL);
	assert_int_equal(eventlog_start(&l, memory, sizeof(memory), five, 0), -EINVAL);
	assert_int_equal(eventlog_start(&l, memory, sizeof(memory), five, 4), 0);
	assert_int_equal(l.len, 32 + 16 + 8 + 4 + 16 + 1);
	/* A log that was never started takes nothing. */
	memset(&l, 0, sizeof(l));
	assert_int_equal(eventlog_add(&l, 12, EVENT_IPL, NULL, NULL, 0), -EINVAL);
}

static void record_bytes(void **state)
{
	struct tpm_digest d[2] = { { .alg = TPM_SHA1 }, { .alg = TPM_SHA256 } };
	uint8_t want[4 + 4 + 4 + 22 + 34 + 4 + 3] = { 12, 0, 0, 0, 13, 0, 0, 0, 2, 0, 0, 0, 4, 0 };
	size_t start;

	(void)state;
	memset(d[0].bytes, 0xa1, sizeof(d[0].bytes));
	memset(d[1].bytes, 0xb2, sizeof(d[1].bytes));
	memset(want + 14, 0xa1, 20);
	want[34] = 11;
	memset(want + 36, 0xb2, 32);
	memcpy(want + 68, "\3\0\0\0abc", 7);
	assert_int_equal(eventlog_start(&l, memory, sizeof(memory), two_banks, 2), 0);
	start = l.len;
	assert_int_equal(eventlog_add(&l, 12, EVENT_IPL, d, "abc", 3), 0);
	assert_int_equal(l.len - start, sizeof(want));
	assert_memory_equal(memory + start, want, sizeof(want));
	/* One byte short: refused whole. */
	l.size = l.len + sizeof(want) - 1;
	memory[l.len] = 0xee;
	assert_int_equal(eventlog_add(&l, 12, EVENT_IPL, d, "abc", 3), -ENOSPC);
	assert_int_equal(l.len - start, sizeof(want));
	assert_int_equal(memory[l.len], 0xee);
	l.size++;
	assert_int_equal(eventlog_add(&l, 12, EVENT_IPL, d, "abc", 3), 0);
	assert_int_equal(eventlog_add(&l, 12, EVENT_IPL, d, "", UINT32_MAX), -ENOSPC);
	/* No such PCR; digests of other banks. */
	l.size = sizeof(memory);
	assert_int_equal(eventlog_add(&l, 24, EVENT_IPL, d, "", 0), -EINVAL);
	assert_int_equal(eventlog_add(&l, 23, EVENT_IPL, d, NULL, 0), 0);
	d[1].alg = TPM_SHA384;
	assert_int_equal(eventlog_add(&l, 12, EVENT_IPL, d, "", 0), -EINVAL);
}

static void expect_hex(const uint8_t digest[SHA256_LEN], const char *want)
{
	char hex[2 * SHA256_LEN + 1];

	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, want);
}

/* By sha256sum: of 32 zero bytes and SHA-256("abc"); of that and SHA-256(""). */
static void extend(void **state)
{
	uint8_t pcr[SHA256_LEN] = { 0 }, digest[SHA256_LEN];

	(void)state;
	sha256_of("abc", 3, digest);
	pcr_extend(pcr, digest);
	expect_hex(pcr, "589f9ffed4c477966bfb8d41f37895b08c69047df8f911d6f3b57fbe08faee8d");
	sha256_of("", 0, digest);
	pcr_extend(pcr, digest);
	expect_hex(pcr, "ef6a5fdbba9e14e07fa74d23b7ae639d146ce41635cf3fe44315988c4cbd0caf");
}

/* ------------------------------------------------------------------ what is measured */

struct seen {
	unsigned int count;
	uint32_t pcr[4];
	char text[4][MEASURE_EVENT_MAX + 1];
	int fail_at;
};

static int see(void *ctx, uint32_t pcr, const uint8_t digest[SHA256_LEN], const char *text, size_t len)
{
	struct seen *s = ctx;
	uint8_t want[SHA256_LEN];

	assert_true(s->count < 4);
	assert_int_equal(strlen(text), len);
	sha256_of(text, len, want);
	assert_memory_equal(digest, want, SHA256_LEN);
	if ((int)s->count == s->fail_at)
		return -EIO;
	s->pcr[s->count] = pcr;
	strcpy(s->text[s->count++], text);
	return 0;
}

static void config(void **state)
{
	struct seen s = { .fail_at = -1 };
	struct measure m = { .event = see, .ctx = &s };
	uint8_t policy[SHA256_LEN];

	(void)state;
	assert_int_equal(measure_config(&m, "console=com1 log=com2", NULL), 0);
	memset(policy, 0x5a, sizeof(policy));
	assert_int_equal(measure_config(&m, "", policy), 0);
	assert_int_equal(s.count, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(s.pcr[i], 12);
	assert_string_equal(s.text[0], "vouch command line: console=com1 log=com2");
	assert_string_equal(s.text[1], "vouch policy: none");
	assert_string_equal(s.text[2], "vouch command line: ");
	assert_string_equal(s.text[3], "vouch policy: 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
}

static void guest(void **state)
{
	static struct vm_plan plan = { .memory_mib = 64, .cores = 1, .cmdline = "console=ttyS0 quiet" };
	struct seen s = { .fail_at = -1 };
	struct measure m = { .event = see, .ctx = &s };
	struct tao_guest g = { .number = UINT64_MAX };
	char tao[TAO_TEXT_MAX], want[TAO_TEXT_MAX + 64];

	(void)state;
	assert_int_equal(measure_guest(&m, "demo", &g, &plan), 0);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.pcr[0], 13);
	assert_int_equal(s.pcr[1], 13);
	tao_text(tao, sizeof(tao), NULL, &g, TAO_IMAGE);
	snprintf(want, sizeof(want), "vouch guest demo: %s", tao);
	assert_string_equal(s.text[0], want);
	assert_string_equal(s.text[1], "vouch boot demo: memory=64 cores=1 cmdline=console=ttyS0 quiet");
}

/* The longest of everything fits; what is longer still is an error, never cut. */
static void bounds(void **state)
{
	static struct vm_plan plan = { .memory_mib = UINT64_MAX, .cores = UINT32_MAX };
	static char line[MEASURE_EVENT_MAX + 1];
	struct seen s = { .fail_at = -1 };
	struct measure m = { .event = see, .ctx = &s };
	struct tao_guest g = { .number = UINT64_MAX };

	(void)state;
	memset(plan.cmdline, 'x', PLAN_CMDLINE_MAX);
	assert_int_equal(measure_guest(&m, "0123456789012345678901234567890", &g, &plan), 0);
	assert_int_equal(s.count, 2);
	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(measure_config(&m, line, NULL), -E2BIG);
	assert_int_equal(s.count, 2);
}

static void errors(void **state)
{
	static struct vm_plan plan;
	struct tao_guest g = { 0 };

	(void)state;
	for (int at = 0; at < 2; at++) {
		struct seen s = { .fail_at = at };
		struct measure m = { .event = see, .ctx = &s };

		assert_int_equal(measure_config(&m, "", NULL), -EIO);
		assert_int_equal(s.count, at);
		s = (struct seen){ .fail_at = at };
		assert_int_equal(measure_guest(&m, "demo", &g, &plan), -EIO);
		assert_int_equal(s.count, at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_bytes), cmocka_unit_test(bad_banks), cmocka_unit_test(record_bytes),
		cmocka_unit_test(extend), cmocka_unit_test(config), cmocka_unit_test(guest), cmocka_unit_test(bounds),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
