/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's page walk in software. Its functions are declared in <vouch/gpa.h>; here stand the guest entry's bits. */
#ifndef ARCH_X86_MM_GWALK_H
#define ARCH_X86_MM_GWALK_H

#include <vouch/gpa.h>

#define PTE_P    (1ull << 0)
#define PTE_RW   (1ull << 1)
#define PTE_US   (1ull << 2)
#define PTE_A    (1ull << 5)
#define PTE_D    (1ull << 6)
#define PTE_PS   (1ull << 7)
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

/* Walks that lost a race against the guest before gva_translate() gives up with -EAGAIN. */
#define GWALK_TRIES 4

/* The table entries of a walk that succeeded, root first, as they are now: accessed and dirty bits included. */
struct gva_path {
	unsigned int count;           /* 0 without paging */
	gpa_t at[4];
	uint64_t entry[4];
};
/* gva_translate() that tells them. PAE's first level is left out, as it has neither rights nor accessed bits. */
__must_check int gva_translate_path(struct vcpu *v, const struct x86_env *e, uint64_t gva, unsigned int access,
				    gpa_t *out, struct x86_fault *f, struct gva_path *path);

#endif
