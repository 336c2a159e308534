/* SPDX-License-Identifier: BSD-2-Clause */
/* Vouch's own readers judge the command line and the policy. Does not look into images, only at what their readers say. */
#include "entry.h"

#include "common/bytes.h"
#include "common/cli.h"
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int entry_check_words(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c < 0x20 || *c > 0x7e) {
			cli_error("the command line may only hold printable ASCII characters");
			return CLI_USAGE;
		}
	}
	return CLI_GOOD;
}

/* GRUB joins words by one blank and puts a backslash before quotes and backslashes. */
static int set_cmdline(struct entry *e, const char *command, const char *words)
{
	struct bytes b = { 0 };

	for (const char *c = words; *c; c++) {
		bool blank = *c == ' ';

		if (blank && (b.len == 0 || c[1] == ' ' || c[1] == '\0'))
			continue;
		if (*c == '\\' || *c == '\'' || *c == '"')
			bytes_add(&b, "\\", 1);
		bytes_add(&b, c, 1);
	}
	bytes_add(&b, "", 1);
	e->cmdline = b.data;
	if (b.len <= BOOT_CMDLINE_MAX + 1)
		return CLI_GOOD;
	cli_error("the command line has %zu bytes; Vouch takes %d", b.len - 1, BOOT_CMDLINE_MAX);
	return cli_usage(command);
}

static int read_options(struct entry *e)
{
	struct options *o = &e->options;

	options_parse(o, e->cmdline);
	for (uint32_t i = 0; i < o->unknown_count && i < ARRAY_SIZE(o->unknown); i++)
		cli_warn("unknown option or bad value: %s", o->unknown[i]);
	if (!o->integrity_bad)
		return CLI_GOOD;
	cli_error("refused: option integrity=%s: its values are " INTEGRITY_LEVELS, o->bad_level);
	return CLI_REFUSED;
}

static int read_policy(struct entry *e, const char *path)
{
	int status;

	e->policy_path = path;
	if (!path) {
		policy_none(&e->policy, e->options.integrity);
		return CLI_GOOD;
	}
	status = policy_load(path, &e->policy, e->policy_digest);
	if (status == CLI_GOOD)
		policy_raise(&e->policy, e->options.integrity);
	return status;
}

static int count_modules(const char *command, size_t images, bool policy)
{
	if (images + policy <= BOOT_MODULES_MAX)
		return CLI_GOOD;
	cli_error("%zu images%s; Vouch takes %d modules", images, policy ? " and a policy" : "", BOOT_MODULES_MAX);
	return cli_usage(command);
}

int entry_judge(struct entry *e, const char *command, const char *words, const char *policy, size_t images)
{
	int status;

	memset(e, 0, sizeof(*e));
	status = count_modules(command, images, policy != NULL);
	if (status == CLI_GOOD)
		status = set_cmdline(e, command, words);
	if (status == CLI_GOOD)
		status = read_options(e);
	return status == CLI_GOOD ? read_policy(e, policy) : status;
}

void entry_release(struct entry *e)
{
	free(e->cmdline);
	e->cmdline = NULL;
}

const char *entry_take_name(struct entry *e, size_t i, const char *path, const struct vm_plan *plan)
{
	char *name = e->guest[i].name;

	if (plan->name[0])
		snprintf(name, sizeof(e->guest[i].name), "%s", plan->name);
	else
		snprintf(name, sizeof(e->guest[i].name), "guest%zu", i);
	for (size_t k = 0; k < i; k++)
		if (e->guest[k].path && strcmp(e->guest[k].name, name) == 0)
			return e->guest[k].path;
	e->guest[i].path = path;
	return NULL;
}

int entry_judge_image(struct entry *e, size_t i, const char *path, struct facts *f)
{
	int status = facts_judge(f, path);
	const char *other = status == CLI_GOOD ? entry_take_name(e, i, path, &f->plan) : NULL;

	if (status == CLI_REFUSED)
		cli_error("%s: refused: %s", path, facts_reason(f));
	if (!other)
		return status;
	cli_error("%s: refused: %s: %s is it too", path, image_err_text(IMG_ERR_NAME_TAKEN), other);
	return CLI_REFUSED;
}

void entry_warn_level(const struct entry *e, const char *path, const struct image *img)
{
	const char *demand = integrity_name(e->policy.integrity);

	if (img->version == 0 && e->options.integrity > INTEGRITY_NONE)
		cli_warn("%s: holds no hashes (v0): Vouch refuses it unless --cmdline has integrity=none", path);
	else if (img->version == 0 && e->policy.integrity > INTEGRITY_NONE)
		cli_warn("%s: holds no hashes (v0): Vouch refuses it, the policy demands %s", path, demand);
	else if (img->version == 1 && e->policy.integrity > INTEGRITY_CHECKSUM)
		cli_warn("%s: holds checksums only (v1): Vouch refuses it, %s is demanded", path, demand);
	else if (e->policy.integrity == INTEGRITY_SIGNED && img->signature_count == 0)
		cli_warn("%s: is not signed: Vouch refuses it, %s is demanded", path, demand);
}
