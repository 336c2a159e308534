/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests' own mappings beside the identity map of entry.S. */
#include "guest.h"

#define POOL_PAGES 64

static u8 pool[POOL_PAGES][4096] __attribute__((aligned(4096)));
static unsigned int pool_used;

void *page_alloc(void)
{
	if (pool_used == POOL_PAGES) {
		report(false, "the page pool is large enough");
		finish();
	}
	return pool[pool_used++];
}

void tlb_flush(void)
{
	write_cr3(read_cr3());
}

void paging_user(bool on)
{
	unsigned int i;

	for (i = 0; i < 2048; i++)
		page_pd[i] = on ? page_pd[i] | PTE_U : page_pd[i] & ~PTE_U;
	tlb_flush();
}

static u64 *next_level(u64 *entry)
{
	if (!(*entry & PTE_P))
		*entry = (u64)page_alloc() | PTE_P | PTE_W | PTE_U;
	return (u64 *)(*entry & PTE_ADDR);
}

u64 *map_page(u64 va, u64 pa, u64 flags)
{
	u64 *t = next_level(&page_pml4[va >> 39 & 511]);

	t = next_level(&t[va >> 30 & 511]);
	t = next_level(&t[va >> 21 & 511]);
	t += va >> 12 & 511;
	*t = pa | flags;
	asm volatile("invlpg (%0)" :: "r"(va) : "memory");
	return t;
}

void map_large(u64 va, u64 pa, u64 flags)
{
	u64 *t = next_level(&page_pml4[va >> 39 & 511]);

	t = next_level(&t[va >> 30 & 511]);
	t[va >> 21 & 511] = pa | flags | PTE_PS;
	asm volatile("invlpg (%0)" :: "r"(va) : "memory");
}
