/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's multiplexer, byte by byte: what is seen when, what goes to whom, and what a guest cannot do. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/mux.h"

#define MS 1000u

static struct {
	struct mux mux;
	struct mux_place web, db, monitor;
	uint8_t kept[3][MUX_OUTPUT];
	uint64_t now;
	size_t room;                  /* what the ports take without waiting */
	char out[4 * MUX_OUTPUT];
	size_t used;
} t;

static size_t put(void *ctx, const uint8_t *bytes, size_t n, bool wait)
{
	assert_ptr_equal(ctx, &t);
	if (!wait && n > t.room)
		n = t.room;
	if (!wait)
		t.room -= n;
	assert_true(n < sizeof(t.out) - t.used);
	memcpy(t.out + t.used, bytes, n);
	t.used += n;
	t.out[t.used] = '\0';
	return n;
}

static void fresh(enum mux_mode mode)
{
	memset(&t, 0, sizeof(t));
	t.now = 1000 * MS;
	t.room = SIZE_MAX;
	mux_init(&t.mux, mode, MS, put, &t);
	mux_add(&t.mux, 0, &t.web, t.kept[0]);
	mux_add(&t.mux, 1, &t.db, t.kept[1]);
	mux_add(&t.mux, MUX_MONITOR, &t.monitor, t.kept[2]);
}

static int setup(void **state)
{
	(void)state;
	fresh(MUX_FOCUS);
	mux_begin(&t.mux, t.now, 0, "web");
	mux_begin(&t.mux, t.now, 1, "db");
	return 0;
}

static int setup_prefix(void **state)
{
	(void)state;
	fresh(MUX_PREFIX);
	mux_begin(&t.mux, t.now, 0, "web");
	mux_begin(&t.mux, t.now, 1, "db");
	return 0;
}

static void writes(unsigned int place, const char *text)
{
	mux_output(&t.mux, t.now, place, (const uint8_t *)text, strlen(text));
}

static void logs(const char *text)
{
	char line[100];
	int n = snprintf(line, sizeof(line), "vouch: %s\r\n", text);

	mux_log(&t.mux, t.now, line, (size_t)n);
}

static void types(const char *text)
{
	for (; *text; text++)
		mux_input(&t.mux, t.now, (uint8_t)*text);
}

static void later(unsigned int ms)
{
	t.now += (uint64_t)ms * MS;
	mux_tick(&t.mux, t.now);
}

/* What came since it was last asked. */
static void seen(const char *text)
{
	assert_string_equal(t.out, text);
	t.used = 0;
	t.out[0] = '\0';
}

static void got(unsigned int place, const char *text)
{
	uint8_t bytes[MUX_INPUT + 1];
	size_t n = mux_take(&t.mux, place, bytes, sizeof(bytes));

	assert_int_equal(n, strlen(text));
	assert_memory_equal(bytes, text, n);
}

/* ------------------------------------------------------------------ focus */

static void one_guest_is_alone(void **state)
{
	(void)state;
	fresh(MUX_FOCUS);
	types("early");
	mux_begin(&t.mux, t.now, 0, "web");
	writes(0, "login: ");
	seen("login: ");
	types("root\r");
	got(0, "earlyroot\r");
	mux_end(&t.mux, t.now, 0);
	seen("");
	assert_int_equal(mux_next(&t.mux, t.now), UINT64_MAX);
}

static void focus_by_key(void **state)
{
	(void)state;
	writes(0, "web$ ");
	writes(1, "db boots\r\ndb$ ");
	types("a");
	seen("web$ ");
	types("\x01" "n");
	seen("\r\nvouch: console: 1 db (Ctrl-a ?: help)\r\ndb boots\r\ndb$ ");
	types("b");
	got(0, "a");
	got(1, "b");
	writes(0, "more\r\n");
	types("\x01" "p");
	seen("\r\nvouch: console: 0 web (Ctrl-a ?: help)\r\nweb$ more\r\n");
	/* Nothing was written meanwhile, but the prompt stands there again. */
	types("\x01" "1");
	seen("vouch: console: 1 db (Ctrl-a ?: help)\r\ndb$ ");
	types("\x01" "n");
	seen("\r\nvouch: console: 0 web (Ctrl-a ?: help)\r\n");
	types("\x01" "7");
	seen("vouch: console: there is no guest 7\r\n");
	assert_int_equal(t.mux.focus, 0);
	types("\x01" "z");
	got(0, "");
	seen("");
}

