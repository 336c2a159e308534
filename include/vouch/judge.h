/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges a whole container for a host tool. Not in Vouch itself, which copies each file into its guest's memory and
 * hashes it there. The configuration is judged by manifest_plan().
 */
#ifndef VOUCH_JUDGE_H
#define VOUCH_JUDGE_H

#include <vouch/manifest.h>

/*
 * Reads header, XML and table, marries the XML's files to the table, checks the gaps and hashes every file: each byte
 * of the source is read exactly once. xml_buf holds IMAGE_MAX_XML + 1 bytes and stays in use by img->xml. progress
 * (may be NULL) gets the bytes of file data done and in all, at least once at the end. A v0 image passes: whether that
 * will do is the caller's policy (image_check_hashed()). 0 or -1 with *err.
 */
__must_check int image_judge(struct image *img, const struct image_source *src, char *xml_buf, struct xml_arena *arena,
			     void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
			     struct image_error *err);

#endif
