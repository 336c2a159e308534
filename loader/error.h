/* SPDX-License-Identifier: BSD-2-Clause */
/* How the loader's files report a refusal. Text from an image must have passed log_escape() before it comes here. */
#ifndef LOADER_ERROR_H
#define LOADER_ERROR_H

#include <vouch/image_parse.h>

/* A place in the XML. */
struct xml_place {
	uint32_t offset;              /* in the image */
	uint32_t line, column;        /* from 1 */
};

/*
 * Each sets *err and is -1, which the compiler can see: "offset 0xOFF: STABLE TEXT: DETAIL", "STABLE TEXT: DETAIL",
 * "line L column C: STABLE TEXT: DETAIL". An empty detail is left out.
 */
#define image_fail(err, code, off, ...) (image_set_error(err, code, off, __VA_ARGS__), -1)
#define plan_fail(err, code, ...)       (plan_set_error(err, code, __VA_ARGS__), -1)
#define xml_fail(err, code, at, ...)    (xml_set_error(err, code, at, __VA_ARGS__), -1)

void image_set_error(struct image_error *err, enum image_err code, uint64_t off, const char *fmt, ...) __printf(4, 5);
void plan_set_error(struct image_error *err, enum image_err code, const char *fmt, ...) __printf(3, 4);
void xml_set_error(struct image_error *err, enum image_err code, const struct xml_place *at, const char *fmt, ...)
	__printf(4, 5);

#endif
