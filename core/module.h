/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that an image is read from. */
#ifndef CORE_MODULE_H
#define CORE_MODULE_H

#include <vouch/image_parse.h>

/*
 * Memory of that many bytes as a source. A module's is not Vouch's to trust: what else can write there may do so between
 * any two reads, which is what the host test of core/launch.c puts in this function's place.
 */
struct image_source module_source(void *bytes, uint64_t size);

#endif
