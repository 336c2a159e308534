/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's commands on guests that are not there: what is asked of them, and what people and programs get to read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/control.h"

static struct {
	unsigned int guests;
	struct monitor_guest guest[3];
	const char *refuse;           /* what act and text say */
	unsigned int acts, of;        /* bits of enum monitor_act; the last guest */
	enum monitor_text what;
	char out[8192];
	size_t used;
	struct control control;
} t;

static bool ops_guest(void *ctx, unsigned int n, struct monitor_guest *g)
{
	assert_ptr_equal(ctx, &t);
	if (n < t.guests)
		*g = t.guest[n];
	return n < t.guests;
}

static const char *ops_act(void *ctx, unsigned int n, enum monitor_act act)
{
	assert_ptr_equal(ctx, &t);
	assert_true(n < t.guests);
	t.acts |= 1u << act;
	t.of = n;
	return t.refuse;
}

static bool ops_exits(void *ctx, unsigned int n, unsigned int index, struct monitor_exits *e)
{
	assert_ptr_equal(ctx, &t);
	if (n != 1 || index > 1)
		return false;
	snprintf(e->name, sizeof(e->name), index ? "HLT" : "IOIO");
	e->count = index ? 7 : 123456;
	e->per_s = index ? 0 : 99;
	return true;
}

static const char *ops_text(void *ctx, enum monitor_text what, unsigned int n, void (*line)(void *, const char *), void *to)
{
	char text[32];

	assert_ptr_equal(ctx, &t);
	t.what = what;
	t.of = n;
	if (t.refuse)
		return t.refuse;
	snprintf(text, sizeof(text), "text %d of %u", (int)what, n);
	line(to, text);
	line(to, "a \"quoted\" \\ \x1b[2J \xff");
	return NULL;
}

static bool ops_cpu(void *ctx, unsigned int n, struct monitor_cpu *c)
{
	assert_ptr_equal(ctx, &t);
	*c = (struct monitor_cpu){ .apic_id = 4 * n, .state = n ? "idle" : "running", .busy_ms = 1000 * n, .switches = 17 };
	snprintf(c->guests, sizeof(c->guests), "%s", n ? "" : "web");
	return n < 2;
}

static void ops_memory(void *ctx, struct monitor_memory *m)
{
	assert_ptr_equal(ctx, &t);
	*m = (struct monitor_memory){ .total_kib = 1048576, .free_kib = 700000, .guests_kib = 262144, .overhead_kib = 900 };
}

static const struct monitor_ops ops = {
	.guest = ops_guest, .act = ops_act, .exits = ops_exits, .text = ops_text, .cpu = ops_cpu, .memory = ops_memory,
};
static const struct monitor monitor = { &ops, &t };

static void put(void *ctx, const char *text, size_t n)
{
	assert_ptr_equal(ctx, &t);
	assert_true(n < sizeof(t.out) - t.used);
	memcpy(t.out + t.used, text, n);
	t.used += n;
	t.out[t.used] = '\0';
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.guests = 2;
	t.guest[0] = (struct monitor_guest){
		.name = "web", .state = "running", .level = "signed", .stop = "", .module = 1, .vcpus = 2, .starts = 1,
		.memory_kib = 131072, .overhead_kib = 500, .cpu_ms = 4321, .exits = 99999, .exits_per_s = 1500,
		.input = 3, .unseen = 4, .weight = 512, .cap = 50,
	};
	t.guest[1] = (struct monitor_guest){ .weight = 1,
		.name = "db", .state = "stopped", .level = "sha256", .stop = "powered off (ACPI S5)", .module = 2, .vcpus = 1,
		.starts = 3, .memory_kib = 65536,
	};
	control_init(&t.control, &monitor, put, &t);
	return 0;
}

static bool says(const char *line, const char *text)
{
	struct record_out o = { .put = put, .ctx = &t };
	bool more;

	t.used = 0;
	t.out[0] = '\0';
	more = monitor_do(&monitor, &o, line);
	assert_string_equal(t.out, text);
	return more;
}

