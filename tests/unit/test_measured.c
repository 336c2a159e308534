/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measuring at boot against a TPM that keeps PCRs: what is in them afterwards is what replaying the log gives, with any
 * set of banks; a TPM that fails, now or later; guests that start again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/policy.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/tpm.h"
#include "core/measured.h"
#include "tests/unit/support/hostram.h"
#include "tests/unit/support/log.h"

#define RAM (16ul << 20)
#define SM3 0x0012
#define ODD 0x7777

static struct host host;
static struct policy policy;
static struct image_error err;

/* ------------------------------------------------------------------ the TPM */

static struct {
	int open;                     /* what opening it returns */
	bool stopped;                 /* the firmware did not start it */
	uint32_t count;
	struct { uint16_t alg; uint32_t pcrs; struct tpm_digest pcr[2]; } bank[6];
	unsigned int extends, fail_at;        /* fail_at: the number of the extend that fails; 0: none */
} fake;

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
	return p + 4;
}

static uint32_t get(const uint8_t *p, unsigned int len)
{
	uint32_t v = 0;

	while (len--)
		v = v << 8 | *p++;
	return v;
}

static uint8_t *give_banks(uint8_t *p)
{
	*p++ = 0;
	p = put32(put32(p, 5), fake.count);
	for (uint32_t i = 0; i < fake.count; i++) {
		*p++ = (uint8_t)(fake.bank[i].alg >> 8);
		*p++ = (uint8_t)fake.bank[i].alg;
		*p++ = 3;
		for (unsigned int k = 0; k < 3; k++)
			*p++ = (uint8_t)(fake.bank[i].pcrs >> 8 * k);
	}
	return p;
}

static uint8_t *give_pcr(uint8_t *p, const uint8_t *command)
{
	uint16_t alg = (uint16_t)get(command + 14, 2);
	unsigned int pcr = command[18] & 0x10 ? 0 : 1;
	size_t len = tpm_bank_digest_size(alg);

	p = put32(p, 7);
	memcpy(p, command + 10, 10);
	p = put32(p + 10, 1);
	*p++ = 0;
	*p++ = (uint8_t)len;
	for (uint32_t i = 0; i < fake.count; i++) {
		if (fake.bank[i].alg == alg)
			memcpy(p, fake.bank[i].pcr[pcr].bytes, len);
	}
	return p + len;
}

static void extend_one(unsigned int pcr, uint16_t alg, const uint8_t *bytes)
{
	for (uint32_t i = 0; i < fake.count; i++) {
		struct tpm_digest d = { .alg = alg };

		if (fake.bank[i].alg != alg)
			continue;
		memcpy(d.bytes, bytes, tpm_bank_digest_size(alg));
		fake.bank[i].pcr[pcr].alg = alg;
		if (tpm_digest_size(alg))
			pcr_extend(&fake.bank[i].pcr[pcr], &d);
		else
			fake.bank[i].pcr[pcr] = d;
		return;
	}
	fail_msg("extended in bank %#x, which is none", alg);
}

static bool extend(const uint8_t *command)
{
	uint32_t pcr = get(command + 10, 4), count = get(command + 27, 4);
	const uint8_t *p = command + 31;

	assert_in_range(pcr, 12, 13);
	if (++fake.extends == fake.fail_at)
		return false;
	while (count--) {
		uint16_t alg = (uint16_t)get(p, 2);

		extend_one(pcr - 12, alg, p + 2);
		p += 2 + tpm_bank_digest_size(alg);
	}
	return true;
}

static int exchange(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got)
{
	uint32_t code = get(command + 6, 4), rc = 0;
	uint8_t *end = response + 10;

	(void)ctx;
	(void)len;
	assert_true(size >= 256);
	if (code == 0x144)
		fake.stopped = false;
	else if (fake.stopped)
		rc = TPM_RC_INITIALIZE;
	else if (code == 0x17a && get(command + 10, 4) == 5)
		end = give_banks(end);
	else if (code == 0x17e)
		end = give_pcr(end, command);
	else if (code == 0x182 && extend(command))
		end = (uint8_t *)memcpy(end, "\0\0\0\0\0\0\1\0\0", 9) + 9;
	else
		rc = 0x101;
	*got = (size_t)(end - response);
	response[0] = 0x80;
	response[1] = code == 0x182 && !rc ? 2 : 1;
	put32(put32(response + 2, (uint32_t)*got), rc);
	return 0;
}

