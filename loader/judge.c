/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that judge a whole container, for host tools, tests and fuzzers. Never part of Vouch. */
#include <vouch/judge.h>

#include "error.h"

#include <stdlib.h>

#define JUDGE_CHUNK 0x10000u

struct judge {
	const struct image *img;
	const struct image_source *src;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	uint64_t done, total;
};

static void report(const struct judge *j)
{
	if (j->progress)
		j->progress(j->ctx, j->done, j->total);
}

/* The next bytes of a file's data, at most JUDGE_CHUNK of the rest. Their number, or 0 with *err. */
static size_t next_bytes(struct judge *j, uint64_t off, uint64_t rest, uint8_t *buf, struct image_error *err)
{
	size_t n = (size_t)min_u64(rest, JUDGE_CHUNK);

	if (j->src->copy(j->src->ctx, off, buf, n)) {
		image_set_error(err, IMG_ERR_READ, off, "%u bytes", (unsigned int)n);
		return 0;
	}
	j->done += n;
	return n;
}

static int judge_file(struct judge *j, uint32_t i, struct image_error *err)
{
	const struct image_file *f = &j->img->file[i];
	struct v1_hash hash = { 0 };
	uint8_t buf[JUDGE_CHUNK];
	size_t n;

	for (uint64_t at = 0; at < f->size; at += n) {
		n = next_bytes(j, f->offset + at, f->size - at, buf, err);
		if (!n)
			return -1;
		v1_hash_update(&hash, buf, n);
		report(j);
	}
	return image_check_hash(j->img, i, &hash, err);
}

static int judge_chunk(struct judge *j, uint32_t i, uint64_t c, const uint8_t (*list)[SHA256_LEN],
		       struct image_error *err)
{
	const struct image_file *f = &j->img->file[i];
	uint64_t len = image_chunk_len(f->size, c);
	uint8_t buf[JUDGE_CHUNK], got[SHA256_LEN];
	struct sha256 sha;
	size_t n;

	sha256_init(&sha);
	for (uint64_t at = 0; at < len; at += n) {
		n = next_bytes(j, f->offset + c * IMAGE2_CHUNK + at, len - at, buf, err);
		if (!n)
			return -1;
		sha256_update(&sha, buf, n);
		report(j);
	}
	sha256_final(&sha, got);
	return image_check_chunk(j->img, i, c, list, got, err);
}

static int judge_chunks(struct judge *j, uint32_t i, struct image_error *err)
{
	uint64_t chunks = image_chunks(j->img->file[i].size);
	uint8_t(*list)[SHA256_LEN] = malloc((chunks + 1) * SHA256_LEN);
	int ret = list ? image_read_list(j->img, j->src, i, list, err)
		       : image_fail(err, IMG_ERR_READ, j->img->file[i].list, "no memory");

	for (uint64_t c = 0; c < chunks && !ret; c++)
		ret = judge_chunk(j, i, c, (const uint8_t(*)[SHA256_LEN])list, err);
	free(list);
	return ret;
}

int image_judge_head(struct image *img, const struct image_source *src, char *xml_buf, struct xml_arena *arena,
		     const struct image_trust *trust, struct image_error *err)
{
	if (image_read_any(img, src, xml_buf, err))
		return -1;
	if (trust && (image_check_signed(img, trust, err) || manifest_check_name(img, arena, err)))
		return -1;
	if (manifest_files(img, arena, err))
		return -1;
	return image_check_gaps(img, src, err);
}

int image_judge_files(const struct image *img, const struct image_source *src,
		      void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, struct image_error *err)
{
	struct judge j = { .img = img, .src = src, .progress = progress, .ctx = ctx };

	for (uint32_t i = 0; i < img->file_count; i++)
		j.total += img->file[i].size;
	for (uint32_t i = 0; i < img->file_count; i++) {
		if (img->version < 2 ? judge_file(&j, i, err) : judge_chunks(&j, i, err))
			return -1;
	}
	report(&j);
	return 0;
}

int image_judge(struct image *img, const struct image_source *src, char *xml_buf, struct xml_arena *arena,
		void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, struct image_error *err)
{
	if (image_judge_head(img, src, xml_buf, arena, NULL, err))
		return -1;
	return image_judge_files(img, src, progress, ctx, err);
}
