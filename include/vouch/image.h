/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On-disk format of a v3vee guest image, versions 0 to 2 (docs/image-format.md). All integers little-endian; every
 * field is read with memcpy, as nothing is aligned in versions 0 and 1. The parser is image_parse.h.
 */
#ifndef VOUCH_IMAGE_H
#define VOUCH_IMAGE_H

#include <stdint.h>

#define IMAGE_COOKIE      "v3vee"   /* 5 bytes, then a 3-byte big-endian version */
#define IMAGE_COOKIE_LEN  5
#define IMAGE_VERSION_LEN 3
#define IMAGE_FIXED_LEN   12        /* cookie, version, u32 xml_len */
#define IMAGE_PAD_LEN     8         /* zeros after the XML, and again after the table */
#define IMAGE_COUNT_LEN   8         /* u64 num_files */
#define IMAGE_HDR_LEN_V0  16        /* u32 index, u32 size, u64 offset */
#define IMAGE_HDR_LEN_V1  24        /* the same and u64 hash */
#define IMAGE_MAX_FILES   256
#define IMAGE_MAX_ID      255
#define IMAGE_MAX_XML     (1u << 20) /* Vouch's own bound; Palacios has none */
#define IMAGE_MAX_WHOLE   (1ul << 30) /* bytes of an image of version 0 or 1: its digest needs a copy in one piece */

/* Version 2. */
#define IMAGE2_FIXED_LEN      64         /* cookie, version, u64 seal_offset, xml_len, num_files, security, zeros */
#define IMAGE2_XML_ALIGN      8          /* zeros follow the XML up to here */
#define IMAGE2_HDR_LEN        64         /* u64 offset, u64 size, 16 zeros, digest[32] */
#define IMAGE2_CHUNK          (2ul << 20) /* bytes of a file under one digest */
#define IMAGE2_ALIGN          4096ul     /* of each file's data and of the seal */
#define IMAGE2_SEAL_COOKIE    "v3seal\0\2"
#define IMAGE2_SEAL_COOKIE_LEN 8
#define IMAGE2_SEAL_LEN       64         /* cookie, digest[32], u64 num_signatures, 16 zeros */
#define IMAGE2_SIG_LEN        128        /* u64 kind, 24 zeros, key id[32], r[32], s[32] */
#define IMAGE2_SIG_P256       1          /* its kind: ECDSA, P-256, SHA-256 */
#define IMAGE2_MAX_SIGNATURES 16

#endif
