/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hashes the chunks of a version 2 image on all CPUs. Chunks are handed out in order, so when one is bad all before it
 * are judged too, and the first bad one is what is reported, however the threads ran.
 */
#include "chunks.h"

#include "cli.h"
#include "progress.h"
#include "sha256.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 64
#define PIECE       (256u << 10)      /* read and hashed at a time: fits a CPU's cache */

struct work {
	struct opened *o;
	uint64_t count;               /* chunks of all files */
	uint64_t first[IMAGE_MAX_FILES + 1];  /* the number of each file's first chunk */
	uint8_t (*list)[SHA256_LEN];  /* of all chunks */
	uint64_t total;               /* bytes */
	_Atomic uint64_t next;        /* chunk to hand out */
	_Atomic uint64_t bad;         /* the lowest that is bad or cannot be read; none after it is begun */
	_Atomic uint64_t done;        /* bytes */
};

struct worker {
	struct work *w;
	pthread_t thread;
	bool started;
	uint8_t *piece;
	uint64_t bad;                 /* the lowest bad one that it met */
	uint8_t got[SHA256_LEN];      /* its digest */
	bool unread;                  /* it could not be read */
};

static uint32_t file_of(const struct work *w, uint64_t c)
{
	uint32_t f = 0;

	while (w->first[f + 1] <= c)
		f++;
	return f;
}

/* Without messages: they are the main thread's. */
static bool read_piece(int fd, uint8_t *dst, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t got = pread(fd, dst, len, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		dst += got;
		off += (uint64_t)got;
		len -= (size_t)got;
	}
	return true;
}

static bool hash_chunk(struct worker *k, uint64_t off, uint64_t len, uint8_t digest[SHA256_LEN])
{
	struct sha256 sha;

	sha256_init_fast(&sha);
	for (uint64_t at = 0; at < len; at += PIECE) {
		size_t n = (size_t)min_u64(len - at, PIECE);

		if (!read_piece(k->w->o->file.fd, k->piece, n, off + at))
			return false;
		sha256_update(&sha, k->piece, n);
		atomic_fetch_add(&k->w->done, n);
	}
	sha256_final(&sha, digest);
	return true;
}

static void note_bad(struct worker *k, uint64_t c, bool unread, const uint8_t got[SHA256_LEN])
{
	uint64_t lowest = atomic_load(&k->w->bad);

	while (c < lowest && !atomic_compare_exchange_weak(&k->w->bad, &lowest, c))
		continue;
	if (c >= k->bad)
		return;
	k->bad = c;
	k->unread = unread;
	memcpy(k->got, got, SHA256_LEN);
}

/* One chunk. False when there is none left to begin. */
static bool work_one(struct worker *k)
{
	struct work *w = k->w;
	uint64_t c = atomic_fetch_add(&w->next, 1);
	uint8_t got[SHA256_LEN] = { 0 };
	const struct image_file *f;
	uint64_t in_file;

	if (c >= w->count || c >= atomic_load(&w->bad))
		return false;
	f = &w->o->img.file[file_of(w, c)];
	in_file = c - w->first[f->index];
	if (!hash_chunk(k, f->offset + in_file * IMAGE2_CHUNK, image_chunk_len(f->size, in_file), got))
		note_bad(k, c, true, got);
	else if (!digest_equal(got, w->list[c]))
		note_bad(k, c, false, got);
	return true;
}

static void *work_on(void *arg)
{
	while (work_one(arg))
		continue;
	return NULL;
}

static unsigned int thread_count(const struct work *w)
{
	cpu_set_t cpus;
	int n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;

	return (unsigned int)min_u64(min_u64((uint64_t)n, MAX_THREADS), w->count ? w->count : 1);
}

/* Worker 0 is this thread, which also draws. A thread that cannot be started is one less, no error. */
static void run(struct work *w, struct worker *worker, unsigned int count)
{
	struct progress bar;
	uint64_t seen = 0;
	sigset_t all, old;

	/* Signals stay this thread's, whose handlers clean up. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	for (unsigned int i = 1; i < count; i++)
		worker[i].started = pthread_create(&worker[i].thread, NULL, work_on, &worker[i]) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	progress_begin(&bar, "verifying", w->total);
	while (work_one(&worker[0])) {
		uint64_t done = atomic_load(&w->done);

		progress_add(&bar, done - seen);
		seen = done;
	}
	for (unsigned int i = 1; i < count; i++)
		if (worker[i].started)
			pthread_join(worker[i].thread, NULL);
	progress_end(&bar);
}

/* The first fault of all workers, as the loader tells it. */
static int verdict(struct work *w, const struct worker *worker, unsigned int count)
{
	const struct worker *k = &worker[0];
	const uint8_t (*list)[SHA256_LEN] = (const uint8_t (*)[SHA256_LEN])w->list;
	struct opened *o = w->o;
	uint32_t f;

	if (atomic_load(&w->bad) == UINT64_MAX)
		return CLI_GOOD;
	for (unsigned int i = 1; i < count; i++)
		if (worker[i].bad < k->bad)
			k = &worker[i];
	f = file_of(w, k->bad);
	if (k->unread) {
		cli_error("%s: cannot read file %u of the image; is it being cut?", o->file.path, f);
		o->read_failed = true;
		return CLI_ENV;
	}
	if (image_check_chunk(&o->img, f, k->bad - w->first[f], list + w->first[f], k->got, &o->err))
		return CLI_REFUSED;
	return CLI_GOOD;
}

static int read_lists(struct work *w)
{
	struct image *img = &w->o->img;

	for (uint32_t i = 0; i < img->file_count; i++)
		w->first[i + 1] = w->first[i] + image_chunks(img->file[i].size);
	w->count = w->first[img->file_count];
	w->list = cli_alloc(w->count * SHA256_LEN);
	for (uint32_t i = 0; i < img->file_count; i++) {
		w->total += img->file[i].size;
		if (image_read_list(img, &w->o->source, i, w->list + w->first[i], &w->o->err))
			return w->o->read_failed ? CLI_ENV : CLI_REFUSED;
	}
	return CLI_GOOD;
}

int chunks_judge(struct opened *o)
{
	struct work *w = cli_alloc(sizeof(*w));
	struct worker *worker = cli_alloc(MAX_THREADS * sizeof(*worker));
	unsigned int count = 0;
	int status;

	w->o = o;
	atomic_store(&w->bad, UINT64_MAX);
	status = read_lists(w);
	if (status == CLI_GOOD) {
		count = thread_count(w);
		for (unsigned int i = 0; i < count; i++)
			worker[i] = (struct worker){ .w = w, .bad = UINT64_MAX, .piece = cli_alloc(PIECE) };
		run(w, worker, count);
		status = verdict(w, worker, count);
	}
	for (unsigned int i = 0; i < count; i++)
		free(worker[i].piece);
	free(w->list);
	free(worker);
	free(w);
	return status;
}
