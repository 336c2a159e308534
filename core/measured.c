/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See measured.h. An event goes into the log and into all banks of the TPM that Vouch can compute, or into neither. Banks
 * that it cannot are capped: no event will ever be found there. What a guest is shown of the log leaves out the words
 * about others, whose command lines are none of its business; their digests stay, so that the log still adds up.
 */
#include "core/measured.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/log.h>
#include <vouch/measure.h>
#include <vouch/policy.h>
#include <vouch/tpm.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/tpm.h"
#include "arch/x86/dev/acpi.h"
#include "core/block.h"

#define EVENTS_MAX (MEASURE_CONFIG_EVENTS + MEASURE_GUEST_EVENTS * BOOT_MODULES_MAX)

/* A record's numbers, and its digests in all banks that there may be. */
#define RECORD_MAX   (16 + EVENTLOG_BANKS * (2 + TPM_DIGEST_MAX))
#define TAO_EVENT    (TAO_TEXT_MAX + PLAN_NAME_MAX + 32)
#define LOG_SIZE     (256 + MEASURE_CONFIG_EVENTS * (RECORD_MAX + MEASURE_EVENT_MAX) + \
		      BOOT_MODULES_MAX * (2 * RECORD_MAX + TAO_EVENT + MEASURE_EVENT_MAX))

/* Of others a guest sees digests alone. */
#define SHOWN_SIZE   (256 + EVENTS_MAX * RECORD_MAX + MEASURE_CONFIG_EVENTS * MEASURE_EVENT_MAX + TAO_EVENT + \
		      MEASURE_EVENT_MAX)

_Static_assert(SHOWN_SIZE <= ACPI_LOG_MAX, "the guest's ACPI table has no room for the log");

#define NO_MODULE BOOT_MODULES_MAX

enum tpm_state { TPM_NONE, TPM_WORKS, TPM_FAILED };

struct record {
	uint32_t at, len, text_len;   /* in the log; the text is at its end, its length before it */
	unsigned int module;          /* whose guest it is about, or NO_MODULE */
};

struct measured {
	enum tpm_state state;
	char why[80];                 /* of TPM_FAILED */
	struct tpm_host device;
	struct tpm tpm;
	unsigned int module;          /* of the events under way */
	bool print;
	struct eventlog log;
	uint32_t record_count;
	struct record record[EVENTS_MAX];
	/* Of each module's guest the digest of all its events; before its first start: none. */
	struct { bool done; uint8_t digest[SHA256_LEN]; } guest[BOOT_MODULES_MAX];
	uint8_t bytes[LOG_SIZE];
};

/* ------------------------------------------------------------------ a TPM that fails */

static void fail(struct measured *m, int ret, const char *what)
{
	char text[48];

	m->state = TPM_FAILED;
	snprintf(m->why, sizeof(m->why), "%s: %s", what, tpm_error_text(&m->tpm, ret, text, sizeof(text)));
	log_error("measuring fails: the TPM: %s; from here on it is left alone", m->why);
}

/* It may have failed over something else than measuring. */
static bool works(struct measured *m)
{
	if (m->state == TPM_WORKS && m->tpm.broken)
		fail(m, -EIO, "a command");
	return m->state == TPM_WORKS;
}

/* ------------------------------------------------------------------ events */

static void print_event(const struct measured *m, uint32_t pcr, const char *text, size_t len)
{
	char safe[256], hex[2 * SHA256_LEN + 1];
	uint8_t digest[SHA256_LEN];

	sha256_of(text, len, digest);
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	log_line(m->print ? LOG_INFO : LOG_DEBUG, "event: PCR %u %s %s", (unsigned int)pcr, hex,
		 log_escape(safe, sizeof(safe), text, len));
}

/* One event: struct measure's. */
static int take_event(void *ctx, uint32_t pcr, const char *text, size_t len)
{
	struct measured *m = ctx;
	struct tpm_digest digests[EVENTLOG_BANKS];
	struct record *r = &m->record[m->record_count];
	size_t at = m->log.len;
	int ret;

	if (m->record_count == EVENTS_MAX)
		return -ENOSPC;
	for (uint32_t i = 0; i < m->log.bank_count; i++) {
		digests[i].alg = m->log.bank[i];
		tpm_digest_of(&digests[i], text, len);
	}
	ret = eventlog_add(&m->log, pcr, EVENT_IPL, digests, text, (uint32_t)len);
	if (ret)
		return ret;
	*r = (struct record){ (uint32_t)at, (uint32_t)(m->log.len - at), (uint32_t)len, m->module };
	m->record_count++;
	print_event(m, pcr, text, len);
	ret = m->state == TPM_WORKS ? tpm_pcr_extend(&m->tpm, pcr, digests, m->log.bank_count) : 0;
	if (ret)
		fail(m, ret, "extending a PCR");
	return 0;
}

