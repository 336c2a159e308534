/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the monitor's commands. Knows guests by struct monitor_ops only. */
#include "core/monitor.h"

#include <stdio.h>
#include <string.h>

#define GUESTS_MAX 1024u      /* bounds every loop over guests, whatever the ops say */
#define ROWS_MAX   256u

struct command {
	const char *name;
	const char *argument;         /* NULL: none */
	const char *summary;
	/* NULL, or what went wrong. n: the guest's number. */
	const char *(*run)(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n);
	unsigned int what;            /* an enum monitor_act or enum monitor_text */
};

/* ------------------------------------------------------------------ questions */

static const char *run_list(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	static const struct record_kind kind = {
		"guest", RECORD_COLUMNS, 9, {
			{ "number", "N", 2 }, { "name", "NAME", -16 }, { "state", "STATE", -8 },
			{ "vcpus", "VCPUS", 5 }, { "memory_kib", "MEMORY/KiB", 10 }, { "cpu_ms", "CPU/ms", 9 },
			{ "exits_per_s", "EXITS/s", 8 }, { "starts", "STARTS", 6 }, { "level", "LEVEL", -8 },
		},
	};
	struct monitor_guest g;

	(void)c;
	for (n = 0; n < GUESTS_MAX && m->ops->guest(m->ctx, n, &g); n++) {
		record_begin(o, &kind);
		record_number(o, n);
		record_text(o, g.name);
		record_text(o, g.state);
		record_number(o, g.vcpus);
		record_number(o, g.memory_kib);
		record_number(o, g.cpu_ms);
		record_number(o, g.exits_per_s);
		record_number(o, g.starts);
		record_text(o, g.level);
		record_end(o);
	}
	return NULL;
}

static const char *run_info(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	static const struct record_kind state = {
		"info", RECORD_LIST, 8, {
			{ "number", "number", 0 }, { "name", "name", 0 }, { "module", "module", 0 },
			{ "state", "state", 0 }, { "level", "level", 0 }, { "stop", "last stop", 0 },
			{ "starts", "starts", 0 }, { "vcpus", "vCPUs", 0 },
		},
	};
	static const struct record_kind use = {
		"use", RECORD_LIST, 9, {
			{ "memory_kib", "memory/KiB", 0 }, { "overhead_kib", "overhead/KiB", 0 },
			{ "cpu_ms", "CPU/ms", 0 }, { "exits", "exits", 0 }, { "exits_per_s", "exits/s", 0 },
			{ "input", "input waiting", 0 }, { "unseen", "unseen output", 0 },
			{ "weight", "weight", 0 }, { "cap", "cap/%", 0 },
		},
	};
	struct monitor_guest g;

	(void)c;
	if (!m->ops->guest(m->ctx, n, &g))
		return "no such guest";
	record_begin(o, &state);
	record_number(o, n);
	record_text(o, g.name);
	record_number(o, g.module);
	record_text(o, g.state);
	record_text(o, g.level);
	record_text(o, g.stop);
	record_number(o, g.starts);
	record_number(o, g.vcpus);
	record_end(o);
	record_begin(o, &use);
	record_number(o, g.memory_kib);
	record_number(o, g.overhead_kib);
	record_number(o, g.cpu_ms);
	record_number(o, g.exits);
	record_number(o, g.exits_per_s);
	record_number(o, g.input);
	record_number(o, g.unseen);
	record_number(o, g.weight);
	record_number(o, g.cap);
	record_end(o);
	return NULL;
}

static const char *run_stats(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	static const struct record_kind kind = {
		"exits", RECORD_COLUMNS, 3, { { "kind", "EXIT", -32 }, { "count", "COUNT", 12 }, { "per_s", "PER-S", 9 } },
	};
	struct monitor_exits e;

	(void)c;
	for (unsigned int i = 0; i < ROWS_MAX && m->ops->exits(m->ctx, n, i, &e); i++) {
		record_begin(o, &kind);
		record_text(o, e.name);
		record_number(o, e.count);
		record_number(o, e.per_s);
		record_end(o);
	}
	return NULL;
}

