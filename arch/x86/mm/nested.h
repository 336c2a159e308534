/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nested page tables: GPA to HPA, one walker for both vendors' formats. The format is data: which bits mean present,
 * what a table entry and a leaf carry. Four levels, 9 bits each, leaves of 4 KiB, 2 MiB and 1 GiB.
 */
#ifndef ARCH_X86_MM_NESTED_H
#define ARCH_X86_MM_NESTED_H

#include <vouch/cpu_set.h>
#include <vouch/page.h>
#include <vouch/types.h>

#include "arch/x86/mm/mtrr.h"

/* NESTED_DEVICE: read and written by the guest, but no memory of its: nested_lookup() passes it over, the CPU takes care. */
enum nested_prot { NESTED_RWX, NESTED_RX, NESTED_DEVICE, NESTED_PROTS };

/* Marks leaves of NESTED_DEVICE: CPUs ignore this bit, in either format. */
#define NESTED_MARK (1ull << 52)

/* What this host allows in its nested tables. */
struct nested_limits {
	unsigned int largest;         /* level of the largest leaf: 0: 4 KiB, 1: 2 MiB, 2: 1 GiB */
	struct mtrr mtrr;             /* only for a format whose leaves hold a memory type */
};

struct nested_format {
	const char *name;
	uint64_t present;             /* any of these bits set: the entry is present */
	uint64_t large;               /* set in a leaf above the last level */
	uint64_t write;               /* the bit that allows writes */
	uint64_t table;               /* bits of an entry that points to a table */
	uint64_t leaf[NESTED_PROTS];  /* bits of a leaf */
	unsigned int type_shift;      /* where a leaf holds the memory type of what it maps; 0: nowhere, MTRRs count */
	void (*limits)(uint32_t features_off, struct nested_limits *l);  /* on this CPU, FEATURE_* in features_off left out */
};

/* Owned by one VM, built before it runs; guarded by its owner. */
struct nested {
	hpa_t root;
	const struct nested_format *fmt;
	struct page_alloc *pages;
	struct nested_limits limits;
	uint64_t table_pages;         /* pages the tables take, root included */
	uint64_t narrowed;            /* how often a mapping was taken away: nested_narrowed() */
	struct cpu_set used_on;       /* CPUs whose TLBs may know of them: each adds and removes itself (tlb_id.h) */
};

/* limits are copied. 0 or -ENOMEM. */
__must_check int nested_init(struct nested *n, const struct nested_format *fmt, struct page_alloc *pages,
			     const struct nested_limits *limits);
/* Frees the tables, not what they map. */
void nested_destroy(struct nested *n);

/*
 * Maps [g, g + len) to [h, h + len), all 4 KiB aligned, in the largest leaves that alignment and memory types allow. Nothing in the
 * range may be mapped yet (-EEXIST). -ENOMEM when a table page is missing: what was mapped so far stays.
 */
__must_check int nested_map(struct nested *n, gpa_t g, hpa_t h, uint64_t len, enum nested_prot prot);

/*
 * Takes away what is mapped in [g, g + len), 4 KiB aligned; what is not mapped stays so. -EINVAL, and nothing changes, if
 * a large leaf lies across an end of the range. Tables stay: leaves larger than before don't fit there (-EEXIST).
 *
 * TLBs still know the old translations. Each CPU sees by nested_narrowed() that it must flush before it enters this VM
 * again (tlb_id.h), but a vCPU of the VM that is in the guest goes on. tlb_flush_tables() (tlb_flush.h) waits until none
 * does. Only then may the pages that were mapped be used for something else.
 */
__must_check int nested_unmap(struct nested *n, gpa_t g, uint64_t len);

/* A number that changes with each nested_unmap() that took something away. Read by other CPUs than the one that changes. */
static inline uint64_t nested_narrowed(const struct nested *n) { return __atomic_load_n(&n->narrowed, __ATOMIC_ACQUIRE); }

struct nested_hit {
	hpa_t hpa;                    /* of the very byte asked for */
	uint64_t left;                /* bytes up to the leaf's end, from there */
	bool writable;
	unsigned int level;           /* 0: 4 KiB, 1: 2 MiB, 2: 1 GiB */
};
/* False if no memory is mapped at g. */
__must_check bool nested_lookup(const struct nested *n, gpa_t g, struct nested_hit *hit);

/* The entries on the way to g, root's first, into e[4]; returns how many. For dumps and tests. */
unsigned int nested_path(const struct nested *n, gpa_t g, uint64_t e[4]);

extern const struct nested_format npt_format;
extern const struct nested_format ept_format;

#endif
