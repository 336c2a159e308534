/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's own page tables: image W^X, all RAM in the direct map, MMIO windows. */
#ifndef ARCH_X86_MM_PAGING_H
#define ARCH_X86_MM_PAGING_H

#include <vouch/types.h>

struct host;
struct pcpu;

/* Windows for MMIO, handed out upwards and never taken back: each device once, by the boot CPU but for a power-off. */
#define MMIO_WINDOW_BASE 0xffffc00000000000ull
#define MMIO_WINDOW_SIZE SIZE_1G

/*
 * Builds and loads the tables. load_base is where the image lies. Needs page allocator and boot tables; what it
 * allocates must lie below 4 GiB, which is all that the boot tables map.
 */
void paging_init(struct host *h, uint64_t load_base);

/*
 * Areas of CPUs but the boot CPU's, which is in the image: at CPU_AREAS_BASE + n * CPU_AREA_STRIDE the area (pcpu.h), from
 * CPU_AREA_ARCH on its struct pcpu_arch, and nothing between and around them.
 */
#define CPU_AREAS_BASE  0xffffd00000000000ull
#define CPU_AREA_STRIDE 0x40000ul
#define CPU_AREA_ARCH   0x20000ul
#define CPU_ARCH_SIZE   0x12000ul

/* Maps area n, of new memory near that node, zeroed; NULL without memory. Boot CPU. What is mapped stays. */
struct pcpu *paging_cpu_area(struct host *h, unsigned int n, unsigned int node);

/*
 * Page tables for a CPU that comes out of real mode: all of Vouch as this CPU has it, and the page at start, below 1 MiB,
 * at its own address, to be executed and not written. Returns their root, below 4 GiB; after paging_ap_end() they are gone.
 */
hpa_t paging_ap_begin(const struct host *h, hpa_t start);
void paging_ap_end(void);

/* Leaves whatever tables this CPU has for those of root, and nothing in its TLB. */
void paging_load(hpa_t root);

/* Bytes of memory the image takes from its load address on. */
uint64_t image_size(void);

/* Maps [a, a + len) uncached, read-write, non-executable; NULL if the window or memory is used up. */
void *mmio_map(hpa_t a, size_t len);

/* The same for the memory of a screen: write-combining, never to be read. */
void *mmio_map_screen(hpa_t a, size_t len);

/* Where va is mapped, and how: the entry's flags in *flags. False if it is not. For checks at boot. */
bool paging_lookup(const void *va, hpa_t *out, uint64_t *flags);

#endif
