/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's multiplexer. A guest's bytes go to its ring first, and from there to the console as far as it is seen; so
 * replay, back pressure and loss are one mechanism. Only what is typed is searched for the escape character: nothing
 * that a guest writes is ever a command.
 */
#include "core/mux.h"

#include <stdio.h>
#include <string.h>

#define ROOM_MS    1000u      /* how long input waits for one who does not take it */
#define IDLE_MS    50u        /* MUX_PREFIX: after that, part of a line is shown */
#define PUMP_MS    1u         /* between two looks whether the ports have room */
#define PUMP_BYTES 4096u      /* shown at a tick, at most */
#define LINE_BYTES 1000u      /* MUX_PREFIX: a longer line is shown in parts */
#define ESC        0x1bu

void mux_init(struct mux *m, enum mux_mode mode, uint64_t ms, size_t (*put)(void *, const uint8_t *, size_t, bool),
	      void *ctx)
{
	memset(m, 0, sizeof(*m));
	m->mode = mode;
	m->ms = ms;
	m->put = put;
	m->ctx = ctx;
	m->focus = m->back = m->owner = MUX_MONITOR;
}

void mux_add(struct mux *m, unsigned int place, struct mux_place *p, uint8_t *kept)
{
	memset(p, 0, sizeof(*p));
	p->out = (struct ring){ .bytes = kept, .size = MUX_OUTPUT };
	snprintf(p->name, sizeof(p->name), place == MUX_MONITOR ? "monitor" : "guest%u", place);
	m->place[place] = p;
	if (place != MUX_MONITOR && m->back == MUX_MONITOR)
		m->focus = m->back = place;
}

/* ------------------------------------------------------------------ what is on the console */

/* ECMA-48: what of the guest's bytes the terminal takes for the beginning of something, so that it would swallow ours. */
static enum mux_terminal terminal_next(enum mux_terminal t, uint8_t c)
{
	if (c == ESC)
		return MUX_ESC;
	if (c == 0x18 || c == 0x1a)             /* CAN, SUB */
		return MUX_TEXT;
	switch (t) {
	case MUX_ESC:
		if (c == '[')
			return MUX_CSI;
		if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
			return MUX_STRING;
		return c >= 0x30 && c <= 0x7e ? MUX_TEXT : t;
	case MUX_CSI:
		return c >= 0x40 && c <= 0x7e ? MUX_TEXT : t;
	case MUX_STRING:
		return c == 0x07 ? MUX_TEXT : t;
	default:
		return MUX_TEXT;
	}
}

static void track_byte(struct mux *m, uint8_t c)
{
	enum mux_terminal was = m->terminal;

	m->terminal = terminal_next(was, c);
	if (was == MUX_ESC && m->terminal == MUX_CSI)
		m->plain = true;
	else if (was == MUX_CSI && c == 'm')
		m->styled = !m->plain;
	else if (was == MUX_CSI && c != '0')
		m->plain = false;
}

/* ESC and a letter, to terminals that know it. To others it is nothing, so that it ends neither a sequence nor a style. */
static void track_c1(struct mux *m, uint8_t c)
{
	enum mux_terminal was = m->terminal;

	m->terminal = MUX_ESC;
	track_byte(m, c - 0x40);
	m->plain = false;
	if (m->terminal < was)
		m->terminal = was;
}

/* Part of a character that is no control. C1 controls are U+0080 to U+009F, and a terminal of 8 bits takes them bare. */
static bool in_character(struct mux *m, uint8_t c)
{
	if (m->more && (c & 0xc0) == 0x80) {
		m->more--;
		return m->lead != 0xc2 || c > 0x9f;
	}
	m->lead = c;
	m->more = c < 0xc2 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	return false;
}

static void track(struct mux *m, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (in_character(m, bytes[i]))
			continue;
		if (bytes[i] >= 0x80 && bytes[i] <= 0x9f)
			track_c1(m, bytes[i]);
		else
			track_byte(m, bytes[i]);
	}
	if (n)
		m->midline = bytes[n - 1] != '\n';
}

/* Vouch's own words. */
static void put(struct mux *m, const char *text, size_t n)
{
	m->put(m->ctx, (const uint8_t *)text, n, true);
}

/* Whatever was under way, the next byte begins a line. */
static void break_line(struct mux *m)
{
	if (m->terminal == MUX_STRING)
		put(m, "\x1b\\", 2);
	else if (m->terminal != MUX_TEXT)
		put(m, "\x18", 1);
	if (m->styled)
		put(m, "\x1b[m", 3);
	if (m->midline || m->styled || m->terminal != MUX_TEXT) {
		put(m, "\r\n", 2);
		if (m->place[m->owner])
			m->place[m->owner]->broken = true;
	}
	m->terminal = MUX_TEXT;
	m->midline = m->styled = false;
	m->more = 0;
}

