/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's memory, in the largest blocks that alignment and the host allow, kept in a list so that it can be returned. */
#include "core/ram.h"

#include <errno.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/platform.h>

#include "arch/x86/mm/nested.h"

struct ram_block {
	hpa_t base;
	uint64_t order;
};

#define BLOCKS_A_PAGE ((PAGE_SIZE - 2 * sizeof(uint64_t)) / sizeof(struct ram_block))

struct ram_list {
	struct ram_list *next;
	uint64_t count;
	struct ram_block block[BLOCKS_A_PAGE];
};
_Static_assert(sizeof(struct ram_list) <= PAGE_SIZE, "one page of the list");

static int remember(struct vm *vm, hpa_t base, unsigned int order)
{
	struct ram_list *l = vm->ram;
	hpa_t page;

	if (!l || l->count == BLOCKS_A_PAGE) {
		if (!page_get_zeroed(&vm->host->pages, PAGE_ORDER_4K, &page))
			return -ENOMEM;
		l = hpa_to_ptr(page);
		l->next = vm->ram;
		vm->ram = l;
	}
	l->block[l->count++] = (struct ram_block){ base, order };
	return 0;
}

/* Takes one zeroed block that vm owns from now on. */
static int take(struct vm *vm, unsigned int order, hpa_t *base)
{
	uint64_t t0 = host_tsc();
	int err;

	if (!page_get_zeroed(&vm->host->pages, order, base))
		return -ENOMEM;
	vm->timing.zero += host_tsc() - t0;
	err = remember(vm, *base, order);
	if (err)
		page_put(&vm->host->pages, *base, order);
	return err;
}

/* Maps [g, end) from blocks as large as fit, smaller ones when the host has none of a size. */
static int fill(struct vm *vm, uint64_t g, uint64_t end)
{
	while (g < end) {
		unsigned int order = PAGE_ORDER_1G;
		hpa_t base;
		int err;

		while ((g & ((PAGE_SIZE << order) - 1)) || end - g < (PAGE_SIZE << order))
			order--;
		while ((err = take(vm, order, &base)) && order > 0)
			order = order > PAGE_ORDER_2M ? PAGE_ORDER_2M : 0;
		if (err)
			return err;
		err = nested_map(vm->nested, gpa(g), base, PAGE_SIZE << order, NESTED_RWX);
		if (err)
			return err;
		g += PAGE_SIZE << order;
	}
	return 0;
}

/*
 * The first 2 MiB: RAM, hole, read-only window for tables, RAM, all in one block. No card has a ROM, but what looks for
 * them reads word by word: memory that holds ones saves an exit each.
 */
static int fill_first(struct vm *vm, uint64_t end)
{
	hpa_t base;
	int err = take(vm, PAGE_ORDER_2M, &base);

	if (err)
		return err;
	memset(hpa_to_ptr(hpa_add(base, GPA_NO_ROM_BASE)), 0xff, GPA_ROM_BASE - GPA_NO_ROM_BASE);
	err = nested_map(vm->nested, gpa(0), base, GPA_LOW_RAM_END, NESTED_RWX);
	if (!err)
		err = nested_map(vm->nested, gpa(GPA_NO_ROM_BASE), hpa_add(base, GPA_NO_ROM_BASE),
				 GPA_HIGH_RAM - GPA_NO_ROM_BASE, NESTED_RX);
	if (!err && end > GPA_HIGH_RAM)
		err = nested_map(vm->nested, gpa(GPA_HIGH_RAM), hpa_add(base, GPA_HIGH_RAM),
				 min_u64(end, SIZE_2M) - GPA_HIGH_RAM, NESTED_RWX);
	return err;
}

int ram_create(struct vm *vm, uint64_t bytes)
{
	uint64_t low = ram_low_end(bytes);
	int err = fill_first(vm, low);

	if (!err && low > SIZE_2M)
		err = fill(vm, SIZE_2M, low);
	if (!err)
		err = fill(vm, GPA_4G, GPA_4G + ram_high_bytes(bytes));
	if (err)
		ram_destroy(vm);
	else
		vm->ram_bytes = bytes;
	return err;
}

void ram_destroy(struct vm *vm)
{
	struct page_alloc *pages = &vm->host->pages;

	while (vm->ram) {
		struct ram_list *l = vm->ram;

		for (uint64_t i = 0; i < l->count; i++) {
			page_scrub(l->block[i].base, (unsigned int)l->block[i].order);
			page_put(pages, l->block[i].base, (unsigned int)l->block[i].order);
		}
		vm->ram = l->next;
		page_put(pages, ptr_to_hpa(l), PAGE_ORDER_4K);
	}
	vm->ram_bytes = 0;
}
