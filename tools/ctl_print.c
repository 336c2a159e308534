/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of the control port as columns and lists. It knows no command: what a row holds, the row says. */
#include "ctl_print.h"

#include "common/cli.h"

#include <stdlib.h>
#include <string.h>

/* Kinds of which an answer has one row: a line for each field. All others but "line" are tables. */
static const char *const lists[] = { "vouch", "info", "use", "memory" };

static bool is_list(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (strcmp(kind, lists[i]) == 0)
			return true;
	}
	return false;
}

/* The caller frees it. */
static char *text_of(const json_t *value)
{
	if (json_is_string(value))
		return cli_strdup(json_string_value(value));
	if (json_is_integer(value))
		return cli_asprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return cli_strdup(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "?");
}

static void print_list(json_t *row)
{
	const char *key;
	json_t *value;

	json_object_foreach(row, key, value) {
		char *text = text_of(value);

		cli_print(stdout, key);
		printf(":%*s", (int)(strlen(key) < 16 ? 17 - strlen(key) : 1), "");
		cli_print(stdout, text);
		putchar('\n');
		free(text);
	}
}

static size_t width_of(json_t *table, const char *key)
{
	size_t widest = strlen(key), i;
	json_t *row;

	json_array_foreach(table, i, row) {
		char *text = text_of(json_object_get(row, key));

		widest = strlen(text) > widest ? strlen(text) : widest;
		free(text);
	}
	return widest;
}

/* One column's cell: numbers to the right, text to the left, nothing behind the last. */
static void print_cell(const char *text, size_t width, bool number, bool first, bool last)
{
	int pad = strlen(text) < width ? (int)(width - strlen(text)) : 0;

	printf("%s%*s", first ? "" : "  ", number ? pad : 0, "");
	cli_print(stdout, text);
	if (!number && !last)
		printf("%*s", pad, "");
}

static void print_line(json_t *table, json_t *row)
{
	json_t *head = json_array_get(table, 0), *value;
	size_t at = 0, count = json_object_size(head);
	const char *key;

	json_object_foreach(head, key, value) {
		char *text = row ? text_of(json_object_get(row, key)) : cli_strdup(key);

		print_cell(text, width_of(table, key), json_is_integer(value), at == 0, at + 1 == count);
		free(text);
		at++;
	}
	putchar('\n');
}

void ctl_print_end(struct ctl_print *p)
{
	if (!p->table)
		return;
	print_line(p->table, NULL);
	for (size_t i = 0; i < json_array_size(p->table); i++)
		print_line(p->table, json_array_get(p->table, i));
	json_decref(p->table);
	p->table = NULL;
}

void ctl_print_row(struct ctl_print *p, const char *kind, json_t *row)
{
	const char *text = json_string_value(json_object_get(row, "text"));

	if (strcmp(kind, "line") == 0 && text) {
		ctl_print_end(p);
		cli_print(stdout, text);
		putchar('\n');
	} else if (is_list(kind)) {
		ctl_print_end(p);
		print_list(row);
	} else {
		if (!p->table)
			p->table = json_array();
		json_array_append(p->table, row);
	}
}