static void release_held(struct mux *m)
{
	if (!m->held_len)
		return;
	break_line(m);
	put(m, m->held, m->held_len);
	m->held_len = 0;
}

static void notice(struct mux *m, const char *text)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "vouch: console: %s\r\n", text);

	release_held(m);
	break_line(m);
	put(m, line, min_u64((uint64_t)n, sizeof(line) - 1));
}

/* What the ring has lost since it was last seen is not passed over in silence. */
static void skip_lost(struct mux *m, struct mux_place *p)
{
	uint64_t tail = ring_tail(&p->out);
	char text[96];

	if (p->shown >= tail)
		return;
	snprintf(text, sizeof(text), "%lu older bytes of %s were not kept", tail - p->shown, p->name);
	notice(m, text);
	p->shown = tail;
}

/* Up to the first newline, and with it. */
static size_t line_part(const uint8_t *bytes, size_t n)
{
	const uint8_t *end = memchr(bytes, '\n', n);

	return end ? (size_t)(end - bytes) + 1 : n;
}

/* Shows at most budget bytes; false if the ports took fewer. Log lines that are held come at the first line's end. */
static bool show(struct mux *m, unsigned int place, uint64_t budget, bool wait)
{
	struct mux_place *p = m->place[place];

	skip_lost(m, p);
	while (budget && p->shown != p->out.head) {
		const uint8_t *bytes;
		size_t n = (size_t)min_u64(ring_span(&p->out, p->shown, &bytes), budget), took;

		if (m->held_len)
			n = line_part(bytes, n);
		took = m->put(m->ctx, bytes, n, wait);
		track(m, bytes, took);
		m->owner = place;
		p->shown += took;
		budget -= took;
		if (took < n)
			return false;
		if (!m->midline)
			release_held(m);
	}
	return true;
}

/* ------------------------------------------------------------------ consoles=prefix */

/* How much of what waits may be shown: a whole line, a part that is long, or one that has waited; 0: not yet. */
static uint64_t prefix_part(const struct mux *m, uint64_t now, const struct mux_place *p)
{
	uint64_t n = p->out.head - p->shown, most = min_u64(n, LINE_BYTES);

	for (uint64_t i = 0; i < most; i++)
		if (ring_at(&p->out, p->shown + i) == '\n')
			return i + 1;
	return n >= LINE_BYTES || now - p->wrote >= IDLE_MS * m->ms ? most : 0;
}

static void prefix_begin(struct mux *m, unsigned int place)
{
	char text[sizeof(m->place[0]->name) + 4];
	int n = snprintf(text, sizeof(text), "%s| ", m->place[place]->name);

	break_line(m);
	put(m, text, (size_t)n);
	m->midline = true;
}

static void show_lines(struct mux *m, uint64_t now, unsigned int place)
{
	struct mux_place *p = m->place[place];

	skip_lost(m, p);
	while (p->shown != p->out.head) {
		/* He goes on with a line that stands there already. */
		bool on = m->midline && m->owner == place;
		uint64_t n = prefix_part(m, now, p);

		if (!n && on)
			n = p->out.head - p->shown;
		if (!n)
			return;
		if (!on)
			prefix_begin(m, place);
		show(m, place, n, true);
	}
}

static void show_all(struct mux *m, uint64_t now)
{
	for (unsigned int i = 0; i <= MUX_MONITOR; i++)
		if (m->place[i])
			show_lines(m, now, i);
}

/* ------------------------------------------------------------------ output */

void mux_output(struct mux *m, uint64_t now, unsigned int place, const uint8_t *bytes, size_t n)
{
	struct mux_place *p = m->place[place];
	uint64_t behind = p->out.head - p->shown;

	/* In pieces that leave room: what a ring takes at once must not push out what nobody has seen. */
	while (n) {
		size_t part = (size_t)min_u64(n, MUX_OUTPUT / 4);

		ring_put(&p->out, bytes, part);
		p->wrote = now;
		bytes += part;
		n -= part;
		if (m->mode == MUX_PREFIX)
			show_lines(m, now, place);
		else if (m->focus == place && (!behind || behind > MUX_OUTPUT / 2))
			show(m, place, part + 64, true);
		else if (m->focus == place)
			show(m, place, PUMP_BYTES, false);
		behind = p->out.head - p->shown;
	}
}

