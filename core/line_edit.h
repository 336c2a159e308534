/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line, typed and edited on a terminal of any kind: it draws with printable characters, backspace and newline only, and
 * understands control characters and the usual cursor keys. Pure; where characters go is the caller's affair.
 */
#ifndef CORE_LINE_EDIT_H
#define CORE_LINE_EDIT_H

#include <vouch/types.h>

#define LINE_MAX_CHARS 70u    /* with the prompt it fits 80 columns: nothing ever wraps */
#define LINE_HISTORY   16u

enum line_event {
	LINE_MORE,            /* nothing to do */
	LINE_READY,           /* line_edit.line is what was typed; line_edit_begin() starts the next */
};

enum line_keys { LINE_TEXT, LINE_ESC, LINE_CSI, LINE_SS3, LINE_STRING, LINE_STRING_ESC };

struct line_edit {
	void (*put)(void *ctx, const char *text, size_t n);
	/*
	 * The words that may stand at position at of line (its words before that are complete), by index from 0 on; NULL
	 * behind the last. NULL: no completion.
	 */
	const char *(*word)(void *ctx, const char *line, size_t at, unsigned int index);
	void *ctx;
	const char *prompt;
	char line[LINE_MAX_CHARS + 1];
	size_t len, pos;
	bool was_cr;                  /* a newline behind it belongs to it */
	enum line_keys keys;
	uint8_t number;               /* of the control sequence under way */
	unsigned int past, back;      /* lines in history; how far back we are, 0: not */
	char history[LINE_HISTORY][LINE_MAX_CHARS + 1];  /* history[n % LINE_HISTORY] is the n-th ever */
	char kept[LINE_MAX_CHARS + 1];                   /* what was typed before going back */
};

/* Shows the prompt. The callbacks and the prompt are the caller's and stay. */
void line_edit_begin(struct line_edit *e);
enum line_event line_edit_byte(struct line_edit *e, uint8_t c);
/* Shows prompt and line again, where a new line has begun. */
void line_edit_redraw(struct line_edit *e);

#endif
