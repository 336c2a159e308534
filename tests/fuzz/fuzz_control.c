/* SPDX-License-Identifier: BSD-2-Clause */
/* The control port: any bytes in, and out come lines of printable ASCII that are JSON objects in their outer form. */
#include "core/control.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
	size_t used;
	unsigned int ends;            /* answers that are complete */
	char line[1024];
};

/* An object, one level of objects in it, every string closed. */
static void check_line(struct reader *r)
{
	unsigned int depth = 0;
	bool string = false;

	if (r->used < 2 || r->line[r->used - 1] != '\r' || memcmp(r->line, "{\"v\":1,\"id\":", 12) != 0)
		abort();
	for (size_t i = 0; i < r->used - 1; i++) {
		char c = r->line[i];

		if (c < 0x20 || c > 0x7e)
			abort();
		if (string && c == '\\')
			i++;
		else if (c == '"')
			string = !string;
		else if (!string && c == '{')
			depth++;
		else if (!string && c == '}' && --depth == 0 && i != r->used - 2)
			abort();
		if (depth > 2)
			abort();
	}
	if (string || depth)
		abort();
	r->line[r->used] = '\0';
	r->ends += strstr(r->line, ",\"done\":true}") || strstr(r->line, ",\"error\":\"");
}

static void put(void *ctx, const char *text, size_t n)
{
	struct reader *r = ctx;

	for (; n--; text++) {
		if (*text == '\n') {
			check_line(r);
			r->used = 0;
			continue;
		}
		if (r->used == sizeof(r->line) - 1)
			abort();
		r->line[r->used++] = *text;
	}
}

static bool guest(void *ctx, unsigned int n, struct monitor_guest *g)
{
	static const char *const names[] = { "web", "\"\\\x01\xff", "0" };

	(void)ctx;
	if (n >= ARRAY_SIZE(names))
		return false;
	*g = (struct monitor_guest){ .name = names[n], .state = "running", .level = "none", .stop = "" };
	return true;
}

static const char *act(void *ctx, unsigned int n, enum monitor_act act)
{
	(void)ctx;
	if (n > 2 || act > MONITOR_START)
		abort();
	return n ? NULL : "not now";
}

static bool exits(void *ctx, unsigned int n, unsigned int index, struct monitor_exits *e)
{
	(void)ctx;
	if (n > 2)
		abort();
	*e = (struct monitor_exits){ .name = "HLT", .count = UINT64_MAX };
	return index < 2;
}

static const char *text(void *ctx, enum monitor_text what, unsigned int n, void (*line)(void *, const char *), void *to)
{
	(void)ctx;
	(void)n;
	line(to, "\x1b[2J\"\\");
	return what == MONITOR_WHY ? "\"why\"" : NULL;
}

static bool cpu(void *ctx, unsigned int n, struct monitor_cpu *c)
{
	(void)ctx;
	*c = (struct monitor_cpu){ .state = "idle", .guests = "\"" };
	return n < 1;
}

static void memory(void *ctx, struct monitor_memory *m)
{
	(void)ctx;
	(void)m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct monitor_ops ops = { guest, act, exits, text, cpu, memory };
	static const struct monitor monitor = { &ops, NULL };
	struct reader r = { 0 };
	struct control c;
	unsigned int answered = 0;

	control_init(&c, &monitor, put, &r);
	for (size_t i = 0; i < size; i++) {
		if (control_byte(&c, data[i]) != (r.ends > answered) || r.used)
			abort();
		if (r.ends > answered + 1)
			abort();
		answered = r.ends;
	}
	return 0;
}
