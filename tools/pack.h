/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a guest image from a configuration: what `vouch build` and `build_vm` share. */
#ifndef VOUCH_TOOLS_PACK_H
#define VOUCH_TOOLS_PACK_H

#include <vouch/types.h>

struct pack_options {
	const char *config;
	const char *out;              /* NULL: config with its last dot part replaced by suffix */
	const char *suffix;
	uint32_t version;             /* 0 or 1 */
	bool palacios;                /* XML that Palacios takes and Vouch refuses is only warned about */
};

/* Prints what went wrong; returns an enum cli_status. */
int pack_run(const struct pack_options *options);

/* Parses the command line into *o, which holds the defaults, and runs. command: for messages, or NULL. */
int pack_command(int argc, char **argv, const char *command, const char *help, struct pack_options *o);

#endif
