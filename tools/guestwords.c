/* SPDX-License-Identifier: BSD-2-Clause */
/* Vouch's own reader judges the words: what it refuses would refuse the whole boot. */
#include "guestwords.h"

#include <vouch/options.h>

#include "common/cli.h"
#include "entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "guest "

/* The image's number, cut off *text. */
static bool take_number(const char **text, uint64_t *n)
{
	const char *colon = strchr(*text, ':');
	char *number;
	bool good;

	if (!colon)
		return false;
	number = cli_strdup(*text);
	number[colon - *text] = '\0';
	good = cli_number(number, 0, BOOT_MODULES_MAX - 1, n);
	free(number);
	*text = colon + 1;
	return good;
}

static bool check_words(const char *words)
{
	struct module_options m;
	char *string;
	bool good;

	if (entry_check_words(words) != CLI_GOOD)
		return false;
	string = cli_asprintf(PREFIX "%s", words);
	module_parse(&m, string);
	if (m.kind == MODULE_BAD)
		cli_error("--guest: '%s': %s", m.word, m.wants ? m.wants : "not known to this version of Vouch");
	good = m.kind == MODULE_GUEST && strlen(string) <= BOOT_STRING_MAX;
	if (m.kind == MODULE_GUEST && !good)
		cli_error("--guest: more than %d characters", BOOT_STRING_MAX - (int)strlen(PREFIX));
	free(string);
	return good;
}

int guestwords_take(struct guest_words *g, const char *text, const char *command)
{
	const char *words = text;
	uint64_t n;

	if (!take_number(&words, &n)) {
		cli_error("--guest '%s': N:WORDS is wanted, N being a guest's number from 0 to %d", text, BOOT_MODULES_MAX - 1);
		return cli_usage(command);
	}
	if (g->of[n]) {
		cli_error("--guest: guest %d twice", (int)n);
		return cli_usage(command);
	}
	if (!check_words(words))
		return cli_usage(command);
	g->of[n] = words;
	return CLI_GO_ON;
}

int guestwords_check(const struct guest_words *g, size_t images, const char *command)
{
	for (size_t i = images; i < BOOT_MODULES_MAX; i++) {
		if (g->of[i]) {
			cli_error("--guest: there is no guest %zu, they are counted from 0", i);
			return cli_usage(command);
		}
	}
	return CLI_GO_ON;
}

void guestwords_add(struct bytes *b, const struct guest_words *g, size_t i)
{
	const char *words = i < BOOT_MODULES_MAX ? g->of[i] : NULL;

	bytes_add_text(b, "guest");
	if (!words)
		return;
	bytes_add_text(b, " ");
	bytes_add_text(b, words);
}