static void monitor_and_back(void **state)
{
	(void)state;
	types("\x01" "1" "\x01" "m");
	types("list\r");
	got(MUX_MONITOR, "list\r");
	got(1, "");
	t.used = 0;
	writes(MUX_MONITOR, "vouch> ");
	writes(1, "unseen\n");
	seen("vouch> ");
	types("\x01" "m");
	seen("\r\nvouch: console: 1 db (Ctrl-a ?: help)\r\nunseen\n");
	types("\x01" "m");
	types("\x01" "n");
	assert_int_equal(t.mux.focus, 1);
	types("\x01" "m");
	types("\x01" "0");
	assert_int_equal(t.mux.focus, 0);
}

static void literal_escape(void **state)
{
	(void)state;
	types("x\x01" "ay\x01\x01z");
	got(0, "x\x01y\x01z");
}

static void help_names_all(void **state)
{
	(void)state;
	writes(1, "x");
	types("\x01?");
	assert_non_null(strstr(t.out, "Ctrl-a n, p: next, previous guest"));
	assert_non_null(strstr(t.out, "\r\nvouch: console: * 0 web\r\n"));
	assert_non_null(strstr(t.out, "\r\nvouch: console:   1 db, unseen output\r\n"));
}

/* Whoever ends leaves the focus to another, and does not get it back by starting. */
static void end_moves_focus(void **state)
{
	(void)state;
	writes(0, "bye");
	writes(1, "db\r\n");
	types("lost");
	mux_end(&t.mux, t.now, 0);
	seen("bye\r\nvouch: console: 1 db (Ctrl-a ?: help)\r\ndb\r\n");
	mux_begin(&t.mux, t.now, 0, "web");
	seen("");
	got(0, "");
	assert_int_equal(t.mux.focus, 1);
	mux_end(&t.mux, t.now, 0);
	mux_end(&t.mux, t.now, 1);
	seen("");
	assert_int_equal(t.mux.focus, 1);
	mux_begin(&t.mux, t.now, 0, "new");
	seen("vouch: console: 0 new (Ctrl-a ?: help)\r\n");
	/* What an unseen run left without a newline is a line of its own. */
	mux_begin(&t.mux, t.now, 1, "db");
	writes(1, "db$ ");
	mux_end(&t.mux, t.now, 1);
	mux_begin(&t.mux, t.now, 1, "db");
	writes(1, "boots");
	types("\x01" "1");
	seen("vouch: console: 1 db (Ctrl-a ?: help)\r\ndb$ \r\nboots");
}

/* What a slow port has not taken yet nobody waits for: the focus moves on behind it. */
static void end_waits_for_no_port(void **state)
{
	(void)state;
	writes(0, "last words\n");
	writes(1, "db$ ");
	t.web.shown = 0;
	t.used = t.room = 0;
	mux_end(&t.mux, t.now, 0);
	assert_int_equal(t.used, 0);
	assert_int_equal(t.mux.focus, 0);
	assert_int_equal(mux_next(&t.mux, t.now), t.now + MS);
	types("nobody's");
	t.room = 5;
	later(1);
	seen("last ");
	t.room = SIZE_MAX;
	later(1);
	seen("words\nvouch: console: 1 db (Ctrl-a ?: help)\r\ndb$ ");
	got(0, "");
	got(1, "");
	assert_int_equal(mux_next(&t.mux, t.now), UINT64_MAX);
}

