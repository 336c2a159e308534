/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes JSON to stdout: indented, commas in place, strings escaped. */
#ifndef VOUCH_TOOLS_JSON_H
#define VOUCH_TOOLS_JSON_H

#include <vouch/types.h>

struct json {
	unsigned int depth;
	bool started;                 /* the innermost object or array has a member */
};

/* key is NULL in arrays and at the top. bracket: '{' or '['. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *text);   /* NULL text: null */
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);

#endif
