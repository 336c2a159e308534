/* SPDX-License-Identifier: BSD-2-Clause */
/* Line editing: keys to changes, and the least that must be drawn for each. Knows no commands. */
#include "core/line_edit.h"

#include <string.h>

#define CTRL(c) ((c) & 0x1f)
#define DELETE  0x7fu
#define ESC     0x1bu

static void put(struct line_edit *e, const char *text, size_t n)
{
	if (n)
		e->put(e->ctx, text, n);
}

static void put_text(struct line_edit *e, const char *text)
{
	put(e, text, strlen(text));
}

static void bell(struct line_edit *e)
{
	put(e, "\a", 1);
}

static void go_back(struct line_edit *e, size_t n)
{
	while (n--)
		put(e, "\b", 1);
}

/* Draws what stands from the cursor on, blanks behind it where wiped characters were, and comes back. */
static void draw_tail(struct line_edit *e, size_t wiped)
{
	put(e, e->line + e->pos, e->len - e->pos);
	for (size_t i = 0; i < wiped; i++)
		put(e, " ", 1);
	go_back(e, e->len - e->pos + wiped);
}

static void move_to(struct line_edit *e, size_t pos)
{
	if (pos < e->pos)
		go_back(e, e->pos - pos);
	else
		put(e, e->line + e->pos, pos - e->pos);
	e->pos = pos;
}

/* Takes [from, to) out; the cursor ends up at from. */
static void cut(struct line_edit *e, size_t from, size_t to)
{
	move_to(e, from);
	memmove(e->line + from, e->line + to, e->len - to + 1);
	e->len -= to - from;
	draw_tail(e, to - from);
}

static void insert(struct line_edit *e, const char *text, size_t n)
{
	if (n > LINE_MAX_CHARS - e->len) {
		bell(e);
		return;
	}
	memmove(e->line + e->pos + n, e->line + e->pos, e->len - e->pos + 1);
	memcpy(e->line + e->pos, text, n);
	e->len += n;
	put(e, e->line + e->pos, n);
	e->pos += n;
	draw_tail(e, 0);
}

static void replace(struct line_edit *e, const char *text)
{
	cut(e, 0, e->len);
	insert(e, text, strlen(text));
}

static size_t word_begin(const struct line_edit *e)
{
	size_t at = e->pos;

	while (at && e->line[at - 1] == ' ')
		at--;
	while (at && e->line[at - 1] != ' ')
		at--;
	return at;
}

/* ------------------------------------------------------------------ history */

static void remember(struct line_edit *e)
{
	const char *last = e->past ? e->history[(e->past - 1) % LINE_HISTORY] : "";

	if (e->len && strcmp(last, e->line) != 0)
		memcpy(e->history[e->past++ % LINE_HISTORY], e->line, e->len + 1);
	e->back = 0;
}

static void older(struct line_edit *e)
{
	if (e->back == e->past || e->back == LINE_HISTORY) {
		bell(e);
		return;
	}
	if (!e->back)
		memcpy(e->kept, e->line, e->len + 1);
	e->back++;
	replace(e, e->history[(e->past - e->back) % LINE_HISTORY]);
}

static void newer(struct line_edit *e)
{
	if (!e->back) {
		bell(e);
		return;
	}
	e->back--;
	replace(e, e->back ? e->history[(e->past - e->back) % LINE_HISTORY] : e->kept);
}

/* ------------------------------------------------------------------ completion */

static bool begins(const char *word, const char *with, size_t n)
{
	return strlen(word) >= n && !memcmp(word, with, n);
}

static void list_words(struct line_edit *e, size_t at)
{
	const char *w;

	put(e, "\r\n", 2);
	for (unsigned int i = 0; (w = e->word(e->ctx, e->line, at, i)) != NULL; i++) {
		if (!begins(w, e->line + at, e->pos - at))
			continue;
		put_text(e, w);
		put(e, "  ", 2);
	}
	put(e, "\r\n", 2);
	line_edit_redraw(e);
}

/* As far as all words agree that begin with what stands before the cursor; a space behind the only one. */
static void complete(struct line_edit *e)
{
	size_t at = e->pos, typed, common = 0;
	const char *first = NULL, *w;
	unsigned int found = 0;

	if (!e->word) {
		bell(e);
		return;
	}
	while (at && e->line[at - 1] != ' ')
		at--;
	typed = e->pos - at;
	for (unsigned int i = 0; (w = e->word(e->ctx, e->line, at, i)) != NULL; i++) {
		size_t n = typed;

		if (!begins(w, e->line + at, typed))
			continue;
		if (!found++) {
			first = w;
			common = strlen(w);
		}
		while (n < common && w[n] == first[n])
			n++;
		common = n;
	}
	if (!found) {
		bell(e);
	} else if (found == 1) {
		insert(e, first + typed, common - typed);
		if (e->pos == at + common && e->line[e->pos] != ' ')
			insert(e, " ", 1);
	} else if (common > typed) {
		insert(e, first + typed, common - typed);
	} else {
		list_words(e, at);
	}
}

