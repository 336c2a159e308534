/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that `vouch inspect` knows of an image: gathered here, printed by inspect_text.c and inspect_json.c; and Vouch's whole
 * verdict on it as such, for every command that is to start it.
 */
#ifndef VOUCH_TOOLS_FACTS_H
#define VOUCH_TOOLS_FACTS_H

#include "common/opened.h"
#include "common/sha256.h"

#include <vouch/bzimage.h>

struct facts {
	const char *path;
	struct opened *o;
	bool container_good;          /* else o->err says why, and nothing below is set */
	uint8_t sha256[IMAGE_MAX_FILES][SHA256_LEN];  /* of all bytes of each file */
	uint8_t (*list[IMAGE_MAX_FILES])[SHA256_LEN];  /* version 2: its chunk digests */
	bool has_plan;                /* the configuration was understood */
	struct vm_plan plan;
	bool has_kernel;              /* so was the kernel it starts */
	struct bzimage kernel;
	bool has_layout;              /* kernel and initrd fit the memory */
	struct linux_layout layout;
	bool config_good;             /* all of it; else config_err says why not */
	struct image_error config_err;
};

/* CLI_GOOD, CLI_REFUSED (container or configuration; nothing printed but the loader's notes) or CLI_ENV (printed). */
int facts_gather(struct facts *f, const char *path);
/* The same, but for the digests and lists of the files: for who only asks whether Vouch would start the image. */
int facts_judge(struct facts *f, const char *path);
/* After CLI_REFUSED by either of the two: why. */
const char *facts_reason(const struct facts *f);
void facts_release(struct facts *f);

/* The name of a code as in image_err.h, "IMG_ERR_...". */
const char *facts_code_name(enum image_err code);
/* "none", "checksum" or "sha256": what the container as such reaches. */
const char *facts_integrity(const struct image *img);
/* Version 2: how many bytes from the image's first are under the manifest digest. */
uint64_t facts_signed_bytes(const struct image *img);
/* As it stands in configurations; NULL for one that is always there. */
const char *facts_device_name(enum plan_device device);

void inspect_text(const struct facts *f);
void inspect_json(const struct facts *f);

#endif
