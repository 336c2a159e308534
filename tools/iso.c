/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch iso`: its command line. A bad image is warned about and still packed: at boot Vouch is the judge. */
#include "commands.h"

#include "common/cli.h"
#include "entry.h"
#include "facts.h"
#include "mkiso.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"Usage: vouch iso [OPTION]... -o OUT.iso IMG...\n"
	"Make an ISO on which GRUB (BIOS and UEFI) loads Vouch and the images. An image that Vouch will refuse is\n"
	"warned about; what would refuse the whole boot is an error.\n\n"
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

/* CLI_ENV if it cannot be read. */
static int warn_if_bad(struct entry *e, size_t i, const char *image)
{
	struct facts *f = cli_alloc(sizeof(*f));
	int status = facts_judge(f, image);
	const char *other = status == CLI_GOOD ? entry_take_name(e, i, image, &f->plan) : NULL;

	if (status == CLI_REFUSED)
		cli_warn("%s: Vouch will refuse this image: %s", image, facts_reason(f));
	else if (status == CLI_GOOD)
		entry_warn_level(e, image, &f->o->img);
	if (other)
		cli_warn("%s: Vouch will refuse this image: %s: %s is it too", image, image_err_text(IMG_ERR_NAME_TAKEN), other);
	facts_release(f);
	free(f);
	return status == CLI_ENV ? CLI_ENV : CLI_GOOD;
}

/* What would refuse the whole boot is an error. */
static int judge(const struct mkiso *m, size_t images)
{
	struct entry *e = cli_alloc(sizeof(*e));
	int status = entry_judge(e, "iso", m->cmdline, m->policy, images);

	for (size_t i = 0; i < images && status == CLI_GOOD; i++)
		status = warn_if_bad(e, i, m->images[i]);
	entry_release(e);
	free(e);
	return status;
}

static int take_option(int option, struct mkiso *m)
{
	switch (option) {
	case 'o':
		m->out = optarg;
		return CLI_GO_ON;
	case 'c':
		m->cmdline = optarg;
		return entry_check_words(optarg) == CLI_GOOD ? CLI_GO_ON : cli_usage("iso");
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
	status = judge(&m, (size_t)(argc - optind));
	return status == CLI_GOOD ? mkiso_run(&m) : status;
}
