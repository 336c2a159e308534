/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot loader's information. */
#include <vouch/boot_info.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is called usable must lie within bounds, whatever else was wrong. */
static void check_screen(const struct boot_screen *s)
{
	uint64_t cell = s->kind == BOOT_SCREEN_TEXT ? 2 : (s->bpp + 7u) / 8;

	if (s->kind != BOOT_SCREEN_RGB && s->kind != BOOT_SCREEN_TEXT)
		return;
	if (!s->base.v || !s->width || !s->height || s->pitch < s->width * cell)
		abort();
	if (s->base.v + (uint64_t)s->pitch * s->height >= 1ull << 52 || (s->kind == BOOT_SCREEN_RGB && s->red.pos > 31))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	enum mb2_err e;
	uint32_t at;

	e = mb2_parse(&info, data, size, &at);
	if (at > size || info.mem_count > BOOT_MEM_MAX || info.module_count > BOOT_MODULES_MAX)
		abort();
	check_screen(&info.screen);
	if (e != MB2_OK)
		return 0;
	if (!info.mem_count || info.info_len > size || strlen(info.cmdline) > BOOT_CMDLINE_MAX)
		abort();
	for (uint32_t i = 0; i < info.mem_count; i++) {
		if (!info.mem[i].len || info.mem[i].base.v + info.mem[i].len - 1 < info.mem[i].base.v)
			abort();
	}
	return 0;
}
