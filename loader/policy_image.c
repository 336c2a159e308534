/* SPDX-License-Identifier: BSD-2-Clause */
/* What a policy's decision needs to know of an image: its level, whose signatures are good, its version and digest. */
#include <vouch/policy.h>

#include <string.h>

static enum integrity level_of(const struct image *img)
{
	switch (img->version) {
	case 0:
		return INTEGRITY_NONE;
	case 1:
		return INTEGRITY_CHECKSUM;
	default:
		return INTEGRITY_SHA256;
	}
}

int policy_gather(struct policy_facts *f, const struct policy *p, const struct image *img, struct image_error *err)
{
	memset(f, 0, sizeof(*f));
	memset(err, 0, sizeof(*err));
	f->level = level_of(img);
	f->name = "";
	if (img->version < 2)
		return 0;
	f->signature_count = img->signature_count;
	f->security_version = img->security_version;
	f->has_digest = true;
	memcpy(f->digest, img->digest, SHA256_LEN);
	for (uint32_t i = 0; i < p->key_count; i++) {
		const struct public_key *key = &p->key[i].key;
		bool is;

		if (image_signed_by(img, key, &is, err))
			return -1;
		if (is)
			memcpy(f->verified[f->verified_count++], key->id, SHA256_LEN);
	}
	return 0;
}
