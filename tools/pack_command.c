/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line that `vouch build` and `build_vm` share; the latter knows versions 0 and 1 only. */
#include "pack.h"

#include "common/cli.h"

#include <getopt.h>
#include <stdio.h>

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "image-version", required_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "security-version", required_argument, NULL, 's' },         /* not Palacios': the last */
	{ 0 },
};
#define PALACIOS_OPTIONS 4

static int take_version(const char *command, const char *value, struct pack_options *o)
{
	uint64_t version;

	if (!cli_number(value, 0, o->palacios ? 1 : 2, &version)) {
		cli_error("image version '%s' is not %s", value, o->palacios ? "0 or 1" : "0, 1 or 2");
		return cli_usage(command);
	}
	o->version = (uint32_t)version;
	return CLI_GO_ON;
}

static int take_security(const char *command, const char *value, struct pack_options *o)
{
	if (cli_number(value, 0, UINT64_MAX, &o->security))
		return CLI_GO_ON;
	cli_error("security version '%s' is not a decimal number below 2^64", value);
	return cli_usage(command);
}

static int check_options(const char *command, const struct pack_options *o)
{
	if (o->version == 2 || o->security == 0)
		return CLI_GO_ON;
	cli_error("images of version %u have no security version", o->version);
	return cli_usage(command);
}

int pack_command(int argc, char **argv, const char *command, const char *help, struct pack_options *o)
{
	struct option palacios[PALACIOS_OPTIONS + 1] = { options[0], options[1], options[2], options[3] };
	const struct option *known = o->palacios ? palacios : options;
	const char *letters = o->palacios ? "o:v:hV" : "o:v:s:hV";
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		if (option == 'o')
			o->out = optarg;
		else if (option == 'v')
			status = take_version(command, optarg, o);
		else if (option == 's')
			status = take_security(command, optarg, o);
		else
			status = cli_common_option(option, command, help);
	}
	if (status == CLI_GO_ON)
		status = check_options(command, o);
	if (status != CLI_GO_ON)
		return status;
	if (argc - optind != 1) {
		cli_error(argc == optind ? "no configuration given" : "more than one configuration given");
		return cli_usage(command);
	}
	o->config = argv[optind];
	return pack_run(o);
}
