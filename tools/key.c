/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private and public keys on the host: reading, making, writing, signing. The host's own door to mbedTLS beside
 * loader/crypto.c, which Vouch shares and which never sees a private key.
 */
#include "key.h"

#include "common/cli.h"
#include "common/file.h"

#include <errno.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MAX_KEY_FILE 65536u
#define MAX_PEM      2048u

struct key {
	mbedtls_pk_context pk;
};

static int random_bytes(void *ctx, unsigned char *p, size_t len)
{
	(void)ctx;
	while (len > 0) {
		ssize_t got = getrandom(p, len < 256 ? len : 256, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return MBEDTLS_ERR_PK_ALLOC_FAILED;
		p += got;
		len -= (size_t)got;
	}
	return 0;
}

/* ------------------------------------------------------------------ reading */

static void wipe(struct bytes *b)
{
	if (b->data)
		mbedtls_platform_zeroize(b->data, b->size);
	bytes_free(b);
}

/* The library wants PEM with its NUL counted, DER without. */
static int read_file(const char *path, struct bytes *b, size_t *pem_len)
{
	struct bytes text = { 0 };
	int status = file_read_all(path, MAX_KEY_FILE, &text);

	if (status == CLI_GOOD) {
		*pem_len = text.len + 1;
		*b = (struct bytes){ .data = cli_alloc(*pem_len), .len = *pem_len, .size = *pem_len };
		memcpy(b->data, text.data, text.len);
	}
	wipe(&text);
	return status;
}

static int parse_private(mbedtls_pk_context *pk, const struct bytes *b, size_t pem_len)
{
	const unsigned char *p = (const unsigned char *)b->data;

	return mbedtls_pk_parse_key(pk, p, strstr(b->data, "-----BEGIN") ? pem_len : pem_len - 1, NULL, 0);
}

static int parse_public(mbedtls_pk_context *pk, const struct bytes *b, size_t pem_len)
{
	const unsigned char *p = (const unsigned char *)b->data;

	return mbedtls_pk_parse_public_key(pk, p, strstr(b->data, "-----BEGIN") ? pem_len : pem_len - 1);
}

static int refuse_kind(const char *path)
{
	cli_error("%s: not an ECDSA key on P-256; make one with 'vouch keygen' or 'openssl ecparam -name prime256v1 -genkey'",
		  path);
	return CLI_REFUSED;
}

static int check_kind(const char *path, const mbedtls_pk_context *pk)
{
	if (mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA) && mbedtls_pk_ec(*pk)->grp.id == MBEDTLS_ECP_DP_SECP256R1)
		return CLI_GOOD;
	return refuse_kind(path);
}

/* A key it is, but of a kind that the library does not know either. */
static bool unknown_kind(int ret)
{
	return ret == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG || ret == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE;
}

static void take_point(const mbedtls_pk_context *pk, struct public_key *key)
{
	const mbedtls_ecp_keypair *pair = mbedtls_pk_ec(*pk);
	unsigned char text[1 + P256_POINT_LEN];
	size_t len = 0;

	if (mbedtls_ecp_point_write_binary(&pair->grp, &pair->Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &len, text, sizeof(text)) ||
	    len != sizeof(text)) {
		cli_error("the library cannot write a point of P-256");
		abort();
	}
	memcpy(key->point, text + 1, P256_POINT_LEN);
	public_key_id(key->point, key->id);
}

/* public, private: why the file is no such key; CLI_GOOD if it is a private one. */
static int refuse_public(const char *path, int public, int private)
{
	if (!private)
		return CLI_GOOD;
	if (unknown_kind(public) || unknown_kind(private))
		return refuse_kind(path);
	if (public == MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE)
		cli_error("%s: its point is compressed; 'openssl ec -pubin -in %s -conv_form uncompressed -pubout -out FILE' writes "
			  "it so that Vouch reads it", path, path);
	else
		cli_error("%s: holds no public key that Vouch reads: ECDSA on P-256, PEM or DER; 'openssl pkey -in KEY.pem -pubout' "
			  "writes one", path);
	return CLI_REFUSED;
}

int key_load_public(const char *path, struct public_key *key)
{
	mbedtls_pk_context pk;
	struct bytes b = { 0 };
	size_t pem_len;
	int status = read_file(path, &b, &pem_len), ret;

	mbedtls_pk_init(&pk);
	ret = status == CLI_GOOD ? parse_public(&pk, &b, pem_len) : 0;
	if (ret) {
		mbedtls_pk_free(&pk);
		mbedtls_pk_init(&pk);
		status = refuse_public(path, ret, parse_private(&pk, &b, pem_len));
	}
	if (status == CLI_GOOD)
		status = check_kind(path, &pk);
	if (status == CLI_GOOD)
		take_point(&pk, key);
	mbedtls_pk_free(&pk);
	wipe(&b);
	return status;
}

