/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a guest image from a configuration: what `vouch build` and `build_vm` share. */
#ifndef VOUCH_TOOLS_PACK_H
#define VOUCH_TOOLS_PACK_H

#include <vouch/types.h>

struct pack_options {
	const char *config;
	const char *out;              /* NULL: config with its last dot part replaced by suffix */
	const char *suffix;
	uint32_t version;             /* 0, 1 or 2 */
	uint64_t security;            /* security version; 0 before version 2 */
	/* Palacios' command line: versions 0 and 1, and XML that it takes and Vouch refuses is only warned about. */
	bool palacios;
};

/* Prints what went wrong; returns an enum cli_status. */
int pack_run(const struct pack_options *options);

/* Parses the command line into *o, which holds the defaults, and runs. command: for messages, or NULL. */
int pack_command(int argc, char **argv, const char *command, const char *help, struct pack_options *o);

#endif
