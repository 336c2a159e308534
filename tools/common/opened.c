/* SPDX-License-Identifier: BSD-2-Clause */
/* Image files: the loader's source over a file, and the verdict with progress. */
#include "opened.h"

#include "chunks.h"
#include "cli.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int copy(void *ctx, uint64_t off, void *dst, size_t len)
{
	struct opened *o = ctx;

	if (!o->read_failed && file_read_at(&o->file, dst, len, off) == CLI_GOOD)
		return 0;
	o->read_failed = true;
	return -EIO;
}

static struct opened *prepare(struct opened *o)
{
	o->source = (struct image_source){ .copy = copy, .ctx = o, .size = (uint64_t)o->file.stat.st_size };
	o->xml = cli_alloc(IMAGE_MAX_XML + 1);
	o->arena = (struct xml_arena){ .base = cli_alloc(XML_ARENA_SIZE), .size = XML_ARENA_SIZE };
	return o;
}

struct opened *opened_open(const char *path)
{
	struct opened *o = cli_alloc(sizeof(*o));

	if (file_open(&o->file, path) == CLI_GOOD)
		return prepare(o);
	free(o);
	return NULL;
}

struct opened *opened_from_fd(int fd, const char *path)
{
	struct opened *o = cli_alloc(sizeof(*o));

	o->file = (struct file){ .path = path, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0) };
	if (o->file.fd >= 0 && fstat(o->file.fd, &o->file.stat) == 0)
		return prepare(o);
	cli_error("%s: cannot examine: %s", path, strerror(errno));
	file_close(&o->file);
	free(o);
	return NULL;
}

void opened_close(struct opened *o)
{
	if (!o)
		return;
	file_close(&o->file);
	free(o->xml);
	free(o->arena.base);
	free(o);
}

struct meter {
	struct progress bar;
	uint64_t seen;
};

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct meter *m = ctx;

	m->bar.total = total;
	progress_add(&m->bar, done - m->seen);
	m->seen = done;
}

int opened_judge_head(struct opened *o)
{
	int verdict = image_judge_head(&o->img, &o->source, o->xml, &o->arena, o->trust, &o->err);

	if (o->read_failed)
		return CLI_ENV;
	return verdict == 0 ? CLI_GOOD : CLI_REFUSED;
}

static int judge_hashes(struct opened *o)
{
	struct meter m = { 0 };
	int verdict;

	progress_begin(&m.bar, "verifying", 0);
	verdict = image_judge_files(&o->img, &o->source, on_progress, &m, &o->err);
	progress_end(&m.bar);
	if (o->read_failed)
		return CLI_ENV;
	return verdict == 0 ? CLI_GOOD : CLI_REFUSED;
}

int opened_judge(struct opened *o)
{
	int status = opened_judge_head(o);

	if (status == CLI_GOOD)
		status = o->img.version < 2 ? judge_hashes(o) : chunks_judge(o);
	if (status == CLI_ENV || file_unchanged(&o->file) != CLI_GOOD)
		return CLI_ENV;
	return status;
}
