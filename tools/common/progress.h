/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of progress on stderr for long work; silent unless stderr is a terminal and the work takes a while. */
#ifndef VOUCH_TOOLS_PROGRESS_H
#define VOUCH_TOOLS_PROGRESS_H

#include <vouch/types.h>

struct progress {
	const char *label;            /* printable; the caller's */
	uint64_t done, total;         /* bytes */
	uint64_t next_ms;             /* when to draw again; UINT64_MAX: never */
	bool drawn;
};

void progress_begin(struct progress *p, const char *label, uint64_t total);
void progress_add(struct progress *p, uint64_t bytes);
void progress_end(struct progress *p);   /* wipes the line, so that messages start on a clean one */

#endif
