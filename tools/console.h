/* SPDX-License-Identifier: BSD-2-Clause */
/* The user's terminal as the console of a machine: keys go through one by one, and Ctrl-] commands the program. */
#ifndef VOUCH_TOOLS_CONSOLE_H
#define VOUCH_TOOLS_CONSOLE_H

#include <vouch/types.h>

#include <termios.h>

/* Ctrl-]. Not Ctrl-A, QEMU's own choice: that is for Vouch's console (docs/console.md). */
#define CONSOLE_ESCAPE 0x1d

enum console_key { CONSOLE_KEYS, CONSOLE_QUIT };

struct console {
	bool terminal;                /* standard input is one, and is raw now */
	bool escape;                  /* Ctrl-] has been typed, its command not yet */
	bool ended;                   /* nothing more comes */
	struct termios was;
};

/* Takes standard input; a terminal becomes raw until console_close(), or until a signal ends the program. */
void console_open(struct console *c);
void console_close(struct console *c);

/* What to poll for input; -1 when none will come. */
int console_fd(const struct console *c);

/* Reads what was typed, at most size bytes to dst, without the commands: Ctrl-] X ends, H helps, twice types one. */
enum console_key console_read(struct console *c, char *dst, size_t size, size_t *len);

/* 0, or -1 with errno. */
int console_make_raw(int fd);

#endif
