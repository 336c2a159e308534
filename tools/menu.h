/* SPDX-License-Identifier: BSD-2-Clause */
/* What `vouch menu` is asked for, and what its two ways, to print and to install, share. */
#ifndef VOUCH_TOOLS_MENU_H
#define VOUCH_TOOLS_MENU_H

#include "common/bytes.h"
#include "guestwords.h"

#include <sys/stat.h>

struct menu {
	const char *title, *cmdline;  /* grubtext_fits(), entry_check_words() */
	const char *hypervisor;
	const char *root;             /* NULL: none given */
	const char *policy;           /* compiled launch policy; NULL: none */
	struct guest_words words;
	char **images;                /* NULL-terminated; file names */
	size_t count;                 /* of images */
	bool install;
};

/*
 * The commands of the entry, up to its closing brace. words: the hypervisor's and the images' paths for GRUB, already
 * quoted, NULL-terminated; with a policy, its path behind the hypervisor's.
 */
void menu_add_commands(struct bytes *b, const struct menu *m, char *const words[]);

/* How many words there are. The files: number 0 is the hypervisor, then the policy if there is one, then the images. */
size_t menu_file_count(const struct menu *m);
const char *menu_file(const struct menu *m, size_t i);

/* A quoted word with prefix, which stays as it is, before it; to be freed. */
char *menu_word(const char *prefix, const char *text);

/*
 * Copies hypervisor and images below the root and writes the script that puts the entry into GRUB's menu, which is
 * then made anew if the root is this system's. judged[i] is what image i looked like when it was found good, and
 * judged[count] the policy; one that looks different by now is an error. Returns an enum cli_status, after printing what went wrong.
 */
int menu_install(const struct menu *m, const struct stat *judged);

#endif
