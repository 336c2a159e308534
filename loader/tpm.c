/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes commands of a TPM 2.0 and reads its answers. TPM 2.0 Part 3 has the commands, Part 2 the structures; numbers are
 * big-endian. How bytes reach the TPM, and what is done with the results, is others' business.
 */
#include <vouch/tpm.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ST_NO_SESSIONS = 0x8001, ST_SESSIONS = 0x8002 };

/* TPM_CC */
enum {
	CC_NV_DEFINE_SPACE = 0x12a, CC_NV_INCREMENT = 0x134, CC_STARTUP = 0x144, CC_NV_READ = 0x14e,
	CC_NV_READ_PUBLIC = 0x169, CC_GET_CAPABILITY = 0x17a, CC_PCR_READ = 0x17e, CC_PCR_EXTEND = 0x182,
};

enum { CAP_PCRS = 5, CAP_TPM_PROPERTIES = 6 };

#define RH_OWNER 0x40000001u
#define RS_PW    0x40000009u

/* What says: not now, send it again. And a handle of no object, whose number is said in bits 8 to 11. */
#define RC_NV_RATE     0x920u
#define RC_RETRY       0x922u
#define RC_TESTING     0x90au
#define RC_YIELDED     0x908u
#define RC_HANDLE      0x08bu
#define RC_FORMAT1_ERR 0x0bfu

#define TRIES 100u

/* TPMA_NV */
#define NV_OWNERWRITE (1u << 1)
#define NV_AUTHWRITE  (1u << 2)
#define NV_TYPE       0xf0u
#define NV_COUNTER    0x10u
#define NV_OWNERREAD  (1u << 17)
#define NV_AUTHREAD   (1u << 18)
#define NV_NO_DA      (1u << 25)

#define COUNTER_LEN 8u

/* ------------------------------------------------------------------ writing */

struct command {
	uint8_t bytes[TPM_COMMAND_MAX];
	size_t len;
	bool full;
	uint16_t tag;
};

static void put(struct command *c, const void *bytes, size_t len)
{
	if (c->full || !span_ok(c->len, len, sizeof(c->bytes))) {
		c->full = true;
		return;
	}
	memcpy(c->bytes + c->len, bytes, len);
	c->len += len;
}

