/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Balanced trees of tasks by key (an AVL tree: at most 1.45 log2(n) high), each node with the earliest vtime below it. Keys
 * and vtimes may wrap around; those in one tree lie less than 2^63 apart. Knows nothing else of scheduling. Pure.
 */
#ifndef CORE_SCHED_TREE_H
#define CORE_SCHED_TREE_H

#include <vouch/sched.h>

/* a is before b. */
static inline bool sched_before(uint64_t a, uint64_t b) { return (int64_t)(a - b) < 0; }

/* t->key and t->vtime stay as they are while t is in a tree. Each of these is O(log n). */
void sched_tree_add(struct sched_task **root, struct sched_task *t);
void sched_tree_remove(struct sched_task **root, struct sched_task *t);
/* The first by key; NULL if empty. */
struct sched_task *sched_tree_first(struct sched_task *root);
/* The first by key whose vtime is not after vtime; NULL if none is. */
struct sched_task *sched_tree_first_until(struct sched_task *root, uint64_t vtime);
/* The one with the earliest vtime; NULL if empty. */
struct sched_task *sched_tree_least(struct sched_task *root);
/* The earliest vtime of those whose key is before key; false, and *least as it was, if there are none. */
bool sched_tree_least_before(const struct sched_task *root, uint64_t key, uint64_t *least);

#endif
