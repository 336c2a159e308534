/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linear to guest-physical, as the guest's CPU would do it: no paging, 32-bit, PAE, 4-level. Guest memory is only
 * reached through gpa_read() and gpa_cmpxchg(). LA57 and protection keys are not shown to guests, so not walked.
 */
#include "gwalk.h"

#include <errno.h>

#include <vouch/vcpu.h>
#include <vouch/vm.h>

enum paging { PAGING_32, PAGING_PAE, PAGING_LONG };

/* One walk: what was read where, so that accessed and dirty bits can be set in just those entries. */
struct walk {
	struct vm *vm;
	const struct x86_env *e;
	uint64_t gva;
	unsigned int access;
	enum paging paging;
	unsigned int levels, index_bits, entry_size;
	unsigned int count;           /* entries with A (and D) bits */
	gpa_t at[4];
	uint64_t entry[4];
	uint64_t all, any;            /* AND and OR of those entries */
	unsigned int level;           /* of the leaf */
};

/* Bits hi..lo set; hi < 63 or so that the shift is defined, empty if hi < lo. */
static uint64_t bits(unsigned int hi, unsigned int lo)
{
	return hi < lo ? 0 : ((2ull << (hi - lo)) - 1) << lo;
}

static bool is_user(const struct walk *w)
{
	return w->e->cpl == 3 && !(w->access & GVA_IMPLICIT_SUPERVISOR);
}

static void walk_begin(struct walk *w)
{
	w->count = 0;
	w->all = ~0ull;
	w->any = 0;
	w->paging = w->e->efer & EFER_LMA ? PAGING_LONG : w->e->cr4 & CR4_PAE ? PAGING_PAE : PAGING_32;
	w->levels = w->paging == PAGING_LONG ? 4 : w->paging == PAGING_PAE ? 3 : 2;
	w->index_bits = w->paging == PAGING_32 ? 10 : 9;
	w->entry_size = w->paging == PAGING_32 ? 4 : 8;
}

static uint64_t root_table(const struct walk *w)
{
	switch (w->paging) {
	case PAGING_32:  return w->e->cr3 & 0xfffff000u;
	case PAGING_PAE: return w->e->cr3 & 0xffffffe0u;
	default:         return w->e->cr3 & PTE_ADDR;
	}
}

static uint64_t read_entry(const struct walk *w, gpa_t at)
{
	uint64_t wide;
	uint32_t narrow;

	if (w->entry_size == 8)
		return gpa_read(w->vm, at, &wide, sizeof(wide)) ? ~0ull : wide;
	return gpa_read(w->vm, at, &narrow, sizeof(narrow)) ? ~0u : narrow;
}

static bool is_leaf(const struct walk *w, unsigned int level, uint64_t entry)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_PS))
		return false;
	if (w->paging == PAGING_32)
		return w->e->cr4 & CR4_PSE;
	return level == 2 || (level == 3 && w->paging == PAGING_LONG);
}

/* A page directory's or table's span below one entry of this level. */
static unsigned int level_shift(const struct walk *w, unsigned int level)
{
	return PAGE_SHIFT + (level - 1) * w->index_bits;
}

/*
 * APM 2 "Legacy-Mode Page Translation" and "Long-Mode Page Translation" (5.2, 5.3). Where AMD and Intel differ (bit 8
 * of upper entries) nothing is reserved: the CPU has made this walk before us, and what it let pass must pass here.
 */
static uint64_t reserved_bits(const struct walk *w, unsigned int level, bool leaf)
{
	unsigned int phys = w->vm->phys_bits;
	uint64_t r;

	if (w->paging == PAGING_32) {
		if (level == 1 || !leaf)
			return 0;
		return bits(21, 21) | bits(20, 13 + (phys < 32 ? 0 : phys - 32)); /* PSE-36: 20:13 are address 39:32 */
	}
	r = bits(51, phys);
	if (!(w->e->efer & EFER_NXE))
		r |= PTE_NX;
	if (w->paging == PAGING_PAE) {
		r |= bits(62, 52);
		/* A is reserved in a PDPTE, but QEMU's walker sets it there: a guest that hardware runs must not fault. */
		if (level == 3)
			r |= PTE_NX | bits(8, 6) | bits(2, 1);
	} else if (level == 4) {
		r |= PTE_PS;
	}
	if (leaf && level > 1)
		r |= bits(level_shift(w, level) - 1, 13); /* bit 12 is PAT */
	return r;
}

static int page_fault(const struct walk *w, uint32_t error, struct x86_fault *f)
{
	bool nx = w->e->efer & EFER_NXE && w->paging != PAGING_32;

	error |= w->access & PF_W;
	if (is_user(w))
		error |= PF_U;
	/* SDM 3A "Page-Fault Exceptions" (4.7): the I/D flag depends on NX or SMEP being in use. */
	if (w->access & PF_I && (nx || w->e->cr4 & CR4_SMEP))
		error |= PF_I;
	*f = (struct x86_fault){ .vector = EXC_PF, .has_error = true, .error = error, .cr2 = w->gva };
	return -EFAULT;
}

