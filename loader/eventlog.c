/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the records of a TPM 2.0 event log. What is measured, and into which PCR, measure.c says. */
#include <vouch/eventlog.h>

#include <errno.h>
#include <string.h>

size_t tpm_digest_size(uint16_t alg)
{
	switch (alg) {
	case TPM_SHA1:
		return 20;
	case TPM_SHA256:
		return 32;
	case TPM_SHA384:
		return 48;
	case TPM_SHA512:
		return 64;
	default:
		return 0;
	}
}

const uint16_t tpm_known_banks[EVENTLOG_BANKS] = { TPM_SHA1, TPM_SHA256, TPM_SHA384, TPM_SHA512 };

const char *tpm_bank_name(uint16_t alg)
{
	switch (alg) {
	case TPM_SHA1:
		return "sha1";
	case TPM_SHA256:
		return "sha256";
	case TPM_SHA384:
		return "sha384";
	case TPM_SHA512:
		return "sha512";
	default:
		return NULL;
	}
}

void tpm_digest_of(struct tpm_digest *d, const void *data, size_t len)
{
	switch (d->alg) {
	case TPM_SHA1:
		sha1_of(data, len, d->bytes);
		break;
	case TPM_SHA256:
		sha256_of(data, len, d->bytes);
		break;
	case TPM_SHA384:
		sha384_of(data, len, d->bytes);
		break;
	default:
		sha512_of(data, len, d->bytes);
		break;
	}
}

/* TPM 2.0 Part 1 "Extend of a PCR". */
void pcr_extend(struct tpm_digest *pcr, const struct tpm_digest *digest)
{
	uint8_t both[2 * TPM_DIGEST_MAX];
	size_t len = tpm_digest_size(pcr->alg);

	memcpy(both, pcr->bytes, len);
	memcpy(both + len, digest->bytes, len);
	tpm_digest_of(pcr, both, 2 * len);
}

/* ------------------------------------------------------------------ records */

/* The caller has made sure of the room. Numbers are little-endian, as the CPU has them. */
static void put(struct eventlog *l, const void *data, size_t len)
{
	if (len)
		memcpy(l->bytes + l->len, data, len);
	l->len += len;
}

static void put16(struct eventlog *l, uint16_t v)
{
	put(l, &v, sizeof(v));
}

static void put32(struct eventlog *l, uint32_t v)
{
	put(l, &v, sizeof(v));
}

/* TCG PFP "Specification ID Version Event": for a 64-bit client platform, revision 2.0 of the format, no vendor's words. */
static void put_spec_id(struct eventlog *l)
{
	static const uint8_t platform[] = { 0, 0, 0, 0, /* minor */ 0, /* major */ 2, /* errata */ 0, /* uintn */ 2 };

	put(l, "Spec ID Event03", 16);
	put(l, platform, sizeof(platform));
	put32(l, l->bank_count);
	for (uint32_t i = 0; i < l->bank_count; i++) {
		put16(l, l->bank[i]);
		put16(l, (uint16_t)tpm_digest_size(l->bank[i]));
	}
	put(l, "", 1);
}

static bool banks_good(const uint16_t *bank, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!tpm_digest_size(bank[i]))
			return false;
		for (uint32_t k = 0; k < i; k++) {
			if (bank[k] == bank[i])
				return false;
		}
	}
	return true;
}

/* The first record alone has the older form, TCG_PCClientPCREvent, with a SHA-1 digest of zeros. */
int eventlog_start(struct eventlog *l, void *bytes, size_t size, const uint16_t *bank, uint32_t count)
{
	static const uint8_t zeros[20];
	uint32_t spec_len = 16 + 8 + 4 + 4 * count + 1;

	memset(l, 0, sizeof(*l));
	if (!count || count > EVENTLOG_BANKS || !banks_good(bank, count))
		return -EINVAL;
	if (size < 4 + 4 + sizeof(zeros) + 4 + spec_len)
		return -ENOSPC;
	*l = (struct eventlog){ .bytes = bytes, .size = size, .bank_count = count };
	memcpy(l->bank, bank, count * sizeof(*bank));
	put32(l, 0);
	put32(l, EVENT_NO_ACTION);
	put(l, zeros, sizeof(zeros));
	put32(l, spec_len);
	put_spec_id(l);
	return 0;
}

int eventlog_add(struct eventlog *l, uint32_t pcr, enum eventlog_type type, const struct tpm_digest *digests,
		 const void *data, uint32_t len)
{
	size_t need = 4 + 4 + 4 + 4;

	if (pcr >= TPM_PCRS || !l->bank_count)
		return -EINVAL;
	for (uint32_t i = 0; i < l->bank_count; i++) {
		if (digests[i].alg != l->bank[i])
			return -EINVAL;
		need += 2 + tpm_digest_size(l->bank[i]);
	}
	if (!span_ok(l->len, need + (uint64_t)len, l->size))
		return -ENOSPC;
	put32(l, pcr);
	put32(l, type);
	put32(l, l->bank_count);
	for (uint32_t i = 0; i < l->bank_count; i++) {
		put16(l, l->bank[i]);
		put(l, digests[i].bytes, tpm_digest_size(l->bank[i]));
	}
	put32(l, len);
	put(l, data, len);
	return 0;
}