/* Before the ports have it comes a key, a new start, or the end of all. */
static void end_with_something_in_between(void **state)
{
	writes(0, "aa\nbb\n");
	t.web.shown = 0;
	t.used = t.room = 0;
	mux_end(&t.mux, t.now, 0);
	types("\x01" "1");
	t.room = SIZE_MAX;
	later(1);
	seen("vouch: console: 1 db (Ctrl-a ?: help)\r\n");
	types("x");
	got(1, "x");

	setup(state);
	writes(0, "aa\nbb\n");
	t.web.shown = 0;
	t.used = t.room = 0;
	mux_end(&t.mux, t.now, 0);
	mux_end(&t.mux, t.now, 1);
	mux_begin(&t.mux, t.now, 1, "new");
	mux_begin(&t.mux, t.now, 0, "web");
	t.room = SIZE_MAX;
	later(1);
	seen("aa\nbb\n");
	types("x");
	got(0, "x");

	writes(0, "cc\n");
	t.web.shown -= 3;
	t.used = t.room = 0;
	mux_end(&t.mux, t.now, 0);
	mux_flush(&t.mux);
	seen("cc\n");
}

static void end_spares_the_monitor(void **state)
{
	(void)state;
	types("\x01m");
	seen("vouch: console: monitor (Ctrl-a m: back)\r\n");
	mux_end(&t.mux, t.now, 0);
	seen("");
	assert_int_equal(t.mux.focus, MUX_MONITOR);
	types("\x01m");
	assert_int_equal(t.mux.focus, 1);
	types("\x01" "0");
	assert_non_null(strstr(t.out, "0 web, not running (Ctrl-a ?: help)"));
}

/* The ring keeps the latest; what it lost is said. */
static void ring_is_bounded(void **state)
{
	char line[101], want[160];

	(void)state;
	memset(line, 'x', 99);
	line[99] = '\n';
	line[100] = '\0';
	for (unsigned int i = 0; i < MUX_OUTPUT / 100 + 10; i++)
		writes(1, line);
	snprintf(want, sizeof(want), "vouch: console: 1 db (Ctrl-a ?: help)\r\nvouch: console: %u older bytes of db were not kept\r\n",
		 (MUX_OUTPUT / 100 + 10) * 100 - MUX_OUTPUT);
	t.room = 0;
	types("\x01" "1");
	seen(want);
	t.room = SIZE_MAX;
	for (int i = 0; i < 100; i++)
		later(1);
	assert_int_equal(t.used, MUX_OUTPUT);
	assert_int_equal(mux_next(&t.mux, t.now), UINT64_MAX);
}

/* A replay does not wait for the ports, and what is written meanwhile comes behind it, all of it. */
static void replay_gives_way(void **state)
{
	unsigned int i;

	(void)state;
	writes(1, "one\ntwo\n");
	t.room = 5;
	types("\x01" "1");
	seen("vouch: console: 1 db (Ctrl-a ?: help)\r\none\nt");
	assert_int_equal(mux_next(&t.mux, t.now), t.now + MS);
	writes(1, "three\n");
	seen("");
	t.room = 6;
	later(1);
	seen("wo\nthr");
	t.room = SIZE_MAX;
	later(1);
	seen("ee\n");
	assert_int_equal(mux_next(&t.mux, t.now), UINT64_MAX);
	t.room = 0;
	types("\x01" "0" "\x01" "1");
	t.used = 0;
	types("\x01" "0");
	writes(1, "begin\n");
	types("\x01" "1");
	t.used = 0;
	for (i = 0; i < 20000; i++)
		writes(1, "abcd\n");
	t.room = SIZE_MAX;
	for (i = 0; i < 100; i++)
		later(1);
	assert_int_equal(t.used, 6 + 5 * 20000);
	assert_memory_equal(t.out, "begin\nabcd\n", 11);
}

static void great_output_at_once(void **state)
{
	static uint8_t many[3 * MUX_OUTPUT];

	(void)state;
	memset(many, 'm', sizeof(many));
	mux_output(&t.mux, t.now, 0, many, sizeof(many));
	assert_int_equal(t.used, sizeof(many));
}

/* ------------------------------------------------------------------ input */

