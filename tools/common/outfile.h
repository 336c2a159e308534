/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An output file that appears whole or not at all: written under a temporary name in its own directory, synced, then
 * renamed. Until then nobody but its owner may read it. Functions print what went wrong and return an enum cli_status.
 */
#ifndef VOUCH_TOOLS_OUTFILE_H
#define VOUCH_TOOLS_OUTFILE_H

#include <vouch/types.h>

#include <sys/types.h>

struct outfile {
	char *path;                   /* where it goes, symbolic links followed */
	char *temp;                   /* where it is meanwhile */
	int fd;                       /* read and write */
	mode_t mode;                  /* permissions it gets at the end; a new file's, unless the caller sets others */
};

/*
 * Refuses a path that exists and is no regular file: the rename would replace a device or a pipe.
 * After success end with outfile_commit() or outfile_abort().
 */
int outfile_open(struct outfile *o, const char *path);

/* The same, but a symbolic link at path itself is replaced, or refused, like a file; never followed. */
int outfile_open_plain(struct outfile *o, const char *path);
int outfile_write(struct outfile *o, const void *data, size_t len);
int outfile_write_at(struct outfile *o, const void *data, size_t len, uint64_t off);

/*
 * On failure too, nothing but the old file (if any) is left. noreplace: NULL, or an existing file is an error, and this
 * is the remedy that the message names.
 */
int outfile_commit(struct outfile *o, const char *noreplace);
void outfile_abort(struct outfile *o);

/* Before anything is read: CLI_USAGE with a message if path is the file input, by whatever names. */
int outfile_check_input(const char *path, const char *input);

/* All of it at once; a file that exists is replaced. */
int outfile_put(const char *path, const void *data, size_t len);

#endif
