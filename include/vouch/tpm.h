/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of a TPM 2.0: structs in, bytes to the TPM, its answer's bytes checked, structs out. Pure but for the link,
 * which brings bytes to a TPM and back (arch/x86/cpu/tpm.h on this machine). Nothing that a TPM answers is believed:
 * each length is checked, and what is left over is an error.
 */
#ifndef VOUCH_TPM_H
#define VOUCH_TPM_H

#include <vouch/eventlog.h>

/* Bytes of the longest command sent, and of the longest answer taken. */
#define TPM_COMMAND_MAX  512
#define TPM_RESPONSE_MAX 1024
#define TPM_BANKS_MAX    16

/* TPM 2.0 Part 2 "TPM_RC", "TPM_PT", "TPM_HT", "TPMA_NV". */
#define TPM_RC_INITIALIZE   0x100u
#define TPM_PT_MANUFACTURER 0x105u
#define TPM_NV_FIRST        0x01000000u  /* handles of NV indices */
#define TPM_NV_LAST         0x01ffffffu
#define TPM_NV_WRITTEN      (1u << 29)

struct tpm {
	/*
	 * Sends len bytes of a command and takes at most size of its answer; *got: how many. 0; -ETIMEDOUT; -EIO: the
	 * interface is not in the state it must be in, or the answer is longer than size.
	 */
	int (*exchange)(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got);
	/*
	 * Waits a while before a command is sent again; first: before the second time that this one is. False: it has been
	 * busy for too long.
	 */
	bool (*pause)(struct tpm *t, bool first);
	void *ctx;
	uint64_t busy_since;          /* for pause(): host TSC */
	uint32_t rc;                  /* of the last answer */
	bool broken;                  /* it failed to answer once, and is not waited for again */
};

/*
 * All commands: 0; what exchange() returned; -ETIMEDOUT: busy for too long; -EIO: broken; -EPROTO: the answer is malformed;
 * -EACCES: the TPM refused, rc says why.
 * One at a time: the caller's lock.
 */

/* Starts a TPM that the firmware did not start (TPM_RC_INITIALIZE), with all PCRs at their first values. */
__must_check int tpm_startup(struct tpm *t);

/* Sets of PCRs that are in use, one for each hash algorithm. */
struct tpm_banks {
	uint32_t count;
	struct {
		uint16_t alg;
		uint32_t pcrs;        /* a bit for each of the first 32 */
	} bank[TPM_BANKS_MAX];
};
__must_check int tpm_get_banks(struct tpm *t, struct tpm_banks *banks);

/* A fixed property, TPM_PT_*. */
__must_check int tpm_get_property(struct tpm *t, uint32_t property, uint32_t *value);

/* As the TPM knows it, also of algorithms that Vouch can't compute; 0: unknown. */
size_t tpm_bank_digest_size(uint16_t alg);

/* Extends a PCR in the banks of all the digests at once. At most TPM_BANKS_MAX, or -EINVAL. */
__must_check int tpm_pcr_extend(struct tpm *t, uint32_t pcr, const struct tpm_digest *digests, uint32_t count);

/* digest->alg is the bank that is asked for. */
__must_check int tpm_pcr_read(struct tpm *t, uint32_t pcr, struct tpm_digest *digest);

struct tpm_nv {
	uint32_t attributes;          /* TPMA_NV */
	uint16_t size;
};
/* -ENOENT: there is no such index. */
__must_check int tpm_nv_read_public(struct tpm *t, uint32_t index, struct tpm_nv *nv);

/* A counter: it can be deleted, yet never made to count less than any counter of this TPM ever did. Part 1 "NV Counters". */
bool tpm_nv_is_counter(const struct tpm_nv *nv);

/* In the owner's name with an empty password; anyone may read and increment it, without a password. */
__must_check int tpm_nv_define_counter(struct tpm *t, uint32_t index);
__must_check int tpm_nv_increment(struct tpm *t, uint32_t index);
__must_check int tpm_nv_read_counter(struct tpm *t, uint32_t index, uint64_t *value);

/* Why a command failed, for a message; ret as it returned it. */
const char *tpm_error_text(const struct tpm *t, int ret, char *text, size_t size);

#endif