/* Input waits for a guest that is slow, and is lost to one that is dead; the escape always works. */
static void input_waits_then_goes(void **state)
{
	unsigned int n = 0;
	uint8_t byte;

	(void)state;
	while (mux_room(&t.mux, t.now)) {
		mux_input(&t.mux, t.now, 'x');
		n++;
	}
	assert_int_equal(n, MUX_INPUT);
	assert_int_equal(mux_next(&t.mux, t.now), t.now + 1000 * MS);
	later(999);
	assert_false(mux_room(&t.mux, t.now));
	later(1);
	assert_true(mux_room(&t.mux, t.now));
	types("lost\x01" "n");
	assert_int_equal(t.mux.focus, 1);
	assert_true(mux_room(&t.mux, t.now));
	types("\x01" "0");
	assert_int_equal(mux_take(&t.mux, 0, &byte, 1), 1);
	types("y");
	assert_false(mux_room(&t.mux, t.now));
	for (n = 1; n < MUX_INPUT; n++)
		assert_int_equal(mux_take(&t.mux, 0, &byte, 1), 1);
	got(0, "y");
}

static void input_is_the_focus_alone(void **state)
{
	(void)state;
	types("a\x01" "nb\x01mc\x01" "0d");
	got(0, "ad");
	got(1, "b");
	got(MUX_MONITOR, "c");
}

/* ------------------------------------------------------------------ log lines */

static void log_waits_for_the_line(void **state)
{
	(void)state;
	logs("first");
	writes(0, "half");
	logs("second");
	logs("third");
	seen("vouch: first\r\nhalf");
	assert_int_equal(mux_next(&t.mux, t.now), t.now + MUX_HOLD_MS * MS);
	writes(0, " a line\r\nnext");
	seen(" a line\r\nvouch: second\r\nvouch: third\r\nnext");
}

static void log_waits_no_longer(void **state)
{
	(void)state;
	writes(0, "web$ ");
	logs("now or later");
	later(MUX_HOLD_MS - 1);
	seen("web$ ");
	later(1);
	seen("\r\nvouch: now or later\r\n");
	assert_int_equal(mux_next(&t.mux, t.now), UINT64_MAX);
	/* A prompt that has stood for a while is broken at once. */
	writes(0, "web$ ");
	later(MUX_HOLD_MS);
	logs("x");
	seen("web$ \r\nvouch: x\r\n");
}

/* A guest that never ends its line holds nobody up for longer. */
static void log_against_an_endless_line(void **state)
{
	(void)state;
	writes(0, "x");
	logs("held");
	for (unsigned int i = 0; i < MUX_HOLD_MS; i++) {
		writes(0, "x");
		assert_null(strstr(t.out, "held"));
		later(1);
	}
	assert_non_null(strstr(t.out, "x\r\nvouch: held\r\n"));
}

static void log_overflow_breaks(void **state)
{
	unsigned int i;

	(void)state;
	writes(0, "x");
	for (i = 0; t.used == 1; i++)
		logs("a line that is held as long as there is room for it");
	assert_true(i > MUX_HELD / 80);
	for (const char *p = t.out; *p; p = strchr(p, '\n') + 1)
		i--;
	assert_int_equal(i + 1, 0);
}

static void log_before_the_end_and_a_change(void **state)
{
	(void)state;
	writes(0, "x");
	logs("a");
	types("\x01n");
	seen("x\r\nvouch: a\r\nvouch: console: 1 db (Ctrl-a ?: help)\r\n");
	writes(1, "y");
	logs("b");
	mux_flush(&t.mux);
	seen("y\r\nvouch: b\r\n");
	writes(1, "z");
	logs("c");
	mux_end(&t.mux, t.now, 1);
	seen("z\r\nvouch: c\r\nvouch: console: 0 web (Ctrl-a ?: help)\r\nx");
}

static void monitor_hears_of_a_broken_line(void **state)
{
	(void)state;
	types("\x01m");
	writes(MUX_MONITOR, "vouch> li");
	assert_false(t.monitor.broken);
	later(MUX_HOLD_MS);
	logs("x");
	assert_true(t.monitor.broken);
	assert_false(t.web.broken);
}

/* ------------------------------------------------------------------ hostile output */

