/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole image through the judge, and what it accepts through the configuration. */
#include <vouch/judge.h>
#include <vouch/log.h>

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/loader.h"

struct input {
	const uint8_t *data;
	size_t size;
};

static int copy(void *ctx, uint64_t off, void *dst, size_t len)
{
	const struct input *in = ctx;

	if (!span_ok(off, len, in->size))
		abort();
	memcpy(dst, in->data + off, len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image img;
	static struct vm_plan plan;
	static char xml[IMAGE_MAX_XML + 1];
	struct input in = { data, size };
	struct image_source src = { copy, &in, size };
	struct xml_arena arena = fuzz_arena();
	struct image_error err;

	if (image_judge(&img, &src, xml, &arena, NULL, NULL, &err))
		return fuzz_refused(&err);
	for (uint32_t i = 0; i < img.file_count; i++) {
		if (!img.file[i].named || !*img.file[i].id || !span_ok(img.file[i].offset, img.file[i].size, size))
			abort();
	}
	if (manifest_plan(&img, &arena, &plan, &err))
		return fuzz_refused(&err);
	return fuzz_planned(&img, &plan);
}
