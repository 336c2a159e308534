/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's own page tables: image W^X, all RAM in the direct map, MMIO windows. */
#ifndef ARCH_X86_MM_PAGING_H
#define ARCH_X86_MM_PAGING_H

#include <vouch/types.h>

struct host;

/* Windows for MMIO, handed out upwards and never taken back: boot-time only, each device once. */
#define MMIO_WINDOW_BASE 0xffffc00000000000ull
#define MMIO_WINDOW_SIZE SIZE_1G

/*
 * Builds and loads the tables. load_base is where the image lies. Needs page allocator and boot tables; what it
 * allocates must lie below 4 GiB, which is all that the boot tables map.
 */
void paging_init(struct host *h, uint64_t load_base);

/* Bytes of memory the image takes from its load address on. */
uint64_t image_size(void);

/* Maps [a, a + len) uncached, read-write, non-executable; NULL if the window or memory is used up. */
void *mmio_map(hpa_t a, size_t len);

/* The same for the memory of a screen: write-combining, never to be read. */
void *mmio_map_screen(hpa_t a, size_t len);

/* Where va is mapped, and how: the entry's flags in *flags. False if it is not. For checks at boot. */
bool paging_lookup(const void *va, hpa_t *out, uint64_t *flags);

#endif
