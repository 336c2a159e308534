/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The v3vee container, version 2: header, XML, table and seal, each byte copied once and bounded in the copy; the
 * digest of the first three is taken on the way and must be the seal's. There is one form only: whatever the sizes of
 * XML and files determine must be so. Chunk digests and data are chunk.c's, what signatures are worth is signature.c's.
 */
#include "image_read.h"
#include "le.h"

#include <inttypes.h>
#include <string.h>

/* One pass over the image: where it is read from, and the hash of what was read so far. */
struct pass {
	struct image *img;
	const struct image_source *src;
	struct sha256 hash;
	struct image_error *err;
};

static int zeros(struct pass *p, const uint8_t *bytes, size_t len, uint64_t off, enum image_err code)
{
	size_t bad = first_nonzero(bytes, len);

	if (bad < len)
		return image_fail(p->err, code, off + bad, "byte 0x%02x", bytes[bad]);
	return 0;
}

/* Bytes under the manifest digest. */
static int take(struct pass *p, uint64_t off, void *dst, size_t len)
{
	if (source_copy(p->src, off, dst, len, p->err))
		return -1;
	sha256_update(&p->hash, dst, len);
	return 0;
}

/* ------------------------------------------------------------------ header */

#define OFF_SEAL     8
#define OFF_XML_LEN  16
#define OFF_COUNT    24
#define OFF_SECURITY 32
#define OFF_RESERVED 40

static int bound_seal(struct pass *p)
{
	struct image *img = p->img;

	if (img->data_end % IMAGE2_ALIGN)
		return image_fail(p->err, IMG_ERR_SEAL_PLACE, OFF_SEAL, "0x%" PRIx64 " is no multiple of %lu",
				  img->data_end, IMAGE2_ALIGN);
	if (!span_ok(img->data_end, IMAGE2_SEAL_LEN, p->src->size))
		return image_fail(p->err, IMG_ERR_SEAL_LEN, OFF_SEAL,
				  "seal of %d bytes at 0x%" PRIx64 ", the image has %" PRIu64, IMAGE2_SEAL_LEN,
				  img->data_end, p->src->size);
	return 0;
}

static int bound_xml(struct pass *p, uint64_t xml_len)
{
	if (!span_ok(IMAGE2_FIXED_LEN, xml_len, p->img->data_end))
		return image_fail(p->err, IMG_ERR_XML_LEN, OFF_XML_LEN,
				  "%" PRIu64 " bytes of XML in front of 0x%" PRIx64, xml_len, p->img->data_end);
	if (xml_len > IMAGE_MAX_XML)
		return image_fail(p->err, IMG_ERR_XML_TOO_LONG, OFF_XML_LEN, "%" PRIu64 " bytes, at most %u", xml_len,
				  IMAGE_MAX_XML);
	p->img->xml_len = (uint32_t)xml_len;
	p->img->xml_offset = IMAGE2_FIXED_LEN;
	return 0;
}

static int bound_table(struct pass *p, uint64_t count)
{
	struct image *img = p->img;

	if (count > IMAGE_MAX_FILES)
		return image_fail(p->err, IMG_ERR_FILE_COUNT, OFF_COUNT, "%" PRIu64 ", at most %u", count,
				  (unsigned int)IMAGE_MAX_FILES);
	img->file_count = (uint32_t)count;
	img->header_len = IMAGE2_HDR_LEN;
	img->table = align_up(img->xml_offset + (uint64_t)img->xml_len, IMAGE2_XML_ALIGN);
	if (!span_ok(img->table, count * IMAGE2_HDR_LEN, img->data_end))
		return image_fail(p->err, IMG_ERR_TABLE_LEN, OFF_COUNT, "%" PRIu64 " files in front of 0x%" PRIx64,
				  count, img->data_end);
	return 0;
}

