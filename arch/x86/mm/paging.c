/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's address space: built once before anything untrusted is read, then only mmio_map() adds to it. No page is
 * writable and executable, and what is read-only in the image is read-only in the direct map too.
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
	/* Without PGE for a moment: nothing of the boot tables may survive in the TLB. */
	cr4_write(cr4_read() & ~CR4_PGE);
	cr3_write(m.root.v);
	cr4_write(cr4_read() | CR4_PGE);
}

static void *window_map(hpa_t a, size_t len, uint64_t flags)
{
	struct host *h = this_cpu()->host;
	struct hostmap m = { .pages = &h->pages, .root = hpa(cr3_read() & PTE_ADDR) };
	uint64_t offset = a.v & (PAGE_SIZE - 1), size;
	uint64_t va = MMIO_WINDOW_BASE + h->platform.mmio_used;

	if (!len || len > MMIO_WINDOW_SIZE || a.v >= MEMORY_TOP - MMIO_WINDOW_SIZE)
		return NULL;
	size = align_up(offset + len, PAGE_SIZE);
	if (size > MMIO_WINDOW_SIZE - h->platform.mmio_used)
		return NULL;
	/* Not present became present: no TLB holds the old answer. APM 2 "TLB Management" (5.5). */
	if (!hostmap_add(&m, va, a.v - offset, size, flags))
		return NULL;
	h->platform.mmio_used += size;
	return (void *)(uintptr_t)(va + offset);
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
	return hostmap_lookup(hpa(cr3_read() & PTE_ADDR), (uint64_t)(uintptr_t)va, out, flags);
}
