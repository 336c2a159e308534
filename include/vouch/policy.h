/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operator demands of guests (docs/policy.md): a flattened device tree, read into plain data, and the decision
 * on one image. Pure: no memory but the caller's, no I/O. Verifying signatures and digests is not done here; the
 * decision is made on what was verified.
 */
#ifndef VOUCH_POLICY_H
#define VOUCH_POLICY_H

#include <vouch/crypto.h>
#include <vouch/image_parse.h>
#include <vouch/options.h>
#include <vouch/plan.h>

#define POLICY_COMPATIBLE   "vouch,policy"
#define POLICY_VERSION      1
#define POLICY_MAX_SIZE     65536   /* bytes of the tree */
#define POLICY_MAX_KEYS     16
#define POLICY_MAX_NAMES    16      /* guest names of one key */
#define POLICY_MAX_GUESTS   64
#define POLICY_MAX_DIGESTS  8       /* of one guest */
#define POLICY_NODE_MAX     31      /* bytes of a node's name */

/*
 * A key's value in the tree: DER SubjectPublicKeyInfo of an ECDSA key on P-256, its point uncompressed. That is this
 * head and the point; no other form is accepted.
 */
#define POLICY_KEY_HEAD_LEN 27
#define POLICY_KEY_LEN      (POLICY_KEY_HEAD_LEN + P256_POINT_LEN)
extern const uint8_t policy_key_head[POLICY_KEY_HEAD_LEN];

/* Every reason to refuse a policy (X-macro: value, text). docs/policy.md has the same list; a unit test compares. */
#define POLICY_ERRORS(X) \
	X(POLICY_OK, "no error") \
	X(POLICY_ERR_SIZE, "larger than Vouch accepts") \
	X(POLICY_ERR_HEADER, "not a flattened device tree") \
	X(POLICY_ERR_TREE, "device tree is malformed") \
	X(POLICY_ERR_COMPATIBLE, "not a policy of Vouch") \
	X(POLICY_ERR_VERSION, "unknown policy version") \
	X(POLICY_ERR_NODE, "unknown node") \
	X(POLICY_ERR_NODE_TWICE, "node given twice") \
	X(POLICY_ERR_NODE_NAME, "node name not allowed") \
	X(POLICY_ERR_NODES_MANY, "more nodes than Vouch accepts") \
	X(POLICY_ERR_PROPERTY, "unknown property") \
	X(POLICY_ERR_PROPERTY_TWICE, "property given twice") \
	X(POLICY_ERR_PROPERTY_MISSING, "property is missing") \
	X(POLICY_ERR_LENGTH, "value has the wrong length") \
	X(POLICY_ERR_STRING, "value is not a string") \
	X(POLICY_ERR_CHOICE, "value is none of those known") \
	X(POLICY_ERR_GUEST_NAME, "guest name not allowed") \
	X(POLICY_ERR_NAMES_MANY, "more guest names than Vouch accepts") \
	X(POLICY_ERR_DIGESTS_MANY, "more digests than Vouch accepts") \
	X(POLICY_ERR_VALUE_TWICE, "value given twice") \
	X(POLICY_ERR_KEY, "not a public key on P-256") \
	X(POLICY_ERR_KEY_ID, "not the SHA-256 of public-key") \
	X(POLICY_ERR_KEY_TWICE, "key given twice") \
	X(POLICY_ERR_NO_KEY, "demands signatures and trusts no key") \
	X(POLICY_ERR_NO_GUEST, "list of guests is empty") \
	X(POLICY_ERR_COUNTER, "TPM counter cannot be used")

enum policy_err {
#define X(value, text) value,
	POLICY_ERRORS(X)
#undef X
	POLICY_ERR_COUNT
};

/* text is complete, "NODE:PROPERTY: TEXT: DETAIL" (the place and the detail may be absent), printable ASCII. */
struct policy_error {
	enum policy_err code;
	char text[200];
};

/* What happens to the boot when a guest is refused. */
enum policy_refusal {
	POLICY_CONTINUE,              /* the others go on */
	POLICY_STOP,                  /* nothing more is started */
};

struct policy_key {
	char name[POLICY_NODE_MAX + 1];           /* for messages */
	struct public_key key;                    /* its id is right; whether its point is on the curve, verifying shows */
	bool any_guest;                           /* else only guest[] */
	uint32_t guest_count;
	char guest[POLICY_MAX_NAMES][PLAN_NAME_MAX + 1];
	uint64_t least_version;                   /* security version */
};

