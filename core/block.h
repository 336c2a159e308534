/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for Vouch's own structures, in whole page blocks: zeroed when taken, scrubbed when given back. */
#ifndef CORE_BLOCK_H
#define CORE_BLOCK_H

#include <vouch/page.h>

/* Bytes that a block of so many has. */
size_t block_size(size_t bytes);
/* At least bytes, page aligned, zeroed; NULL when there is none. The block belongs to the caller. */
void *block_get(struct page_alloc *pages, size_t bytes);
/* bytes as it was asked for; p may be NULL. */
void block_put(struct page_alloc *pages, void *p, size_t bytes);

#endif
