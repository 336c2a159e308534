/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one door to mbedTLS for Vouch and for what the host tools share with it: SHA-256, and checking ECDSA signatures.
 * No private key comes near here (host_key.c and tools/key.c have them).
 */
#include <vouch/crypto.h>

#include <vouch/assert.h>

#include <errno.h>
#include <mbedtls/bignum.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <string.h>

#define COORD_LEN 32
#define BLOCK     64u                 /* bytes that SHA-256 takes at a time */

/* mbedTLS 2.28 only fails here with a hash engine of its own, which Debian's build does not have. */
#define MUST(x) ASSERT((x) == 0)

_Static_assert(sizeof(mbedtls_sha256_context) <= sizeof(((struct sha256 *)0)->state), "struct sha256 is too small");

static mbedtls_sha256_context *context(struct sha256 *s)
{
	return (mbedtls_sha256_context *)(void *)s->state;
}

/* What a hash with a block function of its own keeps in state. */
struct own {
	uint32_t h[8];
	uint64_t len;                 /* bytes so far */
	uint8_t rest[BLOCK];          /* the last len % BLOCK of them */
};

_Static_assert(sizeof(struct own) <= sizeof(((struct sha256 *)0)->state), "struct sha256 is too small");

static struct own *own(struct sha256 *s)
{
	return (struct own *)(void *)s->state;
}

/* FIPS 180-4 "SHA-256" (5.3.3): the initial value. */
static const uint32_t initial[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

void sha256_init_with(struct sha256 *s, sha256_blocks_fn *blocks)
{
	memset(s, 0, sizeof(*s));
	s->blocks = blocks;
	if (blocks) {
		memcpy(own(s)->h, initial, sizeof(initial));
		return;
	}
	mbedtls_sha256_init(context(s));
	MUST(mbedtls_sha256_starts_ret(context(s), 0));
}

void sha256_init(struct sha256 *s)
{
	sha256_init_with(s, NULL);
}

static void own_update(struct sha256 *s, const uint8_t *p, size_t len)
{
	struct own *o = own(s);
	size_t have = (size_t)(o->len % BLOCK), n;

	o->len += len;
	if (have) {
		n = (size_t)min_u64(len, BLOCK - have);
		memcpy(o->rest + have, p, n);
		p += n;
		len -= n;
		if (have + n < BLOCK)
			return;
		s->blocks(o->h, o->rest, 1);
	}
	n = len / BLOCK;
	if (n)
		s->blocks(o->h, p, n);
	memcpy(o->rest, p + n * BLOCK, len - n * BLOCK);
}

void sha256_update(struct sha256 *s, const void *data, size_t len)
{
	if (!len)
		return;
	if (s->blocks)
		own_update(s, data, len);
	else
		MUST(mbedtls_sha256_update_ret(context(s), data, len));
}

/* A bit, zeros, the length in bits: FIPS 180-4 "Padding the Message" (5.1.1). */
static void own_final(struct sha256 *s, uint8_t digest[SHA256_LEN])
{
	struct own *o = own(s);
	uint8_t pad[2 * BLOCK] = { 0x80 };
	uint64_t bits = 8 * o->len;
	size_t have = (size_t)(o->len % BLOCK), zeros_end = have < BLOCK - 8 ? BLOCK - 8 : 2 * BLOCK - 8;

	for (size_t i = 0; i < 8; i++)
		pad[zeros_end - have + i] = (uint8_t)(bits >> (56 - 8 * i));
	own_update(s, pad, zeros_end - have + 8);
	for (size_t i = 0; i < SHA256_LEN; i++)
		digest[i] = (uint8_t)(o->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_final(struct sha256 *s, uint8_t digest[SHA256_LEN])
{
	if (s->blocks)
		own_final(s, digest);
	else
		MUST(mbedtls_sha256_finish_ret(context(s), digest));
}

void sha256_of(const void *data, size_t len, uint8_t digest[SHA256_LEN])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, data, len);
	sha256_final(&s, digest);
}

void sha1_of(const void *data, size_t len, uint8_t digest[SHA1_LEN])
{
	MUST(mbedtls_sha1_ret(data, len, digest));
}

/* The library calls SHA-384 a kind of SHA-512. */
void sha384_of(const void *data, size_t len, uint8_t digest[SHA384_LEN])
{
	uint8_t all[SHA512_LEN];

	MUST(mbedtls_sha512_ret(data, len, all, 1));
	memcpy(digest, all, SHA384_LEN);
}

void sha512_of(const void *data, size_t len, uint8_t digest[SHA512_LEN])
{
	MUST(mbedtls_sha512_ret(data, len, digest, 0));
}

bool digest_equal(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN])
{
	volatile uint8_t differ = 0;

	for (size_t i = 0; i < SHA256_LEN; i++)
		differ = (uint8_t)(differ | (a[i] ^ b[i]));
	return !differ;
}

