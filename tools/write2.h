/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes version 2 images (docs/image-format.md): `vouch build` and `vouch convert`. The caller judges the result. */
#ifndef VOUCH_TOOLS_WRITE2_H
#define VOUCH_TOOLS_WRITE2_H

#include "common/bytes.h"
#include "common/outfile.h"

#include <vouch/image_parse.h>

#define WRITE2_MAX_FILE (1ull << 40)  /* the most memory that a guest can have */

struct write2 {
	struct outfile *out;
	const void *xml;
	uint64_t xml_len, security;
	uint32_t count;
	struct { uint64_t offset, size; uint8_t digest[SHA256_LEN]; } file[IMAGE_MAX_FILES];
	uint64_t table, data, seal;
	/* Of the file being written. */
	uint64_t at;
	struct sha256 chunk;
	struct bytes list;
	struct bytes lists;           /* of the files before */
};

/* out is open and empty; xml stays the caller's until write2_end(). Sizes are at most WRITE2_MAX_FILE. */
void write2_begin(struct write2 *w, struct outfile *out, const struct bytes *xml, uint64_t security, uint32_t count,
		  const uint64_t *size);

/* The next bytes of file index; every file gets all of its bytes, one file after the other. CLI_GOOD or CLI_ENV. */
int write2_data(struct write2 *w, uint32_t index, const void *data, size_t len);

/* After the last byte of each file, also of an empty one. */
void write2_file_end(struct write2 *w, uint32_t index);

/* Header, XML, table, lists and a seal without signatures. CLI_GOOD or CLI_ENV. */
int write2_end(struct write2 *w);
void write2_free(struct write2 *w);

/* A seal for this manifest digest with these signatures, which are in order; appended to b. */
void write2_seal(struct bytes *b, const uint8_t digest[SHA256_LEN], const struct image_signature *sig, uint32_t count);

#endif