static bool no_pause(struct tpm *t, bool first)
{
	(void)t;
	(void)first;
	return true;
}

int tpm_host_open(struct tpm_host *d, struct tpm *t, const struct host *h, const char **why)
{
	(void)h;
	*d = (struct tpm_host){ .interface = "fake" };
	*t = (struct tpm){ .exchange = exchange, .pause = no_pause };
	*why = "it is of wood";
	return fake.open;
}

/* ------------------------------------------------------------------ boots */

static void add_bank(uint16_t alg, uint32_t pcrs)
{
	fake.bank[fake.count].alg = alg;
	fake.bank[fake.count].pcr[0].alg = fake.bank[fake.count].pcr[1].alg = alg;
	fake.bank[fake.count++].pcrs = pcrs;
}

static void fresh(void)
{
	memset(&host, 0, sizeof(host));
	memset(&fake, 0, sizeof(fake));
	memset(&policy, 0, sizeof(policy));
	hostram_init(&host.pages, RAM);
	host.policy = &policy;
	strcpy(host.boot.cmdline, "console=com1");
	log_clear();
}

static void boot(void)
{
	assert_true(measured_start(&host));
	measured_keys(&host);
	measured_policy(&host, "policy", 6);
}

static struct vm vm;

static void make_guest(unsigned int module, const char *cmdline)
{
	memset(&vm, 0, sizeof(vm));
	vm.host = &host;
	vm.module = module;
	snprintf(vm.name, sizeof(vm.name), "guest%u", module);
	vm.plan.memory_mib = 64;
	vm.plan.cores = 1;
	snprintf(vm.plan.cmdline, sizeof(vm.plan.cmdline), "%s", cmdline);
}

static int start(unsigned int module, const char *cmdline)
{
	struct tao_guest id = { .number = module };
	uint64_t missing = hostram_missing(&host.pages);
	int ret;

	make_guest(module, cmdline);
	ret = measured_guest(&vm, &id, &err);
	if (ret)
		assert_int_equal(hostram_missing(&host.pages), missing);
	return ret;
}

