/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-16 with a byte order mark to UTF-8. */
#include "utf16.h"

static uint32_t unit(const struct bytes *text, size_t at, bool big)
{
	uint32_t a = (unsigned char)text->data[at];
	uint32_t b = (unsigned char)text->data[at + 1];

	return big ? a << 8 | b : b << 8 | a;
}

bool utf16_has_mark(const struct bytes *text)
{
	return text->len >= 2 && (unit(text, 0, false) == 0xfeff || unit(text, 0, true) == 0xfeff);
}

static void add_utf8(struct bytes *out, uint32_t c)
{
	unsigned char u[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		u[i] = (unsigned char)(0x80 | (c & 0x3f));
	u[0] = (unsigned char)(lead[n] | c);
	bytes_add(out, u, n);
}

bool utf16_decode(const struct bytes *text, struct bytes *out, size_t *bad)
{
	bool big = unit(text, 0, true) == 0xfeff;

	for (size_t at = 2; at < text->len; at += 2) {
		uint32_t c, low = 0;

		*bad = at;
		if (text->len - at < 2)
			return false;
		c = unit(text, at, big);
		if (c >= 0xd800 && c < 0xdc00 && text->len - at >= 4)
			low = unit(text, at + 2, big);
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			at += 2;
		} else if (c >= 0xd800 && c < 0xe000) {
			return false;
		}
		add_utf8(out, c);
	}
	return true;
}
