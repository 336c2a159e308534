/* SPDX-License-Identifier: BSD-2-Clause */
/* VGA text: a character and an attribute a cell, a hardware cursor. The mode is the firmware's, and stays. */
#include "vga.h"

#include "asm.h"

#define CRTC_INDEX 0x3d4u
#define CRTC_DATA  0x3d5u
#define CRTC_START_HIGH  0x0cu
#define CRTC_CURSOR_HIGH 0x0eu
#define ATTR 0x0700u                  /* light grey on black */

static volatile uint16_t *vga_line(const struct screen_surface *s, unsigned int row)
{
	return (volatile uint16_t *)(void *)(s->mem + (size_t)s->pitch * row);
}

/* A 16-bit register pair of the CRT controller, high half first. */
static void crtc_write(uint8_t high, uint32_t v)
{
	port_out8(CRTC_INDEX, high);
	port_out8(CRTC_DATA, (uint8_t)(v >> 8));
	port_out8(CRTC_INDEX, (uint8_t)(high + 1));
	port_out8(CRTC_DATA, (uint8_t)v);
}

static void vga_draw(const struct screen_surface *s, unsigned int row, unsigned int col, const char *text,
		     unsigned int n)
{
	volatile uint16_t *cell = vga_line(s, row) + col;
	unsigned int i;

	for (i = 0; i < n; i++)
		cell[i] = (uint16_t)(ATTR | (uint8_t)text[i]);
	__asm__ volatile("sfence" : : : "memory");	/* its mapping combines writes */
}

static void vga_cursor(const struct screen_surface *s, unsigned int row, unsigned int col)
{
	crtc_write(CRTC_CURSOR_HIGH, s->pitch / 2 * row + col);
}

const struct screen_driver vga_driver = { vga_draw, vga_cursor };

bool vga_present(const struct screen_surface *s)
{
	volatile uint16_t *cell = vga_line(s, 0);

	/* Where no card answers, reads give ones. */
	*cell = 0x0755;
	if (*cell != 0x0755)
		return false;
	*cell = 0x072a;
	return *cell == 0x072a;
}

void vga_init(void)
{
	crtc_write(CRTC_START_HIGH, 0);
}
