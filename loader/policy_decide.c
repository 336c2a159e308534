/* SPDX-License-Identifier: BSD-2-Clause */
/* The decision on one image: what a policy demands against what was verified. Verifies nothing and acts on nothing. */
#include <vouch/policy.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const verdict_text[POLICY_VERDICT_COUNT] = {
#define X(value, text) [value] = (text),
	POLICY_VERDICTS(X)
#undef X
};

const char *policy_verdict_text(enum policy_verdict verdict)
{
	return (unsigned int)verdict < POLICY_VERDICT_COUNT ? verdict_text[verdict] : "unknown verdict";
}

void policy_none(struct policy *p, enum integrity integrity)
{
	memset(p, 0, sizeof(*p));
	p->integrity = integrity;
}

void policy_raise(struct policy *p, enum integrity integrity)
{
	if (integrity > p->integrity)
		p->integrity = integrity;
}

static void set_answer(struct policy_decision *d, enum policy_verdict verdict, const char *fmt, ...) __printf(3, 4);
static void set_answer(struct policy_decision *d, enum policy_verdict verdict, const char *fmt, ...)
{
	size_t at = (size_t)snprintf(d->text, sizeof(d->text), "%s: ", policy_verdict_text(verdict));
	va_list ap;
	int n;

	d->verdict = verdict;
	va_start(ap, fmt);
	n = vsnprintf(d->text + at, sizeof(d->text) - at, fmt, ap);
	va_end(ap);
	if (n <= 0)
		d->text[at - 2] = '\0';
	else if ((size_t)n >= sizeof(d->text) - at)
		memcpy(d->text + sizeof(d->text) - 4, "...", 4);
}
#define refuse(d, verdict, ...) (set_answer(d, verdict, __VA_ARGS__), false)

static const char *shown_name(const struct policy_facts *f, char safe[PLAN_NAME_MAX + 1])
{
	return log_escape(safe, PLAN_NAME_MAX + 1, f->name, strlen(f->name));
}

static bool level_good(const struct policy *p, const struct policy_facts *f, struct policy_decision *d)
{
	if (p->integrity > INTEGRITY_NONE && f->level == INTEGRITY_NONE)
		return refuse(d, POLICY_REFUSED_UNHASHED, "v0; %s is demanded", integrity_name(p->integrity));
	if (p->integrity > INTEGRITY_CHECKSUM && f->level == INTEGRITY_CHECKSUM)
		return refuse(d, POLICY_REFUSED_CHECKSUM, "v1; %s is demanded", integrity_name(p->integrity));
	return true;
}

static bool may_sign_for(const struct policy_key *key, const char *name)
{
	for (uint32_t i = 0; i < key->guest_count; i++) {
		if (strcmp(key->guest[i], name) == 0)
			return true;
	}
	return key->any_guest;
}

static bool has_verified(const struct policy_facts *f, const uint8_t id[SHA256_LEN])
{
	for (uint32_t i = 0; i < f->verified_count; i++) {
		if (digest_equal(f->verified[i], id))
			return true;
	}
	return false;
}

/* One key that may sign for this guest, and whose version is high enough, is enough. The reason is the nearest miss. */
static bool signature_good(const struct policy *p, const struct policy_facts *f, struct policy_decision *d)
{
	const struct policy_key *stranger = NULL, *old = NULL;
	char safe[PLAN_NAME_MAX + 1];

	for (uint32_t i = 0; i < p->key_count; i++) {
		const struct policy_key *key = &p->key[i];

		if (!has_verified(f, key->key.id))
			continue;
		if (!may_sign_for(key, f->name)) {
			stranger = stranger ? stranger : key;
		} else if (f->security_version < key->least_version) {
			old = old ? old : key;
		} else {
			d->key = (int)i;
			return true;
		}
	}
	if (old) {
		d->key = (int)(old - p->key);
		return refuse(d, POLICY_REFUSED_VERSION, "%" PRIu64 ", key %s demands %" PRIu64, f->security_version,
			      old->name, old->least_version);
	}
	if (stranger) {
		d->key = (int)(stranger - p->key);
		return refuse(d, POLICY_REFUSED_NAME, "key %s, guest %s", stranger->name, shown_name(f, safe));
	}
	return refuse(d, POLICY_REFUSED_KEY, "%" PRIu32 " signature%s by others", f->signature_count,
		      f->signature_count == 1 ? "" : "s");
}

