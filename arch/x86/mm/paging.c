/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's page tables. Built once before anything untrusted is read, then only mmio_map() adds to them. No page is
 * writable and executable, and memory that is read-only in the image is read-only in the direct map too.
 */
#include "paging.h"

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/x86.h>

#include "arch/x86/boot/image_map.h"
#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/cpu.h"
#include "core/memory.h"

/* APM 2 "Page-Translation-Table Entry Fields" (5.4). */
#define PTE_P   (1ull << 0)
#define PTE_W   (1ull << 1)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_PS  (1ull << 7)
#define PTE_G   (1ull << 8)
#define PTE_NX  (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

#define MAP_RX (PTE_P | PTE_G)
#define MAP_R  (PTE_P | PTE_G | PTE_NX)
#define MAP_RW (PTE_P | PTE_G | PTE_NX | PTE_W)
#define MAP_UC (MAP_RW | PTE_PWT | PTE_PCD)  /* PAT entry 3 */

struct mapper {
	struct page_alloc *pages;
	hpa_t root;
	bool has_1g;
};

static unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static uint64_t *table_entry(hpa_t table, uint64_t va, unsigned int level)
{
	return (uint64_t *)hpa_to_ptr(table) + (va >> level_shift(level) & 511);
}

static bool leaf_fits(const struct mapper *m, uint64_t va, uint64_t pa, uint64_t len, unsigned int level)
{
	uint64_t size = 1ull << level_shift(level);

	if (level > 3 || (level == 3 && !m->has_1g))
		return false;
	return !((va | pa) & (size - 1)) && len >= size;
}

/* The table below *e, made if there is none. False without memory. */
static bool table_below(const struct mapper *m, uint64_t *e, hpa_t *out)
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

/*
 * Maps what it can at va in one leaf and returns the leaf's size, 0 without memory. What is mapped already stays as it
 * is: the first mapping of an address wins.
 */
static uint64_t map_one(const struct mapper *m, uint64_t va, uint64_t pa, uint64_t len, uint64_t flags)
{
	hpa_t table = m->root;
	unsigned int level;

	for (level = 4; ; level--) {
		uint64_t size = 1ull << level_shift(level);
		uint64_t *e = table_entry(table, va, level);
		bool present = (*e & PTE_P) != 0;

		if (present && (level == 1 || (level < 4 && *e & PTE_PS)))
			return size - (va & (size - 1));
		if (!present && leaf_fits(m, va, pa, len, level)) {
			*e = pa | flags | (level > 1 ? PTE_PS : 0);
			return size;
		}
		if (!table_below(m, e, &table))
			return 0;
	}
}

static bool map_range(const struct mapper *m, uint64_t va, uint64_t pa, uint64_t len, uint64_t flags)
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

static uint64_t image_offset(const void *p)
{
	return (uint64_t)((uintptr_t)p - (uintptr_t)image_start);
}

static bool map_image(const struct mapper *m, uint64_t load_base)
{
	uint64_t text = image_offset(image_text_end), ro = image_offset(image_rodata_end);
	uint64_t end = image_offset(image_end), va = (uint64_t)(uintptr_t)image_start;
	uint64_t area = image_offset(this_cpu());
	uint64_t low = area + AREA_GUARD_LOW, high = area + AREA_GUARD_HIGH;

	/* The guard pages of the boot CPU's area stay out. */
	return map_range(m, va, load_base, text, MAP_RX) &&
	       map_range(m, va + text, load_base + text, ro - text, MAP_R) &&
	       map_range(m, va + ro, load_base + ro, low - ro, MAP_RW) &&
	       map_range(m, va + low + PAGE_SIZE, load_base + low + PAGE_SIZE, high - low - PAGE_SIZE, MAP_RW) &&
	       map_range(m, va + high + PAGE_SIZE, load_base + high + PAGE_SIZE, end - high - PAGE_SIZE, MAP_RW);
}

/* RAM and the tables firmware left in it. Reserved ranges stay out: what lies there may be a device. */
static bool map_memory(const struct mapper *m, const struct boot_info *b)
{
	uint32_t i;

	for (i = 0; i < b->mem_count; i++) {
		const struct boot_mem *e = &b->mem[i];
		uint64_t base, end;

		if (e->type != BOOT_MEM_RAM && e->type != BOOT_MEM_ACPI && e->type != BOOT_MEM_NVS)
			continue;
		if (e->base.v >= MEMORY_TOP)
			continue;
		end = e->len > MEMORY_TOP - e->base.v ? MEMORY_TOP : e->base.v + e->len;
		/* Tables are mapped whole, RAM as the allocator counts it: inward. */
		base = e->type == BOOT_MEM_RAM ? align_up(e->base.v, PAGE_SIZE) : align_down(e->base.v, PAGE_SIZE);
		end = e->type == BOOT_MEM_RAM ? align_down(end, PAGE_SIZE) : align_up(end, PAGE_SIZE);
		if (end > base && !map_range(m, DIRECT_MAP_BASE + base, base, end - base, MAP_RW))
			return false;
	}
	return true;
}

static bool has_1g_pages(void)
{
	return (cpuid_leaf(0x80000001, 0).edx & 1u << 26) != 0;
}

void paging_init(struct host *h, uint64_t load_base)
{
	struct mapper m = { .pages = &h->pages, .has_1g = has_1g_pages() };
	uint64_t ro = image_offset(image_rodata_end);

	if (!page_get_zeroed(m.pages, PAGE_ORDER_4K, &m.root) || !map_image(&m, load_base) ||
	    !map_range(&m, DIRECT_MAP_BASE + load_base, load_base, ro, MAP_R) || !map_memory(&m, &h->boot))
		panic("no memory for page tables");
	/* Without PGE for a moment: nothing of the boot tables may survive in the TLB. */
	cr4_write(cr4_read() & ~CR4_PGE);
	cr3_write(m.root.v);
	cr4_write(cr4_read() | CR4_PGE);
}

void *mmio_map(hpa_t a, size_t len)
{
	struct host *h = this_cpu()->host;
	struct mapper m = { .pages = &h->pages, .root = hpa(cr3_read() & PTE_ADDR) };
	uint64_t offset = a.v & (PAGE_SIZE - 1), size;
	uint64_t va = MMIO_WINDOW_BASE + h->platform.mmio_used;

	if (!len || len > MMIO_WINDOW_SIZE || a.v >= MEMORY_TOP - MMIO_WINDOW_SIZE)
		return NULL;
	size = align_up(offset + len, PAGE_SIZE);
	if (size > MMIO_WINDOW_SIZE - h->platform.mmio_used)
		return NULL;
	if (!map_range(&m, va, a.v - offset, size, MAP_UC))
		return NULL;
	h->platform.mmio_used += size;
	return (void *)(uintptr_t)(va + offset);
}

bool paging_lookup(const void *va, hpa_t *out, uint64_t *flags)
{
	uint64_t at = (uint64_t)(uintptr_t)va;
	hpa_t table = hpa(cr3_read() & PTE_ADDR);
	unsigned int level;

	for (level = 4; level; level--) {
		uint64_t e = *table_entry(table, at, level), size = 1ull << level_shift(level);

		if (!(e & PTE_P))
			return false;
		if (level == 1 || (level < 4 && e & PTE_PS)) {
			*out = hpa((e & PTE_ADDR & ~(size - 1)) + (at & (size - 1)));
			*flags = e & ~PTE_ADDR;
			return true;
		}
		table = hpa(e & PTE_ADDR);
	}
	return false;
}

uint64_t image_size(void)
{
	return image_offset(image_end);
}
