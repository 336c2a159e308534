/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a v3vee container (docs/image-format.md): the same source for Vouch and its host tools. Bytes in, structs
 * out; no byte of the source is read twice. The caller owns all memory.
 */
#ifndef VOUCH_IMAGE_PARSE_H
#define VOUCH_IMAGE_PARSE_H

#include <vouch/image.h>
#include <vouch/types.h>

/*
 * Every reason to refuse an image or its configuration has its own value and a stable text (X-macro: value, text).
 * Extend it freely; docs/image-format.md lists each. IMG_OK is 0.
 */
#include <vouch/image_err.h>

/* Where and why; text is complete ("offset 0x1c: more files than ..."), printable ASCII. */
struct image_error {
	enum image_err code;
	uint64_t offset;              /* in the image; for XML also line and column in text */
	char text[200];
};

/* Copies len bytes from off of the source to dst; the range was already bounded. 0, or negative errno (host I/O). */
struct image_source {
	int (*copy)(void *ctx, uint64_t off, void *dst, size_t len);
	void *ctx;
	uint64_t size;                /* bytes in all */
};

struct image_file {
	uint32_t index;
	uint32_t size;
	uint64_t offset;
	uint64_t hash;                /* v1; 0 in v0 */
	char id[IMAGE_MAX_ID + 1];    /* from the XML, filled by manifest_parse() */
	bool named;                   /* an XML entry names this header */
};

struct image {
	uint32_t version;             /* 0 or 1 */
	uint32_t xml_len;
	char *xml;                    /* private copy, NUL-terminated; caller's buffer */
	uint64_t data_start;          /* first byte after the table */
	uint32_t file_count;
	struct image_file file[IMAGE_MAX_FILES];
};

/*
 * Reads and bounds everything but the files' data. xml_buf must hold IMAGE_MAX_XML + 1 bytes. Reads each byte of
 * header, XML and table once; checks spans, overlap, order; does not look into the XML. 0 or -1 with *err.
 */
__must_check int image_read_head(struct image *img, const struct image_source *src, char *xml_buf,
				 struct image_error *err);

/* Every byte of [data_start, size) that no file covers must be zero; reads each once through a small buffer. */
__must_check int image_check_gaps(const struct image *img, const struct image_source *src, struct image_error *err);

/* The v1 hash, in pieces. h starts as { 0 }. At most 4 GiB - 1 bytes in all. */
struct v1_hash { uint64_t h; uint32_t i; };
void v1_hash_update(struct v1_hash *s, const void *data, size_t len);

/* Compares the hash of file f over the copy that will be used. 0 or -1 with *err (names the file). v0: always 0. */
__must_check int image_check_hash(const struct image *img, uint32_t f, const struct v1_hash *got,
				  struct image_error *err);

/* Refuses an image without hashes (v0): for every policy above integrity=none. 0 or -1 with *err. */
__must_check int image_check_hashed(const struct image *img, struct image_error *err);

/* The stable text of a code, for documents and tests. */
const char *image_err_text(enum image_err code);

#endif
