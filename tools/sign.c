/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vouch sign`: adds signatures to a version 2 image's seal, or replaces those of the same keys. What is covered stays
 * as it is; the new file is judged as a whole, signatures too, before it takes the old one's name.
 */
#include "commands.h"

#include "common/cli.h"
#include "common/opened.h"
#include "common/outfile.h"
#include "common/progress.h"
#include "key.h"
#include "write2.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"Usage: vouch sign --key=KEY [OPTION]... IMG\n"
	"Sign a version 2 image. A signature by the same key is replaced, those by others stay.\n\n"
	"  -k, --key=KEY     private key, PEM or DER; again for more signatures at once\n"
	"  -o, --output=OUT  where the signed image goes; default: IMG itself, replaced when all is done\n"
	"  -h, --help        show this and exit\n"
	"  -V, --version     show the version of vouch and exit\n";

static const struct option options[] = {
	{ "key", required_argument, NULL, 'k' },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct sign {
	const char *path, *out_path;
	uint32_t count;
	const char *key_path[IMAGE2_MAX_SIGNATURES];
	struct key *key[IMAGE2_MAX_SIGNATURES];
	struct public_key pub[IMAGE2_MAX_SIGNATURES];
	uint32_t total;               /* signatures of the result */
	struct image_signature sig[2 * IMAGE2_MAX_SIGNATURES];
};

static int take_key(struct sign *s, const char *path)
{
	int status;

	if (s->count == IMAGE2_MAX_SIGNATURES) {
		cli_error("more than %d keys", IMAGE2_MAX_SIGNATURES);
		return cli_usage("sign");
	}
	s->key[s->count] = key_load(path, &status);
	if (!s->key[s->count])
		return status;
	key_public(s->key[s->count], &s->pub[s->count]);
	s->key_path[s->count++] = path;
	return CLI_GO_ON;
}

/* ------------------------------------------------------------------ the signatures */

/* In order of key ids, in the place of one that is there. */
static void insert(struct sign *s, const struct image_signature *sig)
{
	uint32_t at = 0;

	while (at < s->total && memcmp(s->sig[at].key_id, sig->key_id, SHA256_LEN) < 0)
		at++;
	if (at == s->total || memcmp(s->sig[at].key_id, sig->key_id, SHA256_LEN) != 0) {
		memmove(&s->sig[at + 1], &s->sig[at], (s->total - at) * sizeof(*sig));
		s->total++;
	}
	s->sig[at] = *sig;
}

static int make_signatures(struct sign *s, const struct image *img)
{
	struct image_signature sig;

	for (uint32_t i = 0; i < img->signature_count; i++)
		insert(s, &img->signature[i]);
	for (uint32_t i = 0; i < s->count; i++) {
		memcpy(sig.key_id, s->pub[i].id, SHA256_LEN);
		if (key_sign(s->key[i], img->digest, sig.sig) != CLI_GOOD)
			return CLI_ENV;
		insert(s, &sig);
	}
	if (s->total <= IMAGE2_MAX_SIGNATURES)
		return CLI_GOOD;
	cli_error("%s: would have %u signatures; an image holds %d", s->path, s->total, IMAGE2_MAX_SIGNATURES);
	return CLI_REFUSED;
}

/* ------------------------------------------------------------------ the file */

static int copy_covered(const struct opened *o, struct outfile *out)
{
	char *chunk = cli_alloc(FILE_CHUNK);
	struct progress progress;
	int status = CLI_GOOD;

	progress_begin(&progress, "copying", o->img.data_end);
	for (uint64_t at = 0; at < o->img.data_end && status == CLI_GOOD; at += FILE_CHUNK) {
		size_t n = (size_t)min_u64(o->img.data_end - at, FILE_CHUNK);

		status = file_read_at(&o->file, chunk, n, at);
		if (status == CLI_GOOD)
			status = outfile_write(out, chunk, n);
		progress_add(&progress, n);
	}
	progress_end(&progress);
	free(chunk);
	return status == CLI_GOOD ? file_unchanged(&o->file) : status;
}

static int write_seal(const struct sign *s, const struct opened *o, struct outfile *out)
{
	struct bytes seal = { 0 };
	int status;

	write2_seal(&seal, o->img.digest, s->sig, s->total);
	status = outfile_write(out, seal.data, seal.len);
	bytes_free(&seal);
	return status;
}

/* Every new signature is checked by itself: the image must hold for each of its keys alone. */
static int judge_result(const struct sign *s, const struct outfile *out)
{
	struct image_trust trust = { s->pub, s->count };
	struct opened *o = opened_from_fd(out->fd, out->temp);
	int status = CLI_ENV;
	bool is = true;

	if (o) {
		o->trust = &trust;
		status = opened_judge(o);
		for (uint32_t i = 0; i < s->count && status == CLI_GOOD && is; i++)
			if (image_signed_by(&o->img, &s->pub[i], &is, &o->err) || !is)
				status = CLI_REFUSED;
	}
	if (status == CLI_REFUSED)
		cli_error("%s: not signed, it would be refused: %s", s->path, o->err.text);
	opened_close(o);
	return status;
}

/* In place, the file keeps whose it is and who may read it; what its group may do is not for another group. */
static void keep_access(const struct sign *s, const struct opened *o, struct outfile *out)
{
	const struct stat *was = &o->file.stat;

	if (s->out_path != s->path)
		return;
	out->mode = was->st_mode & 0777;
	if (fchown(out->fd, was->st_uid, was->st_gid) == 0)
		return;
	out->mode &= S_IRWXU;
	cli_warn("%s: cannot keep its owner and group (%s): only its new owner may use it", s->path, strerror(errno));
}

static int write_signed(const struct sign *s, const struct opened *o)
{
	struct outfile out;
	int status = outfile_open(&out, s->out_path);

	if (status != CLI_GOOD)
		return status;
	keep_access(s, o, &out);
	status = copy_covered(o, &out);
	if (status == CLI_GOOD)
		status = write_seal(s, o, &out);
	if (status == CLI_GOOD)
		status = judge_result(s, &out);
	if (status == CLI_GOOD)
		return outfile_commit(&out, NULL);
	outfile_abort(&out);
	return status;
}

/* Header, XML, table and seal; the data is judged in the result. */
static int judge_input(const struct sign *s, struct opened *o)
{
	int status = opened_judge_head(o);

	if (status == CLI_GOOD && image_check_digests(&o->img, &o->err)) {
		cli_error("%s: version %u cannot be signed; 'vouch convert' makes it version 2", s->path,
			  o->img.version);
		return CLI_REFUSED;
	}
	if (status == CLI_GOOD && manifest_check_name(&o->img, &o->arena, &o->err))
		status = CLI_REFUSED;
	if (status == CLI_REFUSED)
		cli_error("%s: not signed, it would be refused: %s", s->path, o->err.text);
	return status;
}

static int sign_image(struct sign *s)
{
	struct opened *o = NULL;
	char id[KEY_ID_TEXT];
	int status = CLI_GOOD;

	for (uint32_t i = 0; i < s->count && status == CLI_GOOD; i++)
		status = outfile_check_input(s->out_path, s->key_path[i]);
	if (status == CLI_GOOD) {
		o = opened_open(s->path);
		status = o ? judge_input(s, o) : CLI_ENV;
	}
	if (status == CLI_GOOD)
		status = make_signatures(s, &o->img);
	if (status == CLI_GOOD)
		status = write_signed(s, o);
	for (uint32_t i = 0; i < s->count && status == CLI_GOOD; i++) {
		cli_print(stdout, s->out_path);
		printf(": signed by %s\n", key_id_text(&s->pub[i], id));
	}
	opened_close(o);
	return cli_finish(status);
}

static int check_arguments(struct sign *s, int argc, char **argv)
{
	if (s->count == 0)
		cli_error("no --key given");
	else if (argc - optind != 1)
		cli_error(argc == optind ? "no image given" : "more than one image given");
	else
		return CLI_GO_ON;
	(void)argv;
	return cli_usage("sign");
}

int command_sign(int argc, char **argv)
{
	struct sign *s = cli_alloc(sizeof(*s));
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "k:o:hV", options, NULL)) != -1) {
		if (option == 'k')
			status = take_key(s, optarg);
		else if (option == 'o')
			s->out_path = optarg;
		else
			status = cli_common_option(option, "sign", help);
	}
	if (status == CLI_GO_ON)
		status = check_arguments(s, argc, argv);
	if (status == CLI_GO_ON) {
		s->path = argv[optind];
		if (!s->out_path)
			s->out_path = s->path;
		status = sign_image(s);
	}
	for (uint32_t i = 0; i < s->count; i++)
		key_free(s->key[i]);
	free(s);
	return status;
}
