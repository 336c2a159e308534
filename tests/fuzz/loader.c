/* SPDX-License-Identifier: BSD-2-Clause */
/* See loader.h. Also the loader's surroundings: a log that only checks, a slot for the arena. */
#include "tests/fuzz/loader.h"

#include <vouch/lib.h>
#include <vouch/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_printable(const char *s)
{
	for (; *s; s++) {
		if (*s < 0x20 || *s > 0x7e)
			abort();
	}
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_printable(text);
}

void lib_assert(void)
{
}

void **lib_arena_slot(void)
{
	static void *slot;

	return &slot;
}

struct xml_arena fuzz_arena(void)
{
	static _Alignas(16) char memory[XML_ARENA_SIZE];

	return (struct xml_arena){ .base = memory, .size = sizeof(memory) };
}

int fuzz_refused(const struct image_error *err)
{
	if (err->code <= IMG_OK || err->code >= IMG_ERR_COUNT || !strstr(err->text, image_err_text(err->code)) ||
	    strlen(err->text) >= sizeof(err->text))
		abort();
	check_printable(err->text);
	return 0;
}

int fuzz_planned(const struct image *img, const struct vm_plan *plan)
{
	bool file_bad = plan->kernel < 0 || (uint32_t)plan->kernel >= img->file_count || plan->initrd < -1 ||
			(plan->initrd >= 0 && (uint32_t)plan->initrd >= img->file_count);

	if (!plan->has_boot || file_bad || plan->cores < 1 || plan->cores > PLAN_MAX_CORES ||
	    (plan->cores > 1 && !(plan->devices >> PLAN_LAPIC & 1)) || plan->memory_mib < PLAN_MIN_MIB ||
	    plan->memory_mib > PLAN_MAX_MIB || plan->ignore_count > PLAN_IGNORE_MAX ||
	    (plan->devices & PLAN_ALWAYS) != PLAN_ALWAYS || plan->devices >> PLAN_DEVICE_COUNT ||
	    strlen(plan->name) > PLAN_NAME_MAX || strlen(plan->cmdline) > PLAN_CMDLINE_MAX)
		abort();
	for (uint32_t i = 0; i < plan->ignore_count; i++) {
		if (plan->ignore[i].start > plan->ignore[i].end)
			abort();
	}
	return 0;
}