void mux_log(struct mux *m, uint64_t now, const char *text, size_t n)
{
	bool fits = n <= sizeof(m->held) - m->held_len;
	bool idle = !m->place[m->owner] || now - m->place[m->owner]->wrote >= MUX_HOLD_MS * m->ms;

	if (m->midline && fits && !idle) {
		if (!m->held_len)
			m->held_since = now;
		memcpy(m->held + m->held_len, text, n);
		m->held_len += n;
		return;
	}
	release_held(m);
	break_line(m);
	put(m, text, n);
}

void mux_flush(struct mux *m)
{
	if (m->mode == MUX_FOCUS && m->place[m->focus])
		show(m, m->focus, UINT64_MAX, true);
	release_held(m);
}

static void move_on(struct mux *m, uint64_t now);

void mux_tick(struct mux *m, uint64_t now)
{
	if (m->mode == MUX_PREFIX)
		show_all(m, now);
	else if (m->place[m->focus] && show(m, m->focus, PUMP_BYTES, false) && m->moving)
		move_on(m, now);
	if (m->held_len && now - m->held_since >= MUX_HOLD_MS * m->ms)
		release_held(m);
}

static uint64_t place_next(const struct mux *m, unsigned int place, uint64_t now)
{
	const struct mux_place *p = m->place[place];
	uint64_t next = UINT64_MAX;

	if (p->shown != p->out.head && m->mode == MUX_PREFIX)
		next = p->wrote + IDLE_MS * m->ms;
	else if (p->shown != p->out.head && m->focus == place)
		next = now + PUMP_MS * m->ms;
	if (p->full && m->focus == place)
		next = min_u64(next, max_u64(p->full + ROOM_MS * m->ms, now + PUMP_MS * m->ms));
	return next;
}

uint64_t mux_next(const struct mux *m, uint64_t now)
{
	uint64_t next = m->held_len ? m->held_since + MUX_HOLD_MS * m->ms : UINT64_MAX;

	if (m->mode == MUX_FOCUS)
		return m->place[m->focus] ? min_u64(next, place_next(m, m->focus, now)) : next;
	/* Once a turn of each guest, and most places are empty. */
	for (unsigned int i = 0; i <= MUX_MONITOR; i++)
		if (m->place[i])
			next = min_u64(next, place_next(m, i, now));
	return next;
}

/* ------------------------------------------------------------------ focus */

/* Back to where the line under way began, so that a prompt is seen again; within reason. */
static void rewind_line(struct mux_place *p)
{
	uint64_t least = ring_tail(&p->out);

	if (p->shown > 256)
		least = max_u64(least, p->shown - 256);
	while (p->shown > least && ring_at(&p->out, p->shown - 1) != '\n')
		p->shown--;
}

void mux_focus(struct mux *m, uint64_t now, unsigned int place)
{
	struct mux_place *p = m->place[place];
	char text[80];

	if (place != MUX_MONITOR)
		m->back = place;
	m->focus = place;
	m->moving = false;
	if (place == MUX_MONITOR)
		snprintf(text, sizeof(text), "monitor (Ctrl-a m: back)");
	else
		snprintf(text, sizeof(text), "%u %s%s (Ctrl-a ?: help)", place, p->name, p->live ? "" : ", not running");
	notice(m, text);
	if (m->mode != MUX_FOCUS)
		return;
	rewind_line(p);
	mux_tick(m, now);
}

/* The next guest that runs, from place on in steps of 1 or, backwards, of MUX_GUESTS - 1; place itself if there is none. */
static unsigned int neighbour(const struct mux *m, unsigned int place, unsigned int step)
{
	unsigned int i = place;

	for (unsigned int n = 0; n < MUX_GUESTS; n++) {
		i = (i + step) % MUX_GUESTS;
		if (m->place[i] && m->place[i]->live)
			return i;
	}
	return place;
}

void mux_begin(struct mux *m, uint64_t now, unsigned int place, const char *name)
{
	struct mux_place *p = m->place[place], *seen = m->place[m->focus];

	snprintf(p->name, sizeof(p->name), "%s", name);
	p->live = true;
	if (m->focus == place || m->focus == MUX_MONITOR || m->moving || (seen && seen->live))
		return;
	mux_focus(m, now, place);
}

