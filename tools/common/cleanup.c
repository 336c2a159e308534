/* SPDX-License-Identifier: BSD-2-Clause */
/* Removes temporary files when a signal ends the program. Handlers only call async-signal-safe functions. */
#include "cleanup.h"

#include "cli.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP_MAX 8

static const char *volatile paths[CLEANUP_MAX];
static volatile pid_t child;
static const struct termios *volatile terminal;

static void on_signal(int sig)
{
	if (child > 0)
		kill(child, SIGTERM);
	for (size_t i = 0; i < CLEANUP_MAX; i++)
		if (paths[i])
			unlink(paths[i]);
	if (terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, terminal);
	/* SA_RESETHAND: the second time the default action ends us, with the status the caller expects. */
	raise(sig);
}

void cleanup_init(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	static const int ends[] = { SIGHUP, SIGINT, SIGTERM };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct sigaction old;

		/* A signal that the caller ignores (nohup) stays ignored. */
		if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(ends[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

void cleanup_add(const char *path)
{
	for (size_t i = 0; i < CLEANUP_MAX; i++) {
		if (!paths[i]) {
			paths[i] = path;
			return;
		}
	}
	cli_error("too many temporary files");
	abort();
}

void cleanup_forget(const char *path)
{
	for (size_t i = 0; i < CLEANUP_MAX; i++)
		if (paths[i] == path)
			paths[i] = NULL;
}

void cleanup_child(pid_t pid)
{
	child = pid;
}

void cleanup_terminal(const struct termios *was)
{
	terminal = was;
}