static bool access_allowed(const struct walk *w)
{
	const struct x86_env *e = w->e;
	bool user_page = w->all & PTE_US, user = is_user(w), fetch = w->access & PF_I;

	if (user && !user_page)
		return false;
	if (fetch && w->any & PTE_NX)
		return false;
	if (w->access & PF_W && !(w->all & PTE_RW) && (user || e->cr0 & CR0_WP))
		return false;
	if (user || !user_page)
		return true;
	if (fetch)
		return !(e->cr4 & CR4_SMEP);
	/* APM 2 "Supervisor Mode Access Prevention" (5.6.6): EFLAGS.AC opens explicit accesses only. */
	return !(e->cr4 & CR4_SMAP) || (e->rflags & RFLAGS_AC && e->cpl < 3 && !(w->access & GVA_IMPLICIT_SUPERVISOR));
}

static gpa_t leaf_address(const struct walk *w, uint64_t entry)
{
	uint64_t offset = bits(level_shift(w, w->level) - 1, 0);

	if (w->paging == PAGING_32 && w->level == 2)
		entry = (entry & bits(31, 22)) | (entry & bits(20, 13)) << 19;
	return gpa((entry & PTE_ADDR & ~offset) | (w->gva & offset));
}

/*
 * SDM 3A "PDPTE Registers" (4.4.1): what memory says since they were loaded does not count. Those that are present had no
 * reserved bit when the CPU took them.
 */
static uint64_t held_entry(const struct walk *w)
{
	return w->e->pdpte[w->gva >> level_shift(w, 3) & 3];
}

/* Reads each entry once, root to leaf. 0 or -EFAULT with *f. */
static int walk_down(struct walk *w, gpa_t *out, struct x86_fault *f)
{
	uint64_t table = root_table(w);
	unsigned int level = w->levels;

	if (w->paging == PAGING_PAE && w->e->pdpte) {
		if (!(held_entry(w) & PTE_P))
			return page_fault(w, 0, f);
		table = held_entry(w) & PTE_ADDR;
		level = 2;
	}
	for (;; level--) {
		uint64_t index = w->gva >> level_shift(w, level) & bits(w->index_bits - 1, 0);
		gpa_t at = gpa(table + index * w->entry_size);
		uint64_t entry = read_entry(w, at);
		bool leaf = is_leaf(w, level, entry);

		if (!(entry & PTE_P))
			return page_fault(w, 0, f);
		if (entry & reserved_bits(w, level, leaf))
			return page_fault(w, PF_P | PF_RSVD, f);
		/* APM 2 "Legacy PAE Mode" (15.25.10): PDPTEs are read like other entries, but have no rights, no A. */
		if (w->paging != PAGING_PAE || level < 3) {
			w->at[w->count] = at;
			w->entry[w->count++] = entry;
			w->all &= entry;
			w->any |= entry;
		}
		if (leaf) {
			w->level = level;
			*out = leaf_address(w, entry);
			return access_allowed(w) ? 0 : page_fault(w, PF_P, f);
		}
		table = entry & PTE_ADDR;
	}
}

/* 0, or -EAGAIN if an entry is no longer what was read. Bits of an entry in ROM or nowhere stay as they are. */
static int set_accessed_dirty(struct walk *w)
{
	for (unsigned int i = 0; i < w->count; i++) {
		uint64_t want = w->entry[i] | PTE_A;

		if (i + 1 == w->count && w->access & PF_W)
			want |= PTE_D;
		if (want != w->entry[i] && gpa_cmpxchg(w->vm, w->at[i], w->entry_size, w->entry[i], want) == -EAGAIN)
			return -EAGAIN;
		w->entry[i] = want;
	}
	return 0;
}

static bool is_canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

static bool linear_is_64(const struct x86_env *e, unsigned int access)
{
	return e->efer & EFER_LMA && (x86_env_mode(e) == MODE_64 || access & GVA_IMPLICIT_SUPERVISOR);
}

static void tell_path(const struct walk *w, struct gva_path *path)
{
	path->count = w->count;
	for (unsigned int i = 0; i < w->count; i++) {
		path->at[i] = w->at[i];
		path->entry[i] = w->entry[i];
	}
}

int gva_translate_path(struct vcpu *v, const struct x86_env *e, uint64_t gva, unsigned int access, gpa_t *out,
		       struct x86_fault *f, struct gva_path *path)
{
	struct walk w = { .vm = v->vm, .e = e, .access = access };