static void answers(const char *request, const char *text)
{
	t.used = 0;
	t.out[0] = '\0';
	for (; *request; request++)
		control_byte(&t.control, (uint8_t)*request);
	assert_string_equal(t.out, text);
}

static void list(void **state)
{
	(void)state;
	says("list", " N  NAME              STATE     VCPUS  MEMORY/KiB     CPU/ms   EXITS/s  STARTS  LEVEL\r\n"
		     " 0  web               running       2      131072       4321      1500       1  signed\r\n"
		     " 1  db                stopped       1       65536          0         0       3  sha256\r\n");
	answers("12 list\n", "{\"v\":1,\"id\":12,\"guest\":{\"number\":0,\"name\":\"web\",\"state\":\"running\",\"vcpus\":2,"
		"\"memory_kib\":131072,\"cpu_ms\":4321,\"exits_per_s\":1500,\"starts\":1,\"level\":\"signed\"}}\r\n"
		"{\"v\":1,\"id\":12,\"guest\":{\"number\":1,\"name\":\"db\",\"state\":\"stopped\",\"vcpus\":1,"
		"\"memory_kib\":65536,\"cpu_ms\":0,\"exits_per_s\":0,\"starts\":3,\"level\":\"sha256\"}}\r\n"
		"{\"v\":1,\"id\":12,\"done\":true}\r\n");
	t.guests = 0;
	says("list", "");
	answers("13 list\n", "{\"v\":1,\"id\":13,\"done\":true}\r\n");
}

static void info(void **state)
{
	(void)state;
	says("info db", "number:           1\r\nname:             db\r\nmodule:           2\r\nstate:            stopped\r\n"
	     "level:            sha256\r\nlast stop:        powered off (ACPI S5)\r\nstarts:           3\r\n"
	     "vCPUs:            1\r\nmemory/KiB:       65536\r\noverhead/KiB:     0\r\nCPU/ms:           0\r\n"
	     "exits:            0\r\nexits/s:          0\r\ninput waiting:    0\r\nunseen output:    0\r\n"
	     "weight:           1\r\ncap/%:            0\r\n");
	answers("1 info 0\n", "{\"v\":1,\"id\":1,\"info\":{\"number\":0,\"name\":\"web\",\"module\":1,\"state\":\"running\","
		"\"level\":\"signed\",\"stop\":\"\",\"starts\":1,\"vcpus\":2}}\r\n"
		"{\"v\":1,\"id\":1,\"use\":{\"memory_kib\":131072,\"overhead_kib\":500,\"cpu_ms\":4321,\"exits\":99999,"
		"\"exits_per_s\":1500,\"input\":3,\"unseen\":4,\"weight\":512,\"cap\":50}}\r\n{\"v\":1,\"id\":1,\"done\":true}\r\n");
}

static void machine(void **state)
{
	(void)state;
	says("cpus", "  N  APIC  STATE        BUSY/ms   SWITCHES  GUESTS\r\n"
		     "  0     0  running            0         17  web\r\n"
		     "  1     4  idle            1000         17  \r\n");
	says("mem", "total/KiB:        1048576\r\nfree/KiB:         700000\r\nguests/KiB:       262144\r\n"
		    "for guests/KiB:   900\r\n");
	says("stats 1", "EXIT                                     COUNT      PER-S\r\n"
			"IOIO                                    123456         99\r\n"
			"HLT                                          7          0\r\n");
	says("stats 0", "");
}

