/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks for tests whose threads are more than the machine's CPUs: whoever waits lets others run. Ranks are not checked. */
#include <vouch/lock.h>

#include <sched.h>

void lock_init(struct lock *l, enum lock_rank rank, const char *name)
{
	*l = (struct lock){ .rank = rank, .name = name };
}

void lock_take(struct lock *l)
{
	uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
		sched_yield();
}

void lock_drop(struct lock *l)
{
	__atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
}
