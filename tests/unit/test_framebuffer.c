/* SPDX-License-Identifier: BSD-2-Clause */
/* Text in pixels: formats, sizes, and that nothing is written beside the glyphs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <font.h>

#include "arch/x86/cpu/framebuffer.h"

static struct boot_screen description(uint32_t width, uint32_t height, uint8_t bpp)
{
	struct boot_screen b = {
		.kind = BOOT_SCREEN_RGB, .width = width, .height = height, .bpp = bpp,
		.pitch = width * ((bpp + 7u) / 8) + 12,
		.red = { 16, 8 }, .green = { 8, 8 }, .blue = { 0, 8 },
	};

	if (bpp == 16) {
		b.red = (struct boot_channel){ 11, 5 };
		b.green = (struct boot_channel){ 5, 6 };
		b.blue = (struct boot_channel){ 0, 5 };
	}
	return b;
}

static uint32_t pixel_at(const struct screen_surface *s, uint32_t x, uint32_t y)
{
	const uint8_t *p = s->mem + (size_t)y * s->pitch + (size_t)x * s->pixel_bytes;
	uint32_t v = 0;

	for (unsigned int i = 0; i < s->pixel_bytes; i++)
		v |= (uint32_t)p[i] << 8 * i;
	return v;
}

/* 'A' in the grid's last cell, pixel by pixel, and the padding behind each line untouched. */
static void check_format(uint32_t width, uint32_t height, uint8_t bpp, unsigned int scale, uint32_t ink)
{
	struct boot_screen b = description(width, height, bpp);
	struct screen_surface s;
	unsigned int cols, rows, x, y;
	size_t line = (size_t)width * ((bpp + 7u) / 8);

	framebuffer_plan(&s, &b, &cols, &rows);
	assert_int_equal(s.scale, scale);
	assert_int_equal(s.ink, ink);
	assert_int_equal(s.paper, 0);
	assert_int_equal(cols, width / (8 * scale));
	assert_int_equal(rows, height / (16 * scale));
	s.mem = malloc((size_t)b.pitch * height);
	memset(s.mem, 0x5a, (size_t)b.pitch * height);
	framebuffer_clear(&s);
	framebuffer_driver.draw(&s, rows - 1, cols - 2, " A", 2);
	for (y = 0; y < height; y++) {
		uint32_t gy = y / scale - (rows - 1) * 16;

		for (x = 0; x < width; x++) {
			uint32_t gx = x / scale - (cols - 1) * 8;
			bool on = gx < 8 && gy < 16 && font_glyphs['A' - FONT_FIRST][gy] & 0x80 >> gx;

			if (pixel_at(&s, x, y) != (on ? ink : 0))
				fail_msg("%u bits: wrong pixel %u,%u", bpp, x, y);
		}
		for (size_t i = line; i < b.pitch; i++)
			assert_int_equal(s.mem[(size_t)y * b.pitch + i], 0x5a);
	}
	free(s.mem);
}

static void formats(void **state)
{
	(void)state;
	check_format(100, 70, 32, 1, 0xc0c0c0);
	check_format(100, 70, 24, 1, 0xc0c0c0);
	check_format(100, 70, 16, 1, 0xc618);
	check_format(1300, 70, 24, 2, 0xc0c0c0);
	check_format(40, 1040, 32, 2, 0xc0c0c0);
}

static void channels(void **state)
{
	struct boot_screen b = description(640, 480, 32);
	struct screen_surface s;
	unsigned int cols, rows;

	(void)state;
	b.red = (struct boot_channel){ 0, 10 };
	b.green = (struct boot_channel){ 10, 10 };
	b.blue = (struct boot_channel){ 20, 10 };
	framebuffer_plan(&s, &b, &cols, &rows);
	assert_int_equal(s.ink, 0x300u | 0x300u << 10 | 0x300u << 20);
	b.blue = (struct boot_channel){ 31, 1 };
	framebuffer_plan(&s, &b, &cols, &rows);
	assert_int_equal(s.ink, 0x300u | 0x300u << 10 | 1u << 31);
}

/* From none that fits to the largest that the loader's parser lets through: within the grid's limits. */
static void sizes(void **state)
{
	static const uint32_t side[] = { 1, 7, 8, 16, 640, 1280, 1288, 1920, 3840, 7680, 16384 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(side); i++) {
		struct boot_screen b = description(side[i], side[ARRAY_SIZE(side) - 1 - i], 32);
		struct screen_surface s;
		struct screen grid;
		unsigned int cols, rows;

		framebuffer_plan(&s, &b, &cols, &rows);
		assert_true(s.scale >= 1 && s.scale <= 8);
		cols = cols < SCREEN_COLS_MAX ? cols : SCREEN_COLS_MAX;
		rows = rows < SCREEN_ROWS_MAX ? rows : SCREEN_ROWS_MAX;
		assert_true(cols * 8 * s.scale <= b.width && rows * 16 * s.scale <= b.height);
		s.mem = malloc((size_t)b.pitch * b.height);
		screen_init(&grid, &framebuffer_driver, &s, cols, rows);
		assert_int_equal(grid.driver != NULL, cols && rows);
		free(s.mem);
	}
}

/* The font is the one we think it is. */
static void glyphs(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 95; i++) {
		for (unsigned int k = 0; k < i; k++)
			assert_memory_not_equal(font_glyphs[i], font_glyphs[k], 16);
	}
	for (unsigned int y = 0; y < 16; y++)
		assert_int_equal(font_glyphs[0][y], 0);
	/* The bar is one column. */
	for (unsigned int y = 4; y < 12; y++)
		assert_int_equal(font_glyphs['|' - FONT_FIRST][y], font_glyphs['|' - FONT_FIRST][4]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats), cmocka_unit_test(channels), cmocka_unit_test(sizes), cmocka_unit_test(glyphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