static int read_header(struct pass *p)
{
	static const uint8_t cookie[] = { 'v', '3', 'v', 'e', 'e', 0, 0, 2 };
	uint8_t head[IMAGE2_FIXED_LEN];

	if (p->src->size < IMAGE2_FIXED_LEN)
		return image_fail(p->err, IMG_ERR_TRUNCATED, p->src->size, "%" PRIu64 " bytes where %d are the least",
				  p->src->size, IMAGE2_FIXED_LEN);
	/* image_read_version() has read these, and no byte is read twice. */
	sha256_update(&p->hash, cookie, sizeof(cookie));
	if (take(p, sizeof(cookie), head + sizeof(cookie), sizeof(head) - sizeof(cookie)) ||
	    zeros(p, head + OFF_RESERVED, IMAGE2_FIXED_LEN - OFF_RESERVED, OFF_RESERVED, IMG_ERR_RESERVED))
		return -1;
	p->img->data_end = le64(head + OFF_SEAL);
	p->img->security_version = le64(head + OFF_SECURITY);
	if (bound_seal(p) || bound_xml(p, le64(head + OFF_XML_LEN)))
		return -1;
	return bound_table(p, le64(head + OFF_COUNT));
}

static int read_xml(struct pass *p, char *xml_buf)
{
	uint64_t end = p->img->xml_offset + (uint64_t)p->img->xml_len;
	uint8_t pad[IMAGE2_XML_ALIGN];

	if (image_copy_xml(p->img, p->src, xml_buf, p->err))
		return -1;
	sha256_update(&p->hash, xml_buf, p->img->xml_len);
	if (take(p, end, pad, p->img->table - end))
		return -1;
	return zeros(p, pad, p->img->table - end, end, IMG_ERR_PAD_XML);
}

/* ------------------------------------------------------------------ table */

/* The file is no larger than all data, so nothing computed from its size overflows. */
static int read_entry(struct pass *p, uint32_t i)
{
	uint64_t off = p->img->table + (uint64_t)i * IMAGE2_HDR_LEN;
	struct image_file *f = &p->img->file[i];
	uint8_t buf[IMAGE2_HDR_LEN];

	if (take(p, off, buf, sizeof(buf)) || zeros(p, buf + 16, 16, off + 16, IMG_ERR_RESERVED))
		return -1;
	f->index = i;
	f->offset = le64(buf);
	f->size = le64(buf + 8);
	memcpy(f->digest, buf + 32, SHA256_LEN);
	if (f->size > p->img->data_end)
		return image_fail(p->err, IMG_ERR_FILE_SPAN, off + 8,
				  "file %" PRIu32 ": %" PRIu64 " bytes, the image has %" PRIu64, i, f->size,
				  p->src->size);
	return 0;
}

/* Chunk digests of files with more than one chunk follow the table, in its order. check_places() bounds their end. */
static void place_lists(struct image *img)
{
	uint64_t at = img->table + (uint64_t)img->file_count * IMAGE2_HDR_LEN;

	for (uint32_t i = 0; i < img->file_count; i++) {
		struct image_file *f = &img->file[i];
		uint64_t chunks = image_chunks(f->size);

		if (chunks < 2)
			continue;
		f->list = at;
		at += chunks * SHA256_LEN;
	}
	img->data_start = at;
}

/* One file behind the other, each on pages of its own. data_end is page aligned: what is below stays so, rounded up. */
static int check_places(struct pass *p)
{
	struct image *img = p->img;
	uint64_t at = align_up(img->data_start, IMAGE2_ALIGN);

	for (uint32_t i = 0; i < img->file_count; i++) {
		const struct image_file *f = &img->file[i];
		uint64_t off = img->table + (uint64_t)i * IMAGE2_HDR_LEN;

		if (f->offset != at)
			return image_fail(p->err, IMG_ERR_FILE_PLACE, off,
					  "file %" PRIu32 " at 0x%" PRIx64 ", it belongs at 0x%" PRIx64, i, f->offset,
					  at);
		if (!span_ok(at, f->size, img->data_end))
			return image_fail(p->err, IMG_ERR_FILE_SPAN, off + 8,
					  "file %" PRIu32 ": %" PRIu64 " bytes at 0x%" PRIx64
					  ", data ends at 0x%" PRIx64, i, f->size, at, img->data_end);
		at = align_up(at + f->size, IMAGE2_ALIGN);
	}
	if (at != img->data_end)
		return image_fail(p->err, IMG_ERR_SEAL_PLACE, OFF_SEAL, "0x%" PRIx64 ", it belongs at 0x%" PRIx64,
				  img->data_end, at);
	return 0;
}

static int read_table(struct pass *p)
{
	for (uint32_t i = 0; i < p->img->file_count; i++) {
		if (read_entry(p, i))
			return -1;
	}
	place_lists(p->img);
	return check_places(p);
}

