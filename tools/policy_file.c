/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled policies: reading one from a file, and writing the canonical tree of one. */
#include "policy.h"

#include "common/cli.h"
#include "common/file.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

int policy_load(const char *path, struct policy *p, uint8_t digest[SHA256_LEN])
{
	struct policy_error err;
	struct bytes b = { 0 };
	int status = file_read_all(path, POLICY_MAX_SIZE, &b);

	if (status == CLI_GOOD && policy_read(p, b.data, b.len, &err)) {
		cli_error("%s: refused: %s", path, err.text);
		status = CLI_REFUSED;
	}
	if (status == CLI_GOOD && digest)
		sha256_of(b.data, b.len, digest);
	bytes_free(&b);
	return status;
}

/* ------------------------------------------------------------------ writing */

/* The calls of the library return 0 or less: the first that is less counts. */
struct tree {
	void *fdt;
	int bad;
};

static void done(struct tree *t, int result)
{
	if (!t->bad)
		t->bad = result;
}

static void put_text(struct tree *t, const char *name, const char *text)
{
	done(t, fdt_property(t->fdt, name, text, (int)strlen(text) + 1));
}

static void put_names(struct tree *t, const struct policy_key *key)
{
	struct bytes list = { 0 };

	if (key->any_guest)
		bytes_add(&list, "*", 2);
	for (uint32_t i = 0; i < key->guest_count; i++)
		bytes_add(&list, key->guest[i], strlen(key->guest[i]) + 1);
	done(t, fdt_property(t->fdt, "guests", list.data, (int)list.len));
	bytes_free(&list);
}

static void put_key(struct tree *t, const struct policy_key *key)
{
	uint8_t der[POLICY_KEY_LEN];

	memcpy(der, policy_key_head, POLICY_KEY_HEAD_LEN);
	memcpy(der + POLICY_KEY_HEAD_LEN, key->key.point, P256_POINT_LEN);
	done(t, fdt_begin_node(t->fdt, key->name));
	done(t, fdt_property(t->fdt, "public-key", der, sizeof(der)));
	done(t, fdt_property(t->fdt, "key-id", key->key.id, SHA256_LEN));
	put_names(t, key);
	if (key->least_version > UINT32_MAX)
		done(t, fdt_property_u64(t->fdt, "least-security-version", key->least_version));
	else
		done(t, fdt_property_u32(t->fdt, "least-security-version", (uint32_t)key->least_version));
	done(t, fdt_end_node(t->fdt));
}

static void put_guest(struct tree *t, const struct policy_guest *guest)
{
	done(t, fdt_begin_node(t->fdt, guest->name));
	if (guest->digest_count)
		done(t, fdt_property(t->fdt, "digests", guest->digest, (int)(guest->digest_count * SHA256_LEN)));
	if (guest->counter)
		done(t, fdt_property_u32(t->fdt, "tpm-counter", guest->counter));
	if (guest->counter_base)
		done(t, fdt_property_u64(t->fdt, "tpm-counter-base", guest->counter_base));
	if (guest->counter_raise)
		put_text(t, "on-newer", "raise");
	done(t, fdt_end_node(t->fdt));
}

static void put_branches(struct tree *t, const struct policy *p)
{
	if (p->key_count) {
		done(t, fdt_begin_node(t->fdt, "keys"));
		for (uint32_t i = 0; i < p->key_count; i++)
			put_key(t, &p->key[i]);
		done(t, fdt_end_node(t->fdt));
	}
	if (p->guests_listed) {
		done(t, fdt_begin_node(t->fdt, "guests"));
		for (uint32_t i = 0; i < p->guest_count; i++)
			put_guest(t, &p->guest[i]);
		done(t, fdt_end_node(t->fdt));
	}
}

/* The tree in b; CLI_ENV with a message if the library fails. */
static int put_tree(const struct policy *p, struct bytes *b)
{
	struct tree t = { .fdt = cli_alloc(POLICY_MAX_SIZE) };

	done(&t, fdt_create(t.fdt, POLICY_MAX_SIZE));
	done(&t, fdt_finish_reservemap(t.fdt));
	done(&t, fdt_begin_node(t.fdt, ""));
	put_text(&t, "compatible", POLICY_COMPATIBLE);
	done(&t, fdt_property_u32(t.fdt, "version", POLICY_VERSION));
	put_text(&t, "integrity", integrity_name(p->integrity));
	put_text(&t, "on-refusal", policy_refusal_name(p->on_refusal));
	if (p->tpm_required)
		put_text(&t, "tpm", "required");
	put_branches(&t, p);
	done(&t, fdt_end_node(t.fdt));
	done(&t, fdt_finish(t.fdt));
	if (!t.bad)
		bytes_add(b, t.fdt, fdt_totalsize(t.fdt));
	free(t.fdt);
	if (!t.bad)
		return CLI_GOOD;
	cli_error("cannot write the policy: %s", fdt_strerror(t.bad));
	return CLI_ENV;
}

/* What was written is read and written again: a policy in a file is one that Vouch takes, and says what was meant. */
int policy_write(const struct policy *p, struct bytes *tree)
{
	struct policy *again = cli_alloc(sizeof(*again));
	struct bytes second = { 0 };
	struct policy_error err = { .text = "it says something else when read" };
	int status = put_tree(p, tree);

	if (status == CLI_GOOD && policy_read(again, tree->data, tree->len, &err) == 0)
		status = put_tree(again, &second);
	if (status == CLI_GOOD && !(second.data && second.len == tree->len && memcmp(second.data, tree->data, tree->len) == 0)) {
		cli_error("cannot write the policy: %s", err.text);
		status = CLI_ENV;
	}
	bytes_free(&second);
	free(again);
	return status;
}
