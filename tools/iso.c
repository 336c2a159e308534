/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch iso`: its command line. A bad image is warned about and still packed: at boot Vouch is the judge. */
#include "commands.h"

#include "common/cli.h"
#include "common/opened.h"
#include "mkiso.h"
#include "policy.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"Usage: vouch iso [OPTION]... -o OUT.iso IMG...\n"
	"Make an ISO on which GRUB (BIOS and UEFI) loads Vouch and the images.\n\n"
	"  -o, --output=OUT.iso   the ISO (required)\n"
	"  -c, --cmdline=STR      options of Vouch, separated by blanks\n"
	"  -p, --policy=FILE      the compiled launch policy of the boot; default: none\n"
	GUESTWORDS_HELP
	"  -H, --hypervisor=PATH  vouch.elf; default: beside this program, or in ../share/vouch\n"
	"  -h, --help             show this and exit\n"
	"  -V, --version          show the version of vouch and exit\n";

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "cmdline", required_argument, NULL, 'c' },
	{ "policy", required_argument, NULL, 'p' },
	{ "guest", required_argument, NULL, 'g' },
	{ "hypervisor", required_argument, NULL, 'H' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/* CLI_ENV if one cannot be read. */
static int warn_about_bad(char **images)
{
	for (; *images; images++) {
		struct opened *o = opened_open(*images);
		int status = o ? opened_judge(o) : CLI_ENV;

		if (status == CLI_REFUSED)
			cli_warn("%s: Vouch will refuse this image: %s", *images, o->err.text);
		else if (status == CLI_GOOD && o->img.version == 0)
			cli_warn("%s: holds no hashes (v0): Vouch refuses it unless --cmdline has integrity=none",
				 *images);
		opened_close(o);
		if (status == CLI_ENV)
			return status;
	}
	return CLI_GOOD;
}

static int take_option(int option, struct mkiso *m)
{
	switch (option) {
	case 'o':
		m->out = optarg;
		return CLI_GO_ON;
	case 'c':
		m->cmdline = optarg;
		return mkiso_check_cmdline(optarg) == CLI_GOOD ? CLI_GO_ON : cli_usage("iso");
	case 'p':
		m->policy = optarg;
		return CLI_GO_ON;
	case 'g':
		return guestwords_take(&m->words, optarg, "iso");
	case 'H':
		m->hypervisor = optarg;
		return CLI_GO_ON;
	default:
		return cli_common_option(option, "iso", help);
	}
}

int command_iso(int argc, char **argv)
{
	struct mkiso m = { .cmdline = "" };
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "o:c:p:g:H:hV", options, NULL)) != -1)
		status = take_option(option, &m);
	if (status != CLI_GO_ON)
		return status;
	m.images = argv + optind;
	if (!m.out || argc == optind) {
		cli_error(m.out ? "no image given" : "no output file given (-o)");
		return cli_usage("iso");
	}
	status = guestwords_check(&m.words, (size_t)(argc - optind), "iso");
	if (status != CLI_GO_ON)
		return status;
	/* It would refuse the whole boot. */
	status = policy_judge(m.policy);
	if (status == CLI_GOOD)
		status = warn_about_bad(m.images);
	return status == CLI_GOOD ? mkiso_run(&m) : status;
}