	w.gva = linear_is_64(e, access) ? gva : gva & 0xffffffffu;
	if (!is_canonical(w.gva)) {
		*f = (struct x86_fault){ .vector = EXC_GP, .has_error = true };
		return -EFAULT;
	}
	if (!(e->cr0 & CR0_PG)) {
		*out = gpa(w.gva);
		path->count = 0;
		return 0;
	}
	for (unsigned int i = 0; i < GWALK_TRIES; i++) {
		int err;

		walk_begin(&w);
		err = walk_down(&w, out, f);
		if (err)
			return err;
		if (!set_accessed_dirty(&w)) {
			tell_path(&w, path);
			return 0;
		}
	}
	return -EAGAIN;
}

int gva_translate(struct vcpu *v, const struct x86_env *e, uint64_t gva, unsigned int access, gpa_t *out,
		  struct x86_fault *f)
{
	struct gva_path unused;

	return gva_translate_path(v, e, gva, access, out, f, &unused);
}

static size_t to_page_end(uint64_t gva, size_t len)
{
	size_t room = PAGE_SIZE - (gva & (PAGE_SIZE - 1));

	return len < room ? len : room;
}

/* Translates every page of [gva, gva + len) and makes sure that each is RAM. page[] has room for GVA_COPY_MAX bytes. */
#define COPY_PAGES (GVA_COPY_MAX / PAGE_SIZE + 1)

static int translate_all(struct vcpu *v, const struct x86_env *e, uint64_t gva, size_t len, unsigned int access,
			 gpa_t page[COPY_PAGES], struct x86_fault *f)
{
	if (len > GVA_COPY_MAX)
		return -E2BIG;
	for (size_t done = 0, i = 0; done < len; done += to_page_end(gva + done, len - done), i++) {
		int err = gva_translate(v, e, gva + done, access, &page[i], f);

		if (err)
			return err;
		if (!gpa_is_ram(v->vm, page[i]))
			return -ENXIO;
	}
	return 0;
}

int gva_read(struct vcpu *v, const struct x86_env *e, uint64_t gva, void *buf, size_t len, unsigned int access,
	     struct x86_fault *f)
{
	gpa_t page[COPY_PAGES];
	int err = translate_all(v, e, gva, len, access, page, f);

	if (err)
		return err;
	for (size_t done = 0, i = 0; done < len; i++) {
		size_t n = to_page_end(gva + done, len - done);

		if (gpa_read(v->vm, page[i], (uint8_t *)buf + done, n))
			return -ENXIO;
		done += n;
	}
	return 0;
}

int gva_write(struct vcpu *v, const struct x86_env *e, uint64_t gva, const void *buf, size_t len, struct x86_fault *f)
{
	gpa_t page[COPY_PAGES];
	int err = translate_all(v, e, gva, len, GVA_WRITE, page, f);

	if (err)
		return err;
	for (size_t done = 0, i = 0; done < len; i++) {
		size_t n = to_page_end(gva + done, len - done);

		if (gpa_write(v->vm, page[i], (const uint8_t *)buf + done, n))
			return -ENXIO;
		done += n;
	}
	return 0;
}

/* Where CS:RIP points and how many bytes, at most 15, may be fetched there. False: not even one, #GP(0). */
static bool code_span(const struct x86_env *e, uint64_t *linear, size_t *len)
{
	const struct x86_seg *cs = &e->seg[SEG_CS];
	uint32_t offset = (uint32_t)e->rip;

	*len = 15;
	if (x86_env_mode(e) == MODE_64) {
		*linear = e->rip;
		return is_canonical(e->rip);
	}
	if (offset > cs->limit)
		return false;
	*linear = (uint32_t)(cs->base + offset);
	if (cs->limit - offset < 14)
		*len = cs->limit - offset + 1;
	return true;
}

int gva_fetch(struct vcpu *v, const struct x86_env *e, uint8_t buf[15], struct x86_fault *f)
{
	uint64_t linear;
	size_t len, first;
	gpa_t at;
	int err;

	if (!code_span(e, &linear, &len)) {
		*f = (struct x86_fault){ .vector = EXC_GP, .has_error = e->cr0 & CR0_PE };
		return -EFAULT;
	}
	first = to_page_end(linear, len);
	err = gva_translate(v, e, linear, GVA_FETCH, &at, f);
	if (err)
		return err;
	if (gpa_read(v->vm, at, buf, first))
		return -ENXIO;
	/* The fault of a second page is only the guest's if the instruction reaches into it: the caller finds out. */
	if (first < len) {
		struct x86_fault ignored;

		if (gva_translate(v, e, linear + first, GVA_FETCH, &at, &ignored) ||
		    gpa_read(v->vm, at, buf + first, len - first))
			return (int)first;
	}
	return (int)len;
}