static struct measure sink(struct measured *m, unsigned int module)
{
	m->module = module;
	return (struct measure){ take_event, m };
}

/* The log has room for all events there can be. */
static void must_fit(struct measured *m, int ret)
{
	if (!ret)
		return;
	m->state = TPM_FAILED;
	snprintf(m->why, sizeof(m->why), "an event does not fit the log");
	log_error("measuring fails: %s", m->why);
}

/* ------------------------------------------------------------------ the TPM */

/* In both PCRs or in none: a bank of half of them is of no use. */
static bool in_use(uint32_t pcrs)
{
	return pcrs >> MEASURE_PCR_CONFIG & pcrs >> MEASURE_PCR_GUESTS & 1;
}

static void cap(struct measured *m, uint16_t alg)
{
	struct tpm_digest d = { .alg = alg };
	int ret = -EINVAL;

	memset(d.bytes, 0xff, sizeof(d.bytes));
	if (tpm_bank_digest_size(alg)) {
		ret = tpm_pcr_extend(&m->tpm, MEASURE_PCR_CONFIG, &d, 1);
		if (!ret)
			ret = tpm_pcr_extend(&m->tpm, MEASURE_PCR_GUESTS, &d, 1);
	}
	if (ret)
		fail(m, ret, "its bank of an algorithm that Vouch does not know");
	else
		log_warn("TPM: Vouch can't compute digests of algorithm %#x; PCRs %d and %d of that bank are capped", alg,
			 MEASURE_PCR_CONFIG, MEASURE_PCR_GUESTS);
}

/* Those that Vouch can compute, in its own order. */
static uint32_t choose_banks(const struct tpm_banks *all, uint16_t *bank)
{
	uint32_t count = 0;

	for (uint32_t k = 0; k < EVENTLOG_BANKS; k++) {
		for (uint32_t i = 0; i < all->count; i++) {
			if (all->bank[i].alg == tpm_known_banks[k] && in_use(all->bank[i].pcrs))
				bank[count++] = tpm_known_banks[k];
		}
	}
	return count;
}

static void cap_others(struct measured *m, const struct tpm_banks *all)
{
	for (uint32_t i = 0; i < all->count && m->state == TPM_WORKS; i++) {
		if (all->bank[i].pcrs && !tpm_digest_size(all->bank[i].alg))
			cap(m, all->bank[i].alg);
		else if (all->bank[i].pcrs && !in_use(all->bank[i].pcrs))
			log_warn("TPM: bank %s has not both of PCRs %d and %d: nothing is measured into it",
				 tpm_bank_name(all->bank[i].alg), MEASURE_PCR_CONFIG, MEASURE_PCR_GUESTS);
	}
}

/* The firmware starts the TPM, unless it knows none. */
static int ask_banks(struct measured *m, struct tpm_banks *all)
{
	int ret = tpm_get_banks(&m->tpm, all);

	if (ret != -EACCES || m->tpm.rc != TPM_RC_INITIALIZE)
		return ret;
	log_warn("TPM: the firmware did not start it: what ran before Vouch is not measured");
	ret = tpm_startup(&m->tpm);
	return ret ? ret : tpm_get_banks(&m->tpm, all);
}

/* What was there before makes a PCR another than the one foretold. */
static void check_fresh(struct measured *m, uint32_t pcr)
{
	struct tpm_digest d = { .alg = m->log.bank[0] };
	static const uint8_t zeros[TPM_DIGEST_MAX];
	int ret = tpm_pcr_read(&m->tpm, pcr, &d);

	if (ret)
		fail(m, ret, "reading a PCR");
	else if (memcmp(d.bytes, zeros, tpm_digest_size(d.alg)) != 0)
		log_warn("TPM: PCR %u was extended before Vouch: it will be none that vouch measure foretells",
			 (unsigned int)pcr);
}

