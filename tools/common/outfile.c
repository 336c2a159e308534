/* SPDX-License-Identifier: BSD-2-Clause */
/* Output files that appear whole or not at all. */
#include "outfile.h"

#include "cleanup.h"
#include "cli.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IRREGULAR "exists and is not a regular file; name another output file"

/* The directory part of path with its slash, or "". */
static int dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (int)(slash - path + 1) : 0;
}

/* What path means when links are followed; path itself where nothing is. */
static char *resolve(const char *path)
{
	struct stat st;
	char *real = NULL;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		real = realpath(path, NULL);
	return real ? real : cli_strdup(path);
}

static int check_target(const char *path)
{
	struct stat st;

	if (*path == '\0' || path[strlen(path) - 1] == '/') {
		cli_error("'%s' is no name for an output file", path);
		return CLI_USAGE;
	}
	if (lstat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
		return CLI_GOOD;
	cli_error("%s: " IRREGULAR, path);
	return CLI_USAGE;
}

/* The permissions any new file would get. */
static mode_t default_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* path is ours from here. */
static int open_at(struct outfile *o, char *path)
{
	int status;

	o->path = path;
	o->temp = cli_asprintf("%.*s.vouch-XXXXXX", dir_len(o->path), o->path);
	o->fd = -1;
	o->mode = default_mode();
	status = check_target(o->path);
	if (status == CLI_GOOD) {
		/* First, so that no signal finds a file nobody removes; until then no such name exists. */
		cleanup_add(o->temp);
		o->fd = mkostemp(o->temp, O_CLOEXEC);
		if (o->fd < 0) {
			cli_error("%s: cannot create a file in its directory: %s", path, strerror(errno));
			status = CLI_ENV;
		}
	}
	if (status != CLI_GOOD)
		outfile_abort(o);
	return status;
}

/* A link that leads to what has no name of its own, a pipe: resolve() leaves it as it is. */
static bool leads_elsewhere(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int outfile_open(struct outfile *o, const char *path)
{
	char *real = resolve(path);

	if (leads_elsewhere(real)) {
		free(real);
		*o = (struct outfile){ .fd = -1 };
		cli_error("%s: " IRREGULAR, path);
		return CLI_USAGE;
	}
	return open_at(o, real);
}

int outfile_open_plain(struct outfile *o, const char *path)
{
	return open_at(o, cli_strdup(path));
}

static int write_failed(const struct outfile *o)
{
	cli_error("%s: cannot write: %s", o->path, strerror(errno));
	return CLI_ENV;
}

int outfile_write(struct outfile *o, const void *data, size_t len)
{
	return file_write_fd(o->fd, data, len) == 0 ? CLI_GOOD : write_failed(o);
}

int outfile_write_at(struct outfile *o, const void *data, size_t len, uint64_t off)
{
	const char *p = data;

	while (len > 0) {
		ssize_t put = pwrite(o->fd, p, len, (off_t)off);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return write_failed(o);
		p += put;
		off += (uint64_t)put;
		len -= (size_t)put;
	}
	return CLI_GOOD;
}

/* The rename is only lasting once the directory is on disk; a file system that can't sync one is no failure. */
static void sync_dir(const char *path)
{
	char *dir = cli_asprintf("%.*s", dir_len(path) ? dir_len(path) : 1, dir_len(path) ? path : ".");
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(dir);
}

static void release(struct outfile *o)
{
	cleanup_forget(o->temp);
	if (o->fd >= 0)
		close(o->fd);
	free(o->temp);
	free(o->path);
	*o = (struct outfile){ .fd = -1 };
}

/* Some file systems know no RENAME_NOREPLACE; a hard link does not replace either. */
static int rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL || link(from, to) != 0)
		return -1;
	return unlink(from);
}

int outfile_commit(struct outfile *o, const char *noreplace)
{
	/* Permissions last: whoever opened the file before the caller chose them could read what came after. */
	bool ok = fchmod(o->fd, o->mode) == 0 && fsync(o->fd) == 0 &&
		  (noreplace ? rename_new(o->temp, o->path) : rename(o->temp, o->path)) == 0;
	int status = CLI_GOOD;

	if (ok) {
		sync_dir(o->path);
		release(o);
		return CLI_GOOD;
	}
	if (noreplace && errno == EEXIST) {
		cli_error("%s: exists already; %s", o->path, noreplace);
		status = CLI_ENV;
	} else {
		status = write_failed(o);
	}
	outfile_abort(o);
	return status;
}

void outfile_abort(struct outfile *o)
{
	if (o->fd >= 0)
		unlink(o->temp);
	release(o);
}

int outfile_check_input(const char *path, const char *input)
{
	struct stat out, in;

	if (stat(path, &out) != 0 || stat(input, &in) != 0 || out.st_dev != in.st_dev || out.st_ino != in.st_ino)
		return CLI_GOOD;
	cli_error("%s: is also the output file; name another one", input);
	return CLI_USAGE;
}

int outfile_put(const char *path, const void *data, size_t len)
{
	struct outfile out;
	int status = outfile_open(&out, path);

	if (status != CLI_GOOD)
		return status;
	status = outfile_write(&out, data, len);
	if (status == CLI_GOOD)
		return outfile_commit(&out, NULL);
	outfile_abort(&out);
	return status;
}
