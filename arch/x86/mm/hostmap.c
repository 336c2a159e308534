/* SPDX-License-Identifier: BSD-2-Clause */
/* Host page tables as data. No register is touched here; when to flush what is paging.c's business. */
#include "hostmap.h"

#include "core/memory.h"

static unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static uint64_t *table_entry(hpa_t table, uint64_t va, unsigned int level)
{
	return (uint64_t *)hpa_to_ptr(table) + (va >> level_shift(level) & 511);
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || (level < 4 && entry & PTE_PS);
}

static bool leaf_fits(const struct hostmap *m, uint64_t va, uint64_t pa, uint64_t len, unsigned int level)
{
	uint64_t size = 1ull << level_shift(level);

	if (level > 3 || (level == 3 && !m->has_1g))
		return false;
	return !((va | pa) & (size - 1)) && len >= size;
}

/* The table below *e, made if there is none. False without memory. */
static bool table_below(const struct hostmap *m, uint64_t *e, hpa_t *out)
{
	if (!(*e & PTE_P)) {
		hpa_t t;

		if (!page_get_zeroed(m->pages, PAGE_ORDER_4K, &t))
			return false;
		*e = t.v | PTE_P | PTE_W;
	}
	*out = hpa(*e & PTE_ADDR);
	return true;
}

/* Maps what one leaf can at va; returns how far that leaf, or one that was there, reaches from va. 0 without memory. */
static uint64_t map_one(const struct hostmap *m, uint64_t va, uint64_t pa, uint64_t len, uint64_t flags)
{
	hpa_t table = m->root;
	unsigned int level;

	for (level = 4; ; level--) {
		uint64_t size = 1ull << level_shift(level);
		uint64_t *e = table_entry(table, va, level);
		bool present = (*e & PTE_P) != 0;

		if (present && is_leaf(*e, level))
			return size - (va & (size - 1));
		if (!present && leaf_fits(m, va, pa, len, level)) {
			*e = pa | flags | (level > 1 ? PTE_PS : 0);
			return size;
		}
		if (!table_below(m, e, &table))
			return 0;
	}
}

bool hostmap_add(const struct hostmap *m, uint64_t va, uint64_t pa, uint64_t len, uint64_t flags)
{
	while (len) {
		uint64_t done = map_one(m, va, pa, len, flags);

		if (!done)
			return false;
		if (done >= len)
			return true;
		va += done;
		pa += done;
		len -= done;
	}
	return true;
}

bool hostmap_add_memory(const struct hostmap *m, const struct boot_info *b)
{
	uint32_t i;

	for (i = 0; i < b->mem_count; i++) {
		const struct boot_mem *e = &b->mem[i];
		bool ram = e->type == BOOT_MEM_RAM;
		uint64_t base, end;

		if (!ram && e->type != BOOT_MEM_ACPI && e->type != BOOT_MEM_NVS)
			continue;
		if (e->base.v >= MEMORY_TOP)
			continue;
		end = e->len > MEMORY_TOP - e->base.v ? MEMORY_TOP : e->base.v + e->len;
		/* Tables are mapped whole, RAM as the allocator counts it: inward. */
		base = ram ? align_up(e->base.v, PAGE_SIZE) : align_down(e->base.v, PAGE_SIZE);
		end = ram ? align_down(end, PAGE_SIZE) : align_up(end, PAGE_SIZE);
		if (end > base && !hostmap_add(m, DIRECT_MAP_BASE + base, base, end - base, MAP_RW))
			return false;
	}
	return true;
}

bool hostmap_lookup(hpa_t root, uint64_t va, hpa_t *out, uint64_t *flags)
{
	hpa_t table = root;
	unsigned int level;

	for (level = 4; level; level--) {
		uint64_t e = *table_entry(table, va, level), size = 1ull << level_shift(level);

		if (!(e & PTE_P))
			return false;
		if (is_leaf(e, level)) {
			*out = hpa((e & PTE_ADDR & ~(size - 1)) + (va & (size - 1)));
			*flags = e & ~PTE_ADDR;
			return true;
		}
		table = hpa(e & PTE_ADDR);
	}
	return false;
}