static void report_tpm(struct measured *m)
{
	char names[48] = "", maker[24];
	uint32_t id = 0;
	uint8_t letters[4];

	if (tpm_get_property(&m->tpm, TPM_PT_MANUFACTURER, &id))
		id = 0;
	for (unsigned int i = 0; i < 4; i++)
		letters[i] = (uint8_t)(id >> (24 - 8 * i));
	for (uint32_t i = 0; i < m->log.bank_count; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s", tpm_bank_name(m->log.bank[i]));
	log_stage("TPM: 2.0 by %s, %s interface, measuring into PCRs %d and %d, banks%s",
		  log_escape(maker, sizeof(maker), (const char *)letters, sizeof(letters)), m->device.interface,
		  MEASURE_PCR_CONFIG, MEASURE_PCR_GUESTS, names);
}

static bool log_start(struct measured *m, const uint16_t *bank, uint32_t count)
{
	return !eventlog_start(&m->log, m->bytes, sizeof(m->bytes), bank, count);
}

static void use_tpm(struct measured *m)
{
	struct tpm_banks all;
	uint16_t bank[EVENTLOG_BANKS];
	uint32_t count;
	int ret = ask_banks(m, &all);

	if (ret) {
		fail(m, ret, "asking for its PCR banks");
		return;
	}
	count = choose_banks(&all, bank);
	if (!count || !log_start(m, bank, count)) {
		fail(m, -EINVAL, "no PCR bank that Vouch can compute");
		return;
	}
	m->state = TPM_WORKS;
	check_fresh(m, MEASURE_PCR_CONFIG);
	if (m->state == TPM_WORKS)
		check_fresh(m, MEASURE_PCR_GUESTS);
	cap_others(m, &all);
	if (m->state == TPM_WORKS)
		report_tpm(m);
}

static void find_tpm(struct host *h, struct measured *m)
{
	const char *why;
	int ret = tpm_host_open(&m->device, &m->tpm, h, &why);

	if (!ret) {
		use_tpm(m);
	} else if (ret == -ENODEV) {
		log_stage("TPM: none; what is measured is in the event log alone");
	} else {
		m->state = TPM_FAILED;
		snprintf(m->why, sizeof(m->why), "%s", why);
		log_error("the TPM (%s interface) cannot be used: %s; nothing is measured into it", m->device.interface, why);
	}
}

/* ------------------------------------------------------------------ the boot */

bool measured_start(struct host *h)
{
	static const uint16_t alone[] = { TPM_SHA256 };
	struct measured *m = block_get(&h->pages, sizeof(*m));
	struct measure s;

	if (!m) {
		log_verdict("boot refused: not enough host memory for the event log");
		return false;
	}
	h->measured = m;
	m->print = h->options.print_events;
	find_tpm(h, m);
	if (!m->log.bank_count && !log_start(m, alone, ARRAY_SIZE(alone))) {
		log_verdict("boot refused: the event log cannot be started");
		return false;
	}
	s = sink(m, NO_MODULE);
	must_fit(m, measure_cmdline(&s, h->boot.cmdline));
	return true;
}

void measured_keys(struct host *h)
{
	struct measure s = sink(h->measured, NO_MODULE);

	must_fit(h->measured, measure_keys(&s, h->builtin));
}

void measured_policy(struct host *h, const void *policy, size_t size)
{
	struct measure s = sink(h->measured, NO_MODULE);
	uint8_t digest[SHA256_LEN];

	if (policy)
		sha256_of(policy, size, digest);
	must_fit(h->measured, measure_policy(&s, policy ? digest : NULL));
}

struct tpm *measured_tpm(const struct host *h)
{
	return works(h->measured) ? &h->measured->tpm : NULL;
}

/* As the policy demands. */
static bool tpm_good(const struct host *h)
{
	return !h->policy->tpm_required || works(h->measured);
}

bool measured_demand(const struct host *h)
{
	const struct measured *m = h->measured;

	if (tpm_good(h))
		return true;
	log_verdict("boot refused: the policy demands a TPM: %s", m->state == TPM_NONE ? "this machine has none" : m->why);
	return false;
}

/* ------------------------------------------------------------------ a guest */

/* Sums a guest's events up. */
static int hash_event(void *ctx, uint32_t pcr, const char *text, size_t len)
{
	struct sha256 *s = ctx;
	uint64_t size = len;

	(void)pcr;
	sha256_update(s, &size, sizeof(size));
	sha256_update(s, text, len);
	return 0;
}

static int refuse(struct image_error *err, enum image_err code, const char *detail)
{
	*err = (struct image_error){ .code = code };
	snprintf(err->text, sizeof(err->text), "%s: %s", image_err_text(code), detail);
	return -1;
}

static void copy_record(const struct measured *m, const struct record *r, bool words, struct vm_events *e, uint8_t *to)
{
	static const uint8_t none[4];
	uint32_t len = r->len - r->text_len;

	if (words) {
		memcpy(to + e->len, m->bytes + r->at, r->len);
		e->len += r->len;
		return;
	}
	memcpy(to + e->len, m->bytes + r->at, len - sizeof(none));
	memcpy(to + e->len + len - sizeof(none), none, sizeof(none));
	e->len += len;
}

static int show(struct measured *m, struct vm *vm, struct image_error *err)
{
	struct vm_events *e = &vm->events;
	uint8_t *to = block_get(&vm->host->pages, SHOWN_SIZE);

	if (!to)
		return refuse(err, IMG_ERR_HOST_MEMORY, "for the event log");
	e->log = to;
	e->in_tpm = works(m);
	e->len = m->record[0].at;
	memcpy(to, m->bytes, e->len);
	for (uint32_t i = 0; i < m->record_count; i++)
		copy_record(m, &m->record[i], m->record[i].module == NO_MODULE || m->record[i].module == vm->module, e, to);
	return 0;
}

void measured_put(struct vm *vm)
{
	block_put(&vm->host->pages, (void *)(uintptr_t)vm->events.log, SHOWN_SIZE);
	vm->events = (struct vm_events){ 0 };
}

static int measure_first(struct measured *m, const struct vm *vm, const struct tao_guest *id, struct image_error *err)
{
	struct measure s = sink(m, vm->module);
	int ret = measure_guest(&s, vm->name, id, &vm->plan);

	must_fit(m, ret);
	return ret ? refuse(err, IMG_ERR_POLICY, "what it is cannot be measured") : 0;
}

int measured_guest(struct vm *vm, const struct tao_guest *id, struct image_error *err)
{
	struct host *h = vm->host;
	struct measured *m = h->measured;
	uint8_t digest[SHA256_LEN];
	struct sha256 sum;
	const struct measure adds = { hash_event, &sum };
	int ret;

	sha256_init(&sum);
	ret = measure_guest(&adds, vm->name, id, &vm->plan);
	sha256_final(&sum, digest);
	if (ret)
		return refuse(err, IMG_ERR_POLICY, "what it is cannot be measured");
	if (m->guest[vm->module].done && !digest_equal(m->guest[vm->module].digest, digest))
		return refuse(err, IMG_ERR_CHANGED, "it is another guest than the one that was started");
	if (!m->guest[vm->module].done && measure_first(m, vm, id, err))
		return -1;
	m->guest[vm->module].done = true;
	memcpy(m->guest[vm->module].digest, digest, SHA256_LEN);
	if (!tpm_good(h))
		return refuse(err, IMG_ERR_POLICY, "it demands a TPM, which fails");
	return show(m, vm, err);
}

bool measured_before(const struct host *h, unsigned int module)
{
	return h->measured->guest[module].done;
}

void measured_tell(const struct host *h, void (*line)(void *to, const char *text), void *to)
{
	static const char *const states[] = { "no TPM", "the TPM works", "the TPM has failed" };
	const struct measured *m = h->measured;
	char text[400], safe[360];

	if (!m)
		return;
	line(to, states[m->state]);
	for (uint32_t i = 0; i < m->record_count; i++) {
		const struct record *r = &m->record[i];
		const uint8_t *event = m->bytes + r->at;
		uint32_t pcr;

		memcpy(&pcr, event, sizeof(pcr));       /* TCG_PCR_EVENT2 begins with it */
		snprintf(text, sizeof(text), "PCR %u: %s", (unsigned int)pcr,
			 log_escape(safe, sizeof(safe), (const char *)event + r->len - r->text_len, r->text_len));
		line(to, text);
	}
}
