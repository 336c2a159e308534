/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What version 2's signatures are worth: whether keys that the caller trusts have signed the manifest digest, which
 * covers header, XML and table and through them every byte of every file. Records of other keys are passed over.
 */
#include <vouch/image_parse.h>

#include "error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint64_t record_offset(const struct image *img, uint32_t i)
{
	return img->data_end + IMAGE2_SEAL_LEN + (uint64_t)i * IMAGE2_SIG_LEN;
}

/* Enough of an id to find it in a list of keys. */
static const char *short_id(const uint8_t id[SHA256_LEN], char text[17])
{
	for (size_t i = 0; i < 8; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return text;
}

int image_signed_by(const struct image *img, const struct public_key *key, bool *is, struct image_error *err)
{
	char id[17];

	memset(err, 0, sizeof(*err));
	*is = false;
	for (uint32_t i = 0; i < img->signature_count; i++) {
		const struct image_signature *s = &img->signature[i];
		int ret;

		if (!digest_equal(s->key_id, key->id))
			continue;
		ret = ecdsa_p256_verify(key->point, img->digest, s->sig);
		if (ret == -EBADMSG)
			return image_fail(err, IMG_ERR_SIG_BAD, record_offset(img, i) + 64,
					  "signature %" PRIu32 ", key %s...", i, short_id(s->key_id, id));
		if (ret)
			return image_fail(err, IMG_ERR_SIG_KEY, record_offset(img, i) + 32, "key %s...: %s",
					  short_id(s->key_id, id),
					  ret == -EINVAL ? "it is no point of P-256" : "no memory to check with");
		*is = true;
	}
	return 0;
}

int image_check_signed(const struct image *img, const struct image_trust *trust, struct image_error *err)
{
	bool any = false, is;

	if (image_check_digests(img, err))
		return -1;
	if (!img->signature_count)
		return image_fail(err, IMG_ERR_SIG_NONE, img->data_end + 40, "sign it with 'vouch sign'");
	for (size_t i = 0; i < trust->count; i++) {
		if (image_signed_by(img, &trust->key[i], &is, err))
			return -1;
		any |= is;
	}
	if (!any)
		return image_fail(err, IMG_ERR_SIG_UNKNOWN, img->data_end + 40, "%" PRIu32 " by other keys",
				  img->signature_count);
	return 0;
}

int image_check_security(const struct image *img, uint64_t least, struct image_error *err)
{
	memset(err, 0, sizeof(*err));
	if (img->security_version >= least)
		return 0;
	return image_fail(err, IMG_ERR_SECURITY, 32, "it is %" PRIu64 ", at least %" PRIu64 " is asked for",
			  img->security_version, least);
}
