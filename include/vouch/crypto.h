/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 and the check of an ECDSA P-256 signature, without the library's types: loader/crypto.c is the one door to it
 * for Vouch and for what its tools share with Vouch. Numbers are 32 bytes, the most significant first.
 */
#ifndef VOUCH_CRYPTO_H
#define VOUCH_CRYPTO_H

#include <vouch/types.h>

#define SHA1_LEN       20
#define SHA256_LEN     32
#define SHA384_LEN     48
#define SHA512_LEN     64
#define P256_POINT_LEN 64                  /* X, Y */
#define P256_SIG_LEN   64                  /* r, s */

/* Compresses n blocks of 64 bytes into h. Another one than the library's, for CPUs that can do better. */
typedef void sha256_blocks_fn(uint32_t h[8], const uint8_t *blocks, size_t n);

/* A hash under way. No memory behind it: drop it at any time, copy it to continue twice. */
struct sha256 {
	uint64_t state[16];
	sha256_blocks_fn *blocks;     /* NULL: the library's */
};

void sha256_init(struct sha256 *s);

/* The same with a block function of the caller's choice (NULL: the library's), for long input. */
void sha256_init_with(struct sha256 *s, sha256_blocks_fn *blocks);
void sha256_update(struct sha256 *s, const void *data, size_t len);
void sha256_final(struct sha256 *s, uint8_t digest[SHA256_LEN]);
void sha256_of(const void *data, size_t len, uint8_t digest[SHA256_LEN]);

/*
 * By the CPU's SHA extensions (loader/sha256_ni.c): vector code, so in Vouch only between fpu_begin() and fpu_end().
 * sha256_ni_blocks() may be called where sha256_ni_usable() says so.
 */
bool sha256_ni_usable(void);
void sha256_ni_blocks(uint32_t h[8], const uint8_t *blocks, size_t n);

/* For a TPM's other banks: short texts, in one go. SHA-1 stands for no promise of Vouch's. */
void sha1_of(const void *data, size_t len, uint8_t digest[SHA1_LEN]);
void sha384_of(const void *data, size_t len, uint8_t digest[SHA384_LEN]);
void sha512_of(const void *data, size_t len, uint8_t digest[SHA512_LEN]);

/* Takes the same time wherever the first difference is. */
bool digest_equal(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN]);

/* A P-256 key that signatures are checked with. */
struct public_key {
	uint8_t id[SHA256_LEN];               /* SHA-256 of the DER SubjectPublicKeyInfo, point uncompressed */
	uint8_t point[P256_POINT_LEN];
};

/* The id that belongs to a point. Does not check that the point is on the curve: ecdsa_p256_verify() does. */
void public_key_id(const uint8_t point[P256_POINT_LEN], uint8_t id[SHA256_LEN]);

/* r and s are in 1..n-1, and s is not above n/2: of the two signatures (r, s) and (r, n-s) this is the one accepted. */
bool ecdsa_p256_canonical(const uint8_t sig[P256_SIG_LEN]);

/*
 * 0: sig is a signature of that digest by that key. -EBADMSG: it is not, or not canonical. -EINVAL: the point is none
 * of the curve. -ENOMEM: the library got no memory. The library allocates; in Vouch the caller holds lib_enter().
 */
__must_check int ecdsa_p256_verify(const uint8_t point[P256_POINT_LEN], const uint8_t digest[SHA256_LEN],
				   const uint8_t sig[P256_SIG_LEN]);

/* A key that this machine signs with. Wipe it when it is of no more use. */
struct private_key {
	uint8_t secret[SHA256_LEN];           /* 1..n-1 */
	struct public_key pub;
};

/*
 * A new one (loader/host_key.c) from 32 bytes that nobody can guess; the same bytes give the same key. 0, or -ENOMEM: the
 * library got no memory, or -EINVAL: it found its own key bad. In Vouch the caller holds lib_enter().
 */
__must_check int private_key_make(struct private_key *k, const uint8_t seed[SHA256_LEN]);

#endif
