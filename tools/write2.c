/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes version 2 images. Sizes fix the place of everything before the first byte is written, so data goes where it
 * belongs at once and is hashed on its way; what describes it is written at the end. Zeros are left out: holes read so.
 */
#include "write2.h"

#include "common/cli.h"
#include "common/sha256.h"

#include <string.h>

static void add_le64(struct bytes *b, uint64_t value)
{
	unsigned char text[8];

	for (size_t i = 0; i < sizeof(text); i++, value >>= 8)
		text[i] = (unsigned char)value;
	bytes_add(b, text, sizeof(text));
}

static void add_zeros(struct bytes *b, size_t len)
{
	static const char zeros[64];

	for (; len > sizeof(zeros); len -= sizeof(zeros))
		bytes_add(b, zeros, sizeof(zeros));
	bytes_add(b, zeros, len);
}

static uint64_t lists_len(uint64_t size)
{
	uint64_t chunks = image_chunks(size);

	return chunks > 1 ? chunks * SHA256_LEN : 0;
}

void write2_begin(struct write2 *w, struct outfile *out, const struct bytes *xml, uint64_t security, uint32_t count,
		  const uint64_t *size)
{
	uint64_t at;

	*w = (struct write2){ .out = out, .xml = xml->data, .xml_len = xml->len, .security = security, .count = count };
	w->table = align_up(IMAGE2_FIXED_LEN + w->xml_len, IMAGE2_XML_ALIGN);
	at = w->table + (uint64_t)count * IMAGE2_HDR_LEN;
	for (uint32_t i = 0; i < count; i++)
		at += lists_len(size[i]);
	w->data = at = align_up(at, IMAGE2_ALIGN);
	for (uint32_t i = 0; i < count; i++) {
		w->file[i].offset = at;
		w->file[i].size = size[i];
		at = align_up(at + size[i], IMAGE2_ALIGN);
	}
	w->seal = at;
	sha256_init_fast(&w->chunk);
}

static void end_chunk(struct write2 *w)
{
	uint8_t digest[SHA256_LEN];

	sha256_final(&w->chunk, digest);
	bytes_add(&w->list, digest, sizeof(digest));
	sha256_init_fast(&w->chunk);
}

int write2_data(struct write2 *w, uint32_t index, const void *data, size_t len)
{
	const uint8_t *p = data;
	int status = outfile_write_at(w->out, data, len, w->file[index].offset + w->at);

	while (len > 0) {
		size_t n = (size_t)min_u64(len, IMAGE2_CHUNK - w->at % IMAGE2_CHUNK);

		sha256_update(&w->chunk, p, n);
		w->at += n;
		p += n;
		len -= n;
		if (w->at % IMAGE2_CHUNK == 0)
			end_chunk(w);
	}
	return status;
}

void write2_file_end(struct write2 *w, uint32_t index)
{
	if (w->at % IMAGE2_CHUNK != 0 || w->at == 0)
		end_chunk(w);
	if (w->list.len == SHA256_LEN) {
		memcpy(w->file[index].digest, w->list.data, SHA256_LEN);
	} else {
		sha256_of(w->list.data, w->list.len, w->file[index].digest);
		bytes_add(&w->lists, w->list.data, w->list.len);
	}
	w->list.len = 0;
	w->at = 0;
}

void write2_seal(struct bytes *b, const uint8_t digest[SHA256_LEN], const struct image_signature *sig, uint32_t count)
{
	bytes_add(b, IMAGE2_SEAL_COOKIE, IMAGE2_SEAL_COOKIE_LEN);
	bytes_add(b, digest, SHA256_LEN);
	add_le64(b, count);
	add_zeros(b, 16);
	for (uint32_t i = 0; i < count; i++) {
		add_le64(b, IMAGE2_SIG_P256);
		add_zeros(b, 24);
		bytes_add(b, sig[i].key_id, SHA256_LEN);
		bytes_add(b, sig[i].sig, P256_SIG_LEN);
	}
}

static void add_head(const struct write2 *w, struct bytes *b)
{
	static const unsigned char version[IMAGE_VERSION_LEN] = { 0, 0, 2 };

	bytes_add(b, IMAGE_COOKIE, IMAGE_COOKIE_LEN);
	bytes_add(b, version, sizeof(version));
	add_le64(b, w->seal);
	add_le64(b, w->xml_len);
	add_le64(b, w->count);
	add_le64(b, w->security);
	add_zeros(b, IMAGE2_FIXED_LEN - b->len);
	bytes_add(b, w->xml, w->xml_len);
	add_zeros(b, w->table - b->len);
	for (uint32_t i = 0; i < w->count; i++) {
		add_le64(b, w->file[i].offset);
		add_le64(b, w->file[i].size);
		add_zeros(b, 16);
		bytes_add(b, w->file[i].digest, SHA256_LEN);
	}
}

int write2_end(struct write2 *w)
{
	struct bytes head = { 0 }, seal = { 0 };
	uint8_t digest[SHA256_LEN];
	int status;

	add_head(w, &head);
	sha256_of(head.data, head.len, digest);
	bytes_add(&head, w->lists.data, w->lists.len);
	write2_seal(&seal, digest, NULL, 0);
	status = outfile_write_at(w->out, head.data, head.len, 0);
	if (status == CLI_GOOD)
		status = outfile_write_at(w->out, seal.data, seal.len, w->seal);
	bytes_free(&head);
	bytes_free(&seal);
	return status;
}

void write2_free(struct write2 *w)
{
	bytes_free(&w->list);
	bytes_free(&w->lists);
}
