/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a policy (docs/policy.md) out of a flattened device tree. The one file that calls libfdt in Vouch. What it does
 * not know it refuses: an operator must not believe in a demand that nobody understood. policy_decide.c uses the result.
 */
#include <vouch/policy.h>
#include <vouch/tpm.h>

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FDT_VERSION_READ 17           /* what every compiler of the last 15 years writes */
#define ANY_GUEST "*"

struct reader {
	const void *fdt;
	struct policy *p;
	struct policy_key *key;       /* the one being read, and so on */
	struct policy_guest *guest;
	const char *path[3];          /* names of the nodes we are in, below the root */
	unsigned int depth;
	struct policy_error *err;
};

struct value {
	const char *property;
	const uint8_t *bytes;
	uint32_t len;
};

struct rule {
	const char *property;
	bool required;
	int (*read)(struct reader *r, const struct value *v);
};

static const char *const err_text[POLICY_ERR_COUNT] = {
#define X(value, text) [value] = (text),
	POLICY_ERRORS(X)
#undef X
};

const char *policy_err_text(enum policy_err code)
{
	return (unsigned int)code < POLICY_ERR_COUNT ? err_text[code] : "unknown error";
}

/* ------------------------------------------------------------------ refusals */

static void add_text(struct policy_error *err, const char *fmt, ...) __printf(2, 3);
static void add_text(struct policy_error *err, const char *fmt, ...)
{
	size_t at = strlen(err->text), room = sizeof(err->text) - at;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(err->text + at, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n >= room)
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
}

/* Names come from the tree: escaped, and short enough that the reason behind them always fits. */
static void add_name(struct policy_error *err, const char *mark, const char *name)
{
	char safe[POLICY_NODE_MAX + 1];

	add_text(err, "%s%s", mark, log_escape(safe, sizeof(safe), name, strlen(name)));
}

static void set_place(struct reader *r, enum policy_err code, const char *property)
{
	r->err->code = code;
	r->err->text[0] = '\0';
	for (unsigned int i = 0; i < r->depth; i++)
		add_name(r->err, "/", r->path[i]);
	if (property)
		add_name(r->err, r->depth ? ":" : "/:", property);
	add_text(r->err, "%s%s", r->err->text[0] ? ": " : "", policy_err_text(code));
}

static void set_error(struct reader *r, enum policy_err code, const char *property, const char *fmt, ...)
	__printf(4, 5);
static void set_error(struct reader *r, enum policy_err code, const char *property, const char *fmt, ...)
{
	char detail[120];
	va_list ap;

	set_place(r, code, property);
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	if (detail[0])
		add_text(r->err, ": %s", detail);
}
#define refuse(r, code, property, ...) (set_error(r, code, property, __VA_ARGS__), -1)
#define refuse_plain(r, code, property) (set_place(r, code, property), -1)

/* ------------------------------------------------------------------ values */

static int read_string(struct reader *r, const struct value *v, const char **s)
{
	if (!v->len || v->bytes[v->len - 1] || strlen((const char *)v->bytes) != v->len - 1)
		return refuse(r, POLICY_ERR_STRING, v->property, "one text between quotes");
	*s = (const char *)v->bytes;
	return 0;
}

static int read_choice(struct reader *r, const struct value *v, const char *const *names, int count, int *choice)
{
	const char *s;
	char safe[32];

	if (read_string(r, v, &s))
		return -1;
	for (*choice = 0; *choice < count; ++*choice) {
		if (strcmp(s, names[*choice]) == 0)
			return 0;
	}
	return refuse(r, POLICY_ERR_CHOICE, v->property, "\"%s\"", log_escape(safe, sizeof(safe), s, strlen(s)));
}

/* One cell or two, as device trees have it. */
static int read_number(struct reader *r, const struct value *v, uint64_t *n)
{
	if (v->len != 4 && v->len != 8)
		return refuse(r, POLICY_ERR_LENGTH, v->property, "a number has 4 or 8 bytes, this has %u",
			      (unsigned int)v->len);
	*n = 0;
	for (uint32_t i = 0; i < v->len; i++)
		*n = *n << 8 | v->bytes[i];
	return 0;
}

static bool is_guest_name(const char *s)
{
	size_t len = strlen(s);

	for (const char *c = s; *c; c++) {
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
		      *c == '.' || *c == '_' || *c == '-'))
			return false;
	}
	return len >= 1 && len <= PLAN_NAME_MAX;
}

/* ------------------------------------------------------------------ the root */

