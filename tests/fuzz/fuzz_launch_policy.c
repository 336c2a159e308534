/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader of launch policies, given any bytes: refused with a reason, or a policy within its bounds. */
#include <vouch/policy.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_printable(const char *s, size_t size)
{
	check(strnlen(s, size) < size);
	for (; *s; s++)
		check(*s >= 0x20 && *s <= 0x7e);
}

static void check_key(const struct policy *p, uint32_t i)
{
	const struct policy_key *key = &p->key[i];
	uint8_t id[SHA256_LEN];

	check_printable(key->name, sizeof(key->name));
	public_key_id(key->key.point, id);
	check(digest_equal(id, key->key.id));
	check(key->any_guest ? !key->guest_count : key->guest_count >= 1 && key->guest_count <= POLICY_MAX_NAMES);
	for (uint32_t k = 0; k < key->guest_count; k++)
		check_printable(key->guest[k], sizeof(key->guest[k]));
}

static void check_policy(const struct policy *p)
{
	check(p->integrity <= INTEGRITY_SIGNED && p->on_refusal <= POLICY_STOP);
	check(p->key_count <= POLICY_MAX_KEYS && (p->key_count || p->integrity < INTEGRITY_SIGNED));
	for (uint32_t i = 0; i < p->key_count; i++)
		check_key(p, i);
	check(p->guest_count <= POLICY_MAX_GUESTS && p->guests_listed == (p->guest_count > 0));
	for (uint32_t i = 0; i < p->guest_count; i++) {
		check(p->guest[i].digest_count <= POLICY_MAX_DIGESTS);
		check_printable(p->guest[i].name, sizeof(p->guest[i].name));
	}
}

/*
 * Whatever it says, an image without signature never passes where signatures are demanded, and one without hashes only
 * where nothing is.
 */
static void check_decisions(const struct policy *p)
{
	struct policy_facts facts = { .level = INTEGRITY_SHA256, .name = p->guest_count ? p->guest[0].name : "web" };
	struct policy_decision d, early;
	bool may = policy_may_allow(p, &facts, &early);

	if (policy_decide(p, &facts, &d) == POLICY_ALLOWED)
		check(p->integrity < INTEGRITY_SIGNED && may);
	check_printable(d.text, sizeof(d.text));
	facts.level = INTEGRITY_NONE;
	if (policy_decide(p, &facts, &d) == POLICY_ALLOWED)
		check(p->integrity == INTEGRITY_NONE);
	check_printable(d.text, sizeof(d.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy p;
	struct policy_error err;
	uint8_t *copy = malloc(size ? size : 1);

	check(copy);
	memcpy(copy, data, size);
	if (policy_read(&p, copy, size, &err)) {
		check(err.code > POLICY_OK && err.code < POLICY_ERR_COUNT);
		check_printable(err.text, sizeof(err.text));
		check(strstr(err.text, policy_err_text(err.code)));
		check(p.integrity == INTEGRITY_SIGNED && !p.key_count);
	} else {
		check_policy(&p);
	}
	check_decisions(&p);
	free(copy);
	return 0;
}
