/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is true of a boot as a whole, before its images are looked at one by one: Vouch's command line, the launch policy,
 * the number of modules, the guests' names. `vouch iso`, `menu`, `run` and `measure` ask the same.
 */
#ifndef VOUCH_TOOLS_ENTRY_H
#define VOUCH_TOOLS_ENTRY_H

#include "common/opened.h"
#include "facts.h"

#include <vouch/boot_info.h>
#include <vouch/options.h>
#include <vouch/plan.h>
#include <vouch/policy.h>

struct entry {
	char *cmdline;                /* as the loader will give it to Vouch */
	struct options options;
	const char *policy_path;      /* NULL: none */
	uint8_t policy_digest[SHA256_LEN];
	struct policy policy;         /* the module's, or none's, raised by the command line */
	struct {
		const char *path;     /* of the image that has it; NULL: none */
		char name[PLAN_NAME_MAX + 1];
	} guest[BOOT_MODULES_MAX];    /* by the image's place */
};

/* CLI_USAGE with a message if text cannot stand in a GRUB configuration. */
int entry_check_words(const char *text);

/*
 * words: options separated by blanks, which entry_check_words() has passed; policy may be NULL. CLI_GOOD; else, printed,
 * why Vouch would start none of the images: CLI_REFUSED, or CLI_USAGE with the hint of this command; or CLI_ENV. What Vouch
 * would ignore is warned of. entry_release() in each case.
 */
int entry_judge(struct entry *e, const char *command, const char *words, const char *policy, size_t images);
void entry_release(struct entry *e);

/*
 * Notes the name that Vouch will give the guest of image number i: its configuration's, or one by its place. NULL; or the
 * path, borrowed, of the earlier image that has this name, so that Vouch will refuse this one.
 */
const char *entry_take_name(struct entry *e, size_t i, const char *path, const struct vm_plan *plan);

/* Judges image number i whole, its name among the others' too: CLI_REFUSED with a message. f is facts_release()'s in each case. */
int entry_judge_image(struct entry *e, size_t i, const char *path, struct facts *f);

/* Warns of a good image that this boot refuses for what it does not hold: hashes, digests, a signature. */
void entry_warn_level(const struct entry *e, const char *path, const struct image *img);

#endif
