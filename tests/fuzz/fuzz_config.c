/* SPDX-License-Identifier: BSD-2-Clause */
/* An XML configuration, without the container around it: two files stand ready to be named. */
#include <vouch/manifest.h>

#include <string.h>

#include "tests/fuzz/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image img;
	static struct vm_plan plan;
	static char xml[IMAGE_MAX_XML + 1];
	struct xml_arena arena = fuzz_arena();
	struct image_error err;

	if (size > IMAGE_MAX_XML || memchr(data, 0, size))
		return 0;
	memset(&img, 0, sizeof(img));
	memcpy(xml, data, size);
	xml[size] = '\0';
	img.version = 1;
	img.xml = xml;
	img.xml_len = (uint32_t)size;
	img.data_start = 36 + size + 48;
	img.file_count = 2;
	if (manifest_files(&img, &arena, &err))
		fuzz_refused(&err);
	if (manifest_plan(&img, &arena, &plan, &err))
		return fuzz_refused(&err);
	return fuzz_planned(&img, &plan);
}
