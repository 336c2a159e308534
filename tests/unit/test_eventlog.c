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

#include <vouch/boot_info.h>
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

static void expect_hex(const struct tpm_digest *d, const char *want)
{
	char hex[2 * TPM_DIGEST_MAX + 1];

	for (size_t i = 0; i < tpm_digest_size(d->alg); i++)
		snprintf(hex + 2 * i, 3, "%02x", d->bytes[i]);
	assert_string_equal(hex, want);
}

/* By sha1sum and the like: of zero bytes and the digest of "abc"; of that and the digest of "". */
static void extend(void **state)
{
	static const struct { uint16_t alg; const char *name, *first, *second; } want[] = {
		{ TPM_SHA1, "sha1",
		  "ccd5bd41458de644ac34a2478b58ff819bef5acf",
		  "e341c8bf722eea72feda9cdd3acc6ebf852d52fb" },
		{ TPM_SHA256, "sha256",
		  "589f9ffed4c477966bfb8d41f37895b08c69047df8f911d6f3b57fbe08faee8d",
		  "ef6a5fdbba9e14e07fa74d23b7ae639d146ce41635cf3fe44315988c4cbd0caf" },
		{ TPM_SHA384, "sha384",
		  "93732e3733514a841c982cfa75ea76ab55fe011acb9cd980ef4523913c65be1b0998e04d77f8c174f81a82151619ca40",
		  "a4d392030aec0188324dac645cac0391f996c9a913563092cd9d7c55c3d86c0f109053c37d2974da85660814bf359bed" },
		{ TPM_SHA512, "sha512",
		  "6b9e946755055542adba95a1588a7eaed86323b3bed97d602ee06839d734048e02c63f37892d3adde0d25b5a9d89162e"
		  "8804ab9ec0ac4a263545c4faecfdf53b",
		  "70532b8f57b0d70200956d122a702a1dacf1852b324488ed82b7957b6b551ed083368c0615b455c45ab48f8003a7a9a0"
		  "8b16409f40d293666644bf30786d8c85" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct tpm_digest pcr = { .alg = want[i].alg }, digest = { .alg = want[i].alg };

		assert_int_equal(tpm_known_banks[i], want[i].alg);
		assert_string_equal(tpm_bank_name(want[i].alg), want[i].name);
		tpm_digest_of(&digest, "abc", 3);
		pcr_extend(&pcr, &digest);
		expect_hex(&pcr, want[i].first);
		tpm_digest_of(&digest, "", 0);
		pcr_extend(&pcr, &digest);
		expect_hex(&pcr, want[i].second);
	}
	assert_null(tpm_bank_name(0x0012));
}

/* ------------------------------------------------------------------ what is measured */

#define SEEN_MAX 6

struct seen {
	unsigned int count;
	uint32_t pcr[SEEN_MAX];
	char text[SEEN_MAX][MEASURE_EVENT_MAX + 1];
	int fail_at;
};

static int see(void *ctx, uint32_t pcr, const char *text, size_t len)
{
	struct seen *s = ctx;

	assert_true(s->count < SEEN_MAX);
	assert_int_equal(strlen(text), len);
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
	static struct policy builtin;
	uint8_t policy[SHA256_LEN];

	(void)state;
	assert_int_equal(measure_cmdline(&m, "console=com1 log=com2"), 0);
	assert_int_equal(measure_keys(&m, NULL), 0);
	assert_int_equal(measure_policy(&m, NULL), 0);
	memset(policy, 0x5a, sizeof(policy));
	memset(builtin.key[0].key.id, 0x11, SHA256_LEN);
	memset(builtin.key[1].key.id, 0x22, SHA256_LEN);
	builtin.key_count = 2;
	assert_int_equal(measure_cmdline(&m, ""), 0);
	assert_int_equal(measure_keys(&m, &builtin), 0);
	assert_int_equal(measure_policy(&m, policy), 0);
	assert_int_equal(s.count, 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(s.pcr[i], 12);
	assert_string_equal(s.text[0], "vouch command line: console=com1 log=com2");
	assert_string_equal(s.text[1], "vouch built-in keys: none");
	assert_string_equal(s.text[2], "vouch policy: none");
	assert_string_equal(s.text[3], "vouch command line: ");
	assert_string_equal(s.text[4], "vouch built-in keys: "
			    "1111111111111111111111111111111111111111111111111111111111111111 "
			    "2222222222222222222222222222222222222222222222222222222222222222");
	assert_string_equal(s.text[5], "vouch policy: 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
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
	static struct policy builtin;
	struct seen s = { .fail_at = -1 };
	struct measure m = { .event = see, .ctx = &s };
	struct tao_guest g = { .number = UINT64_MAX };

	(void)state;
	memset(plan.cmdline, 'x', PLAN_CMDLINE_MAX);
	assert_int_equal(measure_guest(&m, "0123456789012345678901234567890", &g, &plan), 0);
	assert_int_equal(s.count, 2);
	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(measure_cmdline(&m, line), -E2BIG);
	assert_int_equal(s.count, 2);
	/* What the loader may hand over fits, and so do all the keys there can be. */
	line[BOOT_CMDLINE_MAX] = '\0';
	assert_int_equal(measure_cmdline(&m, line), 0);
	builtin.key_count = POLICY_MAX_KEYS;
	assert_int_equal(measure_keys(&m, &builtin), 0);
	assert_int_equal(s.count, 4);
}

static void errors(void **state)
{
	static struct vm_plan plan;
	struct tao_guest g = { 0 };

	(void)state;
	for (int at = 0; at < 2; at++) {
		struct seen s = { .fail_at = at };
		struct measure m = { .event = see, .ctx = &s };

		s = (struct seen){ .fail_at = 0 };
		assert_int_equal(measure_cmdline(&m, ""), -EIO);
		assert_int_equal(measure_keys(&m, NULL), -EIO);
		assert_int_equal(measure_policy(&m, NULL), -EIO);
		assert_int_equal(s.count, 0);
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
