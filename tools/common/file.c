/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading files that must not change meanwhile. */
#include "file.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int file_open(struct file *f, const char *path)
{
	f->path = path;
	/* O_NONBLOCK: a FIFO is refused below, not waited for. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (f->fd < 0) {
		cli_error("%s: cannot open: %s", path, strerror(errno));
		return CLI_ENV;
	}
	if (fstat(f->fd, &f->stat) != 0) {
		cli_error("%s: cannot examine: %s", path, strerror(errno));
	} else if (!S_ISREG(f->stat.st_mode)) {
		cli_error("%s: not a regular file", path);
	} else {
		return CLI_GOOD;
	}
	file_close(f);
	return CLI_ENV;
}

void file_close(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_same_state(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

int file_unchanged(const struct file *f)
{
	struct stat now;

	if (fstat(f->fd, &now) != 0) {
		cli_error("%s: cannot examine: %s", f->path, strerror(errno));
		return CLI_ENV;
	}
	if (file_same_state(&f->stat, &now))
		return CLI_GOOD;
	cli_error("%s: changed while it was being read; try again when nothing writes to it", f->path);
	return CLI_ENV;
}

int file_read_at(const struct file *f, void *dst, size_t len, uint64_t off)
{
	char *p = dst;

	while (len > 0) {
		ssize_t got = pread(f->fd, p, len, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			cli_error("%s: cannot read at offset %llu: %s", f->path, (unsigned long long)off,
				  strerror(errno));
			return CLI_ENV;
		}
		if (got == 0) {
			cli_error("%s: became shorter while it was being read (ends at %llu)", f->path,
				  (unsigned long long)off);
			return CLI_ENV;
		}
		p += got;
		off += (uint64_t)got;
		len -= (size_t)got;
	}
	return CLI_GOOD;
}

static int read_all(const struct file *f, size_t max, struct bytes *b)
{
	size_t size = (size_t)f->stat.st_size;
	char *data;
	int status;

	if (size > max) {
		cli_error("%s: %zu bytes; more than %zu are refused", f->path, size, max);
		return CLI_REFUSED;
	}
	data = cli_alloc(size);
	status = file_read_at(f, data, size, 0);
	if (status == CLI_GOOD)
		status = file_unchanged(f);
	*b = (struct bytes){ .data = data, .len = size, .size = size };
	return status;
}

int file_read_all(const char *path, size_t max, struct bytes *b)
{
	struct file f;
	int status = file_open(&f, path);

	if (status != CLI_GOOD)
		return status;
	status = read_all(&f, max, b);
	file_close(&f);
	return status;
}

int file_write_fd(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t put = write(fd, p, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		p += put;
		len -= (size_t)put;
	}
	return 0;
}
