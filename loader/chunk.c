/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Version 2's digests of a file's chunks: reads the list of a file, proves it against the digest in the table, and says
 * which chunk is bad. Chunks may come in any order and from several CPUs; the caller hashes the copy that will be used.
 */
#include <vouch/image_parse.h>

#include <vouch/log.h>

#include "error.h"
#include "image_read.h"

#include <inttypes.h>
#include <string.h>

static const char *name_of(const struct image_file *f, char *id, size_t size)
{
	return log_escape(id, size, f->id, strlen(f->id));
}

/* A file without bytes has the digest of no bytes, and no chunk whose check could show it. */
static int check_empty(const struct image_file *f, struct image_error *err)
{
	uint8_t digest[SHA256_LEN];
	char id[48];

	sha256_of("", 0, digest);
	if (digest_equal(digest, f->digest))
		return 0;
	return image_fail(err, IMG_ERR_CHUNK_LIST, f->offset, "file %" PRIu32 " \"%s\" is empty", f->index,
			  name_of(f, id, sizeof(id)));
}

int image_read_list(const struct image *img, const struct image_source *src, uint32_t f, uint8_t (*list)[SHA256_LEN],
		    struct image_error *err)
{
	const struct image_file *file = &img->file[f];
	uint64_t chunks = image_chunks(file->size);
	uint8_t digest[SHA256_LEN];
	char id[48];

	memset(err, 0, sizeof(*err));
	if (!chunks)
		return check_empty(file, err);
	if (chunks == 1) {
		memcpy(list[0], file->digest, SHA256_LEN);
		return 0;
	}
	if (source_copy(src, file->list, list, chunks * SHA256_LEN, err))
		return -1;
	sha256_of(list, chunks * SHA256_LEN, digest);
	if (digest_equal(digest, file->digest))
		return 0;
	return image_fail(err, IMG_ERR_CHUNK_LIST, file->list, "file %" PRIu32 " \"%s\"", f,
			  name_of(file, id, sizeof(id)));
}

int image_check_chunk(const struct image *img, uint32_t f, uint64_t c, const uint8_t (*list)[SHA256_LEN],
		      const uint8_t got[SHA256_LEN], struct image_error *err)
{
	const struct image_file *file = &img->file[f];
	char id[48];

	memset(err, 0, sizeof(*err));
	if (digest_equal(list[c], got))
		return 0;
	return image_fail(err, IMG_ERR_CHUNK, file->offset + c * IMAGE2_CHUNK,
			  "file %" PRIu32 " \"%s\", chunk %" PRIu64 " of 0-%" PRIu64 ", %" PRIu64 " bytes", f,
			  name_of(file, id, sizeof(id)), c, image_chunks(file->size) - 1,
			  image_chunk_len(file->size, c));
}

int image_check_digests(const struct image *img, struct image_error *err)
{
	memset(err, 0, sizeof(*err));
	if (img->version >= 2)
		return 0;
	return image_fail(err, IMG_ERR_NO_DIGESTS, IMAGE_COOKIE_LEN, "build it as v2, or use 'vouch convert'");
}
