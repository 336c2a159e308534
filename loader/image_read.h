/* SPDX-License-Identifier: BSD-2-Clause */
/* What the readers of the image's versions share (image.c, image2.c). All: 0, or -1 with *err. */
#ifndef LOADER_IMAGE_READ_H
#define LOADER_IMAGE_READ_H

#include <vouch/image_parse.h>

#include "error.h"

/* Copies a range that was bounded; nothing for a length of 0. */
int source_copy(const struct image_source *src, uint64_t off, void *dst, size_t len, struct image_error *err);

/* The offset of the first byte that is not zero, or len. */
size_t first_nonzero(const uint8_t *p, size_t len);

/* Clears *img and *err, reads cookie and version. At least IMAGE_FIXED_LEN bytes are there. */
int image_read_version(struct image *img, const struct image_source *src, struct image_error *err);

/* Copies the XML, which was bounded (xml_offset, xml_len), and refuses a NUL in it. */
int image_copy_xml(struct image *img, const struct image_source *src, char *xml_buf, struct image_error *err);

/* Versions 0 and 1, from behind the version on. */
int image1_read(struct image *img, const struct image_source *src, char *xml_buf, struct image_error *err);

#endif