static void texts(void **state)
{
	static const struct { const char *line; enum monitor_text what; unsigned int of; } rows[] = {
		{ "dump db", MONITOR_DUMP, 1 }, { "why 0", MONITOR_WHY, 0 }, { "log", MONITOR_LOG, 0 },
		{ "measure", MONITOR_MEASURE, 0 },
	};
	char want[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(want, sizeof(want), "text %d of %u\r\na \"quoted\" \\ \\x1b[2J \\xff\r\n", (int)rows[i].what, rows[i].of);
		says(rows[i].line, want);
		assert_int_equal(t.what, rows[i].what);
	}
	answers("7 log\n", "{\"v\":1,\"id\":7,\"line\":{\"text\":\"text 2 of 0\"}}\r\n"
		"{\"v\":1,\"id\":7,\"line\":{\"text\":\"a \\\"quoted\\\" \\\\ \\u001b[2J \\u00ff\"}}\r\n"
		"{\"v\":1,\"id\":7,\"done\":true}\r\n");
	t.refuse = "it does not run";
	says("dump db", "it does not run\r\n");
	answers("8 dump db\n", "{\"v\":1,\"id\":8,\"error\":\"it does not run\"}\r\n");
}

static void acts(void **state)
{
	static const struct { const char *line; enum monitor_act act; } rows[] = {
		{ "pause db", MONITOR_PAUSE }, { "resume db", MONITOR_RESUME }, { "reset 1", MONITOR_RESET },
		{ "destroy db", MONITOR_DESTROY }, { "  stop   01  ", MONITOR_STOP }, { "start db", MONITOR_START },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		t.acts = 0;
		t.of = 99;
		assert_true(says(rows[i].line, ""));
		assert_int_equal(t.acts, 1u << rows[i].act);
		assert_int_equal(t.of, 1);
	}
	t.refuse = "it runs already";
	says("start web", "it runs already\r\n");
}

/* What is not understood whole does nothing. */
static void misunderstood(void **state)
{
	(void)state;
	says("destroy", "which guest? Give its number or name\r\n");
	says("destroy nobody", "no such guest\r\n");
	says("destroy 2", "no such guest\r\n");
	says("destroy -1", "no such guest\r\n");
	says("destroy 4294967296", "no such guest\r\n");
	says("destroy 18446744073709551617", "no such guest\r\n");
	says("destroy we", "no such guest\r\n");
	says("destroy webb", "no such guest\r\n");
	says("destroy web db", "too many words\r\n");
	says("destroyweb", "no such command; help lists them\r\n");
	says("destro web", "no such command; help lists them\r\n");
	says("DESTROY web", "no such command; help lists them\r\n");
	says("list web", "too many words\r\n");
	says("", "");
	says("   ", "");
	assert_int_equal(t.acts, 0);
}

/* An image may call itself what it wants. */
static void names_of_digits(void **state)
{
	(void)state;
	t.guest[1].name = "0";
	says("destroy 0", "");
	assert_int_equal(t.of, 0);
	t.guest[1].name = "\x1b[2J";
	says("stats 0", "");
	says("list", " N  NAME              STATE     VCPUS  MEMORY/KiB     CPU/ms   EXITS/s  STARTS  LEVEL\r\n"
		     " 0  web               running       2      131072       4321      1500       1  signed\r\n"
		     " 1  \\x1b[2J              stopped       1       65536          0         0       3  sha256\r\n");
}

static void help_and_quit(void **state)
{
	struct record_out o = { .put = put, .ctx = &t };

	(void)state;
	assert_true(monitor_do(&monitor, &o, "help"));
	assert_non_null(strstr(t.out, "destroy G   end it now and scrub its memory\r\n"));
	assert_non_null(strstr(t.out, "G is a guest's number, or its name.\r\n"));
	assert_false(says("quit", ""));
	assert_true(says("quit now", "too many words\r\n"));
}

static const char *nth(const char *line, size_t at, unsigned int index)
{
	return monitor_word((void *)(uintptr_t)&monitor, line, at, index);
}

