/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds this machine's screen by what the loader says of it, and maps it; twice, since the boot tables go away. */
#include "display.h"

#include <vouch/host.h>
#include <vouch/log.h>

#include "arch/x86/mm/paging.h"
#include "framebuffer.h"
#include "vga.h"

#define BOOT_MAP_TOP (1ull << 32)
#define VGA_TEXT 0xb8000u

static uint64_t display_len(const struct boot_screen *b)
{
	return (uint64_t)b->pitch * b->height;
}

static void display_attach(struct screen *s, const struct boot_screen *b, void *mem)
{
	struct screen_surface surface;
	unsigned int cols = b->width, rows = b->height;

	if (b->kind == BOOT_SCREEN_RGB) {
		framebuffer_plan(&surface, b, &cols, &rows);
		surface.mem = mem;
		framebuffer_clear(&surface);
		screen_init(s, &framebuffer_driver, &surface, cols, rows);
		return;
	}
	surface = (struct screen_surface){ .mem = mem, .pitch = b->pitch, .width = cols, .height = rows };
	if (!vga_present(&surface))
		return;
	vga_init();
	screen_init(s, &vga_driver, &surface, cols, rows);
}

static bool display_usable(const struct boot_screen *b)
{
	return b->kind == BOOT_SCREEN_RGB || b->kind == BOOT_SCREEN_TEXT;
}

void display_init(struct host *h)
{
	const struct boot_screen *b = &h->boot.screen;

	if (display_usable(b) && b->base.v + display_len(b) <= BOOT_MAP_TOP)
		display_attach(&h->console.screen, b, hpa_to_ptr(b->base));
}

void display_init_blind(struct host *h)
{
	h->boot.screen = (struct boot_screen){
		.kind = BOOT_SCREEN_TEXT, .base = hpa(VGA_TEXT), .pitch = 160, .width = 80, .height = 25,
	};
	display_init(h);
}

static void display_report(const struct host *h)
{
	const struct boot_screen *b = &h->boot.screen;
	const struct screen *s = &h->console.screen;

	if (!s->driver)
		log_info("screen: none: %s", b->kind == BOOT_SCREEN_UNUSABLE ? "not a kind that Vouch can draw on" :
			 b->kind == BOOT_SCREEN_NONE ? "the loader tells of none" : "nothing answers where it should be");
	else if (b->kind == BOOT_SCREEN_TEXT)
		log_info("screen: VGA text, %ux%u", s->cols, s->rows);
	else
		log_info("screen: framebuffer %ux%u, %u bits, text %ux%u", b->width, b->height, b->bpp, s->cols, s->rows);
}

void display_map(struct host *h)
{
	const struct boot_screen *b = &h->boot.screen;
	struct screen *s = &h->console.screen;
	void *mem = NULL;

	if (s->driver || (display_usable(b) && b->base.v + display_len(b) > BOOT_MAP_TOP))
		mem = mmio_map_screen(b->base, display_len(b));
	if (mem && s->driver)
		s->surface.mem = mem;
	else if (mem)
		display_attach(s, b, mem);
	else
		s->driver = NULL;
	display_report(h);
}