const char *key_id_text(const struct public_key *key, char text[KEY_ID_TEXT])
{
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", key->id[i]);
	return text;
}

static struct key *key_new(void)
{
	struct key *k = cli_alloc(sizeof(*k));

	mbedtls_pk_init(&k->pk);
	return k;
}

void key_free(struct key *k)
{
	if (!k)
		return;
	mbedtls_pk_free(&k->pk);
	free(k);
}

static int refuse_private(const char *path, int ret)
{
	if (unknown_kind(ret))
		return refuse_kind(path);
	if (ret == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
		cli_error("%s: the key is encrypted; 'openssl pkey -in %s -out FILE' takes the passphrase away", path, path);
	else
		cli_error("%s: holds no private key that Vouch reads: ECDSA on P-256, PEM or DER", path);
	return CLI_REFUSED;
}

/* A key file may carry a public half that is not the private one's: signatures would be by nobody's key. */
static int check_halves(const char *path, struct key *k)
{
	if (mbedtls_pk_check_pair(&k->pk, &k->pk) == 0)
		return CLI_GOOD;
	cli_error("%s: its private and public half do not belong together", path);
	return CLI_REFUSED;
}

struct key *key_load(const char *path, int *status)
{
	struct key *k = key_new();
	struct bytes b = { 0 };
	size_t pem_len;
	int ret;

	*status = read_file(path, &b, &pem_len);
	if (*status == CLI_GOOD) {
		ret = parse_private(&k->pk, &b, pem_len);
		*status = ret ? refuse_private(path, ret) : check_kind(path, &k->pk);
	}
	if (*status == CLI_GOOD)
		*status = check_halves(path, k);
	wipe(&b);
	if (*status == CLI_GOOD)
		return k;
	key_free(k);
	return NULL;
}

void key_public(const struct key *k, struct public_key *pub)
{
	take_point(&k->pk, pub);
}

/* ------------------------------------------------------------------ making and writing */

struct key *key_generate(void)
{
	struct key *k = key_new();

	if (mbedtls_pk_setup(&k->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0 &&
	    mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(k->pk), random_bytes, NULL) == 0)
		return k;
	cli_error("cannot make a key: %s", strerror(errno));
	key_free(k);
	return NULL;
}

static int write_pem(struct key *k, struct bytes *pem, int (*write)(mbedtls_pk_context *, unsigned char *, size_t))
{
	unsigned char text[MAX_PEM];
	int status = CLI_GOOD;

	if (write(&k->pk, text, sizeof(text))) {
		cli_error("the library cannot write the key");
		status = CLI_ENV;
	} else {
		bytes_add_text(pem, (const char *)text);
	}
	mbedtls_platform_zeroize(text, sizeof(text));
	return status;
}

int key_write_private(struct key *k, struct bytes *pem)
{
	return write_pem(k, pem, mbedtls_pk_write_key_pem);
}

int key_write_public(struct key *k, struct bytes *pem)
{
	return write_pem(k, pem, mbedtls_pk_write_pubkey_pem);
}

/* ------------------------------------------------------------------ signing */

/* Of s and n-s, which both verify, the lower. */
static int lower(const mbedtls_ecp_group *grp, mbedtls_mpi *s)
{
	mbedtls_mpi other;
	int ret;

	mbedtls_mpi_init(&other);
	ret = mbedtls_mpi_sub_mpi(&other, &grp->N, s);
	if (!ret && mbedtls_mpi_cmp_mpi(&other, s) < 0)
		ret = mbedtls_mpi_copy(s, &other);
	mbedtls_mpi_free(&other);
	return ret;
}

int key_sign(struct key *k, const uint8_t digest[SHA256_LEN], uint8_t sig[P256_SIG_LEN])
{
	mbedtls_ecp_keypair *pair = mbedtls_pk_ec(k->pk);
	mbedtls_mpi r, s;
	int ret;

	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	ret = mbedtls_ecdsa_sign_det_ext(&pair->grp, &r, &s, &pair->d, digest, SHA256_LEN, MBEDTLS_MD_SHA256,
					 random_bytes, NULL);
	if (!ret)
		ret = lower(&pair->grp, &s);
	if (!ret)
		ret = mbedtls_mpi_write_binary(&r, sig, P256_SIG_LEN / 2);
	if (!ret)
		ret = mbedtls_mpi_write_binary(&s, sig + P256_SIG_LEN / 2, P256_SIG_LEN / 2);
	mbedtls_mpi_free(&s);
	mbedtls_mpi_free(&r);
	if (!ret)
		return CLI_GOOD;
	cli_error("the library cannot sign");
	return CLI_ENV;
}
