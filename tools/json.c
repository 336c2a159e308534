/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes JSON to stdout. */
#include "json.h"

#include "common/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes that are no valid UTF-8 become U+FFFD, so that the result always is. */
static void put_quoted(const char *text)
{
	size_t left = strlen(text);

	putchar('"');
	while (left > 0) {
		size_t len = cli_utf8_len(text, left);

		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if (len > 0)
			fwrite(text, 1, len, stdout);
		else if ((unsigned char)*text < 0x80)
			printf("\\u%04x", (unsigned char)*text);
		else
			fputs("\\ufffd", stdout);
		len += len == 0;
		text += len;
		left -= len;
	}
	putchar('"');
}

static void new_line(const struct json *j)
{
	printf("\n%*s", (int)(2 * j->depth), "");
}

static void begin_member(struct json *j, const char *key)
{
	if (j->started)
		putchar(',');
	if (j->depth > 0)
		new_line(j);
	j->started = true;
	if (!key)
		return;
	put_quoted(key);
	fputs(": ", stdout);
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin_member(j, key);
	putchar(bracket);
	j->depth++;
	j->started = false;
}

void json_close(struct json *j, char bracket)
{
	j->depth--;
	if (j->started)
		new_line(j);
	putchar(bracket);
	j->started = true;
	if (j->depth == 0)
		putchar('\n');
}

void json_string(struct json *j, const char *key, const char *text)
{
	begin_member(j, key);
	if (text)
		put_quoted(text);
	else
		fputs("null", stdout);
}

void json_number(struct json *j, const char *key, uint64_t value)
{
	begin_member(j, key);
	printf("%" PRIu64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin_member(j, key);
	fputs(value ? "true" : "false", stdout);
}
