/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes an ISO on which GRUB (BIOS and UEFI) loads Vouch and guest images: what `vouch iso` and `vouch run` share. */
#ifndef VOUCH_TOOLS_MKISO_H
#define VOUCH_TOOLS_MKISO_H

#include <vouch/types.h>

#include "guestwords.h"

struct mkiso {
	const char *out;
	const char *hypervisor;       /* NULL: look beside this program and in its share directory */
	const char *cmdline;          /* of Vouch; words separated by blanks */
	const char *policy;           /* file name of the compiled launch policy; NULL: none */
	struct guest_words words;
	char **images;                /* NULL-terminated; file names */
};

/* The path of vouch.elf beside this program or in its share directory, to be freed; NULL after a message. */
char *mkiso_find_hypervisor(void);

/* Does not judge the images. Returns an enum cli_status; nothing stays at out on failure. */
int mkiso_run(const struct mkiso *m);

#endif
