/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a v3vee container (docs/image-format.md): the same source for Vouch and its host tools. Bytes in, structs
 * out; no byte of the source is read twice. The caller owns all memory.
 */
#ifndef VOUCH_IMAGE_PARSE_H
#define VOUCH_IMAGE_PARSE_H

#include <vouch/crypto.h>
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
	uint64_t size;
	uint64_t offset;
	uint64_t hash;                /* v1; else 0 */
	uint64_t list;                /* v2: where its chunk digests lie; 0: it has one chunk or none */
	uint8_t digest[SHA256_LEN];   /* v2: of its only chunk, or of its chunk digests */
	char id[IMAGE_MAX_ID + 1];    /* from the XML, filled by manifest_parse() */
	bool named;                   /* an XML entry names this header */
};

/* A record of version 2's seal; its form was checked, its truth was not. */
struct image_signature {
	uint8_t key_id[SHA256_LEN];
	uint8_t sig[P256_SIG_LEN];
};

struct image {
	uint32_t version;             /* 0 to 2 */
	uint32_t xml_len;
	uint32_t xml_offset;          /* of its first byte in the image */
	char *xml;                    /* private copy, NUL-terminated; caller's buffer */
	uint64_t table;               /* offset of the first file header */
	uint32_t header_len;          /* bytes of one */
	uint64_t data_start;          /* first byte after the table and, in v2, the chunk digests */
	uint64_t data_end;            /* the end of the image, in v2 of the data: its seal lies here */
	uint32_t file_count;
	struct image_file file[IMAGE_MAX_FILES];
	/* Version 2 only. */
	uint64_t security_version;
	uint8_t digest[SHA256_LEN];   /* of header, XML and table: what signatures sign; equal to the seal's */
	uint32_t signature_count;
	struct image_signature signature[IMAGE2_MAX_SIGNATURES];
	bool noted;                   /* what there is to note in its XML has been logged before: not again */
};

/*
 * Reads and bounds everything but the files' data. xml_buf must hold IMAGE_MAX_XML + 1 bytes. Reads each byte of header,
 * XML and table once; checks spans, overlap, order; does not look into the XML. Of version 2 it also reads the seal, whose
 * manifest digest must be that of the bytes read. Chunk digests are not read yet: image_read_list(). 0 or -1 with *err.
 */
__must_check int image_read_any(struct image *img, const struct image_source *src, char *xml_buf,
				struct image_error *err);

/* Refuses an image below version 2 that Vouch has no copy's room for, be the machine as large as it may. 0 or -1 with *err. */
__must_check int image_check_whole(const struct image *img, const struct image_source *src, struct image_error *err);

/* Every byte of [data_start, data_end) that no file covers must be zero; reads each once through a small buffer. */
__must_check int image_check_gaps(const struct image *img, const struct image_source *src, struct image_error *err);

/* The v1 hash, in pieces. h starts as { 0 }. At most 4 GiB - 1 bytes in all. */
struct v1_hash { uint64_t h; uint32_t i; };
void v1_hash_update(struct v1_hash *s, const void *data, size_t len);

/* Compares the hash of file f over the copy that will be used. 0 or -1 with *err (names the file). v0: 0; v2: -1. */
__must_check int image_check_hash(const struct image *img, uint32_t f, const struct v1_hash *got,
				  struct image_error *err);

/* Refuses an image without hashes (v0): for every policy above integrity=none. 0 or -1 with *err. */
__must_check int image_check_hashed(const struct image *img, struct image_error *err);

/* ------------------------------------------------------------------ version 2 (loader/chunk.c, loader/signature.c) */

static inline uint64_t image_chunks(uint64_t size)
{
	return size / IMAGE2_CHUNK + (size % IMAGE2_CHUNK != 0);
}

/* Bytes in chunk number c of a file of that size; c < image_chunks(size). */
static inline uint64_t image_chunk_len(uint64_t size, uint64_t c)
{
	return min_u64(size - c * IMAGE2_CHUNK, IMAGE2_CHUNK);
}

/*
 * Puts the digest of each chunk of file f into list, which holds image_chunks(size) of them, and checks these against
 * the file's digest. Reads each byte of the list once. 0 or -1 with *err.
 */
__must_check int image_read_list(const struct image *img, const struct image_source *src, uint32_t f,
				 uint8_t (*list)[SHA256_LEN], struct image_error *err);

/* Compares the digest got of chunk c over the copy that will be used. 0 or -1 with *err (names file and chunk). */
__must_check int image_check_chunk(const struct image *img, uint32_t f, uint64_t c, const uint8_t (*list)[SHA256_LEN],
				   const uint8_t got[SHA256_LEN], struct image_error *err);

/* Refuses versions 0 and 1: for every policy that asks for SHA-256 or a signature. 0 or -1 with *err. */
__must_check int image_check_digests(const struct image *img, struct image_error *err);

/* Refuses an older security version than least. Versions 0 and 1 have none: 0. 0 or -1 with *err. */
__must_check int image_check_security(const struct image *img, uint64_t least, struct image_error *err);

/* Whose signature will do. */
struct image_trust {
	const struct public_key *key;
	size_t count;
};

/*
 * *is: whether key has signed the image's manifest digest. A record under its id that does not verify is an error, not
 * a missing one. In Vouch the caller holds lib_enter(). 0 or -1 with *err.
 */
__must_check int image_signed_by(const struct image *img, const struct public_key *key, bool *is,
				 struct image_error *err);

/* At least one of the keys has signed, and none of them badly. 0 or -1 with *err. */
__must_check int image_check_signed(const struct image *img, const struct image_trust *trust, struct image_error *err);

/* The stable text of a code, for documents and tests. */
const char *image_err_text(enum image_err code);

#endif
