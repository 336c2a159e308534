/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot story, stage by stage. What a stage does is told in its room. */
#include "main.h"

#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "arch/x86/mm/paging.h"
#include "memory.h"

#define BOOT_MAP_TOP (1ull << 32)  /* the boot tables map this much */

static void stage_options(struct host *h)
{
	char line[256], loader[80];
	uint32_t i;

	options_parse(&h->options, h->boot.cmdline);
	console_init(&h->console, &h->options);
	log_stage("Vouch loaded at %#lx by %s, options: %s", (unsigned long)h->boot.load_base.v,
		  log_escape(loader, sizeof(loader), h->boot.loader, sizeof(h->boot.loader)),
		  h->boot.cmdline[0] ? log_escape(line, sizeof(line), h->boot.cmdline, sizeof(h->boot.cmdline)) : "none");
	for (i = 0; i < h->options.unknown_count && i < ARRAY_SIZE(h->options.unknown); i++)
		log_warn("unknown option or bad value: %s", h->options.unknown[i]);
	if (h->options.unknown_count > i)
		log_warn("%u more unknown options", (unsigned int)(h->options.unknown_count - i));
}

static void stage_memory(struct host *h)
{
	struct memory_reserved r = { .count = 0 };
	uint64_t frames = memory_end(&h->boot) >> PAGE_SHIFT, state = 0;

	memory_reserve_boot(&r, &h->boot);
	memory_reserve(&r, h->boot.load_base.v, image_size());
	if (!memory_find(&h->boot, &r, frames, BOOT_MAP_TOP, &state))
		panic("no room below 4 GiB for the page allocator (%lu frames)", (unsigned long)frames);
	memory_reserve(&r, state, frames);
	memset(hpa_to_ptr(hpa(state)), 0, frames);
	page_alloc_init(&h->pages, hpa_to_ptr(hpa(state)), frames);
	memory_add(&h->pages, &h->boot, &r, 0, BOOT_MAP_TOP);
	paging_init(h, h->boot.load_base.v);
	memory_add(&h->pages, &h->boot, &r, BOOT_MAP_TOP, MEMORY_TOP);
	log_stage("memory: %lu MiB free of %lu MiB, %u modules kept", (unsigned long)(h->pages.free_frames >> 8),
		  (unsigned long)(frames >> 8), (unsigned int)h->boot.module_count);
}

void vouch_main(struct host *h)
{
	stage_options(h);
	stage_memory(h);
	guests_run(h);
	host_halt();
}
