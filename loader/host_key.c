/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one private key that Vouch makes: the other door to mbedTLS. It is used to name the host, and signs nothing yet.
 * Where the seed comes from is the caller's business (arch/x86/cpu/entropy.c).
 */
#include <vouch/crypto.h>

#include <errno.h>
#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>
#include <string.h>

/* Bytes for the library out of a seed: SHA-256 of the purpose, the seed and a counter, block after block. */
struct stream {
	const uint8_t *seed;
	uint64_t block;
};

static int next_bytes(void *ctx, unsigned char *to, size_t len)
{
	static const char purpose[] = "Vouch host key";
	struct stream *s = ctx;
	uint8_t digest[SHA256_LEN];

	for (size_t n; len; to += n, len -= n) {
		struct sha256 sha;

		sha256_init(&sha);
		sha256_update(&sha, purpose, sizeof(purpose));
		sha256_update(&sha, s->seed, SHA256_LEN);
		sha256_update(&sha, &s->block, sizeof(s->block));
		sha256_final(&sha, digest);
		mbedtls_platform_zeroize(&sha, sizeof(sha));
		s->block++;
		n = (size_t)min_u64(len, SHA256_LEN);
		memcpy(to, digest, n);
	}
	mbedtls_platform_zeroize(digest, sizeof(digest));
	return 0;
}

static int out_of_memory(int err)
{
	return err == MBEDTLS_ERR_MPI_ALLOC_FAILED || err == MBEDTLS_ERR_ECP_ALLOC_FAILED ? -ENOMEM : -EINVAL;
}

static int write_out(struct private_key *k, const mbedtls_ecp_group *group, const mbedtls_mpi *secret,
		     const mbedtls_ecp_point *point)
{
	uint8_t text[1 + P256_POINT_LEN];
	size_t len;
	int err = mbedtls_ecp_point_write_binary(group, point, MBEDTLS_ECP_PF_UNCOMPRESSED, &len, text, sizeof(text));

	if (!err)
		err = mbedtls_mpi_write_binary(secret, k->secret, sizeof(k->secret));
	if (err)
		return err;
	memcpy(k->pub.point, text + 1, P256_POINT_LEN);
	public_key_id(k->pub.point, k->pub.id);
	return 0;
}

int private_key_make(struct private_key *k, const uint8_t seed[SHA256_LEN])
{
	struct stream bytes = { .seed = seed };
	mbedtls_ecp_group group;
	mbedtls_ecp_point point;
	mbedtls_mpi secret;
	int err;

	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&point);
	mbedtls_mpi_init(&secret);
	err = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1);
	/* The bytes also blind the multiplication. */
	if (!err)
		err = mbedtls_ecp_gen_keypair(&group, &secret, &point, next_bytes, &bytes);
	if (!err)
		err = mbedtls_ecp_check_pubkey(&group, &point);
	if (!err)
		err = write_out(k, &group, &secret, &point);
	mbedtls_mpi_free(&secret);
	mbedtls_ecp_point_free(&point);
	mbedtls_ecp_group_free(&group);
	return err ? out_of_memory(err) : 0;
}
