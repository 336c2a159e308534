/* SPDX-License-Identifier: BSD-2-Clause */
/* Devicetree Specification 0.3, "Flattened Devicetree (DTB) Format" (5): version 17 of it. */
#include "tests/unit/support/tree.h"

#include <string.h>

enum { FDT_NODE = 1, FDT_NODE_END = 2, FDT_PROPERTY = 3, FDT_TREE_END = 9 };
#define HEAD_LEN 40
#define RESERVED_LEN 16

void tree_set(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_word(struct tree_writer *w, uint32_t value)
{
	tree_set(w->structure + w->structure_len, value);
	w->structure_len += 4;
}

static void put_padded(struct tree_writer *w, const void *data, size_t len)
{
	memcpy(w->structure + w->structure_len, data, len);
	memset(w->structure + w->structure_len + len, 0, -len & 3);
	w->structure_len += (len + 3) & ~3ul;
}

void tree_start(struct tree_writer *w)
{
	w->structure_len = w->strings_len = 0;
}

void tree_open_node(struct tree_writer *w, const char *name)
{
	put_word(w, FDT_NODE);
	put_padded(w, name, strlen(name) + 1);
}

void tree_close_node(struct tree_writer *w)
{
	put_word(w, FDT_NODE_END);
}

void tree_put(struct tree_writer *w, const char *name, const void *value, size_t len)
{
	size_t name_len = strlen(name) + 1;

	put_word(w, FDT_PROPERTY);
	put_word(w, (uint32_t)len);
	put_word(w, (uint32_t)w->strings_len);
	if (len)
		put_padded(w, value, len);
	memcpy(w->strings + w->strings_len, name, name_len);
	w->strings_len += name_len;
}

void tree_put_text(struct tree_writer *w, const char *name, const char *text)
{
	tree_put(w, name, text, strlen(text) + 1);
}

void tree_put_cell(struct tree_writer *w, const char *name, uint32_t cell)
{
	uint8_t value[4];

	tree_set(value, cell);
	tree_put(w, name, value, sizeof(value));
}

size_t tree_finish(struct tree_writer *w)
{
	size_t structure = HEAD_LEN + RESERVED_LEN, strings, total;
	uint32_t head[HEAD_LEN / 4] = { 0 };

	put_word(w, FDT_TREE_END);
	strings = structure + w->structure_len;
	total = strings + w->strings_len;
	memset(w->blob, 0, structure);
	memcpy(w->blob + structure, w->structure, w->structure_len);
	memcpy(w->blob + strings, w->strings, w->strings_len);
	head[0] = 0xd00dfeed;
	head[1] = (uint32_t)total;
	head[2] = (uint32_t)structure;
	head[3] = (uint32_t)strings;
	head[4] = HEAD_LEN;
	head[5] = 17;
	head[6] = 16;
	head[8] = (uint32_t)w->strings_len;
	head[9] = (uint32_t)w->structure_len;
	for (size_t i = 0; i < HEAD_LEN / 4; i++)
		tree_set(w->blob + 4 * i, head[i]);
	return total;
}
