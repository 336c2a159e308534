/* SPDX-License-Identifier: BSD-2-Clause */
/* Host memory that stands for a machine's RAM: mapped without reserve, so that gigabytes cost nothing until touched. */
#include "tests/unit/support/hostram.h"

#include <stdlib.h>
#include <sys/mman.h>

static uint8_t *state;

void hostram_map(uint64_t bytes)
{
	void *at = mmap((void *)(uintptr_t)DIRECT_MAP_BASE, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (at == MAP_FAILED)
		abort();
}

void hostram_init(struct page_alloc *p, uint64_t bytes)
{
	hostram_map(bytes);
	free(state);
	state = calloc(bytes >> PAGE_SHIFT, 1);
	if (!state)
		abort();
	page_alloc_init(p, state, bytes >> PAGE_SHIFT);
	page_add(p, hpa(SIZE_2M), bytes - SIZE_2M);
}

uint64_t hostram_missing(const struct page_alloc *p)
{
	return p->total_frames - p->free_frames;
}
