/* SPDX-License-Identifier: BSD-2-Clause */
/* Running other programs without a shell. */
#include "spawn.h"

#include "bytes.h"
#include "cleanup.h"
#include "cli.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NO_EXEC 127              /* the shell's value for it */
#define SHOWN_TAIL   2000             /* bytes of a failed program's output */

bool spawn_has(const char *program)
{
	const char *path = getenv("PATH");
	char *dirs = cli_strdup(path ? path : "/usr/bin:/bin");
	char *state, *dir;
	bool found = false;

	for (dir = strtok_r(dirs, ":", &state); dir && !found; dir = strtok_r(NULL, ":", &state)) {
		char *candidate = cli_asprintf("%s/%s", dir, program);

		found = access(candidate, X_OK) == 0;
		free(candidate);
	}
	free(dirs);
	return found;
}

int spawn_need(const char *program, const char *package)
{
	if (spawn_has(program))
		return CLI_GOOD;
	cli_error("the program %s is missing; install the Debian package %s", program, package);
	return CLI_ENV;
}

int spawn_need_file(const char *path, const char *package)
{
	if (access(path, R_OK) == 0)
		return CLI_GOOD;
	cli_error("%s is missing; install the Debian package %s", path, package);
	return CLI_ENV;
}

/* In the child. output: where stdout and stderr go, or -1; stdin is then empty. */
static __noreturn void become(char *const argv[], int output, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_NO_EXEC);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (output >= 0) {
		int empty = open("/dev/null", O_RDONLY);

		if (empty < 0 || dup2(empty, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
		    dup2(output, STDERR_FILENO) < 0)
			_exit(EXIT_NO_EXEC);
	}
	execvp(argv[0], argv);
	_exit(EXIT_NO_EXEC);
}

/* The wait status, or -1 with errno. */
static int run(char *const argv[], int output)
{
	pid_t parent = getpid(), pid;
	int wait_status;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0)
		become(argv, output, parent);
	cleanup_child(pid);
	while (waitpid(pid, &wait_status, 0) < 0)
		if (errno != EINTR)
			return -1;
	cleanup_child(0);
	return wait_status;
}

static int judge_end(const char *program, int wait_status)
{
	if (wait_status == -1)
		cli_error("%s: cannot run: %s", program, strerror(errno));
	else if (WIFSIGNALED(wait_status))
		cli_error("%s was ended by signal %d (%s)", program, WTERMSIG(wait_status),
			  strsignal(WTERMSIG(wait_status)));
	else if (WEXITSTATUS(wait_status) == EXIT_NO_EXEC)
		cli_error("%s: cannot be started", program);
	else if (WEXITSTATUS(wait_status) != 0)
		cli_error("%s failed with exit status %d", program, WEXITSTATUS(wait_status));
	else
		return CLI_GOOD;
	return CLI_ENV;
}

static void show_tail(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char text[SHOWN_TAIL];
	ssize_t len = pread(fd, text, sizeof(text), end > SHOWN_TAIL ? end - SHOWN_TAIL : 0);

	if (len > 0)
		(void)!fwrite(text, 1, (size_t)len, stderr);
}

static int quiet(char *const argv[], int (*how)(char *const argv[], int output))
{
	int fd = memfd_create("output", MFD_CLOEXEC);
	int status;

	if (fd < 0) {
		cli_error("cannot hold the output of %s: %s", argv[0], strerror(errno));
		return CLI_ENV;
	}
	status = judge_end(argv[0], how(argv, fd));
	if (status != CLI_GOOD)
		show_tail(fd);
	close(fd);
	return status;
}

int spawn_quiet(char *const argv[])
{
	return quiet(argv, run);
}

/* ------------------------------------------------------------------ enclosed */

/* The signals that end us, but not those that whoever started us ignores or holds back; and a child's end. */
static void watched(sigset_t *set)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGTERM };
	sigset_t blocked;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct sigaction now;

		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN && sigismember(&blocked, ends[i]) == 0)
			sigaddset(set, ends[i]);
	}
}

/* All of set is blocked. Killed with its group, and all of that gone, if a signal comes; that is then pending. */
static int wait_enclosed(pid_t pid, const sigset_t *set)
{
	int wait_status, sig;

	for (;;) {
		pid_t got = waitpid(pid, &wait_status, WNOHANG);

		if (got == pid)
			return wait_status;
		if (got < 0 && errno != EINTR)
			return -1;
		if (sigwait(set, &sig) != 0 || sig == SIGCHLD)
			continue;
		kill(-pid, SIGKILL);
		while (waitpid(-pid, NULL, 0) > 0 || errno == EINTR)
			;
		raise(sig);
		errno = EINTR;
		return -1;
	}
}

static int run_in(char *const argv[], int output, const char *dir, const sigset_t *set, const sigset_t *was)
{
	pid_t parent = getpid(), pid;
	int wait_status;

	fflush(stdout);
	/* Its orphans are then ours to wait for: what is still about to die might make a file anew that we have removed. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		if (setpgid(0, 0) != 0 || setenv("TMPDIR", dir, 1) != 0)
			_exit(EXIT_NO_EXEC);
		sigprocmask(SIG_SETMASK, was, NULL);
		become(argv, output, parent);
	}
	setpgid(pid, pid);                      /* whoever of both is first; the other's fails, or changes nothing */
	wait_status = wait_enclosed(pid, set);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	return wait_status;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	(void)!remove(path);
	return 0;
}

static int run_enclosed(char *const argv[], int output)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = cli_asprintf("%s/vouch-%s-XXXXXX", tmp && *tmp ? tmp : "/tmp", argv[0]);
	int wait_status = -1, why;
	sigset_t set, was;

	signal(SIGCHLD, SIG_DFL);               /* ignored, nobody could be waited for */
	watched(&set);
	sigprocmask(SIG_BLOCK, &set, &was);
	if (mkdtemp(dir)) {
		wait_status = run_in(argv, output, dir, &set, &was);
		why = errno;
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	} else {
		why = errno;
	}
	free(dir);
	sigprocmask(SIG_SETMASK, &was, NULL);   /* a signal that has come ends us here */
	errno = why;
	return wait_status;
}

int spawn_enclosed(char *const argv[])
{
	return quiet(argv, run_enclosed);
}

int spawn_attached(char *const argv[])
{
	return judge_end(argv[0], run(argv, -1));
}

static __noreturn void become_apart(char *const argv[], int errors, pid_t parent)
{
	int empty = open("/dev/null", O_RDWR);

	/* KILL: Bochs' display takes TERM and goes on. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || setsid() < 0)
		_exit(EXIT_NO_EXEC);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (empty < 0 || dup2(empty, STDIN_FILENO) < 0 || dup2(empty, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
		_exit(EXIT_NO_EXEC);
	setenv("TERM", "vt100", 1);
	execvp(argv[0], argv);
	_exit(EXIT_NO_EXEC);
}

pid_t spawn_apart(char *const argv[], int errors)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		cli_error("%s: cannot run: %s", argv[0], strerror(errno));
	if (pid == 0)
		become_apart(argv, errors, parent);
	return pid;
}

void spawn_end(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
