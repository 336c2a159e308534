/* SPDX-License-Identifier: BSD-2-Clause */
/* AVL trees without recursion: the way down is remembered, and mended on the way back. */
#include "core/sched_tree.h"

#include <vouch/assert.h>

#define HEIGHT_MAX 64u                /* of a tree with 2^44 nodes */

/* Links from the root to where something changed. */
struct path {
	struct sched_task **link[HEIGHT_MAX];
	unsigned int n;
};

static void path_push(struct path *p, struct sched_task **link)
{
	ASSERT(p->n < HEIGHT_MAX);
	p->link[p->n++] = link;
}

static unsigned int height(const struct sched_task *t)
{
	return t ? t->height : 0;
}

static void update(struct sched_task *t)
{
	unsigned int l = height(t->left), r = height(t->right);

	t->height = (l > r ? l : r) + 1;
	t->least = t->vtime;
	if (t->left && sched_before(t->left->least, t->least))
		t->least = t->left->least;
	if (t->right && sched_before(t->right->least, t->least))
		t->least = t->right->least;
}

static void rotate_right(struct sched_task **link)
{
	struct sched_task *t = *link, *l = t->left;

	t->left = l->right;
	l->right = t;
	update(t);
	update(l);
	*link = l;
}

static void rotate_left(struct sched_task **link)
{
	struct sched_task *t = *link, *r = t->right;

	t->right = r->left;
	r->left = t;
	update(t);
	update(r);
	*link = r;
}

static void mend(struct sched_task **link)
{
	struct sched_task *t = *link;

	if (height(t->left) > height(t->right) + 1) {
		if (height(t->left->left) < height(t->left->right))
			rotate_left(&t->left);
		rotate_right(link);
	} else if (height(t->right) > height(t->left) + 1) {
		if (height(t->right->right) < height(t->right->left))
			rotate_right(&t->right);
		rotate_left(link);
	} else {
		update(t);
	}
}

static void mend_path(struct path *p)
{
	while (p->n) {
		struct sched_task **link = p->link[--p->n];

		if (*link)
			mend(link);
	}
}

/* Equal keys are told apart by address. */
static bool goes_left(const struct sched_task *t, const struct sched_task *at)
{
	return t->key == at->key ? (uintptr_t)t < (uintptr_t)at : sched_before(t->key, at->key);
}

void sched_tree_add(struct sched_task **root, struct sched_task *t)
{
	struct sched_task **link = root;
	struct path p = { .n = 0 };

	path_push(&p, link);
	while (*link) {
		link = goes_left(t, *link) ? &(*link)->left : &(*link)->right;
		path_push(&p, link);
	}
	t->left = t->right = NULL;
	*link = t;
	mend_path(&p);
}

/* Takes the leftmost task below t->right out and puts it in t's place, which *link is. */
static void replace_by_next(struct path *p, struct sched_task **link, struct sched_task *t)
{
	unsigned int first = p->n;
	struct sched_task **at = &t->right, *next;

	path_push(p, at);
	while ((*at)->left) {
		at = &(*at)->left;
		path_push(p, at);
	}
	next = *at;
	*at = next->right;
	next->left = t->left;
	next->right = t->right;
	*link = next;
	p->link[first] = &next->right;
}

void sched_tree_remove(struct sched_task **root, struct sched_task *t)
{
	struct sched_task **link = root;
	struct path p = { .n = 0 };

	path_push(&p, link);
	while (*link != t) {
		ASSERT(*link);
		link = goes_left(t, *link) ? &(*link)->left : &(*link)->right;
		path_push(&p, link);
	}
	if (t->left && t->right)
		replace_by_next(&p, link, t);
	else
		*link = t->left ? t->left : t->right;
	t->left = t->right = NULL;
	mend_path(&p);
}

struct sched_task *sched_tree_first(struct sched_task *root)
{
	while (root && root->left)
		root = root->left;
	return root;
}

struct sched_task *sched_tree_first_until(struct sched_task *root, uint64_t vtime)
{
	while (root) {
		if (root->left && !sched_before(vtime, root->left->least))
			root = root->left;
		else if (!sched_before(vtime, root->vtime))
			return root;
		else
			root = root->right;
	}
	return NULL;
}

struct sched_task *sched_tree_least(struct sched_task *root)
{
	while (root && root->vtime != root->least)
		root = root->left && root->left->least == root->least ? root->left : root->right;
	return root;
}

bool sched_tree_least_before(const struct sched_task *root, uint64_t key, uint64_t *least)
{
	bool any = false;

	while (root) {
		if (!sched_before(root->key, key)) {
			root = root->left;
			continue;
		}
		/* It and all to the left of it. */
		if (!any || sched_before(root->vtime, *least))
			*least = root->vtime;
		if (root->left && sched_before(root->left->least, *least))
			*least = root->left->least;
		any = true;
		root = root->right;
	}
	return any;
}
