/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch verify`: judges containers. What a configuration asks for is `vouch inspect`'s to judge. */
#include "commands.h"

#include "common/cli.h"
#include "common/opened.h"
#include "key.h"

#include <vouch/options.h>

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: vouch verify [OPTION]... IMG...\n"
	"Judge images: their structure and the hashes they hold; asked for it, their signatures.\n\n"
	"  -r, --require=LEVEL   least integrity accepted: none (default), checksum, sha256, or signed (with --key)\n"
	"  -k, --key=PUB         a trusted public key, PEM or DER; again for more: one of them must have signed\n"
	"  -s, --security-version=N\n"
	"                        least security version accepted\n"
	"  -q, --quiet           print only what is refused\n"
	"  -h, --help            show this and exit\n"
	"  -V, --version         show the version of vouch and exit\n";

static const struct option options[] = {
	{ "require", required_argument, NULL, 'r' },
	{ "key", required_argument, NULL, 'k' },
	{ "security-version", required_argument, NULL, 's' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

#define MAX_KEYS 64

struct verify {
	enum integrity require;
	uint64_t security;
	bool quiet;
	struct public_key key[MAX_KEYS];
	struct image_trust trust;
};

static int take_level(const char *value, struct verify *v)
{
	for (enum integrity level = INTEGRITY_NONE; level <= INTEGRITY_SIGNED; level++) {
		if (strcmp(value, integrity_name(level)) == 0) {
			v->require = level;
			return CLI_GO_ON;
		}
	}
	cli_error("integrity level '%s' is none of none, checksum, sha256, signed", value);
	return cli_usage("verify");
}

static int take_key(const char *path, struct verify *v)
{
	int status;

	if (v->trust.count == MAX_KEYS) {
		cli_error("more than %d keys", MAX_KEYS);
		return cli_usage("verify");
	}
	status = key_load_public(path, &v->key[v->trust.count]);
	if (status != CLI_GOOD)
		return status;
	v->trust.count++;
	return CLI_GO_ON;
}

static int take_security(const char *value, struct verify *v)
{
	if (cli_number(value, 0, UINT64_MAX, &v->security))
		return CLI_GO_ON;
	cli_error("security version '%s' is not a decimal number below 2^64", value);
	return cli_usage("verify");
}

static int check_options(struct verify *v)
{
	v->trust.key = v->key;
	if (v->require != INTEGRITY_SIGNED || v->trust.count > 0)
		return CLI_GO_ON;
	cli_error("--require=signed needs a --key: whose signature?");
	return cli_usage("verify");
}

/* What the image reached; keys are the ones that were asked for, so one of them has signed. */
static const char *level_text(const struct image *img, const struct verify *v)
{
	if (img->version == 0)
		return "holds no hashes (v0): the files are not verified";
	if (img->version == 1)
		return "checksum";
	if (v->trust.count > 0)
		return "SHA-256, signed by a given key";
	return img->signature_count > 0 ? "SHA-256, signatures not checked (no --key)" : "SHA-256, not signed";
}

static void show_good(const char *path, const struct image *img, const struct verify *v)
{
	unsigned long long bytes = 0;

	for (uint32_t i = 0; i < img->file_count; i++)
		bytes += img->file[i].size;
	cli_print(stdout, path);
	printf(": good: v%u, %u file%s, %llu bytes, %s\n", img->version, img->file_count,
	       img->file_count == 1 ? "" : "s", bytes, level_text(img, v));
}

/* What was asked for beyond a good container. */
static int check_required(struct opened *o, const struct verify *v)
{
	if ((v->require >= INTEGRITY_CHECKSUM && image_check_hashed(&o->img, &o->err)) ||
	    (v->require >= INTEGRITY_SHA256 && image_check_digests(&o->img, &o->err)) ||
	    image_check_security(&o->img, v->security, &o->err))
		return CLI_REFUSED;
	return CLI_GOOD;
}

static int verify_one(const char *path, const struct verify *v)
{
	struct opened *o = opened_open(path);
	int status = CLI_ENV;

	if (o) {
		o->trust = v->trust.count > 0 ? &v->trust : NULL;
		status = opened_judge(o);
	}
	if (status == CLI_GOOD)
		status = check_required(o, v);
	if (status == CLI_REFUSED)
		cli_error("%s: refused: %s", path, o->err.text);
	else if (status == CLI_GOOD && !v->quiet)
		show_good(path, &o->img, v);
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

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "r:k:s:qhV", options, NULL)) != -1) {
		if (option == 'r')
			status = take_level(optarg, &v);
		else if (option == 'k')
			status = take_key(optarg, &v);
		else if (option == 's')
			status = take_security(optarg, &v);
		else if (option == 'q')
			v.quiet = true;
		else
			status = cli_common_option(option, "verify", help);
	}
	if (status == CLI_GO_ON)
		status = check_options(&v);
	if (status != CLI_GO_ON)
		return status;
	if (argc == optind) {
		cli_error("no image given");
		return cli_usage("verify");
	}
	return verify_all(argv + optind, &v);
}