static int read_integrity(struct reader *r, const struct value *v)
{
	const char *names[INTEGRITY_SIGNED + 1];
	int choice;

	for (int i = 0; i <= INTEGRITY_SIGNED; i++)
		names[i] = integrity_name((enum integrity)i);
	if (read_choice(r, v, names, ARRAY_SIZE(names), &choice))
		return -1;
	r->p->integrity = (enum integrity)choice;
	return 0;
}

static const char *const refusal_names[] = { [POLICY_CONTINUE] = "continue", [POLICY_STOP] = "stop" };

const char *policy_refusal_name(enum policy_refusal refusal)
{
	return (unsigned int)refusal < ARRAY_SIZE(refusal_names) ? refusal_names[refusal] : "unknown";
}

static int read_on_refusal(struct reader *r, const struct value *v)
{
	int choice;

	if (read_choice(r, v, refusal_names, ARRAY_SIZE(refusal_names), &choice))
		return -1;
	r->p->on_refusal = (enum policy_refusal)choice;
	return 0;
}

static int read_tpm(struct reader *r, const struct value *v)
{
	static const char *const names[] = { "optional", "required" };
	int choice;

	if (read_choice(r, v, names, ARRAY_SIZE(names), &choice))
		return -1;
	r->p->tpm_required = choice == 1;
	return 0;
}

/* Before anything else is looked at: of a later version we could not even say what is unknown. */
static int read_compatible(struct reader *r, const struct value *v)
{
	if (v->len != sizeof(POLICY_COMPATIBLE) || memcmp(v->bytes, POLICY_COMPATIBLE, v->len) != 0)
		return refuse(r, POLICY_ERR_COMPATIBLE, v->property, "must be \"" POLICY_COMPATIBLE "\"");
	return 0;
}

static int read_version(struct reader *r, const struct value *v)
{
	uint64_t version;

	if (read_number(r, v, &version))
		return -1;
	if (v->len != 4 || version != POLICY_VERSION)
		return refuse(r, POLICY_ERR_VERSION, v->property, "this Vouch knows <%d>", POLICY_VERSION);
	return 0;
}

/* ------------------------------------------------------------------ a key */

/* RFC 5480: algorithm ecPublicKey, curve prime256v1, then a bit string, an uncompressed point of 64 bytes. */
const uint8_t policy_key_head[POLICY_KEY_HEAD_LEN] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
	0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};

static int read_public_key(struct reader *r, const struct value *v)
{
	if (v->len != POLICY_KEY_LEN || memcmp(v->bytes, policy_key_head, POLICY_KEY_HEAD_LEN) != 0)
		return refuse(r, POLICY_ERR_KEY, v->property, "%d bytes of DER, point uncompressed", POLICY_KEY_LEN);
	memcpy(r->key->key.point, v->bytes + POLICY_KEY_HEAD_LEN, P256_POINT_LEN);
	return 0;
}

static int read_key_id(struct reader *r, const struct value *v)
{
	if (v->len != SHA256_LEN)
		return refuse(r, POLICY_ERR_LENGTH, v->property, "an id has %d bytes, this has %u", SHA256_LEN,
			      (unsigned int)v->len);
	memcpy(r->key->key.id, v->bytes, SHA256_LEN);
	return 0;
}

static int add_guest_name(struct reader *r, const struct value *v, const char *name)
{
	struct policy_key *key = r->key;
	char safe[48];

	if (!is_guest_name(name))
		return refuse(r, POLICY_ERR_GUEST_NAME, v->property, "\"%s\"",
			      log_escape(safe, sizeof(safe), name, strlen(name)));
	if (key->guest_count == POLICY_MAX_NAMES)
		return refuse(r, POLICY_ERR_NAMES_MANY, v->property, "at most %d", POLICY_MAX_NAMES);
	for (uint32_t i = 0; i < key->guest_count; i++) {
		if (strcmp(key->guest[i], name) == 0)
			return refuse(r, POLICY_ERR_VALUE_TWICE, v->property, "\"%s\"", name);
	}
	strcpy(key->guest[key->guest_count++], name);
	return 0;
}

static int read_key_guests(struct reader *r, const struct value *v)
{
	if (!v->len || v->bytes[v->len - 1])
		return refuse(r, POLICY_ERR_STRING, v->property, "names between quotes, or \"" ANY_GUEST "\"");
	if (v->len == sizeof(ANY_GUEST) && memcmp(v->bytes, ANY_GUEST, v->len) == 0) {
		r->key->any_guest = true;
		return 0;
	}
	for (uint32_t at = 0; at < v->len;) {
		const char *name = (const char *)v->bytes + at;

		if (add_guest_name(r, v, name))
			return -1;
		at += (uint32_t)strlen(name) + 1;
	}
	return 0;
}

