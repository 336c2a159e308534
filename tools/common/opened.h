/* SPDX-License-Identifier: BSD-2-Clause */
/* An image file opened by a host tool: the loader's source over it, its parsed head and the verdict on it. */
#ifndef VOUCH_TOOLS_OPENED_H
#define VOUCH_TOOLS_OPENED_H

#include "file.h"

#include <vouch/judge.h>

struct opened {
	struct file file;
	struct image_source source;
	const struct image_trust *trust;      /* signatures are asked for; set between opening and judging; NULL: not */
	bool read_failed;             /* a read failed, which was printed */
	struct image img;             /* valid after a good verdict; its head also after some bad ones: don't use it */
	struct image_error err;       /* after a refusal */
	struct xml_arena arena;
	char *xml;
};

/* Opens path; NULL after printing why not. */
struct opened *opened_open(const char *path);

/* The same over a descriptor that stays the caller's (an output file about to be committed). */
struct opened *opened_from_fd(int fd, const char *path);
void opened_close(struct opened *o);

/*
 * Judges all but the files' data. CLI_GOOD; CLI_REFUSED with o->err, nothing printed; CLI_ENV, printed, when it cannot
 * be read.
 */
int opened_judge_head(struct opened *o);

/*
 * Judges the whole container. CLI_GOOD; CLI_REFUSED with o->err, nothing printed; CLI_ENV, printed, when it cannot be
 * read or changes meanwhile.
 */
int opened_judge(struct opened *o);

#endif
