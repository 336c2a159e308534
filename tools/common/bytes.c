/* SPDX-License-Identifier: BSD-2-Clause */
/* The growing byte buffer. */
#include "bytes.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

static void grow(struct bytes *b, size_t want)
{
	size_t size = b->size ? b->size : 256;
	char *data;

	while (size < want)
		size *= 2;
	data = realloc(b->data, size);
	if (!data) {
		cli_error("out of memory");
		exit(CLI_ENV);
	}
	b->data = data;
	b->size = size;
}

void bytes_add(struct bytes *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (len > b->size - b->len)
		grow(b, b->len + len);
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void bytes_add_text(struct bytes *b, const char *text)
{
	bytes_add(b, text, strlen(text));
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){ 0 };
}