void public_key_id(const uint8_t point[P256_POINT_LEN], uint8_t id[SHA256_LEN])
{
	/* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 04 X Y } }: all that varies is the point. */
	static const uint8_t head[] = {
		0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
		0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
	};
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, head, sizeof(head));
	sha256_update(&s, point, P256_POINT_LEN);
	sha256_final(&s, id);
}

/* The order n of the curve, and n/2 rounded down. SEC 2 "Recommended Parameters secp256r1" (2.4.2). */
static const uint8_t order[COORD_LEN] = {
	0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};
static const uint8_t half_order[COORD_LEN] = {
	0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
};

bool ecdsa_p256_canonical(const uint8_t sig[P256_SIG_LEN])
{
	static const uint8_t zero[COORD_LEN];
	const uint8_t *r = sig, *s = sig + COORD_LEN;

	return memcmp(r, zero, COORD_LEN) && memcmp(r, order, COORD_LEN) < 0 && memcmp(s, zero, COORD_LEN) &&
	       memcmp(s, half_order, COORD_LEN) <= 0;
}

struct check {
	mbedtls_ecp_group group;
	mbedtls_ecp_point point;
	mbedtls_mpi r, s;
};

static int load_point(struct check *c, const uint8_t point[P256_POINT_LEN])
{
	uint8_t text[1 + P256_POINT_LEN] = { 0x04 };          /* SEC 1: uncompressed */

	memcpy(text + 1, point, P256_POINT_LEN);
	if (mbedtls_ecp_group_load(&c->group, MBEDTLS_ECP_DP_SECP256R1))
		return -ENOMEM;
	switch (mbedtls_ecp_point_read_binary(&c->group, &c->point, text, sizeof(text))) {
	case 0:
		return mbedtls_ecp_check_pubkey(&c->group, &c->point) ? -EINVAL : 0;
	case MBEDTLS_ERR_MPI_ALLOC_FAILED:
		return -ENOMEM;
	default:
		return -EINVAL;
	}
}

static int check_signature(struct check *c, const uint8_t digest[SHA256_LEN], const uint8_t sig[P256_SIG_LEN])
{
	int ret;

	if (mbedtls_mpi_read_binary(&c->r, sig, COORD_LEN) || mbedtls_mpi_read_binary(&c->s, sig + COORD_LEN, COORD_LEN))
		return -ENOMEM;
	ret = mbedtls_ecdsa_verify(&c->group, digest, SHA256_LEN, &c->point, &c->r, &c->s);
	if (ret == MBEDTLS_ERR_MPI_ALLOC_FAILED || ret == MBEDTLS_ERR_ECP_ALLOC_FAILED)
		return -ENOMEM;
	return ret ? -EBADMSG : 0;
}

int ecdsa_p256_verify(const uint8_t point[P256_POINT_LEN], const uint8_t digest[SHA256_LEN],
		      const uint8_t sig[P256_SIG_LEN])
{
	struct check c;
	int ret;

	mbedtls_ecp_group_init(&c.group);
	mbedtls_ecp_point_init(&c.point);
	mbedtls_mpi_init(&c.r);
	mbedtls_mpi_init(&c.s);
	ret = load_point(&c, point);
	if (!ret)
		ret = ecdsa_p256_canonical(sig) ? check_signature(&c, digest, sig) : -EBADMSG;
	mbedtls_mpi_free(&c.s);
	mbedtls_mpi_free(&c.r);
	mbedtls_ecp_point_free(&c.point);
	mbedtls_ecp_group_free(&c.group);
	return ret;
}
