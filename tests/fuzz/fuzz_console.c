/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's multiplexer with the monitor's line editor behind it: guests write, the operator types, time goes by. What
 * a guest writes must never act, no log line may be lost or stand inside a guest's line, and nothing may grow.
 */
#include "core/line_edit.h"
#include "core/mux.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mark[] = "vouch: @\r\n";

/* Whoever reads the console: counts log lines, each of which must begin a line. */
struct reader {
	bool midline;
	size_t matched;               /* of mark, at the begin of a line; SIZE_MAX: this line is another */
	size_t room;
	unsigned int seen;
};

static void read_byte(struct reader *r, uint8_t c)
{
	if (!r->midline)
		r->matched = 0;
	if (r->matched < sizeof(mark) - 1 && c == (uint8_t)mark[r->matched])
		r->matched++;
	else
		r->matched = SIZE_MAX;
	if (r->matched == sizeof(mark) - 1)
		r->seen++;
	r->midline = c != '\n';
}

static size_t put(void *ctx, const uint8_t *bytes, size_t n, bool wait)
{
	struct reader *r = ctx;

	if (!wait && n > r->room)
		n = r->room;
	if (!wait)
		r->room -= n;
	for (size_t i = 0; i < n; i++)
		read_byte(r, bytes[i]);
	return n;
}

struct world {
	struct reader reader;
	struct mux mux;
	struct mux_place place[3], monitor;
	uint8_t kept[4][MUX_OUTPUT];
	struct line_edit edit;
	uint64_t now;
	unsigned int logged;
};

static void monitor_put(void *ctx, const char *text, size_t n)
{
	struct world *w = ctx;

	mux_output(&w->mux, w->now, MUX_MONITOR, (const uint8_t *)text, n);
}

static const char *word(void *ctx, const char *line, size_t at, unsigned int index)
{
	static const char *const words[] = { "list", "log", "reset", "resume" };

	(void)ctx;
	if (at > strlen(line))
		abort();
	return index < ARRAY_SIZE(words) ? words[index] : NULL;
}

static void serve(struct world *w)
{
	uint8_t bytes[16];
	size_t n = mux_take(&w->mux, MUX_MONITOR, bytes, sizeof(bytes));

	for (size_t i = 0; i < n; i++) {
		if (line_edit_byte(&w->edit, bytes[i]) == LINE_READY) {
			if (strlen(w->edit.line) != w->edit.len)
				abort();
			line_edit_begin(&w->edit);
		}
		if (w->edit.pos > w->edit.len || w->edit.len > LINE_MAX_CHARS || w->edit.line[w->edit.len])
			abort();
	}
}

/* No '@' of a guest's: log lines must be told from forged ones. */
static void guest_writes(struct world *w, unsigned int place, const uint8_t *data, size_t n)
{
	unsigned int focus = w->mux.focus;
	bool escape = w->mux.escape;
	uint8_t bytes[64];

	for (size_t i = 0; i < n; i++)
		bytes[i] = data[i] == '@' ? 'a' : data[i];
	mux_output(&w->mux, w->now, place, bytes, n);
	if (w->mux.focus != focus || w->mux.escape != escape)
		abort();
}

static void step(struct world *w, const uint8_t *data, size_t n, uint8_t op)
{
	unsigned int place = op >> 3 & 3;

	if (place == 3)
		place = 0;
	switch (op & 7) {
	case 0:
	case 1:
		guest_writes(w, place, data, n);
		break;
	case 2:
		for (size_t i = 0; i < n; i++)
			if (mux_room(&w->mux, w->now))
				mux_input(&w->mux, w->now, data[i] == '@' ? 'a' : data[i]);
		break;
	case 3:
		mux_log(&w->mux, w->now, mark, sizeof(mark) - 1);
		w->logged++;
		break;
	case 4:
		w->now += n;
		w->reader.room += n;
		mux_tick(&w->mux, w->now);
		break;
	case 5:
		mux_begin(&w->mux, w->now, place, "g");
		break;
	case 6:
		mux_end(&w->mux, w->now, place);
		break;
	default:
		serve(w);
		break;
	}
	if (mux_next(&w->mux, w->now) == 0 || w->mux.focus > MUX_MONITOR || !w->mux.place[w->mux.focus])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));

	w->now = 1000;
	mux_init(&w->mux, size && data[0] & 1 ? MUX_PREFIX : MUX_FOCUS, 1, put, &w->reader);
	for (unsigned int i = 0; i < 3; i++)
		mux_add(&w->mux, i, &w->place[i], w->kept[i]);
	mux_add(&w->mux, MUX_MONITOR, &w->monitor, w->kept[3]);
	w->edit = (struct line_edit){ .put = monitor_put, .word = word, .ctx = w, .prompt = "> " };
	line_edit_begin(&w->edit);
	/* An operation, a length below 64, and so many bytes. */
	for (size_t at = 1; at + 2 <= size;) {
		size_t n = data[at + 1] & 63;

		if (n > size - at - 2)
			n = size - at - 2;
		step(w, data + at + 2, n, data[at]);
		at += 2 + n;
	}
	mux_flush(&w->mux);
	if (w->reader.seen != w->logged)
		abort();
	free(w);
	return 0;
}
