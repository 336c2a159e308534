/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See file_copy.h. The hash is taken of the bytes at their destination, which nobody but Vouch can reach, never of the
 * module's: whatever happens to the module meanwhile, what was hashed is what is used.
 */
#include "core/file_copy.h"

#include <stdio.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>

#include "core/block.h"

static size_t list_bytes(const struct image_file *file)
{
	return (image_chunks(file->size) + 1) * (SHA256_LEN + sizeof(bool));
}

static int refuse_memory(struct image_error *err)
{
	*err = (struct image_error){ .code = IMG_ERR_HOST_MEMORY };
	snprintf(err->text, sizeof(err->text), "%s: for the digests of a file", image_err_text(IMG_ERR_HOST_MEMORY));
	return -1;
}

int file_copy_begin(struct file_copy *c, struct host *h, struct timing *timing, const struct image *image,
		    const struct image_source *src, uint32_t f, uint8_t *digest, struct image_error *err)
{
	*c = (struct file_copy){ .host = h, .timing = timing, .image = image, .src = src, .file = &image->file[f],
				 .err = err, .digest = digest };
	sha256_init_with(&c->whole, h->sha256);
	if (image->version < 2)
		return 0;
	c->list = block_get(&h->pages, list_bytes(c->file));
	if (!c->list)
		return refuse_memory(err);
	c->ready = (bool *)c->list[image_chunks(c->file->size) + 1];
	sha256_init_with(&c->chunk, h->sha256);
	if (!image_read_list(image, src, f, c->list, err))
		return 0;
	block_put(&h->pages, c->list, list_bytes(c->file));
	return -1;
}

/* Of a file of one chunk the table has the digest of all bytes, and these are held against it. */
static bool digest_known(const struct file_copy *c)
{
	return c->image->version >= 2 && image_chunks(c->file->size) <= 1;
}

/* Hashes what has arrived at p, chunk by chunk; c->done is where the file's next byte stands. */
static int hash_chunks(struct file_copy *c, const uint8_t *p, size_t n)
{
	uint8_t digest[SHA256_LEN];

	while (n) {
		uint64_t number = c->done / IMAGE2_CHUNK, at = c->done % IMAGE2_CHUNK;
		uint64_t left = image_chunk_len(c->file->size, number) - at;
		size_t part = (size_t)min_u64(n, left);

		sha256_update(&c->chunk, p, part);
		c->done += part;
		p += part;
		n -= part;
		if (part < left)
			continue;
		sha256_final(&c->chunk, digest);
		sha256_init_with(&c->chunk, c->host->sha256);
		if (image_check_chunk(c->image, c->file->index, number, (const uint8_t(*)[SHA256_LEN])c->list, digest,
				      c->err)) {
			c->refused = true;
			return -1;
		}
	}
	return 0;
}

int file_copy_piece(void *ctx, void *dst, size_t n)
{
	struct file_copy *c = ctx;
	struct timing *t = c->timing;
	uint64_t begin = host_tsc(), copied;
	int ret = 0;

	ASSERT(span_ok(c->done, n, c->file->size));
	if (c->src->copy(c->src->ctx, c->file->offset + c->done, dst, n))
		return -1;
	copied = host_tsc();
	if (c->digest && !digest_known(c))
		sha256_update(&c->whole, dst, n);
	if (c->image->version < 2) {
		v1_hash_update(&c->v1, dst, n);
		c->done += n;
	} else {
		ret = hash_chunks(c, dst, n);
	}
	t->copy += copied - begin;
	t->hash += host_tsc() - copied;
	return ret;
}

int file_copy_end(struct file_copy *c)
{
	block_put(&c->host->pages, c->list, list_bytes(c->file));
	if (c->refused)
		return -1;
	ASSERT(c->done == c->file->size);
	if (c->digest && digest_known(c))
		memcpy(c->digest, c->file->digest, SHA256_LEN);
	else if (c->digest)
		sha256_final(&c->whole, c->digest);
	return c->image->version < 2 ? image_check_hash(c->image, c->file->index, &c->v1, c->err) : 0;
}

/* ------------------------------------------------------------------ chunks by themselves */

void chunk_copy_begin(struct chunk_copy *k, const struct file_copy *file, uint64_t number, struct timing *timing)
{
	*k = (struct chunk_copy){ .file = file, .timing = timing, .number = number,
				  .len = image_chunk_len(file->file->size, number) };
	sha256_init_with(&k->sha, file->host->sha256);
}

int chunk_copy_piece(void *ctx, void *dst, size_t n)
{
	struct chunk_copy *k = ctx;
	const struct file_copy *c = k->file;
	uint64_t begin = host_tsc(), copied;

	ASSERT(span_ok(k->done, n, k->len));
	if (c->src->copy(c->src->ctx, c->file->offset + k->number * IMAGE2_CHUNK + k->done, dst, n))
		return -1;
	copied = host_tsc();
	sha256_update(&k->sha, dst, n);
	k->done += n;
	k->timing->copy += copied - begin;
	k->timing->hash += host_tsc() - copied;
	return 0;
}

int chunk_copy_end(struct chunk_copy *k, struct image_error *err)
{
	const struct file_copy *c = k->file;
	uint8_t digest[SHA256_LEN];

	ASSERT(k->done == k->len);
	sha256_final(&k->sha, digest);
	return image_check_chunk(c->image, c->file->index, k->number, (const uint8_t(*)[SHA256_LEN])c->list, digest, err);
}

int file_copy_whole(void *ctx, void *bytes, size_t n)
{
	struct file_copy *c = ctx;
	uint64_t begin = host_tsc();

	sha256_update(&c->whole, bytes, n);
	c->timing->hash += host_tsc() - begin;
	return 0;
}