static void put_number(struct command *c, uint64_t v, unsigned int len)
{
	uint8_t bytes[8];

	for (unsigned int i = 0; i < len; i++)
		bytes[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
	put(c, bytes, len);
}

static void put8(struct command *c, uint8_t v) { put_number(c, v, 1); }
static void put16(struct command *c, uint16_t v) { put_number(c, v, 2); }
static void put32(struct command *c, uint32_t v) { put_number(c, v, 4); }

/* The size is filled in by finish(). */
static void begin(struct command *c, uint16_t tag, uint32_t code)
{
	*c = (struct command){ .tag = tag };
	put16(c, tag);
	put32(c, 0);
	put32(c, code);
}

/* TPMS_AUTH_COMMAND: an empty password; it needs no session. */
static void put_auth(struct command *c)
{
	put32(c, 4 + 2 + 1 + 2);
	put32(c, RS_PW);
	put16(c, 0);
	put8(c, 0);
	put16(c, 0);
}

static void finish(struct command *c)
{
	for (unsigned int i = 0; i < 4; i++)
		c->bytes[2 + i] = (uint8_t)(c->len >> (24 - 8 * i));
}

/* ------------------------------------------------------------------ reading */

struct answer {
	const uint8_t *at;
	size_t left;
	bool bad;                     /* something was missing: what was read is zeros */
};

static const uint8_t *take(struct answer *a, size_t len)
{
	const uint8_t *at = a->at;

	if (a->bad || len > a->left) {
		a->bad = true;
		return NULL;
	}
	a->at += len;
	a->left -= len;
	return at;
}

static uint64_t take_number(struct answer *a, unsigned int len)
{
	const uint8_t *p = take(a, len);
	uint64_t v = 0;

	for (unsigned int i = 0; p && i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static uint8_t take8(struct answer *a) { return (uint8_t)take_number(a, 1); }
static uint16_t take16(struct answer *a) { return (uint16_t)take_number(a, 2); }
static uint32_t take32(struct answer *a) { return (uint32_t)take_number(a, 4); }

/* The end of what was expected. */
static int done(const struct answer *a)
{
	return a->bad || a->left ? -EPROTO : 0;
}

/* TPMS_AUTH_RESPONSE to a password: nothing in it. What is before it stays. */
static void cut_auth(struct answer *a)
{
	uint32_t len = take32(a);
	struct answer auth = *a;

	take(&auth, len);
	if (take16(&auth))
		auth.bad = true;
	take8(&auth);
	if (take16(&auth) || done(&auth))
		a->bad = true;
	a->left = a->bad ? 0 : len;
}

/* The head; *a is what follows it. */
static int open_answer(struct tpm *t, const struct command *c, const uint8_t *bytes, size_t got, struct answer *a)
{
	uint16_t tag;

	*a = (struct answer){ .at = bytes, .left = got };
	tag = take16(a);
	if (take32(a) != got)
		a->bad = true;
	t->rc = take32(a);
	if (a->bad)
		return -EPROTO;
	if (t->rc)
		return -EACCES;
	if (tag != c->tag)
		return -EPROTO;
	if (tag == ST_SESSIONS)
		cut_auth(a);
	return a->bad ? -EPROTO : 0;
}

static bool again(const struct tpm *t, int ret)
{
	return ret == -EACCES &&
	       (t->rc == RC_RETRY || t->rc == RC_TESTING || t->rc == RC_YIELDED || t->rc == RC_NV_RATE);
}

/* Sends it, anew while the TPM is busy with other things. bytes: where the answer lies, TPM_RESPONSE_MAX of them. */
static int send(struct tpm *t, struct command *c, uint8_t *bytes, struct answer *a)
{
	int ret = -EINVAL;

	finish(c);
	t->rc = 0;
	if (t->broken)
		return -EIO;
	for (unsigned int i = 0; i < TRIES && !c->full; i++) {
		size_t got = 0;

		ret = t->exchange(t->ctx, c->bytes, c->len, bytes, TPM_RESPONSE_MAX, &got);
		t->broken = ret != 0;
		if (!ret)
			ret = got <= TPM_RESPONSE_MAX ? open_answer(t, c, bytes, got, a) : -EPROTO;
		if (!again(t, ret))
			break;
		if (!t->pause(t, i == 0)) {
			t->broken = true;
			return -ETIMEDOUT;
		}
	}
	return ret;
}

/* A command whose answer has nothing in it. */
static int send_plain(struct tpm *t, struct command *c)
{
	uint8_t bytes[TPM_RESPONSE_MAX];
	struct answer a;
	int ret = send(t, c, bytes, &a);

	return ret ? ret : done(&a);
}

/* ------------------------------------------------------------------ what it is */

int tpm_startup(struct tpm *t)
{
	struct command c;

	begin(&c, ST_NO_SESSIONS, CC_STARTUP);
	put16(&c, 0);                 /* TPM_SU_CLEAR */
	return send_plain(t, &c);
}

static int ask_capability(struct tpm *t, uint32_t capability, uint32_t first, uint32_t count, uint8_t *bytes,
			  struct answer *a)
{
	struct command c;
	int ret;

	begin(&c, ST_NO_SESSIONS, CC_GET_CAPABILITY);
	put32(&c, capability);
	put32(&c, first);
	put32(&c, count);
	ret = send(t, &c, bytes, a);
	if (ret)
		return ret;
	take8(a);                     /* more data: of properties there is, after the one */
	return take32(a) == capability ? 0 : -EPROTO;
}

static bool has_bank(const struct tpm_banks *banks, uint16_t alg)
{
	for (uint32_t i = 0; i < banks->count; i++) {
		if (banks->bank[i].alg == alg)
			return true;
	}
	return false;
}

/* TPMS_PCR_SELECTION */
static int take_bank(struct answer *a, struct tpm_banks *banks)
{
	uint16_t alg = take16(a);
	uint8_t len = take8(a);
	const uint8_t *bits = take(a, len);
	uint32_t pcrs = 0;

	if (!bits || has_bank(banks, alg))
		return -EPROTO;
	for (uint32_t i = 0; i < len && i < 4; i++)
		pcrs |= (uint32_t)bits[i] << 8 * i;
	banks->bank[banks->count].alg = alg;
	banks->bank[banks->count++].pcrs = pcrs;
	return 0;
}

int tpm_get_banks(struct tpm *t, struct tpm_banks *banks)
{
	uint8_t bytes[TPM_RESPONSE_MAX];
	struct answer a;
	uint32_t count;
	int ret;

	banks->count = 0;
	ret = ask_capability(t, CAP_PCRS, 0, 1, bytes, &a);
	if (ret)
		return ret;
	count = take32(&a);
	if (count > TPM_BANKS_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < count && !ret; i++)
		ret = take_bank(&a, banks);
	if (!ret)
		ret = done(&a);
	/* What was understood of a list is not the list. */
	if (ret)
		banks->count = 0;
	return ret;
}

int tpm_get_property(struct tpm *t, uint32_t property, uint32_t *value)
{
	uint8_t bytes[TPM_RESPONSE_MAX];
	struct answer a;
	int ret = ask_capability(t, CAP_TPM_PROPERTIES, property, 1, bytes, &a);

	*value = 0;
	if (ret)
		return ret;
	if (take32(&a) != 1 || take32(&a) != property)
		return -EPROTO;
	*value = take32(&a);
	return done(&a);
}

/* ------------------------------------------------------------------ PCRs */

size_t tpm_bank_digest_size(uint16_t alg)
{
	switch (alg) {
	case 0x0012:                  /* SM3-256 */
	case 0x0027:                  /* SHA3-256 */
		return 32;
	case 0x0028:                  /* SHA3-384 */
		return 48;
	case 0x0029:                  /* SHA3-512 */
		return 64;
	default:
		return tpm_digest_size(alg);
	}
}

int tpm_pcr_extend(struct tpm *t, uint32_t pcr, const struct tpm_digest *digests, uint32_t count)
{
	struct command c;

	if (pcr >= TPM_PCRS || !count || count > TPM_BANKS_MAX)
		return -EINVAL;
	begin(&c, ST_SESSIONS, CC_PCR_EXTEND);
	put32(&c, pcr);
	put_auth(&c);
	put32(&c, count);
	for (uint32_t i = 0; i < count; i++) {
		size_t len = tpm_bank_digest_size(digests[i].alg);

		if (!len)
			return -EINVAL;
		put16(&c, digests[i].alg);
		put(&c, digests[i].bytes, len);
	}
	return send_plain(t, &c);
}

/* The selection comes back as it was sent, or empty where there is no such bank. */
static int take_pcr(struct answer *a, const uint8_t *selection, size_t len, struct tpm_digest *digest)
{
	size_t size = tpm_bank_digest_size(digest->alg);
	const uint8_t *same, *bytes;

	take32(a);                    /* TPM's count of changes */
	same = take(a, len);
	if (!same || memcmp(same, selection, len) != 0 || take32(a) != 1 || take16(a) != size)
		return -EPROTO;
	bytes = take(a, size);
	if (!bytes)
		return -EPROTO;
	memcpy(digest->bytes, bytes, size);
	return done(a);
}

int tpm_pcr_read(struct tpm *t, uint32_t pcr, struct tpm_digest *digest)
{
	uint8_t bytes[TPM_RESPONSE_MAX];
	struct command c;
	struct answer a;
	size_t selection;
	int ret;

	if (pcr >= TPM_PCRS || !tpm_bank_digest_size(digest->alg))
		return -EINVAL;
	begin(&c, ST_NO_SESSIONS, CC_PCR_READ);
	selection = c.len;
	put32(&c, 1);
	put16(&c, digest->alg);
	put8(&c, 3);
	for (uint32_t i = 0; i < 3; i++)
		put8(&c, (uint8_t)(pcr / 8 == i ? 1u << pcr % 8 : 0));
	ret = send(t, &c, bytes, &a);
	return ret ? ret : take_pcr(&a, c.bytes + selection, c.len - selection, digest);
}

/* ------------------------------------------------------------------ NV counters */

int tpm_nv_read_public(struct tpm *t, uint32_t index, struct tpm_nv *nv)
{
	uint8_t bytes[TPM_RESPONSE_MAX];
	struct command c;
	struct answer a, area;
	uint16_t len;
	int ret;

	*nv = (struct tpm_nv){ 0 };
	begin(&c, ST_NO_SESSIONS, CC_NV_READ_PUBLIC);
	put32(&c, index);
	ret = send(t, &c, bytes, &a);
	if (ret == -EACCES && (t->rc & RC_FORMAT1_ERR) == RC_HANDLE)
		return -ENOENT;
	if (ret)
		return ret;
	len = take16(&a);
	area.at = take(&a, len);
	area.left = len;
	area.bad = a.bad;             /* if there was less */
	take(&a, take16(&a));         /* its name */
	if (take32(&area) != index)
		return -EPROTO;
	take16(&area);                /* the algorithm of the name */
	nv->attributes = take32(&area);
	take(&area, take16(&area));   /* its policy */
	nv->size = take16(&area);
	return done(&area) ? -EPROTO : done(&a);
}

bool tpm_nv_is_counter(const struct tpm_nv *nv)
{
	return (nv->attributes & NV_TYPE) == NV_COUNTER && nv->size == COUNTER_LEN;
}

int tpm_nv_define_counter(struct tpm *t, uint32_t index)
{
	struct command c;

	begin(&c, ST_SESSIONS, CC_NV_DEFINE_SPACE);
	put32(&c, RH_OWNER);
	put_auth(&c);
	put16(&c, 0);                 /* no password */
	put16(&c, 4 + 2 + 4 + 2 + 2);
	put32(&c, index);
	put16(&c, TPM_SHA256);
	put32(&c, NV_COUNTER | NV_OWNERWRITE | NV_AUTHWRITE | NV_OWNERREAD | NV_AUTHREAD | NV_NO_DA);
	put16(&c, 0);
	put16(&c, COUNTER_LEN);
	return send_plain(t, &c);
}

int tpm_nv_increment(struct tpm *t, uint32_t index)
{
	struct command c;

	begin(&c, ST_SESSIONS, CC_NV_INCREMENT);
	put32(&c, index);             /* by its own password, which is empty */
	put32(&c, index);
	put_auth(&c);
	return send_plain(t, &c);
}

int tpm_nv_read_counter(struct tpm *t, uint32_t index, uint64_t *value)
{
	uint8_t bytes[TPM_RESPONSE_MAX];
	struct command c;
	struct answer a;
	int ret;

	*value = 0;
	begin(&c, ST_SESSIONS, CC_NV_READ);
	put32(&c, index);
	put32(&c, index);
	put_auth(&c);
	put16(&c, COUNTER_LEN);
	put16(&c, 0);
	ret = send(t, &c, bytes, &a);
	if (ret)
		return ret;
	if (take16(&a) != COUNTER_LEN)
		return -EPROTO;
	*value = take_number(&a, COUNTER_LEN);
	return done(&a);
}

/* ------------------------------------------------------------------ messages */

const char *tpm_error_text(const struct tpm *t, int ret, char *text, size_t size)
{
	switch (ret) {
	case -ETIMEDOUT:
		snprintf(text, size, "it does not answer in time");
		break;
	case -EPROTO:
		snprintf(text, size, "its answer is malformed");
		break;
	case -EACCES:
		snprintf(text, size, "it refuses, code %#x", (unsigned int)t->rc);
		break;
	case -ENOENT:
		snprintf(text, size, "it has no such index");
		break;
	case -EIO:
		snprintf(text, size, "its interface is in the wrong state");
		break;
	default:
		snprintf(text, size, "error %d", -ret);
		break;
	}
	return text;
}
