/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-16 with a byte order mark to UTF-8. Nothing else is recognised. */
#ifndef VOUCH_TOOLS_UTF16_H
#define VOUCH_TOOLS_UTF16_H

#include "common/bytes.h"

/* True if text starts with a byte order mark of UTF-16, either order. */
bool utf16_has_mark(const struct bytes *text);

/* Appends the text behind the mark to out. False: *bad is the offset of a cut or unpaired code unit. */
bool utf16_decode(const struct bytes *text, struct bytes *out, size_t *bad);

#endif
