/* SPDX-License-Identifier: BSD-2-Clause */
/* Host memory that stands for a machine's RAM at DIRECT_MAP_BASE, given to a page allocator. */
#ifndef SUPPORT_HOSTRAM_H
#define SUPPORT_HOSTRAM_H

#include <vouch/page.h>

/* Zeroed memory of so many bytes at DIRECT_MAP_BASE, whatever was there. */
void hostram_map(uint64_t bytes);
/* Maps bytes of it (a multiple of 2 MiB) and gives [2 MiB, bytes) to p. Called again: a fresh allocator, zeroed RAM. */
void hostram_init(struct page_alloc *p, uint64_t bytes);
/* Frames that p does not have: 0 when everything came back. */
uint64_t hostram_missing(const struct page_alloc *p);

#endif
