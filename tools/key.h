/* SPDX-License-Identifier: BSD-2-Clause */
/* ECDSA P-256 keys in files: the host tools' one place that sees a private key. */
#ifndef VOUCH_TOOLS_KEY_H
#define VOUCH_TOOLS_KEY_H

#include "common/bytes.h"

#include <vouch/crypto.h>

#define KEY_ID_TEXT (2 * SHA256_LEN + 1)

/*
 * A public key from a file: PEM or DER SubjectPublicKeyInfo (what openssl calls -pubout), or a private key's public
 * half. Prints what went wrong; returns an enum cli_status: CLI_ENV if it cannot be read, CLI_REFUSED if it holds no
 * P-256 key.
 */
int key_load_public(const char *path, struct public_key *key);

/* The key id in lower-case hexadecimal. Returns text. */
const char *key_id_text(const struct public_key *key, char text[KEY_ID_TEXT]);

/* A private key; key_free() wipes it. */
struct key;

/* From a PEM or DER file without a passphrase. NULL with *status and a message. */
struct key *key_load(const char *path, int *status);

/* A new one; NULL with a message when the machine gives no random numbers. */
struct key *key_generate(void);
void key_free(struct key *k);

void key_public(const struct key *k, struct public_key *pub);

/* Deterministic by RFC 6979, low s: the same key and digest give the same signature anywhere. CLI_GOOD or CLI_ENV. */
int key_sign(struct key *k, const uint8_t digest[SHA256_LEN], uint8_t sig[P256_SIG_LEN]);

/* PEM texts: SEC 1 "EC PRIVATE KEY", to be wiped by the caller, and "PUBLIC KEY". CLI_GOOD or CLI_ENV. */
int key_write_private(struct key *k, struct bytes *pem);
int key_write_public(struct key *k, struct bytes *pem);

#endif
