/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch inspect`: its command line. facts.c gathers, inspect_text.c and inspect_json.c print. */
#include "commands.h"

#include "common/cli.h"
#include "facts.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"Usage: vouch inspect [OPTION]... IMG\n"
	"Show what an image holds and asks for; judge its container and its configuration.\n\n"
	"  -j, --json     print JSON\n"
	"  -h, --help     show this and exit\n"
	"  -V, --version  show the version of vouch and exit\n";

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int inspect(const char *path, bool json)
{
	struct facts *f = cli_alloc(sizeof(*f));
	int status = facts_gather(f, path);

	if (status == CLI_GOOD || status == CLI_REFUSED) {
		if (json)
			inspect_json(f);
		else
			inspect_text(f);
	}
	if (status == CLI_REFUSED && !f->container_good)
		cli_error("%s: refused: %s", path, f->o->err.text);
	else if (status == CLI_REFUSED)
		cli_error("%s: configuration refused: %s", path, f->config_err.text);
	facts_release(f);
	free(f);
	return cli_finish(status);
}

int command_inspect(int argc, char **argv)
{
	int option, status = CLI_GO_ON;
	bool json = false;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "jhV", options, NULL)) != -1) {
		if (option == 'j')
			json = true;
		else
			status = cli_common_option(option, "inspect", help);
	}
	if (status != CLI_GO_ON)
		return status;
	if (argc - optind != 1) {
		cli_error(argc == optind ? "no image given" : "more than one image given");
		return cli_usage("inspect");
	}
	return inspect(argv[optind], json);
}
