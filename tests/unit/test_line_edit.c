/* SPDX-License-Identifier: BSD-2-Clause */
/* Line editing, judged by what a terminal of one line shows after each key: only backspace, CR, LF and text are drawn. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/line_edit.h"

#define UP    "\x1b[A"
#define DOWN  "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT  "\x1b[D"

static struct line_edit e;

static struct {
	char row[200];
	size_t at;
	unsigned int bells, rows;
	char above[2000];             /* rows that were left */
} term;

static void put(void *ctx, const char *text, size_t n)
{
	assert_ptr_equal(ctx, &term);
	for (; n--; text++) {
		if (*text == '\b') {
			assert_true(term.at > 0);
			term.at--;
		} else if (*text == '\r') {
			term.at = 0;
		} else if (*text == '\n') {
			strcat(term.above, term.row);
			strcat(term.above, "\n");
			memset(term.row, 0, sizeof(term.row));
			term.rows++;
		} else if (*text == '\a') {
			term.bells++;
		} else {
			assert_in_range(*text, 0x20, 0x7e);
			assert_true(term.at < 79);
			term.row[term.at++] = *text;
		}
	}
}

static const char *word(void *ctx, const char *line, size_t at, unsigned int index)
{
	static const char *const first[] = { "list", "reset", "resume", "log", "quit" };

	assert_ptr_equal(ctx, &term);
	if (at == 0)
		return index < ARRAY_SIZE(first) ? first[index] : NULL;
	return !strncmp(line, "reset ", 6) && !index ? "web" : NULL;
}

static int setup(void **state)
{
	(void)state;
	memset(&e, 0, sizeof(e));
	memset(&term, 0, sizeof(term));
	e.put = put;
	e.word = word;
	e.ctx = &term;
	e.prompt = "> ";
	line_edit_begin(&e);
	return 0;
}

static void keys(const char *text)
{
	for (; *text; text++)
		assert_int_equal(line_edit_byte(&e, (uint8_t)*text), LINE_MORE);
}

/* What stands there, blanks at the end left out, and where the cursor is. */
static void shows(const char *line, size_t pos)
{
	char row[sizeof(term.row)];
	size_t n = strlen(term.row);

	memcpy(row, term.row, sizeof(row));
	while (n > 2 + strlen(line) && row[n - 1] == ' ')
		row[--n] = '\0';
	assert_memory_equal(row, "> ", 2);
	assert_string_equal(row + 2, line);
	assert_int_equal(term.at, 2 + pos);
	assert_int_equal(e.pos, pos);
	assert_int_equal(e.len, strlen(e.line));
	assert_memory_equal(e.line, line, strlen(line));
}

static void enter(const char *line)
{
	assert_int_equal(line_edit_byte(&e, '\r'), LINE_READY);
	assert_string_equal(e.line, line);
	line_edit_begin(&e);
}

static void typing(void **state)
{
	(void)state;
	shows("", 0);
	keys("lits\b\bst");
	shows("list", 4);
	keys("\x7f\x7f\x7f\x7f\x7f\x7f");
	shows("", 0);
	keys("mem");
	enter("mem");
	assert_string_equal(term.above, "> mem \n");
	keys("\n");             /* of CR LF */
	keys("x");
	assert_int_equal(line_edit_byte(&e, '\n'), LINE_READY);
	line_edit_begin(&e);
	assert_int_equal(line_edit_byte(&e, '\n'), LINE_READY);
	line_edit_begin(&e);
	enter("");
}

static void moving(void **state)
{
	(void)state;
	keys("start web" "\x01" "re");
	shows("restart web", 2);
	keys("\x05!");
	shows("restart web!", 12);
	keys(LEFT LEFT LEFT "\x1b[3~");
	shows("restart wb!", 9);
	keys("\x06\x06\x06\x06\x06");
	shows("restart wb!", 11);
	keys("\x02" "\x04");
	shows("restart wb", 10);
	keys("\x1b[H" "\x1b[3~\x1b[3~");
	shows("start wb", 0);
	keys("\x1b[F" "\x1b[1~" "\x1b[4~" "\x1bOH" "\x1bOF" "\x1b[7~" "\x1b[8~");
	shows("start wb", 8);
	keys(LEFT LEFT LEFT "\x0b");
	shows("start", 5);
	keys(" one two" LEFT "\x17");
	shows("start one o", 10);
	keys("\x15");
	shows("o", 0);
	keys(LEFT RIGHT RIGHT RIGHT);
	shows("o", 1);
	keys("\x03");
	shows("", 0);
	assert_non_null(strstr(term.above, "> o^C"));
}

