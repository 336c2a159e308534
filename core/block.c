/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for Vouch's own structures, over the page allocator. */
#include "core/block.h"

static unsigned int order_for(size_t bytes)
{
	unsigned int order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

size_t block_size(size_t bytes)
{
	return PAGE_SIZE << order_for(bytes);
}

void *block_get(struct page_alloc *pages, size_t bytes)
{
	unsigned int order = order_for(bytes);
	hpa_t at;

	if (order >= PAGE_ORDERS || !page_get_zeroed(pages, order, &at))
		return NULL;
	return hpa_to_ptr(at);
}

void block_put(struct page_alloc *pages, void *p, size_t bytes)
{
	if (!p)
		return;
	page_scrub(ptr_to_hpa(p), order_for(bytes));
	page_put(pages, ptr_to_hpa(p), order_for(bytes));
}