/* ------------------------------------------------------------------ seal */

static int check_size(struct pass *p, uint64_t count)
{
	uint64_t seal = p->img->data_end, end = seal + IMAGE2_SEAL_LEN + count * IMAGE2_SIG_LEN;

	if (count > IMAGE2_MAX_SIGNATURES)
		return image_fail(p->err, IMG_ERR_SIG_COUNT, seal + 40, "%" PRIu64 ", at most %d", count,
				  IMAGE2_MAX_SIGNATURES);
	if (p->src->size < end)
		return image_fail(p->err, IMG_ERR_SEAL_LEN, seal + 40,
				  "%" PRIu64 " signatures end at 0x%" PRIx64 ", the image at 0x%" PRIx64, count, end,
				  p->src->size);
	if (p->src->size > end)
		return image_fail(p->err, IMG_ERR_AFTER_SEAL, end, "%" PRIu64, p->src->size - end);
	p->img->signature_count = (uint32_t)count;
	return 0;
}

static int read_signature(struct pass *p, uint32_t i)
{
	uint64_t off = p->img->data_end + IMAGE2_SEAL_LEN + (uint64_t)i * IMAGE2_SIG_LEN;
	struct image_signature *s = &p->img->signature[i];
	uint8_t buf[IMAGE2_SIG_LEN];

	if (source_copy(p->src, off, buf, sizeof(buf), p->err))
		return -1;
	if (le64(buf) != IMAGE2_SIG_P256)
		return image_fail(p->err, IMG_ERR_SIG_KIND, off, "%" PRIu64 ", known is %d", le64(buf),
				  IMAGE2_SIG_P256);
	if (zeros(p, buf + 8, 24, off + 8, IMG_ERR_RESERVED))
		return -1;
	memcpy(s->key_id, buf + 32, SHA256_LEN);
	memcpy(s->sig, buf + 64, P256_SIG_LEN);
	if (!ecdsa_p256_canonical(s->sig))
		return image_fail(p->err, IMG_ERR_SIG_FORM, off + 64, "signature %" PRIu32, i);
	if (i && memcmp(p->img->signature[i - 1].key_id, s->key_id, SHA256_LEN) >= 0)
		return image_fail(p->err, IMG_ERR_SIG_ORDER, off + 32, "signature %" PRIu32, i);
	return 0;
}

static int read_seal(struct pass *p)
{
	uint8_t buf[IMAGE2_SEAL_LEN], digest[SHA256_LEN];
	uint64_t off = p->img->data_end;

	if (source_copy(p->src, off, buf, sizeof(buf), p->err))
		return -1;
	if (memcmp(buf, IMAGE2_SEAL_COOKIE, IMAGE2_SEAL_COOKIE_LEN))
		return image_fail(p->err, IMG_ERR_SEAL_COOKIE, off, "%s", "");
	sha256_final(&p->hash, digest);
	if (!digest_equal(digest, buf + 8))
		return image_fail(p->err, IMG_ERR_MANIFEST, off + 8, "%s", "");
	memcpy(p->img->digest, digest, SHA256_LEN);
	if (zeros(p, buf + 48, 16, off + 48, IMG_ERR_RESERVED) || check_size(p, le64(buf + 40)))
		return -1;
	for (uint32_t i = 0; i < p->img->signature_count; i++) {
		if (read_signature(p, i))
			return -1;
	}
	return 0;
}

static int image2_read(struct image *img, const struct image_source *src, char *xml_buf, struct image_error *err)
{
	struct pass p = { .img = img, .src = src, .err = err };

	sha256_init(&p.hash);
	if (read_header(&p) || read_xml(&p, xml_buf) || read_table(&p))
		return -1;
	return read_seal(&p);
}

int image_read_any(struct image *img, const struct image_source *src, char *xml_buf, struct image_error *err)
{
	if (image_read_version(img, src, err))
		return -1;
	if (img->version < 2)
		return image1_read(img, src, xml_buf, err);
	if (img->version == 2)
		return image2_read(img, src, xml_buf, err);
	return image_fail(err, IMG_ERR_VERSION, IMAGE_COOKIE_LEN, "version %" PRIu32 ", known are 0 to 2",
			  img->version);
}