static void completion(void **state)
{
	(void)state;
	assert_string_equal(nth("", 0, 0), "list");
	assert_string_equal(nth("de", 0, 1), "info");
	assert_string_equal(nth("  de", 2, 1), "info");
	assert_null(nth("", 0, 17));
	assert_string_equal(nth("info ", 5, 0), "web");
	assert_string_equal(nth("info  w", 6, 1), "db");
	assert_null(nth("info ", 5, 2));
	assert_null(nth("list ", 5, 0));
	assert_null(nth("nonesuch ", 9, 0));
	assert_null(nth("info web ", 9, 0));
}

/* ------------------------------------------------------------------ the control port */

static void hello(void **state)
{
	(void)state;
	answers("1 hello\n", "{\"v\":1,\"id\":1,\"vouch\":{\"protocol\":1}}\r\n{\"v\":1,\"id\":1,\"done\":true}\r\n");
	answers("999999999 hello\r\n", "{\"v\":1,\"id\":999999999,\"vouch\":{\"protocol\":1}}\r\n"
		"{\"v\":1,\"id\":999999999,\"done\":true}\r\n");
	answers("\n\r\n  \n", "");
	answers("2 quit\n", "{\"v\":1,\"id\":2,\"done\":true}\r\n");
	assert_true(t.control.quit);
	answers("2 hello\n", "{\"v\":1,\"id\":2,\"vouch\":{\"protocol\":1}}\r\n{\"v\":1,\"id\":2,\"done\":true}\r\n");
	assert_false(t.control.quit);
	answers("2 quit\n", "{\"v\":1,\"id\":2,\"done\":true}\r\n");
	answers("no request\n", "{\"v\":1,\"id\":0,\"error\":\"a request is: ID COMMAND [GUEST]\"}\r\n");
	assert_false(t.control.quit);
	answers("3 nonesuch\n", "{\"v\":1,\"id\":3,\"error\":\"no such command; help lists them\"}\r\n");
	answers("4 \n", "{\"v\":1,\"id\":0,\"error\":\"a request is: ID COMMAND [GUEST]\"}\r\n");
}

static void bad_requests(void **state)
{
	static const char *const no_id[] = { "list\n", "x1 list\n", "1\n", "1list\n", " 1 list\n", "-1 list\n",
					     "1234567890 list\n", "1\tlist\n", "1 li\x01st\n", "1 list\xc3\xa9\n" };
	char line[MONITOR_LINE + 1], want[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(no_id); i++) {
		snprintf(want, sizeof(want), "{\"v\":1,\"id\":0,\"error\":\"%s\"}\r\n", i < 7 ?
			 "a request is: ID COMMAND [GUEST]" : "the request is too long, or not printable ASCII");
		answers(no_id[i], want);
	}
	memset(line, 'x', MONITOR_LINE);
	line[MONITOR_LINE] = '\0';
	memcpy(line, "1 ", 2);
	answers(line, "");
	answers("\n", "{\"v\":1,\"id\":1,\"error\":\"no such command; help lists them\"}\r\n");
	/* The command at the end of a line that is too long is none. */
	answers(line, "");
	answers("x1 destroy 0", "");
	answers("\n", "{\"v\":1,\"id\":0,\"error\":\"the request is too long, or not printable ASCII\"}\r\n");
	assert_int_equal(t.acts, 0);
	answers("5 destroy 0\n", "{\"v\":1,\"id\":5,\"done\":true}\r\n");
	assert_int_equal(t.acts, 1u << MONITOR_DESTROY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(list, setup),
		cmocka_unit_test_setup(info, setup),
		cmocka_unit_test_setup(machine, setup),
		cmocka_unit_test_setup(texts, setup),
		cmocka_unit_test_setup(acts, setup),
		cmocka_unit_test_setup(misunderstood, setup),
		cmocka_unit_test_setup(names_of_digits, setup),
		cmocka_unit_test_setup(help_and_quit, setup),
		cmocka_unit_test_setup(completion, setup),
		cmocka_unit_test_setup(hello, setup),
		cmocka_unit_test_setup(bad_requests, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
