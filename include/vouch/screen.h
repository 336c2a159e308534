/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text on this machine's screen: a grid of characters (core/screen.c) and the part that brings it to glass
 * (arch/x86/cpu/vga.c, framebuffer.c). Output only; printable ASCII, anything else shows as '?'.
 */
#ifndef VOUCH_SCREEN_H
#define VOUCH_SCREEN_H

#include <vouch/types.h>

#define SCREEN_COLS_MAX 160u
#define SCREEN_ROWS_MAX 64u

/* Where pixels or cells are. The driver fills and understands it. */
struct screen_surface {
	uint8_t *mem;                 /* as mapped now */
	uint32_t pitch;               /* bytes from line to line */
	uint32_t width, height;       /* pixels, or cells of a text screen */
	unsigned int pixel_bytes;     /* pixels only: 2, 3, 4 */
	unsigned int scale;           /* pixels only: each of the font's pixels becomes scale x scale */
	uint32_t ink, paper;          /* pixels only */
};

struct screen_driver {
	/* Shows n characters (0x20 to 0x7e) from column col on; the run lies within the grid. */
	void (*draw)(const struct screen_surface *s, unsigned int row, unsigned int col, const char *text, unsigned int n);
	/* Moves the cursor; NULL: there is none. */
	void (*cursor)(const struct screen_surface *s, unsigned int row, unsigned int col);
};

enum screen_state { SCREEN_TEXT, SCREEN_ESC, SCREEN_CSI, SCREEN_STRING };

/* Whoever holds the console's lock, or is past caring, may write. */
struct screen {
	const struct screen_driver *driver;   /* NULL: there is no screen, and writes go nowhere */
	struct screen_surface surface;
	unsigned int cols, rows;      /* within the maxima */
	unsigned int col, row;        /* col may equal cols: the next character wraps */
	unsigned int dirty_from, dirty_to;    /* rows that may differ from what is shown: [from, to) */
	enum screen_state state;
	unsigned int utf8_left;       /* bytes that still belong to a character shown as '?' */
	bool drawing;                 /* in the driver: a panic from there must not come back */
	char text[SCREEN_ROWS_MAX][SCREEN_COLS_MAX];
	char shown[SCREEN_ROWS_MAX][SCREEN_COLS_MAX];
};

/* Clears a grid of cols x rows, cut to the maxima; surface and driver are copied. No grid (a zero): no screen. */
void screen_init(struct screen *s, const struct screen_driver *driver, const struct screen_surface *surface,
		 unsigned int cols, unsigned int rows);

/*
 * Writes bytes of whatever origin: CR, LF (which also returns), BS and TAB act, escape sequences are swallowed, so a guest
 * can't move back over lines above. Then shows what changed.
 */
void screen_write(struct screen *s, const uint8_t *bytes, size_t n);

/* The same for Vouch's own lines: an escape sequence that a guest began does not swallow them. */
void screen_print(struct screen *s, const char *text, size_t n);

#endif
