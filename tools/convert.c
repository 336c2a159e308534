/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch convert`: a version 2 image with the XML and the files of a good image of version 0 or 1, byte for byte. */
#include "commands.h"

#include "common/cli.h"
#include "common/opened.h"
#include "common/progress.h"
#include "write2.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: vouch convert [OPTION]... -o OUT IMG\n"
	"Write a version 2 image with the XML and the files of IMG, an image of version 0 or 1.\n\n"
	"  -o, --output=OUT  the new image; required\n"
	"  -s, --security-version=N\n"
	"                    a number that a policy can ask for at least; default: 0\n"
	"  -h, --help        show this and exit\n"
	"  -V, --version     show the version of vouch and exit\n";

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "security-version", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct convert {
	const char *path, *out_path;
	uint64_t security;
	struct opened *o;
	struct outfile out;
	struct write2 write2;
	struct progress progress;
	char *chunk;
};

/* What is copied is hashed as the old image hashes it, too: it may have changed since it was judged. */
static int copy_file(struct convert *c, uint32_t i)
{
	const struct image_file *f = &c->o->img.file[i];
	struct v1_hash hash = { 0 };
	int status = CLI_GOOD;

	for (uint64_t at = 0; at < f->size && status == CLI_GOOD; at += FILE_CHUNK) {
		size_t n = (size_t)min_u64(f->size - at, FILE_CHUNK);

		status = file_read_at(&c->o->file, c->chunk, n, f->offset + at);
		if (status == CLI_GOOD)
			status = write2_data(&c->write2, i, c->chunk, n);
		v1_hash_update(&hash, c->chunk, n);
		progress_add(&c->progress, n);
	}
	write2_file_end(&c->write2, i);
	if (status == CLI_GOOD && image_check_hash(&c->o->img, i, &hash, &c->o->err)) {
		cli_error("%s: refused: %s", c->path, c->o->err.text);
		status = CLI_REFUSED;
	}
	return status;
}

static int copy_files(struct convert *c)
{
	const struct image *img = &c->o->img;
	const struct bytes xml = { .data = img->xml, .len = img->xml_len };
	uint64_t size[IMAGE_MAX_FILES], total = 0;
	int status = CLI_GOOD;

	for (uint32_t i = 0; i < img->file_count; i++) {
		size[i] = img->file[i].size;
		total += size[i];
	}
	write2_begin(&c->write2, &c->out, &xml, c->security, img->file_count, size);
	progress_begin(&c->progress, "copying", total);
	for (uint32_t i = 0; i < img->file_count && status == CLI_GOOD; i++)
		status = copy_file(c, i);
	progress_end(&c->progress);
	if (status == CLI_GOOD)
		status = file_unchanged(&c->o->file);
	return status == CLI_GOOD ? write2_end(&c->write2) : status;
}

static int judge_result(struct convert *c)
{
	struct opened *o = opened_from_fd(c->out.fd, c->out.temp);
	int status = o ? opened_judge(o) : CLI_ENV;

	if (status == CLI_REFUSED)
		cli_error("%s: not written, Vouch would refuse it: %s", c->out_path, o->err.text);
	opened_close(o);
	return status;
}

static int write_result(struct convert *c)
{
	int status = outfile_open(&c->out, c->out_path);

	if (status != CLI_GOOD)
		return status;
	status = copy_files(c);
	if (status == CLI_GOOD)
		status = judge_result(c);
	write2_free(&c->write2);
	if (status == CLI_GOOD)
		return outfile_commit(&c->out, NULL);
	outfile_abort(&c->out);
	return status;
}

static int check_input(struct convert *c)
{
	const struct image *img = &c->o->img;
	const struct stat *in = &c->o->file.stat;
	struct stat out;

	if (img->version > 1) {
		cli_error("%s: is of version %u already", c->path, img->version);
		return CLI_REFUSED;
	}
	if (stat(c->out_path, &out) == 0 && out.st_dev == in->st_dev && out.st_ino == in->st_ino) {
		cli_error("%s: is also the output file; name another one with -o", c->path);
		return CLI_USAGE;
	}
	if (img->version == 0)
		cli_warn("%s: holds no hashes (v0): its files are taken as they are", c->path);
	return CLI_GOOD;
}

static int convert(struct convert *c)
{
	int status;

	c->o = opened_open(c->path);
	status = c->o ? opened_judge(c->o) : CLI_ENV;
	if (status == CLI_REFUSED)
		cli_error("%s: refused, nothing was written: %s", c->path, c->o->err.text);
	if (status == CLI_GOOD)
		status = check_input(c);
	if (status == CLI_GOOD) {
		c->chunk = cli_alloc(FILE_CHUNK);
		status = write_result(c);
		free(c->chunk);
	}
	opened_close(c->o);
	return status;
}

static int take_security(struct convert *c, const char *value)
{
	if (cli_number(value, 0, UINT64_MAX, &c->security))
		return CLI_GO_ON;
	cli_error("security version '%s' is not a decimal number below 2^64", value);
	return cli_usage("convert");
}

static int run(struct convert *c, int argc, char **argv)
{
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "o:s:hV", options, NULL)) != -1) {
		if (option == 'o')
			c->out_path = optarg;
		else if (option == 's')
			status = take_security(c, optarg);
		else
			status = cli_common_option(option, "convert", help);
	}
	if (status != CLI_GO_ON)
		return status;
	if (argc - optind != 1 || !c->out_path) {
		cli_error("%s", argc == optind ? "no image given"
				: !c->out_path ? "no output given"
					       : "more than one image given");
		return cli_usage("convert");
	}
	c->path = argv[optind];
	return convert(c);
}

int command_convert(int argc, char **argv)
{
	struct convert *c = cli_alloc(sizeof(*c));
	int status = run(c, argc, argv);

	free(c);
	return status;
}
