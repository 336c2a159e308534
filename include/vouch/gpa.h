/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one door to guest memory. Every helper bounds, translates and copies once; no C pointer to guest memory leaves
 * it, so a second vCPU that rewrites the bytes meanwhile changes nothing that was already checked.
 */
#ifndef VOUCH_GPA_H
#define VOUCH_GPA_H

#include <vouch/types.h>
#include <vouch/x86.h>

struct vm;
struct vcpu;

/* Copies between guest RAM and buf. 0, or -EFAULT if any byte is not RAM (nothing is copied then). Guest ROM (the
 * ACPI window) reads as RAM and refuses gpa_write. */
__must_check int gpa_read(struct vm *vm, gpa_t a, void *buf, size_t len);
__must_check int gpa_write(struct vm *vm, gpa_t a, const void *buf, size_t len);

/* Locked 8- or 4-byte compare-and-swap in guest RAM, naturally aligned: 0 done, -EAGAIN if *a differed from old,
 * -EFAULT if not writable RAM. size is 4 or 8. */
__must_check int gpa_cmpxchg(struct vm *vm, gpa_t a, unsigned int size, uint64_t old, uint64_t new_val);

/*
 * Where [a, a + len) is in host memory, within one page, or NULL if it is not RAM or ROM. The one exception to the rule
 * above, for exit/fast.c alone: it only reads there, compares what it has read, and forgets the pointer before the page
 * can become another's.
 */
const void *gpa_peek(struct vm *vm, gpa_t a, size_t len);

/* True if a lies in RAM or ROM. */
bool gpa_is_ram(struct vm *vm, gpa_t a);

/* True if a lies in RAM. */
bool gpa_is_writable(struct vm *vm, gpa_t a);

enum gva_access {
	GVA_READ   = 0,
	GVA_WRITE  = PF_W,
	GVA_FETCH  = PF_I,
	GVA_IMPLICIT_SUPERVISOR = 1u << 8,  /* descriptor-table style access: CPL 0 whatever the CPL */
};

/*
 * Translates one linear address as the guest's own page walk would (any paging mode): each entry read once, A/D set
 * by compare-and-swap, CPL, WP, NX, SMEP, SMAP and reserved bits honoured. 0; -EFAULT with *f = the #PF to raise;
 * -EAGAIN if the tables changed under the walk too often (re-enter the guest).
 * Table entries outside RAM read as ones, as unclaimed memory does. Outside 64-bit mode gva counts modulo 4 GiB
 * (except GVA_IMPLICIT_SUPERVISOR in long mode: descriptor tables may lie above). A gva that is not canonical gives #GP(0).
 */
__must_check int gva_translate(struct vcpu *v, const struct x86_env *e, uint64_t gva, unsigned int access,
			       gpa_t *out, struct x86_fault *f);

/*
 * Copies len bytes at a linear address; pages are translated one by one and all of them before the first byte is
 * written. 0; -EFAULT with *f; -EAGAIN; -ENXIO if a page is not RAM (MMIO): nothing copied; -E2BIG: len above GVA_COPY_MAX.
 * A write that reaches ROM also gives -ENXIO, after the bytes below it.
 */
#define GVA_COPY_MAX 0x10000u
__must_check int gva_read(struct vcpu *v, const struct x86_env *e, uint64_t gva, void *buf, size_t len,
			  unsigned int access, struct x86_fault *f);
__must_check int gva_write(struct vcpu *v, const struct x86_env *e, uint64_t gva, const void *buf, size_t len,
			   struct x86_fault *f);

/*
 * Fetches up to 15 instruction bytes at CS:RIP once; stops short at a page that cannot be fetched. Returns the
 * number of bytes (>= 1), -EFAULT with *f when not even the first can be had, -EAGAIN, -ENXIO when code is in MMIO.
 */
__must_check int gva_fetch(struct vcpu *v, const struct x86_env *e, uint8_t buf[15], struct x86_fault *f);

#endif
