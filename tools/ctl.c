/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vouch ctl`: a command for a running Vouch, over the socket that an emulator makes of its control port. What comes from
 * there is a serial line's noise until it answers a request of ours.
 */
#include "commands.h"

#include "common/cli.h"
#include "ctl_print.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROTOCOL    1
#define COMMAND_MAX 140               /* with the number before it, it is no longer than Vouch takes */
#define LINE_MAX_LEN 65536            /* no line of Vouch's is as long */

static const char help[] =
	"Usage: vouch ctl --socket=PATH [OPTION]... COMMAND [GUEST]\n"
	"Give a running Vouch a command of its monitor, over the socket of its control port.\n"
	"'vouch ctl --socket=PATH help' lists the commands; GUEST is a guest's number or its name.\n\n"
	"  -s, --socket=PATH      the UNIX socket of the second serial port, such as 'vouch run --control' makes\n"
	"  -t, --timeout=SECONDS  wait so long for each line of an answer (default 10)\n"
	"  -j, --json             print the answer as it comes: a JSON object a line\n"
	"  -h, --help             show this and exit\n"
	"  -V, --version          show the version of vouch and exit\n";

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "timeout", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct ctl {
	const char *socket;
	uint64_t seconds;
	bool json;
	int fd;
	struct timespec until;
	size_t used;
	char buffer[LINE_MAX_LEN];
	struct ctl_print print;
};

/* ------------------------------------------------------------------ the socket */

static int open_socket(struct ctl *c)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = strlen(c->socket);

	if (len >= sizeof(a.sun_path)) {
		cli_error("%s: the path is too long for a socket", c->socket);
		return CLI_ENV;
	}
	memcpy(a.sun_path, c->socket, len);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a))) {
		cli_error("%s: cannot connect: %s", c->socket, strerror(errno));
		return CLI_ENV;
	}
	return CLI_GOOD;
}

static void set_limit(struct ctl *c)
{
	clock_gettime(CLOCK_MONOTONIC, &c->until);
	c->until.tv_sec += (time_t)c->seconds;
}

static int left_ms(const struct ctl *c)
{
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (int64_t)(c->until.tv_sec - now.tv_sec) * 1000 + (c->until.tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? (int)ms : 0;
}

static int no_answer(const struct ctl *c, const char *why)
{
	cli_error("%s: no answer: %s", c->socket, why);
	return CLI_ENV;
}

/* The port's other end may be slow, and nobody's at all; one that never falls silent does not get more time either. */
static int wait_for(const struct ctl *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int n, ms;

	do {
		ms = left_ms(c);
		n = ms > 0 ? poll(&p, 1, ms) : 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return no_answer(c, strerror(errno));
	return n ? CLI_GOOD : no_answer(c, "time is up; is Vouch's option control= given?");
}

static int send_all(struct ctl *c, const char *text)
{
	size_t left = strlen(text);
	int status;

	set_limit(c);
	while (left) {
		ssize_t n;

		status = wait_for(c, POLLOUT);
		if (status != CLI_GOOD)
			return status;
		n = send(c->fd, text, left, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return no_answer(c, strerror(errno));
		if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return CLI_GOOD;
}

static int fill(struct ctl *c)
{
	int status = wait_for(c, POLLIN);
	ssize_t n;

	if (status != CLI_GOOD)
		return status;
	n = recv(c->fd, c->buffer + c->used, sizeof(c->buffer) - c->used, MSG_DONTWAIT);
	if (n == 0)
		return no_answer(c, "the connection was closed");
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? CLI_GOOD : no_answer(c, strerror(errno));
	c->used += (size_t)n;
	return CLI_GOOD;
}

/* The next line, without its end, to *line, which the caller frees. */
static int next_line(struct ctl *c, char **line)
{
	char *end;
	size_t len;

	while (!(end = memchr(c->buffer, '\n', c->used))) {
		int status;

		if (c->used == sizeof(c->buffer))
			return no_answer(c, "a line without an end");
		status = fill(c);
		if (status != CLI_GOOD)
			return status;
	}
	len = (size_t)(end - c->buffer);
	*line = cli_alloc(len + 1);
	memcpy(*line, c->buffer, len);
	(*line)[len] = '\0';
	if (len && (*line)[len - 1] == '\r')
		(*line)[len - 1] = '\0';
	c->used -= len + 1;
	memmove(c->buffer, end + 1, c->used);
	return CLI_GOOD;
}

/* ------------------------------------------------------------------ answers */

/* The object, if the line is one of the answer to this request; else NULL: noise, or somebody else's. */
static json_t *parse(const char *line, uint32_t id)
{
	json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o) && json_integer_value(json_object_get(o, "id")) == (json_int_t)id)
		return o;
	json_decref(o);
	return NULL;
}

static void show(struct ctl *c, const char *line, json_t *o)
{
	const char *key;
	json_t *value;

	if (c->json) {
		cli_print(stdout, line);
		putchar('\n');
		return;
	}
	json_object_foreach(o, key, value) {
		if (json_is_object(value))
			ctl_print_row(&c->print, key, value);
	}
}

static int check_protocol(const struct ctl *c, json_t *o)
{
	json_int_t v = json_integer_value(json_object_get(o, "v"));

	if (v == PROTOCOL)
		return CLI_GO_ON;
	cli_error("%s: Vouch speaks version %lld of the protocol, this program version %d", c->socket, (long long)v, PROTOCOL);
	return CLI_ENV;
}

/* CLI_GO_ON: more comes. */
static int take(struct ctl *c, const char *line, json_t *o, bool quiet)
{
	const char *error = json_string_value(json_object_get(o, "error"));
	int status = check_protocol(c, o);

	if (status != CLI_GO_ON)
		return status;
	if (!quiet)
		show(c, line, o);
	if (error) {
		ctl_print_end(&c->print);
		cli_error("%s", error);
		return CLI_REFUSED;
	}
	return json_is_true(json_object_get(o, "done")) ? CLI_GOOD : CLI_GO_ON;
}

static int ask(struct ctl *c, uint32_t id, const char *command, bool quiet)
{
	/* The newline before it ends what another has left half written. */
	char *request = cli_asprintf("\n%u %s\n", (unsigned int)id, command);
	int status = send_all(c, request);

	free(request);
	if (status != CLI_GOOD)
		return status;
	set_limit(c);
	do {
		char *line = NULL;
		json_t *o;

		status = next_line(c, &line);
		if (status != CLI_GOOD)
			break;
		o = parse(line, id);
		if (o)
			set_limit(c);
		status = o ? take(c, line, o, quiet) : CLI_GO_ON;
		json_decref(o);
		free(line);
	} while (status == CLI_GO_ON);
	ctl_print_end(&c->print);
	return status;
}

/* Two numbers that the one before us has hardly used. */
static uint32_t choose_id(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return 1 + ((uint32_t)now.tv_nsec ^ (uint32_t)getpid() << 8) % 400000000u * 2;
}

static int run(struct ctl *c, const char *command)
{
	uint32_t id = choose_id();
	int status = open_socket(c);

	if (status == CLI_GOOD)
		status = ask(c, id, "hello", true);
	if (status == CLI_REFUSED)
		status = CLI_ENV;
	if (status == CLI_GOOD)
		status = ask(c, id + 1, command, false);
	if (c->fd >= 0)
		close(c->fd);
	return cli_finish(status);
}

/* ------------------------------------------------------------------ the command line */

/* The words with a blank between; NULL with a message: they cannot be a command. */
static char *join(char **words)
{
	char *line = cli_strdup("");

	for (; *words; words++) {
		char *more = cli_asprintf("%s%s%s", line, *line ? " " : "", *words);

		free(line);
		line = more;
	}
	for (const char *p = line; *p; p++) {
		if (*p < 0x20 || *p > 0x7e) {
			cli_error("a command is of printable ASCII: '%s'", line);
			free(line);
			return NULL;
		}
	}
	if (*line && strlen(line) <= COMMAND_MAX)
		return line;
	cli_error(*line ? "the command is longer than %d characters" : "the command is empty", COMMAND_MAX);
	free(line);
	return NULL;
}

static int take_option(int option, struct ctl *c)
{
	switch (option) {
	case 's':
		c->socket = optarg;
		return CLI_GO_ON;
	case 't':
		if (cli_number(optarg, 1, 3600, &c->seconds))
			return CLI_GO_ON;
		cli_error("timeout '%s' is no number from 1 to 3600", optarg);
		return cli_usage("ctl");
	case 'j':
		c->json = true;
		return CLI_GO_ON;
	default:
		return cli_common_option(option, "ctl", help);
	}
}

int command_ctl(int argc, char **argv)
{
	struct ctl *c = cli_alloc(sizeof(*c));
	int option, status = CLI_GO_ON;
	char *command = NULL;

	memset(c, 0, sizeof(*c));
	c->seconds = 10;
	c->fd = -1;
	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "s:t:jhV", options, NULL)) != -1)
		status = take_option(option, c);
	if (status == CLI_GO_ON && c->socket && argc > optind) {
		command = join(argv + optind);
		status = command ? run(c, command) : cli_usage("ctl");
	} else if (status == CLI_GO_ON) {
		cli_error(c->socket ? "no command given" : "no --socket given");
		status = cli_usage("ctl");
	}
	free(command);
	free(c);
	return status;
}
