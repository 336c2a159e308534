/* SPDX-License-Identifier: BSD-2-Clause */
/* The user's terminal as the console of a machine. Does not know what the machine is. */
#include "console.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>


int console_make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return -1;
	cfmakeraw(&t);
	return tcsetattr(fd, TCSANOW, &t);
}

void console_open(struct console *c)
{
	*c = (struct console){ .terminal = false };
	if (tcgetattr(STDIN_FILENO, &c->was))
		return;
	c->terminal = true;
	cleanup_terminal(&c->was);
	console_make_raw(STDIN_FILENO);
}

void console_close(struct console *c)
{
	if (c->terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &c->was);
	cleanup_terminal(NULL);
}

int console_fd(const struct console *c)
{
	return c->ended ? -1 : STDIN_FILENO;
}

static enum console_key command(struct console *c, char key, char *dst, size_t *len)
{
	c->escape = false;
	switch (key) {
	case 'x':
	case 'X':
		return CONSOLE_QUIT;
	case 'h':
	case 'H':
	case '?':
		fprintf(stderr, "\r\nCtrl-] X ends the machine, Ctrl-] Ctrl-] types Ctrl-], Ctrl-] H shows this.\r\n");
		break;
	case CONSOLE_ESCAPE:
		dst[(*len)++] = key;
		break;
	}
	return CONSOLE_KEYS;
}

enum console_key console_read(struct console *c, char *dst, size_t size, size_t *len)
{
	ssize_t n = read(STDIN_FILENO, dst, size);

	*len = 0;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return CONSOLE_KEYS;
	if (n <= 0)
		c->ended = true;
	/* A key goes to where it is or before: commands only take away. */
	for (ssize_t i = 0; i < n; i++) {
		if (c->escape) {
			if (command(c, dst[i], dst, len) == CONSOLE_QUIT)
				return CONSOLE_QUIT;
		} else if (c->terminal && dst[i] == CONSOLE_ESCAPE) {
			c->escape = true;
		} else {
			dst[(*len)++] = dst[i];
		}
	}
	return CONSOLE_KEYS;
}
