/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes flattened device trees for tests, wrong ones too: it checks nothing and knows no library. */
#ifndef SUPPORT_TREE_H
#define SUPPORT_TREE_H

#include <stddef.h>
#include <stdint.h>

struct tree_writer {
	_Alignas(8) uint8_t blob[1 << 17];
	uint8_t structure[1 << 16];
	char strings[2048];
	size_t structure_len, strings_len;
};

void tree_start(struct tree_writer *w);
void tree_open_node(struct tree_writer *w, const char *name);
void tree_close_node(struct tree_writer *w);
void tree_put(struct tree_writer *w, const char *name, const void *value, size_t len);
void tree_put_text(struct tree_writer *w, const char *name, const char *text);
void tree_put_cell(struct tree_writer *w, const char *name, uint32_t cell);
/* The tree is in w->blob; its size. */
size_t tree_finish(struct tree_writer *w);
/* Big-endian, at any place of the blob or the structure. */
void tree_set(uint8_t *at, uint32_t value);

#endif
