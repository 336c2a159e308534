/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's address space, one for all CPUs: built once before anything untrusted is read, then only added to, by
 * mmio_map() and for the areas of CPUs. Nothing is ever unmapped or narrowed, so that no CPU has to be told. No page is
 * writable and executable, and what is read-only in the image is read-only in the direct map too.
 */
#include "paging.h"

#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/x86.h>

#include "arch/x86/boot/image_map.h"
#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/cpu.h"
#include "core/memory.h"
#include "hostmap.h"

static uint64_t image_offset(const void *p)
{
	return (uint64_t)((uintptr_t)p - (uintptr_t)image_start);
}

uint64_t image_size(void)
{
	return image_offset(image_end);
}

struct piece {
	uint64_t from, to, flags;     /* offsets in the image */
};

/* The image by rights. The guard pages of the boot CPU's area stay out. */
static bool map_image(const struct hostmap *m, uint64_t load_base)
{
	uint64_t text = image_offset(image_text_end), ro = image_offset(image_rodata_end);
	uint64_t area = image_offset(this_cpu()), va = (uint64_t)(uintptr_t)image_start;
	const struct piece pieces[] = {
		{ 0, text, MAP_RX },
		{ text, ro, MAP_R },
		{ ro, area + AREA_GUARD_LOW, MAP_RW },
		{ area + AREA_GUARD_LOW + PAGE_SIZE, area + AREA_GUARD_HIGH, MAP_RW },
		{ area + AREA_GUARD_HIGH + PAGE_SIZE, image_size(), MAP_RW },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++)
		if (!hostmap_add(m, va + pieces[i].from, load_base + pieces[i].from, pieces[i].to - pieces[i].from,
				 pieces[i].flags))
			return false;
	/* The same text and constants in the direct map, before all RAM is mapped there for writing. */
	return hostmap_add(m, DIRECT_MAP_BASE + load_base, load_base, ro, MAP_R);
}

static bool has_1g_pages(void)
{
	return (cpuid_leaf(0x80000001, 0).edx & 1u << 26) != 0;
}

void paging_init(struct host *h, uint64_t load_base)
{
	struct hostmap m = { .pages = &h->pages, .has_1g = has_1g_pages() };

	if (!page_get_zeroed(m.pages, PAGE_ORDER_4K, &m.root) || !map_image(&m, load_base) ||
	    !hostmap_add_memory(&m, &h->boot))
		panic("no memory for page tables");
	lock_init(&h->platform.map_lock, LOCK_MAP, "host page tables");
	paging_load(m.root);
}

void paging_load(hpa_t root)
{
	/* Without PGE for a moment: nothing of other tables may survive in the TLB. */
	cr4_write(cr4_read() & ~CR4_PGE);
	cr3_write(root.v);
	cr4_write(cr4_read() | CR4_PGE);
}

static hpa_t host_root(void)
{
	return hpa(cr3_read() & PTE_ADDR);
}

/* The pieces of a CPU's area by their place in it; its guard pages are what lies between. */
static const struct piece area_pieces[] = {
	{ 0, AREA_GUARD_LOW, MAP_RW },
	{ AREA_GUARD_LOW + PAGE_SIZE, AREA_GUARD_HIGH, MAP_RW },
	{ AREA_GUARD_HIGH + PAGE_SIZE, CPU_AREA_SIZE, MAP_RW },
	{ CPU_AREA_ARCH, CPU_AREA_ARCH + CPU_ARCH_SIZE, MAP_RW },
};
#define AREA_ORDER 5u
_Static_assert(CPU_AREA_SIZE - 2 * PAGE_SIZE + CPU_ARCH_SIZE == PAGE_SIZE << AREA_ORDER, "an area fills its block");

struct pcpu *paging_cpu_area(struct host *h, unsigned int n, unsigned int node)
{
	struct hostmap m = { .pages = &h->pages, .root = host_root() };
	uint64_t va = CPU_AREAS_BASE + n * CPU_AREA_STRIDE;
	hpa_t at;
	bool ok = true;

	if (!page_get_near(&h->pages, AREA_ORDER, node, &at))
		return NULL;
	page_scrub(at, AREA_ORDER);
	lock_take(&h->platform.map_lock);
	for (unsigned int i = 0; ok && i < ARRAY_SIZE(area_pieces); i++) {
		const struct piece *p = &area_pieces[i];

		ok = hostmap_add(&m, va + p->from, at.v, p->to - p->from, p->flags);
		at = hpa_add(at, p->to - p->from);
	}
	lock_drop(&h->platform.map_lock);
	return ok ? (struct pcpu *)(uintptr_t)va : NULL;
}

/* What head.S made its tables of, below 4 GiB as the image is: free since paging_init(). */
extern uint64_t boot_tables[4][512];

hpa_t paging_ap_begin(const struct host *h, hpa_t start)
{
	uint64_t at = h->boot.load_base.v + image_offset(boot_tables);
	const uint64_t *root = hpa_to_ptr(host_root());
	unsigned int i;

	memset(boot_tables, 0, sizeof(boot_tables));
	for (i = 0; i < 3; i++)
		boot_tables[i][0] = (at + (i + 1) * PAGE_SIZE) | PTE_P | PTE_W;
	boot_tables[3][start.v >> PAGE_SHIFT] = start.v | (MAP_RX & ~PTE_G);
	for (i = 256; i < 512; i++)
		boot_tables[0][i] = root[i];
	return hpa(at);
}

void paging_ap_end(void)
{
	memset(boot_tables, 0, sizeof(boot_tables));
}

static void *window_map(hpa_t a, size_t len, uint64_t flags)
{
	struct host *h = this_cpu()->host;
	struct hostmap m = { .pages = &h->pages, .root = host_root() };
	uint64_t offset = a.v & (PAGE_SIZE - 1), size, va;
	bool ok;

	if (!len || len > MMIO_WINDOW_SIZE || a.v >= MEMORY_TOP - MMIO_WINDOW_SIZE)
		return NULL;
	/* A higher bit would name a key, or be reserved. */
	if ((a.v + len - 1) >> h->platform.phys_bits)
		return NULL;
	size = align_up(offset + len, PAGE_SIZE);
	lock_take(&h->platform.map_lock);
	va = MMIO_WINDOW_BASE + h->platform.mmio_used;
	/* Not present became present: no CPU's TLB holds the old answer. APM 2 "TLB Management" (5.5). */
	ok = size <= MMIO_WINDOW_SIZE - h->platform.mmio_used && hostmap_add(&m, va, a.v - offset, size, flags);
	if (ok)
		h->platform.mmio_used += size;
	lock_drop(&h->platform.map_lock);
	return ok ? (void *)(uintptr_t)(va + offset) : NULL;
}

void *mmio_map(hpa_t a, size_t len)
{
	return window_map(a, len, MAP_UC);
}

void *mmio_map_screen(hpa_t a, size_t len)
{
	return window_map(a, len, MAP_WC);
}

bool paging_lookup(const void *va, hpa_t *out, uint64_t *flags)
{
	return hostmap_lookup(host_root(), (uint64_t)(uintptr_t)va, out, flags);
}
