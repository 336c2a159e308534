/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges a whole container for a host tool. Not in Vouch itself, which copies each file into its guest's memory and
 * hashes it there. The configuration is judged by manifest_plan().
 */
#ifndef VOUCH_JUDGE_H
#define VOUCH_JUDGE_H

#include <vouch/manifest.h>

/*
 * All but the files' data: reads header, XML, table and seal; with trust (may be NULL), checks the signature before the
 * XML is looked into, and that the guest has a name; marries the XML's files to the table; checks the gaps. xml_buf
 * holds IMAGE_MAX_XML + 1 bytes and stays in use by img->xml. 0 or -1 with *err.
 */
__must_check int image_judge_head(struct image *img, const struct image_source *src, char *xml_buf,
				  struct xml_arena *arena, const struct image_trust *trust, struct image_error *err);

/* Then the data of every file, one after the other. progress: see image_judge(). Reads each byte once. */
__must_check int image_judge_files(const struct image *img, const struct image_source *src,
				   void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
				   struct image_error *err);

/*
 * Both, without asking for signatures: each byte of the source is read exactly once. progress (may be NULL) gets the
 * bytes of file data done and in all, at least once at the end. An image of any version passes: whether that will do is
 * the caller's policy (image_check_hashed(), image_check_digests()). 0 or -1 with *err.
 */
__must_check int image_judge(struct image *img, const struct image_source *src, char *xml_buf, struct xml_arena *arena,
			     void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
			     struct image_error *err);

#endif
