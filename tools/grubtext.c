/* SPDX-License-Identifier: BSD-2-Clause */
/* Text for GRUB's shell: quoting only. */
#include "grubtext.h"

#include "common/cli.h"

#include <string.h>

/* In single quotes GRUB's shell takes everything literally but the quote itself. */
void grubtext_add_quoted(struct bytes *b, const char *text, size_t len)
{
	bytes_add_text(b, "'");
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\'')
			bytes_add_text(b, "'\\''");
		else
			bytes_add(b, text + i, 1);
	}
	bytes_add_text(b, "'");
}

void grubtext_add_words(struct bytes *b, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (len > 0) {
			bytes_add_text(b, " ");
			grubtext_add_quoted(b, text, len);
		}
		text += len + (text[len] == ' ');
	}
}

bool grubtext_fits(const char *text)
{
	size_t left = strlen(text), len;

	if (left == 0)
		return false;
	for (; left > 0; text += len, left -= len) {
		len = cli_utf8_len(text, left);
		if (len == 0)
			return false;
	}
	return true;
}
