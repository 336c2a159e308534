/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses that a guest used and nobody answered for: the most recent distinct ones with counts. Fixed size. */
#ifndef VOUCH_UNHANDLED_H
#define VOUCH_UNHANDLED_H

#include <vouch/types.h>

#define UNHANDLED_ROWS 8u

struct unhandled_row {
	uint64_t at;                  /* port, guest-physical address or MSR */
	uint64_t reads, writes;       /* both 0: the row is free */
	uint64_t last;                /* number of the latest access, counted from 1 */
};

struct unhandled {
	uint64_t accesses;
	struct unhandled_row row[UNHANDLED_ROWS];
};

/* Where the table is full, the address that was used longest ago makes room. */
static inline void unhandled_note(struct unhandled *u, uint64_t at, bool write)
{
	struct unhandled_row *r = &u->row[0];

	for (unsigned int i = 0; i < UNHANDLED_ROWS; i++) {
		if (u->row[i].last && u->row[i].at == at) {
			r = &u->row[i];
			break;
		}
		if (u->row[i].last < r->last)
			r = &u->row[i];
	}
	if (!r->last || r->at != at)
		*r = (struct unhandled_row){ .at = at };
	r->reads += !write;
	r->writes += write;
	r->last = ++u->accesses;
}

#endif
