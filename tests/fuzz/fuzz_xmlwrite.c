/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XML writer of the image builders, given any bytes: what it writes it must take again, unchanged, and find the
 * same files in it.
 */
#include "tools/xmlwrite.h"

#include "tools/common/cli.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The builders' own end the program with a message when memory is short. */
void *cli_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		abort();
	return p;
}

char *cli_strdup(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(cli_alloc(len), s, len);
}

void cli_error(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_files(const struct xmlwrite *a, const struct xmlwrite *b)
{
	check(a->file_count == b->file_count);
	for (uint32_t i = 0; i < a->file_count; i++) {
		check(strcmp(a->file[i].id, b->file[i].id) == 0);
		check(strcmp(a->file[i].filename, b->file[i].filename) == 0);
		check(strlen(a->file[i].id) <= IMAGE_MAX_ID);
	}
}

static void write_again(const struct xmlwrite *first)
{
	static struct xmlwrite again;

	check(xmlwrite_run(&again, &first->xml));
	check(again.xml.len == first->xml.len && memcmp(again.xml.data, first->xml.data, first->xml.len) == 0);
	check(again.has_pi == first->has_pi);
	check_files(first, &again);
	xmlwrite_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xmlwrite x;
	struct bytes text = { 0 };

	bytes_add(&text, data, size);
	if (xmlwrite_run(&x, &text))
		write_again(&x);
	else
		check(x.error[0] != '\0');
	xmlwrite_free(&x);
	bytes_free(&text);
	return 0;
}
