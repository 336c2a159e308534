/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch keygen`: a pair of keys in two PEM files. Never replaces a file: a key that is lost can't be had again. */
#include "commands.h"

#include "common/cli.h"
#include "common/outfile.h"
#include "key.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
	"Usage: vouch keygen [OPTION]... KEY.pem\n"
	"Make an ECDSA P-256 key: the private half in KEY.pem, which only its owner can read, the public one beside\n"
	"it. Prints the key id. Nothing that exists is replaced.\n\n"
	"  -p, --public=PUB  where the public half goes; default: KEY.pem with its suffix replaced by .pub.pem\n"
	"  -h, --help        show this and exit\n"
	"  -V, --version     show the version of vouch and exit\n";

static const struct option options[] = {
	{ "public", required_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static char *default_public(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash ? slash + 1 : path, '.');

	return cli_asprintf("%.*s.pub.pem", (int)(dot ? dot - path : (ptrdiff_t)strlen(path)), path);
}

static const char remedy[] = "keygen replaces nothing: name another file";

static int check_new(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return CLI_GOOD;
	cli_error("%s: exists already; %s", path, remedy);
	return CLI_ENV;
}

static int write_file(const char *path, const struct bytes *text, bool private)
{
	struct outfile out;
	int status = outfile_open_plain(&out, path);

	if (status != CLI_GOOD)
		return status;
	if (private)
		out.mode = S_IRUSR | S_IWUSR;
	status = outfile_write(&out, text->data, text->len);
	if (status == CLI_GOOD)
		return outfile_commit(&out, remedy);
	outfile_abort(&out);
	return status;
}

/* The public half first: it alone is worth nothing, so a failure in between loses nothing. */
static int write_pair(struct key *k, const char *path, const char *public_path)
{
	struct bytes private = { 0 }, public = { 0 };
	int status = key_write_private(k, &private);

	if (status == CLI_GOOD)
		status = key_write_public(k, &public);
	if (status == CLI_GOOD)
		status = write_file(public_path, &public, false);
	if (status == CLI_GOOD) {
		status = write_file(path, &private, true);
		if (status != CLI_GOOD)
			unlink(public_path);
	}
	if (private.data)
		explicit_bzero(private.data, private.size);
	bytes_free(&private);
	bytes_free(&public);
	return status;
}

static int make_keys(const char *path, const char *public_path)
{
	char id[KEY_ID_TEXT];
	struct public_key pub;
	struct key *k;
	int status;

	if (strcmp(path, public_path) == 0) {
		cli_error("both halves in %s?", path);
		return cli_usage("keygen");
	}
	status = check_new(path);
	if (status == CLI_GOOD)
		status = check_new(public_path);
	if (status != CLI_GOOD)
		return status;
	k = key_generate();
	if (!k)
		return CLI_ENV;
	status = write_pair(k, path, public_path);
	key_public(k, &pub);
	key_free(k);
	if (status == CLI_GOOD)
		printf("%s\n", key_id_text(&pub, id));
	return cli_finish(status);
}

int command_keygen(int argc, char **argv)
{
	int option, status = CLI_GO_ON;
	const char *public = NULL;
	char *public_path;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "p:hV", options, NULL)) != -1) {
		if (option == 'p')
			public = optarg;
		else
			status = cli_common_option(option, "keygen", help);
	}
	if (status != CLI_GO_ON)
		return status;
	if (argc - optind != 1) {
		cli_error(argc == optind ? "no key file given" : "more than one key file given");
		return cli_usage("keygen");
	}
	public_path = public ? cli_strdup(public) : default_public(argv[optind]);
	status = make_keys(argv[optind], public_path);
	free(public_path);
	return status;
}
