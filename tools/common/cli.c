/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages, numbers and memory of the host programs. Knows nothing of images. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program = "vouch";

void cli_set_program(const char *name)
{
	program = name;
}

const char *cli_program(void)
{
	return program;
}

void cli_guard_streams(void)
{
	/* The lowest free number is the one that open() gives. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || open("/dev/null", O_RDONLY) == fd)
			continue;
		cli_error("/dev/null: cannot open it in place of a closed standard stream: %s", strerror(errno));
		exit(CLI_ENV);
	}
}

static bool continuation(const char *p, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

size_t cli_utf8_len(const char *p, size_t n)
{
	unsigned char c = (unsigned char)p[0];
	unsigned char d = n > 1 ? (unsigned char)p[1] : 0;
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (c < 0x20 || c == 0x7f || len == 0 || len > n || !continuation(p, len))
		return 0;
	/* C1 controls (a raw CSI among them), overlong forms, surrogates, beyond U+10FFFF. */
	if ((c == 0xc2 && d < 0xa0) || (c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) ||
	    (c == 0xf4 && d > 0x8f))
		return 0;
	return len;
}

/* File names and quoted configurations may not drive the terminal, nor add lines. */
void cli_print(FILE *to, const char *s)
{
	size_t left = strlen(s);

	while (left > 0) {
		size_t len = cli_utf8_len(s, left);

		if (len > 0)
			fwrite(s, 1, len, to);
		else
			fprintf(to, "\\x%02x", (unsigned char)*s);
		len += len == 0;
		s += len;
		left -= len;
	}
}

static void message(const char *kind, const char *fmt, va_list args) __printf(2, 0);
static void message(const char *kind, const char *fmt, va_list args)
{
	char *text;

	fflush(stdout);
	fprintf(stderr, "%s: %s: ", program, kind);
	if (vasprintf(&text, fmt, args) < 0) {
		fputs("out of memory\n", stderr);
		return;
	}
	cli_print(stderr, text);
	fputc('\n', stderr);
	free(text);
}

void cli_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message("error", fmt, args);
	va_end(args);
}

void cli_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message("warning", fmt, args);
	va_end(args);
}

int cli_usage(const char *command)
{
	fprintf(stderr, "Try '%s%s%s --help'.\n", program, command ? " " : "", command ? command : "");
	return CLI_USAGE;
}

int cli_version(void)
{
	printf("%s %s\n", program, VOUCH_VERSION);
	return cli_finish(CLI_GOOD);
}

int cli_common_option(int option, const char *command, const char *help)
{
	if (option == 'V')
		return cli_version();
	if (option != 'h')
		return cli_usage(command);
	fputs(help, stdout);
	return cli_finish(CLI_GOOD);
}

int cli_finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	cli_error("cannot write standard output: %s", strerror(errno));
	return CLI_ENV;
}

bool cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		unsigned int digit = (unsigned int)(unsigned char)*text - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return v >= min && v <= max;
}

static __noreturn void no_memory(void)
{
	cli_error("out of memory");
	exit(CLI_ENV);
}

void *cli_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		no_memory();
	return p;
}

char *cli_strdup(const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		no_memory();
	return copy;
}

char *cli_asprintf(const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		no_memory();
	return text;
}