struct policy_guest {
	char name[PLAN_NAME_MAX + 1];
	uint32_t digest_count;                    /* 0: any */
	uint8_t digest[POLICY_MAX_DIGESTS][SHA256_LEN];
	/* NV index of a TPM's counter that holds the least security version, above counter_base; 0: none. */
	uint32_t counter;
	uint64_t counter_base;
	bool counter_raise;                       /* an image of a higher version raises it */
};

struct policy {
	enum integrity integrity;                 /* least accepted */
	enum policy_refusal on_refusal;
	bool tpm_required;                        /* no guest runs unless a TPM has taken all that was measured */
	uint32_t key_count;
	struct policy_key key[POLICY_MAX_KEYS];
	bool guests_listed;                       /* guests not in guest[] are refused */
	uint32_t guest_count;
	struct policy_guest guest[POLICY_MAX_GUESTS];
};

/*
 * Reads the tree in blob, which is aligned to 8 and belongs to the caller alone: libfdt reads bytes more than once.
 * 0 or -1 with *err; then *p refuses every image. In Vouch the caller holds lib_enter() (lib.h).
 */
__must_check int policy_read(struct policy *p, const void *blob, size_t size, struct policy_error *err);

/* What holds without a policy: integrity as asked for, no keys, any guest. */
void policy_none(struct policy *p, enum integrity integrity);
/* Asks for more than the policy does; never for less. */
void policy_raise(struct policy *p, enum integrity integrity);

/* As the tree spells it. */
const char *policy_refusal_name(enum policy_refusal refusal);

/* The stable text of a code. */
const char *policy_err_text(enum policy_err code);

/* Every answer to an image. Zero refuses: what was never decided is not allowed. */
#define POLICY_VERDICTS(X) \
	X(POLICY_REFUSED_UNHASHED, "the image holds no hashes") \
	X(POLICY_REFUSED_CHECKSUM, "the image holds checksums only") \
	X(POLICY_REFUSED_UNSIGNED, "the image is not signed") \
	X(POLICY_REFUSED_KEY, "no trusted key signed the image") \
	X(POLICY_REFUSED_NAMELESS, "the image does not name its guest") \
	X(POLICY_REFUSED_NAME, "the key may not sign for this guest") \
	X(POLICY_REFUSED_VERSION, "security version too low") \
	X(POLICY_REFUSED_GUEST, "the policy does not list this guest") \
	X(POLICY_REFUSED_DIGEST, "digest is none of those expected") \
	X(POLICY_ALLOWED, "allowed")

enum policy_verdict {
#define X(value, text) value,
	POLICY_VERDICTS(X)
#undef X
	POLICY_VERDICT_COUNT
};

/* What was found out about an image before the decision. */
struct policy_facts {
	/* Verified level of the bytes, signatures aside: none (v0), checksum (v1), sha256 (v2). Higher counts as sha256. */
	enum integrity level;
	const char *name;                         /* vm@name; empty if the image has none */
	uint32_t signature_count;                 /* records in the image, of whatever key */
	/* Ids of the keys whose signature was verified with the public key of that id from the policy. */
	uint32_t verified_count;
	uint8_t verified[POLICY_MAX_KEYS][SHA256_LEN];
	uint64_t security_version;
	bool has_digest;                          /* of the image (docs/measurement.md) */
	uint8_t digest[SHA256_LEN];
};

struct policy_decision {
	enum policy_verdict verdict;
	int key;                                  /* index of the key that decided, or -1 */
	char text[160];                           /* "TEXT: DETAIL", printable ASCII */
};

/*
 * The facts of an image whose head was read (and, before the decision counts, its files judged), its signatures checked
 * with the policy's keys. The caller adds the name, which stands in the XML, and below version 2 the digest. 0 or -1 with
 * *err: a signature by a trusted key is wrong. In Vouch the caller holds lib_enter() (lib.h).
 */
__must_check int policy_gather(struct policy_facts *f, const struct policy *p, const struct image *img,
			       struct image_error *err);

/*
 * The part of the decision that needs no name, for before the XML is looked into: false, and *d the reason, where the
 * image would be refused under every name, for its security version or its digest. True allows nothing.
 */
bool policy_may_allow(const struct policy *p, const struct policy_facts *f, struct policy_decision *d);

/* Pure; the same facts always get the same answer. Returns d->verdict. */
enum policy_verdict policy_decide(const struct policy *p, const struct policy_facts *f, struct policy_decision *d);

const char *policy_verdict_text(enum policy_verdict verdict);

#endif
