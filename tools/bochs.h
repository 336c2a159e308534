/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots an ISO in Bochs with the first serial port on this terminal, as `vouch run --emulator bochs` does. */
#ifndef VOUCH_TOOLS_BOCHS_H
#define VOUCH_TOOLS_BOCHS_H

#include <vouch/types.h>

#define BOCHS_MODEL   "corei7_skylake_x"
#define BOCHS_MAX_MIB 2048            /* more than that Bochs 2.7 does not lend to a machine */

struct bochs {
	const char *model;            /* bochs_check_model() has passed it */
	uint64_t cpus, memory_mib;
	int iso;                      /* open for reading, inherited by programs; -1 for bochs_show() */
};

/* Whether text can be the name of a CPU model; Bochs itself knows whether it is one. */
bool bochs_check_model(const char *text);

/* CLI_GOOD, or CLI_ENV with a message that names the Debian package which is missing. */
int bochs_need(void);

/* Prints the command line and the configuration. */
void bochs_show(const struct bochs *b);

/* Runs until the machine is switched off or reset, or the user ends it. CLI_GOOD, or CLI_ENV after a message. */
int bochs_run(const struct bochs *b);

#endif
