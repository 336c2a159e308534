/* SPDX-License-Identifier: BSD-2-Clause */
/* Little-endian fields at any byte of a private copy. The caller has bounded them. */
#ifndef LOADER_LE_H
#define LOADER_LE_H

#include <stdint.h>
#include <string.h>

static inline uint16_t le16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif
