/* SPDX-License-Identifier: BSD-2-Clause */
/* What `vouch menu` is asked for, and what its two ways, to print and to install, share. */
#ifndef VOUCH_TOOLS_MENU_H
#define VOUCH_TOOLS_MENU_H

#include "common/bytes.h"

#include <sys/stat.h>

struct menu {
	const char *title, *cmdline;  /* grubtext_fits(), mkiso_check_cmdline() */
	const char *hypervisor;
	const char *root;             /* NULL: none given */
	char **images;                /* NULL-terminated; file names */
	size_t count;                 /* of images */
	bool install;
};

/*
 * The commands of the entry, up to its closing brace. words: the hypervisor's and the images' paths for GRUB, already
 * quoted, NULL-terminated.
 */
void menu_add_commands(struct bytes *b, const struct menu *m, char *const words[]);

/* A quoted word with prefix, which stays as it is, before it; to be freed. */
char *menu_word(const char *prefix, const char *text);

/*
 * Copies hypervisor and images below the root and writes the script that puts the entry into GRUB's menu, which is
 * then made anew if the root is this system's. judged[i] is what image i looked like when it was found good; one that
 * looks different by now is an error. Returns an enum cli_status, after printing what went wrong.
 */
int menu_install(const struct menu *m, const struct stat *judged);

#endif