/* Ctrl-a, whatever comes behind it, counts only if typed. */
static void output_is_no_command(void **state)
{
	(void)state;
	writes(0, "\x01n\x01m\x01" "1");
	assert_int_equal(t.mux.focus, 0);
	seen("\x01n\x01m\x01" "1");
	got(0, "");
	got(MUX_MONITOR, "");
	types("\x01");
	writes(0, "m");
	types("1");
	assert_int_equal(t.mux.focus, 1);
}

/* A terminal that is left in the midst of a sequence would swallow what comes next. */
static void sequences_are_ended(void **state)
{
	static const char *const cut[] = { "\x1b", "\x1b[", "\x1b[1;3", "\x1b(", "\x1b[1\n" };
	char want[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		writes(0, cut[i]);
		later(MUX_HOLD_MS);
		logs("x");
		snprintf(want, sizeof(want), "%s\x18\r\nvouch: x\r\n", cut[i]);
		seen(want);
	}
	writes(0, "\x1b]0;title");
	later(MUX_HOLD_MS);
	logs("x");
	seen("\x1b]0;title\x1b\\\r\nvouch: x\r\n");
	writes(0, "\x1b]0;t\a\x1b[m\x1b(B\x1b=\x1bPq\x1b\\\x1b[1\x18\n");
	later(MUX_HOLD_MS);
	t.used = 0;
	logs("x");
	seen("vouch: x\r\n");
}

/* The C1 controls, in UTF-8 and bare; and bytes of that value within characters, which are none. */
static void c1_controls_are_ended(void **state)
{
	static const struct { const char *text, *end; } cut[] = {
		{ "\x9d" "0;t", "\x1b\\" }, { "\xc2\x9d" "0;t", "\x1b\\" }, { "\xc2\x90q", "\x1b\\" }, { "\xc2\x9b" "1;", "\x18" },
		{ "\xe2\x9d\x9d", "" }, { "\xf0\x9f\x9d\x9b", "" }, { "\xc3\x9d", "" }, { "\xc2\x9d" "0\xc2\x9ct", "\x1b\\" },
		{ "\x9b" "1~t", "" }, { "\x1b]0;a\x84", "\x1b\\" }, { "\x1b]0;a\x9c", "\x1b\\" }, { "\x1b[1\x84", "\x18" },
		{ "\x1b[1\x7f", "\x18" }, { "\x1b\x7f", "\x18" }, { "\x1b[1\xc3\xa9", "\x18" },
	};
	char want[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		writes(0, cut[i].text);
		later(MUX_HOLD_MS);
		logs("x");
		snprintf(want, sizeof(want), "%s%s\r\nvouch: x\r\n", cut[i].text, cut[i].end);
		seen(want);
	}
}

/* Vouch's lines are neither concealed nor black on black. */
static void styles_end_before_lines(void **state)
{
	(void)state;
	writes(0, "\x1b[8m\n");
	logs("x");
	seen("\x1b[8m\n\x1b[m\r\nvouch: x\r\n");
	writes(0, "\x1b[0;30;40mt");
	later(MUX_HOLD_MS);
	logs("x");
	seen("\x1b[0;30;40mt\x1b[m\r\nvouch: x\r\n");
	writes(0, "\x1b[8\x7fm\n");
	logs("x");
	seen("\x1b[8\x7fm\n\x1b[m\r\nvouch: x\r\n");
	writes(0, "\x1b[8m\x9bm\n");
	logs("x");
	seen("\x1b[8m\x9bm\n\x1b[m\r\nvouch: x\r\n");
	writes(0, "\x1b[8m\x1b[0m\x1b[1K\x1b[00m\x1b[8m\x1b[m\n");
	t.used = 0;
	logs("x");
	seen("vouch: x\r\n");
}

/* ------------------------------------------------------------------ consoles=prefix */

static void prefix_lines(void **state)
{
	(void)state;
	writes(0, "one");
	writes(1, "two");
	seen("");
	writes(1, " and a half\r\n");
	seen("db| two and a half\r\n");
	writes(0, "\r\n\r\nthree\r\nfour");
	seen("web| one\r\nweb| \r\nweb| three\r\n");
	logs("x");
	seen("vouch: x\r\n");
	later(MUX_HOLD_MS);
	seen("web| four");
	writes(0, "teen\r\n");
	seen("teen\r\n");
	assert_int_equal(mux_next(&t.mux, t.now), UINT64_MAX);
}

