/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading files that must not change meanwhile. Functions print what went wrong and return an enum cli_status. */
#ifndef VOUCH_TOOLS_FILE_H
#define VOUCH_TOOLS_FILE_H

#include "bytes.h"

#include <sys/stat.h>

#define FILE_CHUNK (1u << 20)         /* bytes moved at a time */

/* A regular file opened for reading, and what it looked like then. */
struct file {
	const char *path;             /* the caller's */
	int fd;
	struct stat stat;
};

int file_open(struct file *f, const char *path);
void file_close(struct file *f);

/* CLI_GOOD if the file still is what it was when it was opened (size, times, identity). */
int file_unchanged(const struct file *f);
bool file_same_state(const struct stat *a, const struct stat *b);

/* Reads len bytes in all at off; a shorter file is an error ("became shorter"). */
int file_read_at(const struct file *f, void *dst, size_t len, uint64_t off);

/* The whole file, at most max bytes, becomes b (which was empty); refuses one that changes meanwhile. */
int file_read_all(const char *path, size_t max, struct bytes *b);

/* write() until all is written; 0 or -1 with errno. */
int file_write_fd(int fd, const void *data, size_t len);

#endif
