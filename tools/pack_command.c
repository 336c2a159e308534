/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line that `vouch build` and `build_vm` share. */
#include "pack.h"

#include "common/cli.h"

#include <getopt.h>
#include <stdio.h>

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "image-version", required_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int take_version(const char *command, const char *value, struct pack_options *o)
{
	uint64_t version;

	if (!cli_number(value, 0, 1, &version)) {
		cli_error("image version '%s' is neither 0 nor 1", value);
		return cli_usage(command);
	}
	o->version = (uint32_t)version;
	return CLI_GO_ON;
}

int pack_command(int argc, char **argv, const char *command, const char *help, struct pack_options *o)
{
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "o:v:hV", options, NULL)) != -1) {
		if (option == 'o')
			o->out = optarg;
		else if (option == 'v')
			status = take_version(command, optarg, o);
		else
			status = cli_common_option(option, command, help);
	}
	if (status != CLI_GO_ON)
		return status;
	if (argc - optind != 1) {
		cli_error(argc == optind ? "no configuration given" : "more than one configuration given");
		return cli_usage(command);
	}
	o->config = argv[optind];
	return pack_run(o);
}