static void full(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < LINE_MAX_CHARS; i++)
		keys("x");
	assert_int_equal(term.bells, 0);
	keys("yz");
	assert_int_equal(term.bells, 2);
	assert_int_equal(e.len, LINE_MAX_CHARS);
	keys("\x01" "\x04" "y");
	assert_int_equal(e.line[0], 'y');
	assert_int_equal(e.len, LINE_MAX_CHARS);
}

static void history(void **state)
{
	(void)state;
	keys(UP);
	assert_int_equal(term.bells, 1);
	keys("one");
	enter("one");
	keys("two");
	enter("two");
	keys("two");
	enter("two");
	enter("");
	keys("thr" UP);
	shows("two", 3);
	keys(UP);
	shows("one", 3);
	keys(UP);
	shows("one", 3);
	keys(DOWN DOWN);
	shows("thr", 3);
	keys(DOWN);
	assert_int_equal(term.bells, 3);
	keys("\x10" "\x10" "x");
	shows("onex", 4);
	enter("onex");
	keys(UP);
	shows("onex", 4);
	keys(UP UP);
	shows("one", 3);
	keys("\x0e");
	shows("two", 3);
}

static void history_is_bounded(void **state)
{
	char line[3] = "a0";

	(void)state;
	for (unsigned int i = 0; i < 2 * LINE_HISTORY + 3; i++) {
		line[0] = (char)('a' + i / 10);
		line[1] = (char)('0' + i % 10);
		keys(line);
		enter(line);
	}
	for (unsigned int i = 0; i < LINE_HISTORY; i++)
		keys(UP);
	assert_int_equal(term.bells, 0);
	shows("b9", 2);
	keys(UP);
	assert_int_equal(term.bells, 1);
	shows("b9", 2);
}

static void completion(void **state)
{
	(void)state;
	keys("q\t");
	shows("quit ", 5);
	keys("\x15re\t");
	shows("res", 3);
	keys("\t");
	assert_non_null(strstr(term.above, "\nreset  resume  \n"));
	shows("res", 3);
	keys("e\t\t");
	shows("reset web ", 10);
	keys("\x15x\t");
	assert_int_equal(term.bells, 1);
	shows("x", 1);
	keys("\x15quit \t");
	assert_int_equal(term.bells, 2);
	/* In the midst of a line: what stands behind stays. */
	keys("\x15 web\x01rese\t");
	shows("reset web", 5);
	e.word = NULL;
	keys("\x05\x15q\t");
	shows("q", 1);
}

/* Answers of a terminal to what a guest wrote to it, and keys that mean nothing here. */
static void sequences_are_swallowed(void **state)
{
	(void)state;
	keys("\x1b[?1;2c" "\x1b]ldestroy 0\x1b\\" "\x1b]0;quit\a" "\x1bP1$r0m\x1b\\" "\x1b[24;80R" "\x1bz" "\x1bOP" "\x1b[999999999~");
	shows("", 0);
	keys("a\x1b[1;5Cb");
	shows("ab", 2);
	keys("\x1b[\x15" "c");
	shows("c", 1);
	keys("\x1b\x1b[Dd\xff\x80\x1c");
	shows("dc", 1);
	keys("\x1b]title");
	assert_int_equal(line_edit_byte(&e, '\r'), LINE_READY);
	assert_string_equal(e.line, "dc");
}

static void redraw(void **state)
{
	(void)state;
	keys("list" LEFT LEFT);
	put(&term, "\r\n", 2);
	line_edit_redraw(&e);
	shows("list", 2);
	keys("\x0c");
	shows("list", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(typing, setup),
		cmocka_unit_test_setup(moving, setup),
		cmocka_unit_test_setup(full, setup),
		cmocka_unit_test_setup(history, setup),
		cmocka_unit_test_setup(history_is_bounded, setup),
		cmocka_unit_test_setup(completion, setup),
		cmocka_unit_test_setup(sequences_are_swallowed, setup),
		cmocka_unit_test_setup(redraw, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
