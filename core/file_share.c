/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See file_share.h. Chunks are taken in order and all that were taken are finished, so all before the first bad one have
 * been judged: it is the same one however many CPUs there are. The digest of the whole file, which a guest's name needs, is
 * a chain: the CPU that loads the file goes along it behind the chunks, while the others take these.
 */
#include "core/file_share.h"

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/smp.h>

#include "core/gpa_build.h"

#define NONE UINT64_MAX

void file_share_init(struct file_share *s)
{
	*s = (struct file_share){ .bad = NONE };
	lock_init(&s->lock, LOCK_FILE, "a file's chunks");
}

static uint64_t chunks_of(const struct file_copy *c)
{
	return image_chunks(c->file->size);
}

/* The next chunk is this CPU's, and the file stays until it is handed back. NULL: there is none. */
static struct file_copy *take(struct file_share *s, uint64_t *number)
{
	struct file_copy *c;

	lock_take(&s->lock);
	c = s->bad == NONE && s->copy && s->next < chunks_of(s->copy) ? s->copy : NULL;
	if (c) {
		*number = s->next++;
		s->busy++;
	}
	lock_drop(&s->lock);
	return c;
}

/* err NULL: it is good. */
static void hand_back(struct file_share *s, uint64_t number, const struct image_error *err)
{
	lock_take(&s->lock);
	if (!err) {
		s->copy->ready[number] = true;
	} else if (number < s->bad) {
		s->bad = number;
		s->err = *err;
	}
	s->busy--;
	lock_drop(&s->lock);
}

/* Its time goes to *t. */
static bool do_chunk(struct file_share *s, struct timing *t)
{
	struct image_error err = { .code = IMG_OK };
	struct chunk_copy piece;
	uint64_t number;
	struct file_copy *c = take(s, &number);
	bool good;

	if (!c)
		return false;
	chunk_copy_begin(&piece, c, number, t);
	good = !gpa_build(s->vm, gpa_add(s->at, number * IMAGE2_CHUNK), piece.len, chunk_copy_piece, &piece) &&
	       !chunk_copy_end(&piece, &err);
	hand_back(s, number, good ? NULL : &err);
	return true;
}

bool file_share_help(struct file_share *s)
{
	struct timing helpers = { 0 };

	return do_chunk(s, &helpers);
}

/* Goes along the chain by one chunk. False: the next one has not come yet, or there is none. */
static bool hash_whole(struct file_share *s, struct file_copy *c)
{
	uint64_t number = c->done / IMAGE2_CHUNK, len;
	int err = 0;
	bool ready;

	if (c->done >= c->file->size)
		return false;
	lock_take(&s->lock);
	ready = s->bad == NONE && c->ready[number];
	lock_drop(&s->lock);
	if (!ready)
		return false;
	len = image_chunk_len(c->file->size, number);
	if (c->digest)
		err = gpa_build(s->vm, gpa_add(s->at, c->done), len, file_copy_whole, c);
	ASSERT(!err);                           /* it was filled, so it is there */
	c->done += len;
	return true;
}

/* Nobody is at a chunk, and no more of them will be taken. */
static bool settled(struct file_share *s, const struct file_copy *c)
{
	bool over;

	lock_take(&s->lock);
	over = !s->busy && (s->bad != NONE || c->done == c->file->size);
	lock_drop(&s->lock);
	return over;
}

static void offer(struct file_share *s, struct file_copy *c, struct vm *vm, gpa_t at)
{
	lock_take(&s->lock);
	s->copy = c;
	s->vm = vm;
	s->at = at;
	s->next = 0;
	s->bad = NONE;
	lock_drop(&s->lock);
}

static void withdraw(struct file_share *s)
{
	lock_take(&s->lock);
	ASSERT(!s->busy);
	s->copy = NULL;
	lock_drop(&s->lock);
}

int file_share_load(struct file_share *s, struct file_copy *c, struct vm *vm, gpa_t at)
{
	uint64_t begin, waited = 0;

	offer(s, c, vm, at);
	while (!settled(s, c)) {
		if (hash_whole(s, c) || do_chunk(s, c->timing))
			continue;
		begin = host_tsc();
		cpu_serve();
		__builtin_ia32_pause();
		waited += host_tsc() - begin;
	}
	c->timing->hash += waited;
	withdraw(s);
	if (s->bad == NONE)
		return 0;
	c->refused = s->err.code != IMG_OK;
	if (c->refused)
		*c->err = s->err;
	return -1;
}