static bool signed_good(const struct policy *p, const struct policy_facts *f, struct policy_decision *d)
{
	if (p->integrity < INTEGRITY_SIGNED)
		return true;
	if (!f->signature_count)
		return refuse(d, POLICY_REFUSED_UNSIGNED, "%s is demanded", integrity_name(p->integrity));
	/* Who names no guest would pass under every name that a key may sign for. */
	if (!f->name[0])
		return refuse(d, POLICY_REFUSED_NAMELESS, "vm@name is needed");
	return signature_good(p, f, d);
}

static bool digest_good(const struct policy_guest *guest, const struct policy_facts *f, struct policy_decision *d)
{
	bool found = !guest->digest_count;

	for (uint32_t i = 0; i < guest->digest_count && f->has_digest; i++)
		found |= digest_equal(guest->digest[i], f->digest);
	return found || refuse(d, POLICY_REFUSED_DIGEST, "guest %s", guest->name);
}

static bool guest_good(const struct policy *p, const struct policy_facts *f, struct policy_decision *d)
{
	char safe[PLAN_NAME_MAX + 1];

	if (!p->guests_listed)
		return true;
	if (!f->name[0])
		return refuse(d, POLICY_REFUSED_NAMELESS, "vm@name is needed");
	for (uint32_t i = 0; i < p->guest_count; i++) {
		if (strcmp(p->guest[i].name, f->name) == 0)
			return digest_good(&p->guest[i], f, d);
	}
	return refuse(d, POLICY_REFUSED_GUEST, "%s", shown_name(f, safe));
}

/* Of the keys that did sign: is the version high enough for one? That none signed is not judged here. */
static bool version_possible(const struct policy *p, const struct policy_facts *f, struct policy_decision *d)
{
	const struct policy_key *old = NULL;

	for (uint32_t i = 0; i < p->key_count && p->integrity >= INTEGRITY_SIGNED; i++) {
		const struct policy_key *key = &p->key[i];

		if (!has_verified(f, key->key.id))
			continue;
		if (f->security_version >= key->least_version)
			return true;
		old = old ? old : key;
	}
	if (!old)
		return true;
	d->key = (int)(old - p->key);
	return refuse(d, POLICY_REFUSED_VERSION, "%" PRIu64 ", key %s demands %" PRIu64, f->security_version, old->name,
		      old->least_version);
}

static bool digest_possible(const struct policy *p, const struct policy_facts *f, struct policy_decision *d)
{
	struct policy_decision one;

	for (uint32_t i = 0; i < p->guest_count; i++) {
		if (digest_good(&p->guest[i], f, &one))
			return true;
	}
	return !p->guests_listed || refuse(d, POLICY_REFUSED_DIGEST, "of any guest listed");
}

bool policy_may_allow(const struct policy *p, const struct policy_facts *f, struct policy_decision *d)
{
	memset(d, 0, sizeof(*d));
	d->key = -1;
	return version_possible(p, f, d) && digest_possible(p, f, d);
}

enum policy_verdict policy_decide(const struct policy *p, const struct policy_facts *f, struct policy_decision *d)
{
	memset(d, 0, sizeof(*d));
	d->key = -1;
	if (level_good(p, f, d) && signed_good(p, f, d) && guest_good(p, f, d)) {
		if (d->key >= 0)
			set_answer(d, POLICY_ALLOWED, "signed by key %s", p->key[d->key].name);
		else
			set_answer(d, POLICY_ALLOWED, "%s", integrity_name(f->level));
	}
	return d->verdict;
}
