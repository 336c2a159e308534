/* SPDX-License-Identifier: BSD-2-Clause */
/* vouch(1): finds the subcommand. Each has a file of its own. */
#include "commands.h"

#include "common/cleanup.h"
#include "common/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
	{ "build", "write a guest image from a configuration", command_build },
	{ "inspect", "show what an image holds and asks for", command_inspect },
	{ "verify", "judge images", command_verify },
	{ "keygen", "make a pair of keys to sign images with", command_keygen },
	{ "sign", "sign an image", command_sign },
	{ "convert", "turn an image into version 2", command_convert },
	{ "extract", "take the files out of an image", command_extract },
	{ "iso", "make a bootable ISO of Vouch and images", command_iso },
	{ "menu", "print or install a GRUB menu entry for Vouch and images", command_menu },
	{ "measure", "predict what Vouch measures and how its guests are called", command_measure },
	{ "policy", "compile or show a launch policy", command_policy },
	{ "run", "boot Vouch and images in QEMU or Bochs", command_run },
	{ "ctl", "give a running Vouch a command", command_ctl },
};

static int show_help(void)
{
	puts("Usage: vouch COMMAND [OPTION]... ARGUMENT...\n"
	     "Make, judge and try guest images for the Vouch hypervisor.\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	puts("\n"
	     "  -h, --help     show this and exit; 'vouch COMMAND --help' tells more\n"
	     "  -V, --version  show the version and exit\n\n"
	     "Exit status: 0 good, 1 refused or verification failed, 2 usage, 3 environment.");
	return cli_finish(CLI_GOOD);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	cli_guard_streams();
	cleanup_init();
	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "help") == 0)
		return show_help();
	if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0)
		return cli_version();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name) == 0) {
			/* getopt's messages start like ours. */
			argv[1] = argv[0];
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	if (argc < 2)
		cli_error("no command given");
	else
		cli_error("unknown command '%s'", name);
	return cli_usage(NULL);
}
