/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold of the loader's answers, whatever it was given: shared by its fuzz targets (loader.c). */
#ifndef FUZZ_LOADER_H
#define FUZZ_LOADER_H

#include <vouch/manifest.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An arena as large as Vouch's, the same memory each time. */
struct xml_arena fuzz_arena(void);

/* A refusal has a value, its stable text, and nothing that a terminal would obey. Returns 0. */
int fuzz_refused(const struct image_error *err);

/* A plan that was let through is within its bounds. Returns 0. */
int fuzz_planned(const struct image *img, const struct vm_plan *plan);

#endif
