/* SPDX-License-Identifier: BSD-2-Clause */
/* Text cells: what bytes do to them, what is drawn; and a VGA's memory and registers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/screen.h>

#include "arch/x86/cpu/vga.h"
#include "tests/unit/support/ports.h"

#define COLS 10u
#define ROWS 3u

static struct screen s;
static char glass[ROWS][COLS + 1];
static unsigned int cells_drawn, cursor_row, cursor_col;

static void draw(const struct screen_surface *surface, unsigned int row, unsigned int col, const char *text,
		 unsigned int n)
{
	(void)surface;
	assert_true(n && row < ROWS && col < COLS && n <= COLS - col);
	for (unsigned int i = 0; i < n; i++)
		assert_in_range(text[i], 0x20, 0x7e);
	memcpy(&glass[row][col], text, n);
	cells_drawn += n;
	/* A panic out of the driver writes too. */
	screen_print(&s, "panic", 5);
}

static void cursor(const struct screen_surface *surface, unsigned int row, unsigned int col)
{
	(void)surface;
	assert_true(row < ROWS && col < COLS);
	cursor_row = row;
	cursor_col = col;
}

static const struct screen_driver driver = { draw, cursor };

static int fresh(void **state)
{
	(void)state;
	memset(glass, 0, sizeof(glass));
	screen_init(&s, &driver, &(struct screen_surface){ 0 }, COLS, ROWS);
	cells_drawn = 0;
	return 0;
}

static void write_text(const char *text)
{
	screen_write(&s, (const uint8_t *)text, strlen(text));
}

static void expect(const char *a, const char *b, const char *c)
{
	assert_string_equal(glass[0], a);
	assert_string_equal(glass[1], b);
	assert_string_equal(glass[2], c);
}

#define BLANK "          "

static void starts_blank(void **state)
{
	(void)state;
	expect(BLANK, BLANK, BLANK);
}

static void controls(void **state)
{
	(void)state;
	write_text("one\r\ntwo\nx\by\b\b\b\bz\a\x01\x7f");
	expect("one       ", "two       ", "z         ");
	assert_int_equal(cursor_row, 2);
	assert_int_equal(cursor_col, 1);
	fresh(state);
	write_text("a\tb\tc\rA");
	expect("A       bc", BLANK, BLANK);
}

static void wraps_only_when_needed(void **state)
{
	(void)state;
	write_text("0123456789");
	assert_int_equal(cursor_row, 0);
	assert_int_equal(cursor_col, 9);
	write_text("\r\nx");
	expect("0123456789", "x         ", BLANK);
	fresh(state);
	write_text("0123456789a");
	expect("0123456789", "a         ", BLANK);
}

static void scrolls(void **state)
{
	(void)state;
	write_text("a\nb\nc\nd");
	expect("b         ", "c         ", "d         ");
	write_text("\n\n\n\n");
	expect(BLANK, BLANK, BLANK);
}

static void draws_what_changed(void **state)
{
	(void)state;
	write_text("aa\nab\nac");
	cells_drawn = 0;
	write_text("\n");	/* three cells differ, and the row that went */
	expect("ab        ", "ac        ", BLANK);
	assert_int_equal(cells_drawn, 4);
	cells_drawn = 0;
	write_text("\r");
	assert_int_equal(cells_drawn, 0);
	write_text("z");
	assert_int_equal(cells_drawn, 1);
}

static void escapes_vanish(void **state)
{
	(void)state;
	write_text("a\x1b[31;1mb\x1b[2J\x1b[Hc\x1b[?25ld\x1b(Be\x1b=f\x1b[10;10Hg");
	expect("abcdefg   ", BLANK, BLANK);
	fresh(state);
	write_text("a\x1b]0;title\x07" "b\x1bPxyz\x1b\\c\x1b[1\x1b[mD");
	expect("abcD      ", BLANK, BLANK);
	/* Cut anywhere, the same. */
	fresh(state);
	for (const char *p = "a\x1b[31;1mb"; *p; p++)
		screen_write(&s, (const uint8_t *)p, 1);
	expect("ab        ", BLANK, BLANK);
}

/* Controls act within a sequence; a string that never ends costs one line. */
static void broken_escapes(void **state)
{
	(void)state;
	write_text("a\x1b[3\n1mb\x1b]0;lost\nc");
	expect("a         ", "b         ", "c         ");
	write_text("\x1b]");
	screen_print(&s, "d", 1);
	expect("a         ", "b         ", "cd        ");
}

static void beyond_ascii(void **state)
{
	(void)state;
	write_text("a\xc3\xa4" "b\xe2\x80\x94" "c\xf0\x9f\x98\x80" "d\xff" "e");
	expect("a?b?c?d?e ", BLANK, BLANK);
	fresh(state);
	write_text("\x80\xe2" "a\x80\xc3");
	screen_print(&s, "b", 1);
	expect("??a??b    ", BLANK, BLANK);
}

static void no_screen(void **state)
{
	(void)state;
	screen_init(&s, &driver, &(struct screen_surface){ 0 }, 0, 25);
	assert_null(s.driver);
	write_text("x");
	memset(&s, 0, sizeof(s));
	write_text("x");
}

/* All bytes in all states: within the grid, which draw() checks. */
static void any_bytes(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint8_t b[7];

		for (size_t k = 0; k < sizeof(b); k++) {
			x = x * 1664525 + 1013904223;
			b[k] = (uint8_t)(x >> 24);
		}
		screen_write(&s, b, sizeof(b));
		assert_true(s.row < ROWS && s.col <= COLS);
		for (unsigned int r = 0; r < ROWS; r++)
			assert_memory_equal(glass[r], s.text[r], COLS);
	}
}

static uint8_t crtc[256], crtc_index;

static void out(uint16_t port, unsigned int size, uint32_t v)
{
	assert_int_equal(size, 1);
	if (port == 0x3d4)
		crtc_index = (uint8_t)v;
	else if (port == 0x3d5)
		crtc[crtc_index] = (uint8_t)v;
	else
		fail();
}

static void vga(void **state)
{
	uint16_t mem[25 * 80] = { 0 };
	struct screen_surface v = { .mem = (uint8_t *)mem, .pitch = 160, .width = 80, .height = 25 };

	(void)state;
	fake_ports.out = out;
	crtc[0x0c] = crtc[0x0d] = 9;
	assert_true(vga_present(&v));
	vga_init();
	assert_int_equal(crtc[0x0c] | crtc[0x0d], 0);
	screen_init(&s, &vga_driver, &v, 80, 25);
	assert_int_equal(mem[0], 0x0720);
	write_text("\n\n\nHi");
	assert_int_equal(mem[3 * 80], 0x0700 | 'H');
	assert_int_equal(mem[3 * 80 + 1], 0x0700 | 'i');
	assert_int_equal(mem[25 * 80 - 1], 0x0720);
	assert_int_equal(crtc[0x0e] << 8 | crtc[0x0f], 3 * 80 + 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh)
	const struct CMUnitTest tests[] = {
		T(starts_blank), T(controls), T(wraps_only_when_needed), T(scrolls), T(draws_what_changed),
		T(escapes_vanish), T(broken_escapes), T(beyond_ascii), T(no_screen), T(any_bytes), T(vga),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