/* What a guest writes in another run is no part of the line that it leaves. On the console the next line sees to that. */
static void end_line(struct mux_place *p)
{
	bool seen = p->shown == p->out.head;

	if (!p->out.head || ring_at(&p->out, p->out.head - 1) == '\n')
		return;
	ring_put(&p->out, (const uint8_t *)"\r\n", 2);
	if (seen)
		p->shown = p->out.head;
}

/* All that was to be seen of who has the focus is seen. */
static void move_on(struct mux *m, uint64_t now)
{
	struct mux_place *p = m->place[m->focus];
	unsigned int next = neighbour(m, m->focus, 1);

	if (p->shown != p->out.head)
		return;
	m->moving = false;
	if (p->live)                            /* again */
		return;
	release_held(m);
	if (next != m->focus)
		mux_focus(m, now, next);
}

void mux_end(struct mux *m, uint64_t now, unsigned int place)
{
	struct mux_place *p = m->place[place];

	p->live = false;
	p->in_tail = p->in_head;
	p->full = 0;
	if (m->mode == MUX_PREFIX) {
		p->wrote = now - IDLE_MS * m->ms;       /* its last line may lack an end */
		show_lines(m, now, place);
	}
	end_line(p);
	if (m->back == place)
		m->back = neighbour(m, place, 1);
	if (m->focus == place) {
		m->moving = true;
		move_on(m, now);
	} else {
		release_held(m);
	}
}

/* ------------------------------------------------------------------ input */

static void typed(struct mux *m, uint64_t now, uint8_t byte)
{
	struct mux_place *p = m->place[m->focus];

	if (!p || m->moving || p->in_head - p->in_tail == MUX_INPUT)
		return;
	p->in[p->in_head++ % MUX_INPUT] = byte;
	if (p->in_head - p->in_tail == MUX_INPUT)
		p->full = max_u64(now, 1);
}

static void help(struct mux *m)
{
	notice(m, "Ctrl-a n, p: next, previous guest; 0 to 9: by number; m: monitor; a: Ctrl-a itself");
	for (unsigned int i = 0; i < MUX_GUESTS; i++) {
		const struct mux_place *p = m->place[i];
		char text[80];

		if (!p)
			continue;
		snprintf(text, sizeof(text), "%c%2u %s%s%s", i == m->focus ? '*' : ' ', i, p->name,
			 p->live ? "" : ", not running",
			 m->mode == MUX_FOCUS && p->shown != p->out.head ? ", unseen output" : "");
		notice(m, text);
	}
}

static void focus_number(struct mux *m, uint64_t now, unsigned int n)
{
	char text[40];

	if (m->place[n]) {
		mux_focus(m, now, n);
		return;
	}
	snprintf(text, sizeof(text), "there is no guest %u", n);
	notice(m, text);
}

static void command(struct mux *m, uint64_t now, uint8_t byte)
{
	unsigned int next;

	switch (byte) {
	case 'n':
	case 'p':
		/* From the monitor: first of all back. */
		next = m->focus == MUX_MONITOR ? m->back : neighbour(m, m->focus, byte == 'n' ? 1 : MUX_GUESTS - 1);
		if (m->place[next])
			mux_focus(m, now, next);
		return;
	case 'm':
		next = m->focus == MUX_MONITOR ? m->back : MUX_MONITOR;
		if (m->place[next])
			mux_focus(m, now, next);
		return;
	case 'a':
	case MUX_ESCAPE:
		typed(m, now, MUX_ESCAPE);
		return;
	case '?':
		help(m);
		return;
	default:
		if (byte >= '0' && byte <= '9')
			focus_number(m, now, byte - '0');
		return;
	}
}

bool mux_room(struct mux *m, uint64_t now)
{
	const struct mux_place *p = m->place[m->focus];

	return !p || !p->full || now - p->full >= ROOM_MS * m->ms;
}

void mux_input(struct mux *m, uint64_t now, uint8_t byte)
{
	if (m->escape) {
		m->escape = false;
		command(m, now, byte);
	} else if (byte == MUX_ESCAPE) {
		m->escape = true;
	} else {
		typed(m, now, byte);
	}
}

bool mux_typed(const struct mux *m, unsigned int place)
{
	const struct mux_place *p = place <= MUX_GUESTS ? m->place[place] : NULL;

	return p && p->in_head != p->in_tail;
}

size_t mux_take(struct mux *m, unsigned int place, uint8_t *bytes, size_t n)
{
	struct mux_place *p = m->place[place];
	size_t got = 0;

	while (got < n && p->in_tail != p->in_head)
		bytes[got++] = p->in[p->in_tail++ % MUX_INPUT];
	if (got)
		p->full = 0;
	return got;
}
