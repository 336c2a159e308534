/* SPDX-License-Identifier: BSD-2-Clause */
/* What of this machine's memory may be given out: the loader's map minus what is spoken for. */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <vouch/boot_info.h>
#include <vouch/page.h>

struct span {
	uint64_t base, len;
};

/* The map's entries, modules, low 1 MiB, image, boot information, screen, state[]. */
#define MEMORY_RESERVED_MAX (BOOT_MEM_MAX + BOOT_MODULES_MAX + 8)

struct memory_reserved {
	struct span span[MEMORY_RESERVED_MAX];
	unsigned int count;
};

/* Bounds addresses everywhere: no machine has more (APM 2, physical addresses have at most 52 bits). */
#define MEMORY_TOP (1ull << 52)

/* Collects what is not to be given out: the low 1 MiB, the boot information, modules, and all that is not RAM. */
void memory_reserve_boot(struct memory_reserved *r, const struct boot_info *b);
/* Adds [base, base + len), widened to whole pages. */
void memory_reserve(struct memory_reserved *r, uint64_t base, uint64_t len);

/* Takes what lies at top and above out of the map's RAM, and says how many bytes that were. */
uint64_t memory_limit(struct boot_info *b, uint64_t top);

/* End of the highest RAM entry, clipped to MEMORY_TOP. */
uint64_t memory_end(const struct boot_info *b);

/* The lowest page-aligned place for len bytes of unreserved RAM that ends at or below limit. False if none. */
bool memory_find(const struct boot_info *b, const struct memory_reserved *r, uint64_t len, uint64_t limit,
		 uint64_t *out);

/* A page of RAM below 640 KiB where another CPU can begin, in real mode; in use by nobody, but not Vouch's to keep. */
bool memory_find_start(const struct boot_info *b, uint64_t *out);

/* Gives the unreserved RAM in [lo, hi) to p. Entries that overlap are given once. */
void memory_add(struct page_alloc *p, const struct boot_info *b, const struct memory_reserved *r, uint64_t lo,
		uint64_t hi);

#endif