static void prefix_prompt(void **state)
{
	(void)state;
	writes(0, "web$ ");
	assert_int_equal(mux_next(&t.mux, t.now), t.now + MUX_HOLD_MS * MS);
	later(MUX_HOLD_MS);
	seen("web| web$ ");
	writes(0, "l");
	writes(0, "s");
	seen("ls");
	writes(1, "hello\n");
	seen("\r\ndb| hello\n");
	writes(0, " -l\r\n");
	seen("web|  -l\r\n");
	writes(0, "web$ ");
	later(MUX_HOLD_MS);
	logs("x");
	seen("web| web$ \r\nvouch: x\r\n");
	writes(0, "pwd\n");
	seen("web| pwd\n");
}

static void prefix_ends(void **state)
{
	(void)state;
	writes(0, "no newline");
	mux_end(&t.mux, t.now, 0);
	assert_memory_equal(t.out, "web| no newline", 15);
	logs("guest web stopped");
	assert_non_null(strstr(t.out, "\r\nvouch: guest web stopped\r\n"));
}

static void prefix_long_line(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2500; i++)
		writes(0, "x");
	writes(1, "y\n");
	writes(0, "\n");
	assert_memory_equal(t.out, "web| xxxx", 9);
	assert_non_null(strstr(t.out, "x\r\ndb| y\nweb| \n"));
}

/* A guest cannot write another's prefix at the beginning of a line but behind its own. */
static void prefix_forged(void **state)
{
	(void)state;
	writes(0, "a\ndb| forged\n");
	seen("web| a\nweb| db| forged\n");
	writes(0, "\x1b[\n");
	writes(1, "b\n");
	seen("web| \x1b[\n\x18\r\ndb| b\n");
}

static void prefix_input(void **state)
{
	(void)state;
	types("a\x01nb");
	got(0, "a");
	got(1, "b");
	seen("vouch: console: 1 db (Ctrl-a ?: help)\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_guest_is_alone),
		cmocka_unit_test_setup(focus_by_key, setup),
		cmocka_unit_test_setup(monitor_and_back, setup),
		cmocka_unit_test_setup(literal_escape, setup),
		cmocka_unit_test_setup(help_names_all, setup),
		cmocka_unit_test_setup(end_moves_focus, setup),
		cmocka_unit_test_setup(end_waits_for_no_port, setup),
		cmocka_unit_test_setup(end_with_something_in_between, setup),
		cmocka_unit_test_setup(end_spares_the_monitor, setup),
		cmocka_unit_test_setup(ring_is_bounded, setup),
		cmocka_unit_test_setup(replay_gives_way, setup),
		cmocka_unit_test_setup(great_output_at_once, setup),
		cmocka_unit_test_setup(input_waits_then_goes, setup),
		cmocka_unit_test_setup(input_is_the_focus_alone, setup),
		cmocka_unit_test_setup(log_waits_for_the_line, setup),
		cmocka_unit_test_setup(log_waits_no_longer, setup),
		cmocka_unit_test_setup(log_against_an_endless_line, setup),
		cmocka_unit_test_setup(log_overflow_breaks, setup),
		cmocka_unit_test_setup(log_before_the_end_and_a_change, setup),
		cmocka_unit_test_setup(monitor_hears_of_a_broken_line, setup),
		cmocka_unit_test_setup(output_is_no_command, setup),
		cmocka_unit_test_setup(sequences_are_ended, setup),
		cmocka_unit_test_setup(c1_controls_are_ended, setup),
		cmocka_unit_test_setup(styles_end_before_lines, setup),
		cmocka_unit_test_setup(prefix_lines, setup_prefix),
		cmocka_unit_test_setup(prefix_prompt, setup_prefix),
		cmocka_unit_test_setup(prefix_ends, setup_prefix),
		cmocka_unit_test_setup(prefix_long_line, setup_prefix),
		cmocka_unit_test_setup(prefix_forged, setup_prefix),
		cmocka_unit_test_setup(prefix_input, setup_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
