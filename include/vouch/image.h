/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On-disk format of a v3vee guest image, versions 0 and 1 (docs/image-format.md). All integers little-endian,
 * nothing aligned: every field is read with memcpy. Only the layout stands here; the parser is image_parse.h.
 */
#ifndef VOUCH_IMAGE_H
#define VOUCH_IMAGE_H

#include <stdint.h>

#define IMAGE_COOKIE      "v3vee"   /* 5 bytes, then a 3-byte big-endian version */
#define IMAGE_COOKIE_LEN  5
#define IMAGE_FIXED_LEN   12        /* cookie, version, u32 xml_len */
#define IMAGE_PAD_LEN     8         /* zeros after the XML, and again after the table */
#define IMAGE_COUNT_LEN   8         /* u64 num_files */
#define IMAGE_HDR_LEN_V0  16        /* u32 index, u32 size, u64 offset */
#define IMAGE_HDR_LEN_V1  24        /* the same and u64 hash */
#define IMAGE_MAX_FILES   256
#define IMAGE_MAX_ID      255
#define IMAGE_MAX_XML     (1u << 20) /* Vouch's own bound; Palacios has none */

#endif
