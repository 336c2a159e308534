/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes version 2 images in memory by the words of docs/image-format.md, without the loader's reader: see image2.c. */
#ifndef TEST_SUPPORT_IMAGE2_H
#define TEST_SUPPORT_IMAGE2_H

#include "tests/unit/support/image.h"

#include "tools/key.h"

/* What goes into an image. */
struct test_image2 {
	const char *xml;
	unsigned int count;
	struct { const void *data; size_t len; } file[8];
	uint64_t security;
	unsigned int keys;
	struct key *key[4];           /* who signs; in any order */
};

/* Where its parts are. */
struct test_layout {
	size_t table, lists, data, seal;      /* lists: end of the table; data: of the first file */
	size_t file[8];
};

void test_image2_make(struct test_image *t, const struct test_image2 *spec, struct test_layout *at);

/* Computes the manifest digest anew after a change, so that what lies behind that check is reached. */
void test_image2_seal(struct test_image *t, const struct test_layout *at);

#endif
