/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of an image on its way out of the module: each piece is copied once, and hashed where it lands. */
#ifndef CORE_FILE_COPY_H
#define CORE_FILE_COPY_H

#include <vouch/image_parse.h>

struct host;
struct timing;

struct file_copy {
	struct host *host;
	struct timing *timing;
	const struct image *image;
	const struct image_source *src;
	const struct image_file *file;
	struct image_error *err;
	uint64_t done;                /* bytes copied and hashed */
	bool refused;                 /* a chunk was bad: *err says so */
	struct v1_hash v1;            /* versions 0 and 1 */
	struct sha256 chunk;          /* version 2: of the chunk under way */
	uint8_t (*list)[SHA256_LEN];  /* its chunks' digests, proven; Vouch's own memory */
	bool *ready;                  /* version 2: of each chunk, whether it is there and good; core/file_share.c's */
	struct sha256 whole;          /* of all bytes, if digest asks for it and no chunk's digest is the same */
	uint8_t *digest;
};

/* One chunk of a file of version 2; several of a file may be under way. */
struct chunk_copy {
	const struct file_copy *file;
	struct timing *timing;
	uint64_t number, len, done;   /* bytes */
	struct sha256 sha;
};

/*
 * Begins with file number f. What it takes is added to *timing. digest, if not NULL, gets the SHA-256 of all its bytes at
 * the end. 0, or -1 with *err; after 0 file_copy_end() must follow.
 */
__must_check int file_copy_begin(struct file_copy *c, struct host *h, struct timing *timing, const struct image *image,
				 const struct image_source *src, uint32_t f, uint8_t *digest, struct image_error *err);

/* The next n bytes to dst. ctx: the struct file_copy. 0, or -1: a bad chunk, see refused. For gpa_build(). */
int file_copy_piece(void *ctx, void *dst, size_t n);

/* The whole file was copied and is what the image says, or -1 with *err. Gives back what the copy took. */
__must_check int file_copy_end(struct file_copy *c);

/*
 * The same chunk by chunk, in any order, on any CPU: len bytes go through chunk_copy_piece(). *file is only read but for its
 * timing, so each CPU gives one of its own. chunk_copy_end() is 0, or -1 with *err: the chunk is bad.
 */
void chunk_copy_begin(struct chunk_copy *k, const struct file_copy *file, uint64_t number, struct timing *timing);
int chunk_copy_piece(void *ctx, void *dst, size_t n);
__must_check int chunk_copy_end(struct chunk_copy *k, struct image_error *err);

/* With chunks of their own, the digest of all bytes is taken of where they landed, in order. ctx: the struct file_copy. */
int file_copy_whole(void *ctx, void *bytes, size_t n);

#endif
