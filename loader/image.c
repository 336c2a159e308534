/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The v3vee container, versions 0 and 1, and what all versions share: copies header, XML and file table out of the
 * source, each byte once, and bounds every number in that copy. Does not look into the XML (manifest.c) and hashes
 * nothing (verify.c).
 */
#include "image_read.h"

#include "le.h"

#include <inttypes.h>
#include <string.h>

#define GAP_CHUNK 512u

int source_copy(const struct image_source *src, uint64_t off, void *dst, size_t len, struct image_error *err)
{
	if (!len)
		return 0;
	if (src->copy(src->ctx, off, dst, len))
		return image_fail(err, IMG_ERR_READ, off, "%u bytes", (unsigned int)len);
	return 0;
}

size_t first_nonzero(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && !p[i])
		i++;
	return i;
}

int image_read_version(struct image *img, const struct image_source *src, struct image_error *err)
{
	uint8_t head[IMAGE_COOKIE_LEN + IMAGE_VERSION_LEN];

	memset(img, 0, sizeof(*img));
	memset(err, 0, sizeof(*err));
	if (src->size < IMAGE_FIXED_LEN)
		return image_fail(err, IMG_ERR_TRUNCATED, src->size, "%" PRIu64 " bytes where %u are the least",
				  src->size, (unsigned int)IMAGE_FIXED_LEN);
	if (source_copy(src, 0, head, sizeof(head), err))
		return -1;
	if (memcmp(head, IMAGE_COOKIE, IMAGE_COOKIE_LEN))
		return image_fail(err, IMG_ERR_COOKIE, 0, "it does not start with \"" IMAGE_COOKIE "\"");
	img->version = (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
	return 0;
}

int image_copy_xml(struct image *img, const struct image_source *src, char *xml_buf, struct image_error *err)
{
	const char *nul;

	if (source_copy(src, img->xml_offset, xml_buf, img->xml_len, err))
		return -1;
	xml_buf[img->xml_len] = '\0';
	img->xml = xml_buf;
	nul = memchr(xml_buf, 0, img->xml_len);
	if (nul)
		return image_fail(err, IMG_ERR_XML_NUL, img->xml_offset + (uint64_t)(nul - xml_buf), "%s", "");
	return 0;
}

static int read_xml(struct image *img, const struct image_source *src, char *xml_buf, struct image_error *err)
{
	uint8_t len[IMAGE_FIXED_LEN - IMAGE_COOKIE_LEN - IMAGE_VERSION_LEN];

	if (source_copy(src, IMAGE_FIXED_LEN - sizeof(len), len, sizeof(len), err))
		return -1;
	img->xml_len = le32(len);
	img->xml_offset = IMAGE_FIXED_LEN;
	if (!span_ok(IMAGE_FIXED_LEN, (uint64_t)img->xml_len + IMAGE_PAD_LEN + IMAGE_COUNT_LEN, src->size))
		return image_fail(err, IMG_ERR_XML_LEN, 8, "%" PRIu32 " bytes of XML in an image of %" PRIu64,
				  img->xml_len, src->size);
	if (img->xml_len > IMAGE_MAX_XML)
		return image_fail(err, IMG_ERR_XML_TOO_LONG, 8, "%" PRIu32 " bytes, at most %u", img->xml_len,
				  IMAGE_MAX_XML);
	return image_copy_xml(img, src, xml_buf, err);
}

/* The zeros after the XML and the count of files. */
static int read_count(struct image *img, const struct image_source *src, struct image_error *err)
{
	uint64_t off = IMAGE_FIXED_LEN + (uint64_t)img->xml_len;
	uint64_t count, table;
	uint8_t buf[IMAGE_PAD_LEN + IMAGE_COUNT_LEN];
	size_t bad;

	if (source_copy(src, off, buf, sizeof(buf), err))
		return -1;
	if (buf[0])
		return image_fail(err, IMG_ERR_XML_END, off, "byte 0x%02x where its NUL should be", buf[0]);
	bad = first_nonzero(buf, IMAGE_PAD_LEN);
	if (bad < IMAGE_PAD_LEN)
		return image_fail(err, IMG_ERR_PAD_XML, off + bad, "byte 0x%02x", buf[bad]);
	off += IMAGE_PAD_LEN;
	count = le64(buf + IMAGE_PAD_LEN);
	if (count > IMAGE_MAX_FILES)
		return image_fail(err, IMG_ERR_FILE_COUNT, off, "%" PRIu64 ", at most %u", count,
				  (unsigned int)IMAGE_MAX_FILES);
	img->header_len = img->version ? IMAGE_HDR_LEN_V1 : IMAGE_HDR_LEN_V0;
	table = count * img->header_len + IMAGE_PAD_LEN;
	off += IMAGE_COUNT_LEN;
	if (!span_ok(off, table, src->size))
		return image_fail(err, IMG_ERR_TABLE_LEN, off, "%" PRIu64 " files need %" PRIu64 " bytes, %" PRIu64
				  " are left", count, table, src->size - off);
	img->file_count = (uint32_t)count;
	img->table = off;
	img->data_start = off + table;
	img->data_end = src->size;
	return 0;
}

static int check_header(const struct image *img, uint32_t i, uint64_t hdr_off, uint64_t size, struct image_error *err)
{
	const struct image_file *f = &img->file[i];

	if (f->index != i)
		return image_fail(err, IMG_ERR_HDR_INDEX, hdr_off, "header %" PRIu32 " says %" PRIu32, i, f->index);
	if (f->offset < img->data_start)
		return image_fail(err, IMG_ERR_FILE_IN_HEAD, hdr_off + 8, "file %" PRIu32 " at 0x%" PRIx64
				  ", data starts at 0x%" PRIx64, i, f->offset, img->data_start);
	if (!span_ok(f->offset, f->size, size))
		return image_fail(err, IMG_ERR_FILE_SPAN, hdr_off + 4,
				  "file %" PRIu32 ": %" PRIu64 " bytes at 0x%" PRIx64
				  ", the image has %" PRIu64, i, f->size, f->offset, size);
	return 0;
}

static int read_table(struct image *img, const struct image_source *src, struct image_error *err)
{
	uint64_t off = img->table;
	uint8_t buf[IMAGE_HDR_LEN_V1];
	size_t bad;

	for (uint32_t i = 0; i < img->file_count; i++, off += img->header_len) {
		struct image_file *f = &img->file[i];

		if (source_copy(src, off, buf, img->header_len, err))
			return -1;
		memset(f, 0, sizeof(*f));
		f->index = le32(buf);
		f->size = le32(buf + 4);
		f->offset = le64(buf + 8);
		f->hash = img->version ? le64(buf + 16) : 0;
		if (check_header(img, i, off, src->size, err))
			return -1;
	}
	if (source_copy(src, off, buf, IMAGE_PAD_LEN, err))
		return -1;
	bad = first_nonzero(buf, IMAGE_PAD_LEN);
	if (bad < IMAGE_PAD_LEN)
		return image_fail(err, IMG_ERR_PAD_TABLE, off + bad, "byte 0x%02x", buf[bad]);
	return 0;
}

/* At most IMAGE_MAX_FILES squared steps; every span was bounded, so none wraps. */
static int check_overlap(const struct image *img, struct image_error *err)
{
	for (uint32_t i = 0; i < img->file_count; i++) {
		const struct image_file *a = &img->file[i];

		for (uint32_t k = 0; k < i; k++) {
			const struct image_file *b = &img->file[k];

			if (span_overlap(a->offset, a->size, b->offset, b->size))
				return image_fail(err, IMG_ERR_FILE_OVERLAP, max_u64(a->offset, b->offset),
						  "files %" PRIu32 " and %" PRIu32, k, i);
		}
	}
	return 0;
}

int image1_read(struct image *img, const struct image_source *src, char *xml_buf, struct image_error *err)
{
	if (read_xml(img, src, xml_buf, err) || read_count(img, src, err) ||
	    read_table(img, src, err))
		return -1;
	return check_overlap(img, err);
}

int image_check_whole(const struct image *img, const struct image_source *src, struct image_error *err)
{
	memset(err, 0, sizeof(*err));
	if (img->version >= 2 || src->size <= IMAGE_MAX_WHOLE)
		return 0;
	return image_fail(err, IMG_ERR_WHOLE, IMAGE_MAX_WHOLE, "it has %" PRIu64 " bytes; 'vouch convert' makes it version 2",
			  src->size);
}

static int check_zero(const struct image_source *src, uint64_t from, uint64_t to, enum image_err code,
		      struct image_error *err)
{
	uint8_t buf[GAP_CHUNK];

	while (from < to) {
		size_t n = (size_t)min_u64(to - from, sizeof(buf));
		size_t bad;

		if (source_copy(src, from, buf, n, err))
			return -1;
		bad = first_nonzero(buf, n);
		if (bad < n)
			return image_fail(err, code, from + bad, "byte 0x%02x", buf[bad]);
		from += n;
	}
	return 0;
}

/* The file with data whose start is the lowest at or after off, or NULL. */
static const struct image_file *next_file(const struct image *img, uint64_t off)
{
	const struct image_file *next = NULL;

	for (uint32_t i = 0; i < img->file_count; i++) {
		const struct image_file *f = &img->file[i];

		if (f->size && f->offset >= off && (!next || f->offset < next->offset))
			next = f;
	}
	return next;
}

int image_check_gaps(const struct image *img, const struct image_source *src, struct image_error *err)
{
	uint64_t off = img->data_start;
	const struct image_file *f;

	memset(err, 0, sizeof(*err));
	while ((f = next_file(img, off))) {
		if (check_zero(src, off, f->offset, IMG_ERR_GAP, err))
			return -1;
		off = f->offset + f->size;
	}
	return check_zero(src, off, img->data_end, IMG_ERR_TRAILING, err);
}
