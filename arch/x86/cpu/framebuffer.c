/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Glyphs into a framebuffer of 16, 24 or 32 bits a pixel, by the loader's colour masks. Memory there is slow to read, so
 * it is only written, a line of a glyph at a time.
 */
#include "framebuffer.h"

#include <string.h>

#include <font.h>

#define GLYPH_WIDTH  8u
#define GLYPH_HEIGHT 16u
#define SCALE_MAX    8u
#define INK   0xc0c0c0u               /* light grey, as 8-bit red, green, blue */
#define PAPER 0x000000u

_Static_assert(sizeof(font_glyphs[0]) == GLYPH_HEIGHT, "the font's glyphs are 8x16");

static uint32_t channel(struct boot_channel c, uint32_t v)
{
	return (c.size < 8 ? v >> (8 - c.size) : v << (c.size - 8)) << c.pos;
}

static uint32_t pixel(const struct boot_screen *b, uint32_t rgb)
{
	return channel(b->red, rgb >> 16 & 0xff) | channel(b->green, rgb >> 8 & 0xff) | channel(b->blue, rgb & 0xff);
}

void framebuffer_plan(struct screen_surface *s, const struct boot_screen *b, unsigned int *cols, unsigned int *rows)
{
	unsigned int scale = 1;

	/* On a big screen a bigger font, not more text: it must be legible, and the grid has a limit. */
	while (scale < SCALE_MAX && (b->width / (GLYPH_WIDTH * scale) > SCREEN_COLS_MAX ||
				     b->height / (GLYPH_HEIGHT * scale) > SCREEN_ROWS_MAX))
		scale++;
	*s = (struct screen_surface){
		.pitch = b->pitch, .width = b->width, .height = b->height, .pixel_bytes = (b->bpp + 7u) / 8,
		.scale = scale, .ink = pixel(b, INK), .paper = pixel(b, PAPER),
	};
	*cols = b->width / (GLYPH_WIDTH * scale);
	*rows = b->height / (GLYPH_HEIGHT * scale);
}

/* Little-endian, in 2, 3 or 4 bytes. Returns what follows. */
static uint8_t *put_pixel(uint8_t *to, uint32_t v, unsigned int bytes)
{
	unsigned int i;

	for (i = 0; i < bytes; i++)
		*to++ = (uint8_t)(v >> 8 * i);
	return to;
}

static void draw_glyph(const struct screen_surface *s, uint8_t *at, const uint8_t *glyph)
{
	uint8_t line[GLYPH_WIDTH * SCALE_MAX * 4], *to;
	unsigned int y, x, i;

	for (y = 0; y < GLYPH_HEIGHT; y++) {
		to = line;
		for (x = 0; x < GLYPH_WIDTH; x++)
			for (i = 0; i < s->scale; i++)
				to = put_pixel(to, glyph[y] & 0x80u >> x ? s->ink : s->paper, s->pixel_bytes);
		for (i = 0; i < s->scale; i++, at += s->pitch)
			memcpy(at, line, (size_t)(to - line));
	}
}

static void framebuffer_draw(const struct screen_surface *s, unsigned int row, unsigned int col, const char *text,
			     unsigned int n)
{
	size_t cell = (size_t)GLYPH_WIDTH * s->scale * s->pixel_bytes;
	uint8_t *at = s->mem + (size_t)row * GLYPH_HEIGHT * s->scale * s->pitch + col * cell;
	unsigned int i;

	for (i = 0; i < n; i++, at += cell)
		draw_glyph(s, at, font_glyphs[(unsigned char)text[i] - FONT_FIRST]);
	/* Write-combining buffers may keep the last line for as long as they like. APM 2 "Memory Types" (7.4). */
	__asm__ volatile("sfence" : : : "memory");
}

const struct screen_driver framebuffer_driver = { framebuffer_draw, NULL };

void framebuffer_clear(const struct screen_surface *s)
{
	uint32_t y, x;

	for (y = 0; y < s->height; y++) {
		uint8_t *to = s->mem + (size_t)y * s->pitch;

		for (x = 0; x < s->width; x++)
			to = put_pixel(to, s->paper, s->pixel_bytes);
	}
}
