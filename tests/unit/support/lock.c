/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks for tests of one thread that have no CPU area: a lock taken twice or dropped twice aborts. */
#include <vouch/lock.h>

#include <stdlib.h>

void lock_init(struct lock *l, enum lock_rank rank, const char *name)
{
	*l = (struct lock){ .rank = rank, .name = name };
}

void lock_take(struct lock *l)
{
	if (lock_held(l))
		abort();
	l->next++;
}

bool lock_try(struct lock *l)
{
	if (lock_held(l))
		return false;
	l->next++;
	return true;
}

void lock_drop(struct lock *l)
{
	if (!lock_held(l))
		abort();
	l->owner++;
}

bool lock_held(const struct lock *l)
{
	return l->next != l->owner;
}
