/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch verify`: judges containers. What a configuration asks for is `vouch inspect`'s to judge. */
#include "commands.h"

#include "common/cli.h"
#include "common/opened.h"

#include <vouch/options.h>

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: vouch verify [OPTION]... IMG...\n"
	"Judge images: their structure and, in version 1, the hash of each file.\n\n"
	"  -r, --require=LEVEL  least integrity accepted: none (default) or checksum\n"
	"  -q, --quiet          print only what is refused\n"
	"  -h, --help           show this and exit\n"
	"  -V, --version        show the version of vouch and exit\n";

static const struct option options[] = {
	{ "require", required_argument, NULL, 'r' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct verify {
	enum integrity require;
	bool quiet;
};

static int take_level(const char *value, struct verify *v)
{
	static const struct { const char *name; enum integrity level; } levels[] = {
		{ "none", INTEGRITY_NONE }, { "checksum", INTEGRITY_CHECKSUM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(value, levels[i].name) == 0) {
			v->require = levels[i].level;
			return CLI_GO_ON;
		}
	}
	cli_error("integrity level '%s' is neither none nor checksum", value);
	return cli_usage("verify");
}

static void show_good(const char *path, const struct image *img)
{
	unsigned long long bytes = 0;

	for (uint32_t i = 0; i < img->file_count; i++)
		bytes += img->file[i].size;
	printf("%s: good: v%u, %u file%s, %llu bytes, %s\n", path, img->version, img->file_count,
	       img->file_count == 1 ? "" : "s", bytes,
	       img->version == 0 ? "holds no hashes (v0): the files are not verified" : "checksum");
}

static int verify_one(const char *path, const struct verify *v)
{
	struct opened *o = opened_open(path);
	int status = o ? opened_judge(o) : CLI_ENV;

	if (status == CLI_GOOD && v->require >= INTEGRITY_CHECKSUM && image_check_hashed(&o->img, &o->err))
		status = CLI_REFUSED;
	if (status == CLI_REFUSED)
		cli_error("%s: refused: %s", path, o->err.text);
	else if (status == CLI_GOOD && !v->quiet)
		show_good(path, &o->img);
	opened_close(o);
	return status;
}

/* All images are judged; a refusal outweighs a file that cannot be read. */
static int verify_all(char **paths, const struct verify *v)
{
	int worst = CLI_GOOD;

	for (; *paths; paths++) {
		int status = verify_one(*paths, v);

		if (worst != CLI_REFUSED && status != CLI_GOOD)
			worst = status;
	}
	return cli_finish(worst);
}

int command_verify(int argc, char **argv)
{
	struct verify v = { .require = INTEGRITY_NONE };
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "r:qhV", options, NULL)) != -1) {
		if (option == 'r')
			status = take_level(optarg, &v);
		else if (option == 'q')
			v.quiet = true;
		else
			status = cli_common_option(option, "verify", help);
	}
	if (status != CLI_GO_ON)
		return status;
	if (argc == optind) {
		cli_error("no image given");
		return cli_usage("verify");
	}
	return verify_all(argv + optind, &v);
}
