/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen as a grid of characters: what bytes do to it, and which cells must be drawn anew. Never reads the screen
 * back. No colours, no cursor movement by escape sequences.
 */
#include <vouch/screen.h>

#include <string.h>

#define ESC 0x1bu
#define TAB_STOP 8u

static void touch(struct screen *s, unsigned int from, unsigned int to)
{
	s->dirty_from = from < s->dirty_from ? from : s->dirty_from;
	s->dirty_to = to > s->dirty_to ? to : s->dirty_to;
}

static void draw_row(struct screen *s, unsigned int row)
{
	const char *text = s->text[row];
	char *shown = s->shown[row];
	unsigned int from = 0, to = s->cols;

	while (from < to && text[from] == shown[from])
		from++;
	while (to > from && text[to - 1] == shown[to - 1])
		to--;
	/* Equal stretches within are not worth a call of their own: text changes nearly everywhere. */
	while (from < to) {
		unsigned int end = from;

		while (end < to && text[end] != shown[end])
			end++;
		s->driver->draw(&s->surface, row, from, text + from, end - from);
		memcpy(shown + from, text + from, end - from);
		for (from = end; from < to && text[from] == shown[from]; from++)
			;
	}
}

static void show(struct screen *s)
{
	unsigned int row;

	s->drawing = true;
	for (row = s->dirty_from; row < s->dirty_to && row < s->rows; row++)
		draw_row(s, row);
	s->dirty_from = s->rows;
	s->dirty_to = 0;
	if (s->driver->cursor)
		s->driver->cursor(&s->surface, s->row, s->col < s->cols ? s->col : s->cols - 1);
	s->drawing = false;
}

void screen_init(struct screen *s, const struct screen_driver *driver, const struct screen_surface *surface,
		 unsigned int cols, unsigned int rows)
{
	memset(s, 0, sizeof(*s));
	if (!cols || !rows)
		return;
	s->driver = driver;
	s->surface = *surface;
	s->cols = cols < SCREEN_COLS_MAX ? cols : SCREEN_COLS_MAX;
	s->rows = rows < SCREEN_ROWS_MAX ? rows : SCREEN_ROWS_MAX;
	memset(s->text, ' ', sizeof(s->text));	/* shown holds zeros, which no cell ever is: all is drawn */
	touch(s, 0, s->rows);
	show(s);
}

static void line_feed(struct screen *s)
{
	s->col = 0;
	if (++s->row < s->rows)
		return;
	s->row = s->rows - 1;
	memmove(s->text[0], s->text[1], sizeof(s->text[0]) * (s->rows - 1));
	memset(s->text[s->row], ' ', sizeof(s->text[0]));
	touch(s, 0, s->rows);
}

static void put_char(struct screen *s, char c)
{
	if (s->col >= s->cols)
		line_feed(s);
	s->text[s->row][s->col++] = c;
	touch(s, s->row, s->row + 1);
}

static void put_tab(struct screen *s)
{
	unsigned int to = (s->col / TAB_STOP + 1) * TAB_STOP;

	s->col = to < s->cols ? to : s->cols - 1;
}

/* A character beyond ASCII shows as one '?', however many bytes of UTF-8 it takes; a stray byte too. */
static void put_high(struct screen *s, uint8_t c)
{
	if (c < 0xc0 && s->utf8_left) {
		s->utf8_left--;
		return;
	}
	s->utf8_left = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
	put_char(s, '?');
}

static void put_control(struct screen *s, uint8_t c)
{
	switch (c) {
	case '\n':
		line_feed(s);
		break;
	case '\r':
		s->col = 0;
		break;
	case '\t':
		put_tab(s);
		break;
	case '\b':
		if (s->col)
			s->col--;
		break;
	default:
		break;
	}
}

static void put_text(struct screen *s, uint8_t c)
{
	if (c >= 0x80) {
		put_high(s, c);
		return;
	}
	s->utf8_left = 0;
	if (c == ESC)
		s->state = SCREEN_ESC;
	else if (c < 0x20)
		put_control(s, c);
	else if (c < 0x7f)
		put_char(s, (char)c);
}

/* ECMA-48 "Control functions": ESC, bytes 20 to 2f, one of 30 to 7e; '[' opens a control sequence, others strings. */
static void put_escape(struct screen *s, uint8_t c)
{
	if (c < 0x20)
		put_text(s, c);
	else if (c == '[')
		s->state = SCREEN_CSI;
	else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
		s->state = SCREEN_STRING;
	else if (c > 0x2f)
		s->state = SCREEN_TEXT;
}

static void put_csi(struct screen *s, uint8_t c)
{
	if (c < 0x20)
		put_text(s, c);
	else if (c >= 0x40)
		s->state = SCREEN_TEXT;
}

/* Ends with BEL or the ESC of a terminator; a line's end, too, so that a lost one costs one line. */
static void put_string(struct screen *s, uint8_t c)
{
	if (c == ESC)
		s->state = SCREEN_ESC;
	else if (c == 0x07 || c == '\n')
		s->state = SCREEN_TEXT;
	if (c == '\n')
		line_feed(s);
}

#define CAN 0x18u
#define SUB 0x1au

static void put_byte(struct screen *s, uint8_t c)
{
	if (c == CAN || c == SUB)
		s->state = SCREEN_TEXT;
	switch (s->state) {
	case SCREEN_ESC:
		put_escape(s, c);
		break;
	case SCREEN_CSI:
		put_csi(s, c);
		break;
	case SCREEN_STRING:
		put_string(s, c);
		break;
	default:
		put_text(s, c);
		break;
	}
}

void screen_write(struct screen *s, const uint8_t *bytes, size_t n)
{
	size_t i;

	if (!s->driver || s->drawing)
		return;
	for (i = 0; i < n; i++)
		put_byte(s, bytes[i]);
	show(s);
}

void screen_print(struct screen *s, const char *text, size_t n)
{
	s->state = SCREEN_TEXT;
	s->utf8_left = 0;
	screen_write(s, (const uint8_t *)text, n);
}