static int read_least_version(struct reader *r, const struct value *v)
{
	return read_number(r, v, &r->key->least_version);
}

/* ------------------------------------------------------------------ a guest */

static int read_digests(struct reader *r, const struct value *v)
{
	struct policy_guest *guest = r->guest;

	if (!v->len || v->len % SHA256_LEN)
		return refuse(r, POLICY_ERR_LENGTH, v->property, "each digest has %d bytes, all have %u",
			      SHA256_LEN, (unsigned int)v->len);
	if (v->len / SHA256_LEN > POLICY_MAX_DIGESTS)
		return refuse(r, POLICY_ERR_DIGESTS_MANY, v->property, "at most %d", POLICY_MAX_DIGESTS);
	guest->digest_count = v->len / SHA256_LEN;
	memcpy(guest->digest, v->bytes, v->len);
	for (uint32_t i = 0; i < guest->digest_count; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (digest_equal(guest->digest[i], guest->digest[k]))
				return refuse(r, POLICY_ERR_VALUE_TWICE, v->property, "the same digest");
		}
	}
	return 0;
}

static int read_counter(struct reader *r, const struct value *v)
{
	uint64_t index;

	if (read_number(r, v, &index))
		return -1;
	if (index < TPM_NV_FIRST || index > TPM_NV_LAST)
		return refuse(r, POLICY_ERR_COUNTER, v->property, "an NV index is %#x to %#x", TPM_NV_FIRST, TPM_NV_LAST);
	for (const struct policy_guest *g = r->p->guest; g < r->guest; g++) {
		if (g->counter == index)
			return refuse(r, POLICY_ERR_VALUE_TWICE, v->property, "guest %s has it", g->name);
	}
	r->guest->counter = (uint32_t)index;
	return 0;
}

static int read_counter_base(struct reader *r, const struct value *v)
{
	return read_number(r, v, &r->guest->counter_base);
}

static int read_on_newer(struct reader *r, const struct value *v)
{
	static const char *const names[] = { "keep", "raise" };
	int choice;

	if (read_choice(r, v, names, ARRAY_SIZE(names), &choice))
		return -1;
	r->guest->counter_raise = choice == 1;
	return 0;
}

/* A version that nobody signed is worth nothing, and could push the counter up for ever. */
static int check_counters(struct reader *r)
{
	for (uint32_t i = 0; i < r->p->guest_count; i++) {
		const struct policy_guest *g = &r->p->guest[i];

		if (!g->counter && (g->counter_base || g->counter_raise))
			return refuse(r, POLICY_ERR_COUNTER, NULL, "guest %s has none: add tpm-counter", g->name);
		if (g->counter && r->p->integrity < INTEGRITY_SIGNED)
			return refuse(r, POLICY_ERR_COUNTER, NULL, "guest %s: it takes integrity = \"signed\"", g->name);
	}
	return 0;
}

/* ------------------------------------------------------------------ nodes */

static int read_property(struct reader *r, const struct rule *rules, size_t count, const struct value *v, uint32_t *seen)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(v->property, rules[i].property) != 0)
			continue;
		if (*seen & 1u << i)
			return refuse_plain(r, POLICY_ERR_PROPERTY_TWICE, v->property);
		*seen |= 1u << i;
		return rules[i].read(r, v);
	}
	return refuse_plain(r, POLICY_ERR_PROPERTY, v->property);
}

static int read_properties(struct reader *r, int node, const struct rule *rules, size_t count)
{
	uint32_t seen = 0;
	int at;

	fdt_for_each_property_offset(at, r->fdt, node) {
		struct value v;
		int len;

		v.bytes = fdt_getprop_by_offset(r->fdt, at, &v.property, &len);
		if (!v.bytes || len < 0)
			return refuse(r, POLICY_ERR_TREE, NULL, "%s", fdt_strerror(len));
		v.len = (uint32_t)len;
		if (read_property(r, rules, count, &v, &seen))
			return -1;
	}
	if (at != -FDT_ERR_NOTFOUND)
		return refuse(r, POLICY_ERR_TREE, NULL, "%s", fdt_strerror(at));
	for (size_t i = 0; i < count; i++) {
		if (rules[i].required && !(seen & 1u << i))
			return refuse_plain(r, POLICY_ERR_PROPERTY_MISSING, rules[i].property);
	}
	return 0;
}

