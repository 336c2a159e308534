/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of several chunks on its way into a guest's memory, by as many CPUs as have nothing better to do: each takes the
 * next chunk, copies it and hashes it where it landed. The outcome is that of one CPU that takes them in order.
 */
#ifndef CORE_FILE_SHARE_H
#define CORE_FILE_SHARE_H

#include <vouch/gpa.h>
#include <vouch/lock.h>

#include "core/file_copy.h"

struct file_share {
	struct lock lock;             /* of what follows */
	struct file_copy *copy;       /* the file that is being loaded; NULL: none */
	struct vm *vm;
	gpa_t at;
	uint64_t next;                /* the chunk to be taken next */
	uint64_t bad;                 /* the first of those that failed; UINT64_MAX: none has */
	unsigned int busy;            /* CPUs that are at one */
	struct image_error err;       /* why that one is bad */
};

void file_share_init(struct file_share *s);

/*
 * Puts the file of *c, which was begun, of version 2 and of two chunks at least, at the address in the guest's memory. One
 * CPU calls it; others may be in file_share_help(), and none is at this file when it returns. 0; -1: the first chunk that
 * failed was bad (c->refused, *c->err), or there was no memory for it (not refused). file_copy_end() must follow.
 */
__must_check int file_share_load(struct file_share *s, struct file_copy *c, struct vm *vm, gpa_t at);

/* Does one chunk of the file that is being loaded, if any. False: there is none to be taken now. On any CPU. */
bool file_share_help(struct file_share *s);

#endif
