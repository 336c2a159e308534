/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One console for many guests and the monitor: who is seen, who gets what is typed, and where a log line may stand. Pure:
 * no hardware, no lock (the console's holder calls), and time is what the caller says, in ticks of his own.
 */
#ifndef CORE_MUX_H
#define CORE_MUX_H

#include <vouch/boot_info.h>
#include <vouch/types.h>

#include "core/ring.h"

#define MUX_GUESTS  BOOT_MODULES_MAX
#define MUX_MONITOR MUX_GUESTS        /* the monitor's place, behind the guests' */
#define MUX_OUTPUT  0x8000u           /* output kept of each place */
#define MUX_INPUT   0x400u            /* typed and not taken yet; power of two */
#define MUX_HELD    0x1000u           /* log lines that wait for a guest's line to end */
#define MUX_ESCAPE  0x01u             /* Ctrl-a */

enum mux_mode {
	MUX_FOCUS,            /* one guest is seen: consoles=mux */
	MUX_PREFIX,           /* all are, line by line behind their names: consoles=prefix */
};

struct mux_place {
	char name[32];
	bool live;                    /* runs, or will again */
	bool broken;                  /* a log line went through what it was writing: the monitor draws its line anew */
	struct ring out;
	uint64_t shown;               /* position in out up to which the console has it */
	uint64_t wrote;               /* time of its last output */
	uint64_t full;                /* since when in has no room; 0: it has */
	uint32_t in_head, in_tail;    /* free running */
	uint8_t in[MUX_INPUT];
};

/* In the order of what it takes to end it. */
enum mux_terminal { MUX_TEXT, MUX_ESC, MUX_CSI, MUX_STRING };

struct mux {
	/* Puts bytes on the console. Without wait it takes what the ports have room for now. Returns how many it took. */
	size_t (*put)(void *ctx, const uint8_t *bytes, size_t n, bool wait);
	void *ctx;
	uint64_t ms;                  /* a millisecond, in the caller's ticks */
	enum mux_mode mode;
	struct mux_place *place[MUX_GUESTS + 1];
	unsigned int focus;           /* whose input it is, and in MUX_FOCUS who is seen */
	bool moving;                  /* who has the focus has ended, and it moves on when all that he wrote is shown */
	unsigned int back;            /* the guest that had the focus before the monitor */
	unsigned int owner;           /* who wrote the line that is not at its end */
	bool midline;                 /* what is on the console does not end in a newline */
	bool escape;                  /* the escape character was typed */
	enum mux_terminal terminal;   /* what the operator's terminal is in the midst of, by the guest's doing */
	uint8_t lead, more;           /* the first byte of a UTF-8 character under way, and how many are to come */
	bool plain, styled;           /* the CSI under way has no parameter but 0; an SGR was one that had */
	uint64_t held_since;
	size_t held_len;
	char held[MUX_HELD];
};

void mux_init(struct mux *m, enum mux_mode mode, uint64_t ms, size_t (*put)(void *, const uint8_t *, size_t, bool),
	      void *ctx);
/* Makes a place, in p, with kept[MUX_OUTPUT] (both the caller's, to stay). The first guest's has the focus. */
void mux_add(struct mux *m, unsigned int place, struct mux_place *p, uint8_t *kept);

/* A guest has a name and runs; one that nobody watched gets the focus if nobody who runs has it. */
void mux_begin(struct mux *m, uint64_t now, unsigned int place, const char *name);
/*
 * It runs no more: what was typed for it is dropped, what it wrote stays, and the focus goes to the next that runs, as soon as
 * what it wrote last is on the console.
 */
void mux_end(struct mux *m, uint64_t now, unsigned int place);

/* What a guest or the monitor writes. */
void mux_output(struct mux *m, uint64_t now, unsigned int place, const uint8_t *bytes, size_t n);
/* A whole log line, with its newline. It waits up to MUX_HOLD_MS for a line under way to end, then it breaks it. */
#define MUX_HOLD_MS 50u
void mux_log(struct mux *m, uint64_t now, const char *text, size_t n);
/* Puts out what waits, however long that takes: the output of who is seen, and log lines, even if that breaks a line. */
void mux_flush(struct mux *m);

/* Whether a byte that was typed may come now. Who does not take his input has it dropped after a second. */
bool mux_room(struct mux *m, uint64_t now);
void mux_input(struct mux *m, uint64_t now, uint8_t byte);
/* Takes at most n bytes that were typed for this place; returns how many. */
size_t mux_take(struct mux *m, unsigned int place, uint8_t *bytes, size_t n);

/* Whether there is any. */
bool mux_typed(const struct mux *m, unsigned int place);

/* Whatever is due. Call it at mux_next() at the latest; UINT64_MAX: nothing waits. */
void mux_tick(struct mux *m, uint64_t now);
uint64_t mux_next(const struct mux *m, uint64_t now);

/* Moves the focus to a place that exists; says so, and shows what it wrote meanwhile. */
void mux_focus(struct mux *m, uint64_t now, unsigned int place);

#endif