static const char *run_cpus(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	static const struct record_kind kind = {
		"cpu", RECORD_COLUMNS, 6, {
			{ "number", "N", 3 }, { "apic_id", "APIC", 4 }, { "state", "STATE", -9 },
			{ "busy_ms", "BUSY/ms", 9 }, { "switches", "SWITCHES", 9 }, { "guests", "GUESTS", -16 },
		},
	};
	struct monitor_cpu cpu;

	(void)c;
	for (n = 0; n < GUESTS_MAX && m->ops->cpu(m->ctx, n, &cpu); n++) {
		record_begin(o, &kind);
		record_number(o, n);
		record_number(o, cpu.apic_id);
		record_text(o, cpu.state);
		record_number(o, cpu.busy_ms);
		record_number(o, cpu.switches);
		record_text(o, cpu.guests);
		record_end(o);
	}
	return NULL;
}

static const char *run_mem(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	static const struct record_kind kind = {
		"memory", RECORD_LIST, 4, {
			{ "total_kib", "total/KiB", 0 }, { "free_kib", "free/KiB", 0 },
			{ "guests_kib", "guests/KiB", 0 }, { "overhead_kib", "for guests/KiB", 0 },
		},
	};
	struct monitor_memory mem = { 0 };

	(void)c, (void)n;
	m->ops->memory(m->ctx, &mem);
	record_begin(o, &kind);
	record_number(o, mem.total_kib);
	record_number(o, mem.free_kib);
	record_number(o, mem.guests_kib);
	record_number(o, mem.overhead_kib);
	record_end(o);
	return NULL;
}

static const struct record_kind line_kind = { "line", RECORD_LINES, 1, { { "text", "", 0 } } };

static void say_line(void *to, const char *text)
{
	record_line(to, &line_kind, text);
}

static const char *run_text(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	return m->ops->text(m->ctx, (enum monitor_text)c->what, n, say_line, o);
}

/* ------------------------------------------------------------------ acts */

static const char *run_act(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	(void)o;
	return m->ops->act(m->ctx, n, (enum monitor_act)c->what);
}

/* ------------------------------------------------------------------ the table */

static const char *run_help(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n);

/* monitor_do() sees to it. */
static const char *run_quit(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	(void)m, (void)o, (void)c, (void)n;
	return NULL;
}

static const struct command commands[] = {
	{ "list", NULL, "the guests", run_list, 0 },
	{ "info", "G", "one guest", run_info, 0 },
	{ "stats", "G", "its exits by kind", run_stats, 0 },
	{ "pause", "G", "stop its vCPUs and its clock", run_act, MONITOR_PAUSE },
	{ "resume", "G", "let them go on", run_act, MONITOR_RESUME },
	{ "reset", "G", "start it anew, verified again", run_act, MONITOR_RESET },
	{ "stop", "G", "press its power button", run_act, MONITOR_STOP },
	{ "destroy", "G", "end it now and scrub its memory", run_act, MONITOR_DESTROY },
	{ "start", "G", "start one that does not run, verified again", run_act, MONITOR_START },
	{ "dump", "G", "registers, last exits, stack", run_text, MONITOR_DUMP },
	{ "why", "G", "what its vCPUs wait for", run_text, MONITOR_WHY },
	{ "log", NULL, "Vouch's latest lines", run_text, MONITOR_LOG },
	{ "measure", NULL, "what was measured", run_text, MONITOR_MEASURE },
	{ "cpus", NULL, "this machine's CPUs", run_cpus, 0 },
	{ "mem", NULL, "this machine's memory", run_mem, 0 },
	{ "help", NULL, "this", run_help, 0 },
	{ "quit", NULL, "leave the monitor; guests go on", run_quit, 0 },
};

