/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one lock type: a ticket spinlock with a rank. Taken with host events off. In debug builds each CPU checks that
 * ranks rise: a lock may be taken only while every lock held by this CPU has a lower rank.
 */
#ifndef VOUCH_LOCK_H
#define VOUCH_LOCK_H

#include <vouch/types.h>

enum lock_rank { LOCK_VM = 1, LOCK_FILE, LOCK_CMOS, LOCK_MAP, LOCK_PAGE_CACHE, LOCK_PAGES, LOCK_CONSOLE, LOCK_LOG, LOCK_SCHED,
		 LOCK_STOP };

struct lock {
	uint32_t next, owner;         /* tickets */
	uint32_t holder;              /* id + 1 of the CPU that has it, or 0; for lines that must come out in any case */
	enum lock_rank rank;
	const char *name;
};

void lock_init(struct lock *l, enum lock_rank rank, const char *name);
void lock_take(struct lock *l);
void lock_drop(struct lock *l);
/* Takes it if it is free. For who must not wait: no rank is checked, as one that cannot wait cannot deadlock. */
__must_check bool lock_try(struct lock *l);
bool lock_held(const struct lock *l);  /* by anybody; for assertions */

#endif
