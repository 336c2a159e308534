/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rewrites a guest configuration the way Palacios' image builder does (docs/image-builder.md):
 * the result stands in the image. Also lists the files it names. Reads no file and knows no image layout.
 */
#ifndef VOUCH_TOOLS_XMLWRITE_H
#define VOUCH_TOOLS_XMLWRITE_H

#include "common/bytes.h"

#include <vouch/image.h>

struct xmlwrite_file {
	char *filename;               /* as written; relative to the working directory */
	char *id;                     /* 1..255 bytes, unique */
	unsigned long line;           /* of its element */
};

struct xmlwrite {
	struct bytes xml;             /* no terminator */
	bool has_pi;                  /* a processing instruction: no loader takes the image */
	uint32_t file_count;
	struct xmlwrite_file file[IMAGE_MAX_FILES];
	/* On failure: */
	unsigned long line, column;   /* from 1; column 0: unknown */
	char error[256];
};

/* Rewrites text. False: x->error, line and column say why. Free with xmlwrite_free() either way. */
bool xmlwrite_run(struct xmlwrite *x, const struct bytes *text);
void xmlwrite_free(struct xmlwrite *x);

#endif
