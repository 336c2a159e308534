/* SPDX-License-Identifier: BSD-2-Clause */
/* A growing byte buffer. Zero it to start; running out of memory ends the program (cli_alloc's rule). */
#ifndef VOUCH_TOOLS_BYTES_H
#define VOUCH_TOOLS_BYTES_H

#include <vouch/types.h>

struct bytes {
	char *data;                   /* NULL while empty; not terminated */
	size_t len, size;
};

void bytes_add(struct bytes *b, const void *data, size_t len);
void bytes_add_text(struct bytes *b, const char *text);
void bytes_free(struct bytes *b);

#endif