/* Calls read for each child of node. name is the child's. */
static int read_children(struct reader *r, int node, int (*read)(struct reader *r, int child, const char *name))
{
	int child;

	fdt_for_each_subnode(child, r->fdt, node) {
		int len;
		const char *name = fdt_get_name(r->fdt, child, &len);

		if (!name)
			return refuse(r, POLICY_ERR_TREE, NULL, "%s", fdt_strerror(len));
		r->path[r->depth++] = name;
		if (read(r, child, name))
			return -1;
		r->depth--;
	}
	if (child != -FDT_ERR_NOTFOUND)
		return refuse(r, POLICY_ERR_TREE, NULL, "%s", fdt_strerror(child));
	return 0;
}

static int no_child(struct reader *r, int child, const char *name)
{
	(void)child;
	(void)name;
	return refuse(r, POLICY_ERR_NODE, NULL, "keys and guests are known, and a level below them");
}

static int check_key(struct reader *r)
{
	uint8_t id[SHA256_LEN];

	public_key_id(r->key->key.point, id);
	if (!digest_equal(id, r->key->key.id))
		return refuse_plain(r, POLICY_ERR_KEY_ID, "key-id");
	for (const struct policy_key *k = r->p->key; k < r->key; k++) {
		if (digest_equal(k->key.id, id))
			return refuse(r, POLICY_ERR_KEY_TWICE, NULL, "it is /keys/%s", k->name);
	}
	return 0;
}

static int read_key(struct reader *r, int node, const char *name)
{
	static const struct rule rules[] = {
		{ "public-key", true, read_public_key },
		{ "key-id", true, read_key_id },
		{ "guests", true, read_key_guests },
		{ "least-security-version", false, read_least_version },
	};
	struct policy *p = r->p;

	if (!is_guest_name(name))
		return refuse(r, POLICY_ERR_NODE_NAME, NULL, "1 to %d of A-Z a-z 0-9 . _ -", POLICY_NODE_MAX);
	if (p->key_count == POLICY_MAX_KEYS)
		return refuse(r, POLICY_ERR_NODES_MANY, NULL, "at most %d keys", POLICY_MAX_KEYS);
	for (uint32_t i = 0; i < p->key_count; i++) {
		if (strcmp(p->key[i].name, name) == 0)
			return refuse_plain(r, POLICY_ERR_NODE_TWICE, NULL);
	}
	r->key = &p->key[p->key_count++];
	strcpy(r->key->name, name);
	if (read_properties(r, node, rules, ARRAY_SIZE(rules)) || check_key(r))
		return -1;
	return read_children(r, node, no_child);
}

static int read_guest(struct reader *r, int node, const char *name)
{
	static const struct rule rules[] = {
		{ "digests", false, read_digests },
		{ "tpm-counter", false, read_counter },
		{ "tpm-counter-base", false, read_counter_base },
		{ "on-newer", false, read_on_newer },
	};
	struct policy *p = r->p;

	if (!is_guest_name(name))
		return refuse(r, POLICY_ERR_GUEST_NAME, NULL, "1 to %d of A-Z a-z 0-9 . _ -", PLAN_NAME_MAX);
	if (p->guest_count == POLICY_MAX_GUESTS)
		return refuse(r, POLICY_ERR_NODES_MANY, NULL, "at most %d guests", POLICY_MAX_GUESTS);
	for (uint32_t i = 0; i < p->guest_count; i++) {
		if (strcmp(p->guest[i].name, name) == 0)
			return refuse_plain(r, POLICY_ERR_NODE_TWICE, NULL);
	}
	r->guest = &p->guest[p->guest_count++];
	strcpy(r->guest->name, name);
	if (read_properties(r, node, rules, ARRAY_SIZE(rules)))
		return -1;
	return read_children(r, node, no_child);
}

static int read_keys(struct reader *r, int node)
{
	if (r->p->key_count)
		return refuse_plain(r, POLICY_ERR_NODE_TWICE, NULL);
	if (read_properties(r, node, NULL, 0) || read_children(r, node, read_key))
		return -1;
	return r->p->key_count ? 0 : refuse(r, POLICY_ERR_NO_KEY, NULL, "a node for each key");
}

static int read_guests(struct reader *r, int node)
{
	if (r->p->guests_listed)
		return refuse_plain(r, POLICY_ERR_NODE_TWICE, NULL);
	r->p->guests_listed = true;
	if (read_properties(r, node, NULL, 0) || read_children(r, node, read_guest))
		return -1;
	return r->p->guest_count ? 0 : refuse(r, POLICY_ERR_NO_GUEST, NULL, "a node for each guest");
}

static int read_branch(struct reader *r, int node, const char *name)
{
	if (strcmp(name, "keys") == 0)
		return read_keys(r, node);
	if (strcmp(name, "guests") == 0)
		return read_guests(r, node);
	return refuse(r, POLICY_ERR_NODE, NULL, "keys and guests are known, and a level below them");
}

