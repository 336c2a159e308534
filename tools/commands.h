/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands of vouch(1). Each returns an enum cli_status; argv[0] is its own name. */
#ifndef VOUCH_TOOLS_COMMANDS_H
#define VOUCH_TOOLS_COMMANDS_H

int command_build(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_convert(int argc, char **argv);
int command_ctl(int argc, char **argv);
int command_extract(int argc, char **argv);
int command_iso(int argc, char **argv);
int command_keygen(int argc, char **argv);
int command_menu(int argc, char **argv);
int command_measure(int argc, char **argv);
int command_policy(int argc, char **argv);
int command_run(int argc, char **argv);
int command_sign(int argc, char **argv);

#endif
