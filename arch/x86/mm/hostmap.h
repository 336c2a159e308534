/* SPDX-License-Identifier: BSD-2-Clause */
/* Four-level tables of the host's own address space as plain data: built and read here, loaded by paging.c. */
#ifndef ARCH_X86_MM_HOSTMAP_H
#define ARCH_X86_MM_HOSTMAP_H

#include <vouch/boot_info.h>
#include <vouch/page.h>

/* APM 2 "Page-Translation-Table Entry Fields" (5.4). */
#define PTE_P    (1ull << 0)
#define PTE_W    (1ull << 1)
#define PTE_PWT  (1ull << 3)
#define PTE_PCD  (1ull << 4)
#define PTE_PS   (1ull << 7)
#define PTE_G    (1ull << 8)
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

/* The only rights there are: nothing is writable and executable. */
#define MAP_RX (PTE_P | PTE_G)
#define MAP_R  (PTE_P | PTE_G | PTE_NX)
#define MAP_RW (PTE_P | PTE_G | PTE_NX | PTE_W)
#define MAP_WC (MAP_RW | PTE_PWT)            /* PAT entry 1 */
#define MAP_UC (MAP_RW | PTE_PWT | PTE_PCD)  /* PAT entry 3 */

struct hostmap {
	struct page_alloc *pages;
	hpa_t root;
	bool has_1g;                  /* leaves of 1 GiB allowed */
};

/*
 * Maps [va, va + len) to pa, all three page aligned, in the largest leaves that fit. What is mapped already stays as it
 * is: the first mapping of an address wins. False without memory; what was mapped by then stays.
 */
__must_check bool hostmap_add(const struct hostmap *m, uint64_t va, uint64_t pa, uint64_t len, uint64_t flags);

/*
 * All RAM, and the tables firmware left in it, at DIRECT_MAP_BASE. Reserved ranges stay out: what lies there may be a
 * device, and a speculative read of one is no good.
 */
__must_check bool hostmap_add_memory(const struct hostmap *m, const struct boot_info *b);

/* Where va is mapped, and the leaf's bits but its address. False if it is not. */
bool hostmap_lookup(hpa_t root, uint64_t va, hpa_t *out, uint64_t *flags);

#endif
