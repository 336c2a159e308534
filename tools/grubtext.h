/* SPDX-License-Identifier: BSD-2-Clause */
/* Text for GRUB's shell: quoting only. It knows no commands. */
#ifndef VOUCH_TOOLS_GRUBTEXT_H
#define VOUCH_TOOLS_GRUBTEXT_H

#include "common/bytes.h"

/* One word, taken as it is. text must be grubtext_fits(): a quote is no shelter for a line end. */
void grubtext_add_quoted(struct bytes *b, const char *text, size_t len);

/* Each word of text (they are separated by blanks) with a blank before it. */
void grubtext_add_words(struct bytes *b, const char *text);

/* Not empty, valid UTF-8, no control characters. */
bool grubtext_fits(const char *text);

#endif
