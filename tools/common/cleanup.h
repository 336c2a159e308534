/* SPDX-License-Identifier: BSD-2-Clause */
/* What must not stay behind when a signal ends the program: temporary files and a child. One thread only. */
#ifndef VOUCH_TOOLS_CLEANUP_H
#define VOUCH_TOOLS_CLEANUP_H

#include <sys/types.h>
#include <termios.h>

/* Installs the handlers (HUP, INT, TERM) and ignores PIPE and XFSZ, whose errors the writers report. */
void cleanup_init(void);

/* path is removed when a signal comes, until cleanup_forget(). It must stay valid meanwhile. At most 8. */
void cleanup_add(const char *path);
void cleanup_forget(const char *path);

/* Also ends this child (SIGTERM) when a signal comes; 0 = none. */
void cleanup_child(pid_t pid);

/* Also gives standard input these settings back when a signal comes; NULL = none. They must stay valid meanwhile. */
void cleanup_terminal(const struct termios *was);

#endif
