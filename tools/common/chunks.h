/* SPDX-License-Identifier: BSD-2-Clause */
/* Judges the files of a version 2 image on all CPUs. */
#ifndef VOUCH_TOOLS_CHUNKS_H
#define VOUCH_TOOLS_CHUNKS_H

#include "opened.h"

/*
 * After a good verdict on everything else. CLI_GOOD; CLI_REFUSED with o->err, which names the first bad chunk; CLI_ENV,
 * printed, when the file cannot be read.
 */
int chunks_judge(struct opened *o);

#endif
