/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TPM 2.0 event log in memory, in the crypto-agile format, and the arithmetic of PCRs. Pure: no TPM is touched.
 * TCG PFP "Event Logging".
 */
#ifndef VOUCH_EVENTLOG_H
#define VOUCH_EVENTLOG_H

#include <vouch/crypto.h>

/* TPM 2.0 Part 2 "TPM_ALG_ID". */
enum { TPM_SHA1 = 0x0004, TPM_SHA256 = 0x000b, TPM_SHA384 = 0x000c, TPM_SHA512 = 0x000d };

#define TPM_PCRS        24
#define TPM_DIGEST_MAX  64
#define EVENTLOG_BANKS  4

enum eventlog_type { EVENT_NO_ACTION = 3, EVENT_IPL = 13 };

/* A digest in one bank; as many bytes as its algorithm has. */
struct tpm_digest {
	uint16_t alg;
	uint8_t bytes[TPM_DIGEST_MAX];
};

struct eventlog {
	uint8_t *bytes;               /* the caller's */
	size_t size, len;
	uint32_t bank_count;
	uint16_t bank[EVENTLOG_BANKS];
};

/* Bytes of a digest; 0: unknown algorithm. */
size_t tpm_digest_size(uint16_t alg);

/* The banks that Vouch knows, from the weakest up: the order that it lists them in. */
extern const uint16_t tpm_known_banks[EVENTLOG_BANKS];

/* "sha1" and so on; NULL: unknown. */
const char *tpm_bank_name(uint16_t alg);

/* The digest of data by d->alg, a known one. */
void tpm_digest_of(struct tpm_digest *d, const void *data, size_t len);

/* What TPM2_PCR_Extend does to a PCR, in the bank of both. */
void pcr_extend(struct tpm_digest *pcr, const struct tpm_digest *digest);

/*
 * Starts a log in the caller's memory with the record that names its algorithms. 0; -EINVAL: no bank, too many, one
 * twice or unknown; -ENOSPC.
 */
__must_check int eventlog_start(struct eventlog *l, void *bytes, size_t size, const uint16_t *bank, uint32_t count);

/*
 * Adds a record; digests has one of each of the log's banks, in their order. 0; -EINVAL: no such PCR, or other banks;
 * -ENOSPC: it does not fit, and the log is as before.
 */
__must_check int eventlog_add(struct eventlog *l, uint32_t pcr, enum eventlog_type type, const struct tpm_digest *digests,
			      const void *data, uint32_t len);

#endif