/* ------------------------------------------------------------------ keys */

static void key_end_of_sequence(struct line_edit *e, uint8_t c)
{
	switch (c) {
	case 'A':
		older(e);
		break;
	case 'B':
		newer(e);
		break;
	case 'C':
		move_to(e, e->pos < e->len ? e->pos + 1 : e->len);
		break;
	case 'D':
		move_to(e, e->pos ? e->pos - 1 : 0);
		break;
	case 'H':
		move_to(e, 0);
		break;
	case 'F':
		move_to(e, e->len);
		break;
	case '~':
		if (e->number == 1 || e->number == 7)
			move_to(e, 0);
		else if (e->number == 4 || e->number == 8)
			move_to(e, e->len);
		else if (e->number == 3 && e->pos < e->len)
			cut(e, e->pos, e->pos + 1);
		break;
	default:
		break;
	}
}

/*
 * What begins with ESC: cursor keys, or a terminal's answer to what a guest has written to it. All of it is taken, so
 * that no part counts as typed. True: c belonged to it.
 */
static bool key_sequence(struct line_edit *e, uint8_t c)
{
	switch (e->keys) {
	case LINE_ESC:
		e->number = 0;
		e->keys = c == ESC ? LINE_ESC : c == '[' ? LINE_CSI : c == 'O' ? LINE_SS3 :
			  c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_' ? LINE_STRING : LINE_TEXT;
		return true;
	case LINE_CSI:
		if (c >= '0' && c <= '9')
			e->number = (uint8_t)(e->number * 10 + (c - '0'));
		if (c < 0x40)
			return c >= 0x20;
		e->keys = LINE_TEXT;
		key_end_of_sequence(e, c);
		return true;
	case LINE_SS3:
		e->keys = LINE_TEXT;
		key_end_of_sequence(e, c);
		return true;
	case LINE_STRING:
		if (c == 0x07 || c == ESC)
			e->keys = c == ESC ? LINE_STRING_ESC : LINE_TEXT;
		return c >= 0x20 || c == 0x07 || c == ESC;
	case LINE_STRING_ESC:
		e->keys = LINE_TEXT;
		return true;
	default:
		return false;
	}
}

static enum line_event finish(struct line_edit *e)
{
	put(e, "\r\n", 2);
	remember(e);
	return LINE_READY;
}

static void forget(struct line_edit *e)
{
	move_to(e, e->len);
	put_text(e, "^C\r\n");
	e->back = 0;
	line_edit_begin(e);
}

static void key_control(struct line_edit *e, uint8_t c)
{
	switch (c) {
	case CTRL('A'):
		move_to(e, 0);
		break;
	case CTRL('B'):
		move_to(e, e->pos ? e->pos - 1 : 0);
		break;
	case CTRL('C'):
		forget(e);
		break;
	case CTRL('D'):
		if (e->pos < e->len)
			cut(e, e->pos, e->pos + 1);
		break;
	case CTRL('E'):
		move_to(e, e->len);
		break;
	case CTRL('F'):
		move_to(e, e->pos < e->len ? e->pos + 1 : e->len);
		break;
	case CTRL('H'):
	case DELETE:
		if (e->pos)
			cut(e, e->pos - 1, e->pos);
		break;
	case CTRL('I'):
		complete(e);
		break;
	case CTRL('K'):
		cut(e, e->pos, e->len);
		break;
	case CTRL('L'):
		put(e, "\r\n", 2);
		line_edit_redraw(e);
		break;
	case CTRL('N'):
		newer(e);
		break;
	case CTRL('P'):
		older(e);
		break;
	case CTRL('U'):
		cut(e, 0, e->pos);
		break;
	case CTRL('W'):
		cut(e, word_begin(e), e->pos);
		break;
	default:
		break;
	}
}

enum line_event line_edit_byte(struct line_edit *e, uint8_t c)
{
	bool was_cr = e->was_cr;

	e->was_cr = c == '\r';
	if (e->keys != LINE_TEXT && key_sequence(e, c))
		return LINE_MORE;
	e->keys = LINE_TEXT;
	if (c == ESC) {
		e->keys = LINE_ESC;
	} else if (c == '\r' || c == '\n') {
		return c == '\n' && was_cr ? LINE_MORE : finish(e);
	} else if (c >= 0x20 && c < 0x7f) {
		char text = (char)c;

		insert(e, &text, 1);
	} else {
		key_control(e, c);
	}
	return LINE_MORE;
}

void line_edit_redraw(struct line_edit *e)
{
	put_text(e, e->prompt);
	put(e, e->line, e->len);
	go_back(e, e->len - e->pos);
}

void line_edit_begin(struct line_edit *e)
{
	e->len = e->pos = 0;
	e->line[0] = '\0';
	line_edit_redraw(e);
}
