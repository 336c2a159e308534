/* SPDX-License-Identifier: BSD-2-Clause */
/* Judges one access through page tables by what the manual says of it. */
#include "walk.h"

#define PF 14u

/* SDM 3A "Access Rights" and "Page-Fault Exceptions" (4.6, 4.7). */
struct walk_expect {
	bool fault, reserved;
	u32 error;
};

static struct walk_expect expect(const struct walk_case *c, bool write)
{
	u32 base = (write ? 2u : 0) | (c->cpl == 3 ? 4u : 0);
	unsigned int all = WALK_FULL, level;

	for (level = c->levels; level >= c->leaf; level--) {
		unsigned int f = c->flags[level];

		if (!(f & WALK_P))
			return (struct walk_expect){ true, false, base };
		if (f & WALK_RSVD || (f & WALK_NX && !c->nxe))
			return (struct walk_expect){ true, true, base | 9 };
		if (!(c->levels == 3 && level == 3))          /* PAE's pointers have no rights */
			all &= f;
	}
	if (c->cpl == 3 ? !(all & WALK_U) || (write && !(all & WALK_W)) :
	    (write && !(all & WALK_W) && c->wp) || (all & WALK_U && c->smap && !c->ac))
		return (struct walk_expect){ true, false, base | 1 };
	return (struct walk_expect){ false, false, 0 };
}

static void print_case(const struct walk_case *c)
{
	print("at CPL %u, WP %u, SMAP %u, AC %u, NXE %u, flags of level %u down to %u: %x %x %x %x\n", c->cpl, c->wp, c->smap,
	      c->ac, c->nxe, c->levels, c->leaf, c->flags[4], c->flags[3], c->flags[2], c->flags[1]);
}

/* Accessed in all entries and dirty in the leaf of a write; after a fault, at least no dirty bit. Nothing else changes. */
static bool marked(const struct walk_case *c, const u64 entry[5], const u64 was[5], bool write, bool fault)
{
	unsigned int level;

	for (level = c->leaf; level <= c->levels; level++) {
		u64 now = entry[level], set = now ^ was[level];

		/* PAE's pointers have no accessed bit; AMD's CPUs, which read them like other entries, may set one. */
		if (c->levels == 3 && level == 3) {
			if (set & ~PTE_A)
				return false;
			continue;
		}
		if (fault ? set & ~PTE_A : set != (PTE_A | (level == c->leaf && write ? PTE_D : 0)))
			return false;
	}
	return true;
}

void walk_judge(struct walk_group *g, const struct walk_case *c, const struct walk_result *r, bool write, u64 va,
		const u64 entry[5], const u64 was[5], bool changed)
{
	struct walk_expect e = expect(c, write);
	bool ok;

	g->cases++;
	if (e.fault) {
		u32 error = r->error;

		if (e.reserved && r->vector == PF && !(error & 1)) {
			g->without_p++;
			error |= 1;
		}
		ok = r->vector == PF && error == e.error && r->cr2 == va && r->at_insn && !r->moved && !changed;
	} else {
		ok = r->vector == NO_FAULT && changed == write;
	}
	ok = ok && marked(c, entry, was, write, e.fault);
	if (ok || g->wrong++)
		return;
	print("%s, %s: vector %u error %x cr2 %lx, %s%s%s, expected %s %x; entries %lx %lx %lx %lx\n", g->what, g->form, r->vector,
	      r->error, r->cr2, r->at_insn ? "RIP right" : "RIP elsewhere", r->moved ? ", registers changed" : "",
	      changed ? ", memory changed" : "", e.fault ? "#PF" : "no fault", e.error, entry[4], entry[3], entry[2], entry[1]);
	print_case(c);
}

void walk_report(const struct walk_group *g)
{
	report(!g->wrong && g->cases, "%s: %s: %u cases", g->what, g->form, g->cases);
}

bool walk_ram(void)
{
	return !expect_vouch || arg_is("ram", "yes");
}
