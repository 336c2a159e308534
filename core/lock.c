/* SPDX-License-Identifier: BSD-2-Clause */
/* Ticket spinlocks; in debug builds each CPU keeps a bit for each rank it holds. Does not switch host events off. */
#include <vouch/lock.h>

#include <vouch/assert.h>
#include <vouch/pcpu.h>

void lock_init(struct lock *l, enum lock_rank rank, const char *name)
{
	*l = (struct lock){ .rank = rank, .name = name };
}

#ifdef VOUCH_DEBUG
static void rank_take(const struct lock *l)
{
	struct pcpu *p = this_cpu();

	/* A held rank at or above this one: the order that could deadlock, or the same lock twice. */
	if (p->locks_held >> l->rank)
		panic("lock %s (rank %d) taken while ranks %#x are held", l->name, (int)l->rank, p->locks_held);
	p->locks_held |= 1u << l->rank;
}

static void rank_note(const struct lock *l) { this_cpu()->locks_held |= 1u << l->rank; }

static void rank_drop(const struct lock *l)
{
	struct pcpu *p = this_cpu();

	if (!(p->locks_held & 1u << l->rank))
		panic("lock %s dropped by a CPU that does not hold it", l->name);
	p->locks_held &= ~(1u << l->rank);
}
#else
static void rank_take(const struct lock *l) { (void)l; }
static void rank_note(const struct lock *l) { (void)l; }
static void rank_drop(const struct lock *l) { (void)l; }
#endif

void lock_take(struct lock *l)
{
	uint32_t ticket;

	rank_take(l);
	ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
		__builtin_ia32_pause();
	__atomic_store_n(&l->holder, this_cpu()->id + 1, __ATOMIC_RELAXED);
}

bool lock_try(struct lock *l)
{
	uint32_t owner = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE);

	/* Free while both tickets are the same: taking the next one then is having it. */
	if (!__atomic_compare_exchange_n(&l->next, &owner, owner + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&l->holder, this_cpu()->id + 1, __ATOMIC_RELAXED);
	rank_note(l);
	return true;
}

void lock_drop(struct lock *l)
{
	ASSERT_SLOW(lock_held(l));
	rank_drop(l);
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
}

bool lock_held(const struct lock *l)
{
	return __atomic_load_n(&l->next, __ATOMIC_RELAXED) != __atomic_load_n(&l->owner, __ATOMIC_RELAXED);
}
