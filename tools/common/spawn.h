/* SPDX-License-Identifier: BSD-2-Clause */
/* Running other programs. Arguments go to them as they are: no shell. */
#ifndef VOUCH_TOOLS_SPAWN_H
#define VOUCH_TOOLS_SPAWN_H

#include <vouch/types.h>

/* Whether program is in PATH. */
bool spawn_has(const char *program);

/* CLI_GOOD if program is in PATH; else CLI_ENV with a message that names the Debian package. */
int spawn_need(const char *program, const char *package);

/* Runs argv and waits; what it prints is shown only if it fails. CLI_GOOD or CLI_ENV (printed). */
int spawn_quiet(char *const argv[]);

/* Runs argv with our terminal and waits; it ends when we do. CLI_GOOD if it exits with 0, else CLI_ENV (printed). */
int spawn_attached(char *const argv[]);

#endif
