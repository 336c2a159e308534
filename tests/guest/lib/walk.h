/* SPDX-License-Identifier: BSD-2-Clause */
/* What walk.c and walk32.c share: a page under test, its table entries, and what the manual says of an access. */
#ifndef GUEST_WALK_H
#define GUEST_WALK_H

#include "guest.h"

#define NOBODY 0xd1230000ull          /* a device that takes anything: no device is there */
#define TARGET 0x2000000ull           /* the memory behind the page under test: aligned for the largest page but one */
#define SCRATCH 0x3ffu

#define WALK_P    1u
#define WALK_W    2u
#define WALK_U    4u
#define WALK_FULL 7u
#define WALK_NX   8u
#define WALK_RSVD 16u

/* The state of the CPU and of the tables in one case. */
struct walk_case {
	unsigned int cpl;
	bool wp, smap, ac, nxe;
	unsigned int levels, leaf;    /* levels of the format; level of the leaf, 1 to 3 */
	unsigned int flags[5];        /* WALK_*, by level from 1; only those from leaf to levels count */
};

/* What an access did, as far as it can be told. */
struct walk_result {
	u32 vector, error;
	u64 cr2;
	bool at_insn;                 /* RIP is that of the instruction */
	bool moved;                   /* registers are not those before it */
};

/* Counts what went wrong in a group of cases; the first one is printed. */
struct walk_group {
	const char *what, *form;
	unsigned int cases, wrong, without_p;
};

/* entry and was: the entries by level, after and before; changed: the byte at va in memory. */
void walk_judge(struct walk_group *g, const struct walk_case *c, const struct walk_result *r, bool write, u64 va,
		const u64 entry[5], const u64 was[5], bool changed);
void walk_report(const struct walk_group *g);
/* Shall the CPU walk too? It is another one's business in Vouch, and takes time: ram=yes asks for it there. */
bool walk_ram(void);

#endif