static const char *run_help(const struct monitor *m, struct record_out *o, const struct command *c, unsigned int n)
{
	static const struct record_kind kind = {
		"command", RECORD_COLUMNS, 2, { { "usage", "COMMAND", -10 }, { "summary", "WHAT", -40 } },
	};
	char usage[32];

	(void)m, (void)c;
	for (n = 0; n < ARRAY_SIZE(commands); n++) {
		snprintf(usage, sizeof(usage), "%s%s%s", commands[n].name, commands[n].argument ? " " : "",
			 commands[n].argument ? commands[n].argument : "");
		record_begin(o, &kind);
		record_text(o, usage);
		record_text(o, commands[n].summary);
		record_end(o);
	}
	if (!o->json)
		say_line(o, "G is a guest's number, or its name.");
	return NULL;
}

/* ------------------------------------------------------------------ words */

struct word {
	const char *s;
	size_t len;
};

static struct word next_word(const char **line)
{
	struct word w;

	while (**line == ' ')
		(*line)++;
	w.s = *line;
	while (**line && **line != ' ')
		(*line)++;
	w.len = (size_t)(*line - w.s);
	return w;
}

static bool word_is(struct word w, const char *text)
{
	return strlen(text) == w.len && !memcmp(text, w.s, w.len);
}

/* A number of digits only, or false. */
static bool read_number(struct word w, unsigned int *n)
{
	*n = 0;
	for (size_t i = 0; i < w.len; i++) {
		if (w.s[i] < '0' || w.s[i] > '9' || *n >= GUESTS_MAX)
			return false;
		*n = *n * 10 + (unsigned int)(w.s[i] - '0');
	}
	return w.len > 0;
}

/* Digits are always a number: an image that names itself "0" must not take what was meant for another. */
static bool find_guest(const struct monitor *m, struct word w, unsigned int *n)
{
	struct monitor_guest g;

	if (read_number(w, n))
		return m->ops->guest(m->ctx, *n, &g);
	for (*n = 0; *n < GUESTS_MAX && m->ops->guest(m->ctx, *n, &g); ++*n)
		if (word_is(w, g.name))
			return true;
	return false;
}

static const struct command *find_command(struct word w)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (word_is(w, commands[i].name))
			return &commands[i];
	return NULL;
}

static const char *run_line(const struct monitor *m, struct record_out *o, const struct command *c, struct word argument,
			    struct word more)
{
	unsigned int n = 0;

	if (!c)
		return "no such command; help lists them";
	if (more.len || (argument.len && !c->argument))
		return "too many words";
	if (c->argument && !argument.len)
		return "which guest? Give its number or name";
	if (c->argument && !find_guest(m, argument, &n))
		return "no such guest";
	return c->run(m, o, c, n);
}

bool monitor_do(const struct monitor *m, struct record_out *o, const char *line)
{
	struct word name = next_word(&line), argument = next_word(&line), more = next_word(&line);
	const struct command *c = find_command(name);
	const char *error = NULL;

	o->kind = NULL;
	if (name.len)
		error = run_line(m, o, c, argument, more);
	record_done(o, error);
	return error || !c || c->run != run_quit;
}

const char *monitor_word(void *ctx, const char *line, size_t at, unsigned int index)
{
	const struct monitor *m = ctx;
	const char *s = line;
	struct word first = next_word(&s);
	const struct command *c = find_command(first);
	struct monitor_guest g;

	if (first.s >= line + at)
		return index < ARRAY_SIZE(commands) ? commands[index].name : NULL;
	/* One argument, and at stands behind the command's name. */
	if (!c || !c->argument)
		return NULL;
	while (*s == ' ')
		s++;
	if (s < line + at || index >= GUESTS_MAX)
		return NULL;
	return m->ops->guest(m->ctx, index, &g) ? g.name : NULL;
}
