/* SPDX-License-Identifier: BSD-2-Clause */
/* Running other programs. Arguments go to them as they are: no shell. */
#ifndef VOUCH_TOOLS_SPAWN_H
#define VOUCH_TOOLS_SPAWN_H

#include <vouch/types.h>

#include <sys/types.h>

/* Whether program is in PATH. */
bool spawn_has(const char *program);

/* CLI_GOOD if program is in PATH; else CLI_ENV with a message that names the Debian package. */
int spawn_need(const char *program, const char *package);

/* The same for a file that a package brings. */
int spawn_need_file(const char *path, const char *package);

/* Runs argv and waits; what it prints is shown only if it fails. CLI_GOOD or CLI_ENV (printed). */
int spawn_quiet(char *const argv[]);

/*
 * The same for a program that has children and leaves temporary files when it fails or is ended: TMPDIR is a folder of its own,
 * which is removed afterwards. A signal that ends us (HUP, INT, TERM) first kills it and its children.
 */
int spawn_enclosed(char *const argv[]);

/* Runs argv with our terminal and waits; it ends when we do. CLI_GOOD if it exits with 0, else CLI_ENV (printed). */
int spawn_attached(char *const argv[]);

/*
 * Starts argv in a session of its own, without input, its standard error going to errors, its output nowhere. It is
 * killed when we end. Its process ID, or -1 (printed).
 */
pid_t spawn_apart(char *const argv[], int errors);

/* Kills it, if it still runs, and waits. */
void spawn_end(pid_t pid);

#endif
