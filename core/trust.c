/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What kinds of modules there are, and the policy that holds for this boot. Fails closed: a policy that is there and
 * cannot be read never means that there is none. launch.c asks it about each guest.
 */
#include "core/trust.h"

#include <stdio.h>

#include <vouch/host.h>
#include <vouch/lib.h>
#include <vouch/log.h>
#include <vouch/policy.h>

#include <string.h>

#include "core/block.h"
#include "core/measured.h"

/* The number of the policy module, -1 without one; -2 after a refusal. */
static int find_policy(const struct host *h)
{
	struct module_options m;
	int found = -1;

	for (unsigned int i = 0; i < h->boot.module_count; i++) {
		module_parse(&m, h->boot.module[i].string);
		if (m.kind == MODULE_GUEST)
			continue;
		if (m.kind == MODULE_POLICY && found >= 0) {
			log_verdict("boot refused: module %u: a second policy: module %d is one", i, found);
			return -2;
		}
		if (m.kind == MODULE_POLICY) {
			found = (int)i;
			continue;
		}
		log_verdict("boot refused: module %u: %s '%s': %s", i, m.kind == MODULE_BAD ? "key" : "kind", m.word,
			    m.wants ? m.wants : "not known to this version of Vouch");
		return -2;
	}
	return found;
}

#define HEX_SIZE (2 * SHA256_LEN + 1)

static const char *to_hex(char hex[HEX_SIZE], const uint8_t digest[SHA256_LEN])
{
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return hex;
}

static void report_policy(const struct policy *p, const void *blob, size_t size)
{
	uint8_t digest[SHA256_LEN];
	char hex[HEX_SIZE];

	sha256_of(blob, size, digest);
	log_verdict("policy: %s%s demanded, %u keys, %u guests listed, on refusal %s; SHA-256 %s",
		    integrity_name(p->integrity), p->tpm_required ? " and a TPM" : "", p->key_count, p->guest_count,
		    policy_refusal_name(p->on_refusal), to_hex(hex, digest));
}

static void report_builtin(const struct policy *p)
{
	char hex[HEX_SIZE];

	log_verdict("built-in keys: %u; each guest must be signed by one of them", p->key_count);
	for (uint32_t i = 0; i < p->key_count; i++)
		log_verdict("built-in key %s (%s)", to_hex(hex, p->key[i].key.id), p->key[i].name);
}

/* Copied first: libfdt reads a byte more than once. */
static bool read_policy(struct host *h, const struct boot_module *m, struct policy *p)
{
	struct policy_error err = { .code = POLICY_ERR_SIZE, .text = "larger than Vouch accepts" };
	void *blob = m->len <= POLICY_MAX_SIZE ? block_get(&h->pages, POLICY_MAX_SIZE) : NULL;
	int ret = -1;

	if (blob) {
		memcpy(blob, hpa_to_ptr(m->start), m->len);
		measured_policy(h, blob, m->len);
		lib_enter();
		ret = policy_read(p, blob, m->len, &err);
		lib_exit();
	} else if (m->len <= POLICY_MAX_SIZE) {
		snprintf(err.text, sizeof(err.text), "not enough host memory to read it");
	}
	if (ret) {
		log_verdict("boot refused: policy: %s", err.text);
	} else {
		policy_raise(p, h->options.integrity);
		report_policy(p, blob, m->len);
	}
	block_put(&h->pages, blob, POLICY_MAX_SIZE);
	return !ret;
}

/* Nothing but Vouch itself is read, so a failure is a broken build; it must not mean that there are no keys. */
static bool read_builtin(struct host *h)
{
	struct policy *p = block_get(&h->pages, sizeof(*p));
	struct policy_error err = { .text = "not enough host memory" };
	int ret = -1;

	if (p) {
		lib_enter();
		ret = policy_read(p, trust_builtin, trust_builtin_len, &err);
		lib_exit();
	}
	if (ret) {
		log_verdict("boot refused: built-in keys: %s", err.text);
		return false;
	}
	report_builtin(p);
	h->builtin = p;
	return true;
}

/* What was misspelt may have been meant to restrict the boot. */
static bool level_known(const struct host *h)
{
	if (h->options.integrity_bad)
		log_verdict("boot refused: option integrity=%s: its values are " INTEGRITY_LEVELS, h->options.bad_level);
	return !h->options.integrity_bad;
}

bool trust_init(struct host *h)
{
	int module = level_known(h) ? find_policy(h) : -2;
	struct policy *p;

	if (module < -1 || (trust_builtin_len && !read_builtin(h)))
		return false;
	measured_keys(h);
	if (module < 0)
		measured_policy(h, NULL, 0);
	h->policy = h->builtin;
	if (module < 0 && h->builtin)
		return true;
	p = block_get(&h->pages, sizeof(*p));
	if (!p) {
		log_verdict("boot refused: not enough host memory for a policy");
		return false;
	}
	h->policy = p;
	if (module >= 0)
		return read_policy(h, &h->boot.module[module], p);
	policy_none(p, h->options.integrity);
	if (p->integrity == INTEGRITY_SIGNED)
		log_warn("integrity=signed, but no policy names a key: no guest can pass");
	return true;
}
