/* SPDX-License-Identifier: BSD-2-Clause */
/* One call that judges a whole container, for host tools, tests and fuzzers. Never part of Vouch. */
#include <vouch/judge.h>

#include "error.h"

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

static int judge_file(struct judge *j, uint32_t i, struct image_error *err)
{
	const struct image_file *f = &j->img->file[i];
	struct v1_hash hash = { 0 };
	uint8_t buf[JUDGE_CHUNK];

	for (uint64_t at = 0; at < f->size;) {
		size_t n = (size_t)min_u64(f->size - at, sizeof(buf));

		if (j->src->copy(j->src->ctx, f->offset + at, buf, n))
			return image_fail(err, IMG_ERR_READ, f->offset + at, "%u bytes", (unsigned int)n);
		v1_hash_update(&hash, buf, n);
		at += n;
		j->done += n;
		report(j);
	}
	return image_check_hash(j->img, i, &hash, err);
}

int image_judge(struct image *img, const struct image_source *src, char *xml_buf, struct xml_arena *arena,
		void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, struct image_error *err)
{
	struct judge j = { .img = img, .src = src, .progress = progress, .ctx = ctx };

	if (image_read_head(img, src, xml_buf, err) || manifest_files(img, arena, err) ||
	    image_check_gaps(img, src, err))
		return -1;
	for (uint32_t i = 0; i < img->file_count; i++)
		j.total += img->file[i].size;
	for (uint32_t i = 0; i < img->file_count; i++) {
		if (judge_file(&j, i, err))
			return -1;
	}
	report(&j);
	return 0;
}
