/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes bytes of unknown origin safe to print: a terminal must never obey a guest, an image or a manifest. */
#include <vouch/log.h>

#include <string.h>

#define CUT_MARK "..."

static bool is_plain(char c)
{
	return c >= 0x20 && c <= 0x7e && c != '\\';
}

static size_t escape_byte(char out[4], char c)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char b = (unsigned char)c;

	if (is_plain(c)) {
		out[0] = c;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = hex[b >> 4];
	out[3] = hex[b & 15];
	return 4;
}

/* What does not fit is cut at the end of a whole character, early enough for the mark. */
char *log_escape(char *dst, size_t size, const char *src, size_t len)
{
	size_t at = 0, cut = 0, mark = sizeof(CUT_MARK) - 1;

	if (!size)
		return dst;
	for (size_t i = 0; i < len && src[i]; i++) {
		char out[4];
		size_t n = escape_byte(out, src[i]);

		if (n >= size - at) {
			if (mark >= size)
				mark = size - 1;
			memcpy(dst + cut, CUT_MARK, mark);
			dst[cut + mark] = '\0';
			return dst;
		}
		memcpy(dst + at, out, n);
		at += n;
		if (at + mark < size)
			cut = at;
	}
	dst[at] = '\0';
	return dst;
}