/* ------------------------------------------------------------------ the tree */

/*
 * What fdt_check_full() does not: libfdt looks for properties of a node up to its first child only, and for anything up
 * to the first end. What stands behind these would be neither obeyed nor refused.
 */
static int check_order(struct reader *r)
{
	uint32_t tag, last = FDT_END_NODE;    /* no property before the root either */
	int next;

	for (int at = 0; (tag = fdt_next_tag(r->fdt, at, &next)) != FDT_END; at = next) {
		if (tag == FDT_PROP && last == FDT_END_NODE)
			return refuse(r, POLICY_ERR_TREE, NULL, "a property stands behind a child of its node");
		if (tag != FDT_NOP)
			last = tag;
	}
	if (next < 0)
		return refuse(r, POLICY_ERR_TREE, NULL, "%s", fdt_strerror(next));
	if ((uint32_t)next != fdt_size_dt_struct(r->fdt))
		return refuse(r, POLICY_ERR_TREE, NULL, "its structure goes on behind its end");
	return 0;
}

static int check_blob(struct reader *r, size_t size)
{
	int bad;

	if (size > POLICY_MAX_SIZE)
		return refuse(r, POLICY_ERR_SIZE, NULL, "%lu bytes, at most %d", size, POLICY_MAX_SIZE);
	if (size < sizeof(struct fdt_header))
		return refuse(r, POLICY_ERR_HEADER, NULL, "%lu bytes are too few", size);
	bad = fdt_check_header(r->fdt);
	if (bad)
		return refuse(r, POLICY_ERR_HEADER, NULL, "%s", fdt_strerror(bad));
	if (fdt_version(r->fdt) != FDT_VERSION_READ)
		return refuse(r, POLICY_ERR_HEADER, NULL, "version %u of the format, not %d",
			      (unsigned int)fdt_version(r->fdt), FDT_VERSION_READ);
	if (fdt_totalsize(r->fdt) != size)
		return refuse(r, POLICY_ERR_HEADER, NULL, "it says %u bytes and has %lu",
			      (unsigned int)fdt_totalsize(r->fdt), size);
	/* Devicetree "Alignment": libfdt takes it for granted. */
	if (fdt_off_mem_rsvmap(r->fdt) % 8 || fdt_off_dt_struct(r->fdt) % 4)
		return refuse(r, POLICY_ERR_HEADER, NULL, "its blocks are not aligned");
	bad = fdt_check_full(r->fdt, size);
	if (bad)
		return refuse(r, POLICY_ERR_TREE, NULL, "%s", fdt_strerror(bad));
	if (fdt_num_mem_rsv(r->fdt) || fdt_boot_cpuid_phys(r->fdt))
		return refuse(r, POLICY_ERR_TREE, NULL, "it reserves memory or names a boot CPU");
	return check_order(r);
}

static int read_head(struct reader *r)
{
	static const struct rule head[] = {
		{ "compatible", true, read_compatible }, { "version", true, read_version },
	};

	for (size_t i = 0; i < ARRAY_SIZE(head); i++) {
		struct value v = { .property = head[i].property };
		int len;

		v.bytes = fdt_getprop(r->fdt, 0, v.property, &len);
		if (!v.bytes || len < 0)
			return refuse(r, POLICY_ERR_COMPATIBLE, v.property, "the property is missing");
		v.len = (uint32_t)len;
		if (head[i].read(r, &v))
			return -1;
	}
	return 0;
}

static int read_tree(struct reader *r, size_t size)
{
	static const struct rule rules[] = {
		{ "compatible", true, read_compatible },
		{ "version", true, read_version },
		{ "integrity", false, read_integrity },
		{ "on-refusal", false, read_on_refusal },
		{ "tpm", false, read_tpm },
	};

	if (check_blob(r, size) || read_head(r) || read_properties(r, 0, rules, ARRAY_SIZE(rules)) ||
	    read_children(r, 0, read_branch))
		return -1;
	if (r->p->integrity == INTEGRITY_SIGNED && !r->p->key_count)
		return refuse(r, POLICY_ERR_NO_KEY, NULL, "add /keys, or ask for less by integrity");
	return check_counters(r);
}

int policy_read(struct policy *p, const void *blob, size_t size, struct policy_error *err)
{
	struct reader r = { .fdt = blob, .p = p, .err = err };
	int status;

	memset(err, 0, sizeof(*err));
	policy_none(p, INTEGRITY_SIGNED);
	status = read_tree(&r, size);
	/* Signed, and no key to sign with: whoever ignores the error runs nothing. */
	if (status)
		policy_none(p, INTEGRITY_SIGNED);
	return status;
}
