/* SPDX-License-Identifier: BSD-2-Clause */
/* --guest=N:WORDS of `vouch iso`, `vouch menu` and `vouch run`: what a guest's module says behind the word "guest". */
#ifndef VOUCH_TOOLS_GUESTWORDS_H
#define VOUCH_TOOLS_GUESTWORDS_H

#include <vouch/boot_info.h>

#include "common/bytes.h"

struct guest_words {
	const char *of[BOOT_MODULES_MAX];     /* by the image's place on the command line; NULL: none given */
};

#define GUESTWORDS_HELP \
	"  -g, --guest=N:WORDS    for guest N, counted from 0: weight=N cap=PERCENT order=N autostart=yes|no\n"

/* Keeps what text says; it must stay. CLI_GO_ON, or CLI_USAGE after a message: Vouch would not take these words. */
int guestwords_take(struct guest_words *g, const char *text, const char *command);

/* CLI_GO_ON, or CLI_USAGE after a message: words for an image that is not there. */
int guestwords_check(const struct guest_words *g, size_t images, const char *command);

/* Adds "guest" and the words of image i: a module's string, for GRUB. */
void guestwords_add(struct bytes *b, const struct guest_words *g, size_t i);

#endif
