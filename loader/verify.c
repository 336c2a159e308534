/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The v1 hash and its comparison (docs/image-format.md, "The v1 hash"). It finds accidents, not attackers: 28 bits and
 * some derived ones, and anyone can forge it. The caller hashes the very copy that will be used.
 */
#include <vouch/image_parse.h>

#include <vouch/log.h>

#include "error.h"

#include <inttypes.h>
#include <string.h>

#define FOLD_BITS 0xf0000000ull

void v1_hash_update(struct v1_hash *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = s->h;
	uint32_t i = s->i;

	for (const uint8_t *end = p + len; p < end; p++, i++) {
		uint64_t top;

		h = (h << 4) + *p + i;
		top = h & FOLD_BITS;
		h = (h ^ top >> 24) & ~top;
	}
	s->h = h;
	s->i = i;
}

int image_check_hash(const struct image *img, uint32_t f, const struct v1_hash *got, struct image_error *err)
{
	const struct image_file *file = &img->file[f];
	char id[48];

	memset(err, 0, sizeof(*err));
	if (!img->version || (img->version == 1 && got->h == file->hash && got->i == file->size))
		return 0;
	log_escape(id, sizeof(id), file->id, sizeof(file->id));
	return image_fail(err, IMG_ERR_HASH, file->offset, "file %" PRIu32 " \"%s\": %016" PRIx64 " over %" PRIu32
			  " bytes, the table says %016" PRIx64, f, id, got->h, got->i, file->hash);
}

int image_check_hashed(const struct image *img, struct image_error *err)
{
	memset(err, 0, sizeof(*err));
	if (img->version)
		return 0;
	return image_fail(err, IMG_ERR_UNHASHED, 5, "rebuild it as v1, or allow it with integrity=none");
}