static uint32_t little(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/* What replaying the log that the guest is shown gives, in the bank at place b of the log. Returns the events in it. */
static unsigned int replay(uint32_t b, struct tpm_digest pcr[2], unsigned int *texts)
{
	const uint8_t *p = vm.events.log, *end = p + vm.events.len;
	unsigned int events = 0;

	p += 32 + little(p + 28);
	for (*texts = 0; p < end; events++) {
		uint32_t number = little(p), banks = little(p + 8);

		assert_in_range(number, 12, 13);
		p += 12;
		for (uint32_t i = 0; i < banks; i++) {
			struct tpm_digest d = { .alg = (uint16_t)(p[0] | p[1] << 8) };

			memcpy(d.bytes, p + 2, tpm_digest_size(d.alg));
			if (i == b) {
				pcr[number - 12].alg = d.alg;
				pcr_extend(&pcr[number - 12], &d);
			}
			p += 2 + tpm_digest_size(d.alg);
		}
		*texts += little(p) != 0;
		p += 4 + little(p);
	}
	assert_ptr_equal(p, end);
	return events;
}

/* Whatever the TPM's bank of that algorithm has is what the log says. */
static void expect_pcrs(uint32_t b, uint32_t in_tpm)
{
	struct tpm_digest pcr[2];
	unsigned int texts;

	memset(pcr, 0, sizeof(pcr));
	assert_true(replay(b, pcr, &texts) > 0);
	assert_int_equal(pcr[0].alg, fake.bank[in_tpm].alg);
	for (int i = 0; i < 2; i++)
		assert_memory_equal(pcr[i].bytes, fake.bank[in_tpm].pcr[i].bytes, tpm_digest_size(pcr[0].alg));
}

static void all_banks(void **state)
{
	struct tpm_digest pcr[2];
	unsigned int texts;

	(void)state;
	fresh();
	/* In another order than Vouch's, one that it can't compute, one without PCRs, one with half of them. */
	add_bank(TPM_SHA512, 0xffffff);
	add_bank(SM3, 0xffffff);
	add_bank(TPM_SHA1, 0xffffff);
	add_bank(ODD, 0);
	add_bank(TPM_SHA384, 0x001000);
	add_bank(TPM_SHA256, 0xffffff);
	boot();
	assert_non_null(strstr(log_text(), "banks sha1 sha256 sha512"));
	assert_non_null(strstr(log_text(), "algorithm 0x12; PCRs 12 and 13 of that bank are capped"));
	assert_non_null(strstr(log_text(), "bank sha384 has not both"));
	assert_int_equal(start(0, "quiet"), 0);
	assert_true(vm.events.in_tpm);
	expect_pcrs(0, 2);
	expect_pcrs(1, 5);
	expect_pcrs(2, 0);
	assert_int_equal(fake.bank[1].pcr[0].bytes[31], 0xff);
	assert_int_equal(fake.bank[1].pcr[1].bytes[0], 0xff);
	assert_int_equal(replay(0, pcr, &texts), 5);
	assert_int_equal(texts, 5);
	measured_put(&vm);
	assert_null(vm.events.log);
}

/* Of others a guest sees digests, and no words. */
static void others(void **state)
{
	struct tpm_digest pcr[2];
	unsigned int texts;

	(void)state;
	fresh();
	add_bank(TPM_SHA256, 0xffffff);
	boot();
	assert_int_equal(start(3, "secret"), 0);
	measured_put(&vm);
	assert_int_equal(start(5, "public"), 0);
	assert_int_equal(replay(0, pcr, &texts), 7);
	assert_int_equal(texts, 5);
	expect_pcrs(0, 0);
	assert_null(memmem(vm.events.log, vm.events.len, "secret", 6));
	assert_null(memmem(vm.events.log, vm.events.len, "guest3", 6));
	assert_non_null(memmem(vm.events.log, vm.events.len, "public", 6));
	measured_put(&vm);
	/* Again: nothing new; now there are two before it that ran. */
	assert_int_equal(start(3, "secret"), 0);
	assert_int_equal(replay(0, pcr, &texts), 7);
	assert_non_null(memmem(vm.events.log, vm.events.len, "secret", 6));
	assert_null(memmem(vm.events.log, vm.events.len, "public", 6));
	expect_pcrs(0, 0);
	measured_put(&vm);
}

static void changed(void **state)
{
	(void)state;
	fresh();
	add_bank(TPM_SHA256, 0xffffff);
	boot();
	assert_int_equal(start(0, "quiet"), 0);
	measured_put(&vm);
	assert_int_equal(start(0, "loud"), -1);
	assert_int_equal(err.code, IMG_ERR_CHANGED);
	assert_string_equal(err.text, "the module has changed: it is another guest than the one that was started");
	assert_int_equal(fake.extends, 5);
	assert_int_equal(start(0, "quiet"), 0);
	measured_put(&vm);
}

static void most(void **state)
{
	static char line[PLAN_CMDLINE_MAX + 1];

	(void)state;
	fresh();
	memset(host.boot.cmdline, 'x', BOOT_CMDLINE_MAX);
	memset(line, 'y', PLAN_CMDLINE_MAX);
	for (uint32_t i = 0; i < EVENTLOG_BANKS; i++)
		add_bank(tpm_known_banks[i], 0xffffff);
	boot();
	for (unsigned int i = 0; i < BOOT_MODULES_MAX; i++) {
		assert_int_equal(start(i, line), 0);
		if (i == BOOT_MODULES_MAX - 1)
			expect_pcrs(3, 3);
		measured_put(&vm);
	}
	assert_null(strstr(log_text(), "error"));
}

/* ------------------------------------------------------------------ without, and broken ones */

static void none(void **state)
{
	struct tpm_digest pcr[2];
	unsigned int texts;

	(void)state;
	fresh();
	fake.open = -ENODEV;
	boot();
	assert_non_null(strstr(log_text(), "TPM: none"));
	assert_true(measured_demand(&host));
	assert_int_equal(start(0, ""), 0);
	assert_false(vm.events.in_tpm);
	assert_int_equal(replay(0, pcr, &texts), 5);
	assert_int_equal(pcr[0].alg, TPM_SHA256);
	measured_put(&vm);
	policy.tpm_required = true;
	assert_false(measured_demand(&host));
	assert_non_null(strstr(log_text(), "verdict: boot refused: the policy demands a TPM: this machine has none"));
	assert_int_equal(start(1, ""), -1);
	assert_int_equal(err.code, IMG_ERR_POLICY);
}

static void unusable(void **state)
{
	(void)state;
	fresh();
	fake.open = -EIO;
	boot();
	assert_non_null(strstr(log_text(), "error: the TPM (fake interface) cannot be used: it is of wood"));
	assert_true(measured_demand(&host));
	policy.tpm_required = true;
	assert_false(measured_demand(&host));
	assert_non_null(strstr(log_text(), "demands a TPM: it is of wood"));
	/* No bank that will do. */
	fresh();
	add_bank(SM3, 0xffffff);
	boot();
	assert_non_null(strstr(log_text(), "error: measuring fails: the TPM: no PCR bank that Vouch can compute"));
	policy.tpm_required = true;
	assert_false(measured_demand(&host));
	/* A bank in use whose digests have no known length can't even be capped. */
	fresh();
	add_bank(TPM_SHA256, 0xffffff);
	add_bank(ODD, 0xffffff);
	boot();
	policy.tpm_required = true;
	assert_false(measured_demand(&host));
	/* No memory for the log. */
	fresh();
	while (host.pages.free_frames) {
		hpa_t page;

		assert_true(page_get(&host.pages, PAGE_ORDER_4K, &page));
	}
	assert_false(measured_start(&host));
	assert_non_null(strstr(log_text(), "boot refused: not enough host memory"));
}

static void started_late(void **state)
{
	(void)state;
	fresh();
	add_bank(TPM_SHA256, 0xffffff);
	fake.stopped = true;
	boot();
	assert_non_null(strstr(log_text(), "warn: TPM: the firmware did not start it"));
	assert_int_equal(start(0, ""), 0);
	expect_pcrs(0, 0);
	measured_put(&vm);
}

static void extended_before(void **state)
{
	(void)state;
	fresh();
	add_bank(TPM_SHA256, 0xffffff);
	fake.bank[0].pcr[1].bytes[31] = 1;
	boot();
	assert_null(strstr(log_text(), "PCR 12 was extended"));
	assert_non_null(strstr(log_text(), "warn: TPM: PCR 13 was extended before Vouch"));
}

/* It fails at any of the events: said once, and then left alone. */
static void fails(void **state)
{
	(void)state;
	for (unsigned int at = 1; at <= 5; at++) {
		fresh();
		add_bank(TPM_SHA256, 0xffffff);
		fake.fail_at = at;
		boot();
		policy.tpm_required = true;
		assert_int_equal(measured_demand(&host), at > 3);
		assert_int_equal(start(0, ""), -1);
		assert_int_equal(err.code, IMG_ERR_POLICY);
		assert_string_equal(err.text, "launch policy: it demands a TPM, which fails");
		assert_non_null(strstr(log_text(), "error: measuring fails: the TPM: extending a PCR: it refuses, code 0x101"));
		assert_int_equal(fake.extends, at);
		policy.tpm_required = false;
		assert_int_equal(start(1, ""), 0);
		assert_false(vm.events.in_tpm);
		assert_int_equal(fake.extends, at);
		measured_put(&vm);
	}
}

/* Over something else than measuring, a counter say: nobody asks it any more, and a policy that demands it knows. */
static void fails_elsewhere(void **state)
{
	(void)state;
	fresh();
	add_bank(TPM_SHA256, 0xffffff);
	boot();
	assert_int_equal(start(0, ""), 0);
	assert_true(vm.events.in_tpm);
	measured_put(&vm);
	assert_non_null(measured_tpm(&host));
	measured_tpm(&host)->broken = true;
	assert_null(measured_tpm(&host));
	assert_non_null(strstr(log_text(), "error: measuring fails: the TPM: a command"));
	log_clear();
	policy.tpm_required = true;
	assert_false(measured_demand(&host));
	assert_int_equal(start(0, ""), -1);
	assert_null(strstr(log_text(), "measuring fails"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_banks),	   cmocka_unit_test(others),   cmocka_unit_test(changed),
		cmocka_unit_test(most),		   cmocka_unit_test(none),     cmocka_unit_test(unusable),
		cmocka_unit_test(started_late),	   cmocka_unit_test(fails),    cmocka_unit_test(extended_before),
		cmocka_unit_test(fails_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
