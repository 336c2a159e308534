/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit statuses, messages and numbers of the host programs. Messages go to stderr, without control characters. */
#ifndef VOUCH_TOOLS_CLI_H
#define VOUCH_TOOLS_CLI_H

#include <vouch/types.h>

#include <stdio.h>

#define VOUCH_VERSION "0.1.0"

/* What every program and subcommand returns. */
enum cli_status {
	CLI_GOOD = 0,
	CLI_REFUSED = 1,              /* an image or a configuration is refused, or a check failed */
	CLI_USAGE = 2,                /* the command line is wrong */
	CLI_ENV = 3,                  /* the machine: no such file, disk full, a program is missing */
	CLI_GO_ON = -1,               /* never an exit status: the command line is good so far */
};

/* One subcommand. run() gets argv[0] = its name and returns an enum cli_status. */
struct cli_command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

/* The name in front of messages; default "vouch". Only main() calls it. */
void cli_set_program(const char *name);
const char *cli_program(void);

/*
 * Only main() calls it, before anything is opened. If the caller has closed standard input, output or errors, the next file
 * opened would take its place, and get what is written there: /dev/null takes it instead, for reading, so that who writes
 * to standard output still gets an error.
 */
void cli_guard_streams(void);

/* "PROGRAM: error: ..." and "PROGRAM: warning: ..."; one line, newline added, control characters shown as \xNN. */
void cli_error(const char *fmt, ...) __printf(1, 2);
void cli_warn(const char *fmt, ...) __printf(1, 2);

/* Text from outside, such as a path, as messages show it: control characters and broken UTF-8 as \xNN. */
void cli_print(FILE *to, const char *s);

/* "try 'PROGRAM COMMAND --help'" after an error; command may be NULL. Returns CLI_USAGE. */
int cli_usage(const char *command);

/* Writes out and flushes stdout; CLI_ENV with a message if that fails (disk full, closed pipe), else status. */
int cli_finish(int status);

/* Prints "PROGRAM VERSION". */
int cli_version(void);

/* For what getopt_long() returns and no command has of its own: -h prints help, -V the version, else a usage error. */
int cli_common_option(int option, const char *command, const char *help);

/* A decimal number without sign or blanks, min..max. False: not such a number (nothing printed). */
bool cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* Length of the UTF-8 sequence at p (n bytes left) if it is valid and prints (no control character), else 0. */
size_t cli_utf8_len(const char *p, size_t n);

/* malloc and friends that end the program with CLI_ENV when memory is short. */
void *cli_alloc(size_t size);
char *cli_strdup(const char *s);
char *cli_asprintf(const char *fmt, ...) __printf(1, 2);

#endif
