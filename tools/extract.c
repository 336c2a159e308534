/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vouch extract`: takes files out of an image that is good as a whole. Ids come from the image, so they become file
 * names that can't leave the directory, and nothing that exists is replaced unless asked for.
 */
#include "commands.h"

#include "common/cli.h"
#include "common/opened.h"
#include "common/outfile.h"
#include "common/progress.h"
#include "common/sha256.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_MAX_LEN 240              /* leaves room for a temporary suffix in a 255-byte name */

static const char help[] =
	"Usage: vouch extract [OPTION]... IMG [ID]...\n"
	"Write the files of a good image, or those with the IDs, each named by its id.\n"
	"Other characters than letters, digits, '.', '_' and '-', and a leading '.', become %XX.\n\n"
	"  -C, --directory=DIR  where to write; created if missing; default: the working directory\n"
	"  -f, --force          replace files that exist\n"
	"  -h, --help           show this and exit\n"
	"  -V, --version        show the version of vouch and exit\n";

static const struct option options[] = {
	{ "directory", required_argument, NULL, 'C' },
	{ "force", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct extract {
	const char *dir;
	bool force;
	char **ids;                   /* NULL-terminated; none: all files */
};

static bool is_plain(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       (c == '.' && !first);
}

/* Different ids get different names: '%' itself is escaped, and "%N" (a file by number) is no escape. */
static void safe_name(char name[NAME_MAX_LEN + 1], const struct image_file *f)
{
	size_t len = 0;

	for (const char *c = f->id; *c; c++) {
		bool plain = is_plain(*c, c == f->id);

		if (len + 3 > NAME_MAX_LEN) {
			snprintf(name, NAME_MAX_LEN + 1, "%%file-%u", f->index);
			return;
		}
		len += (size_t)snprintf(name + len, 4, plain ? "%c" : "%%%02X", (unsigned char)*c);
	}
}

/* The hash of what was copied, whatever the version. */
struct copied {
	uint64_t done;
	struct v1_hash hash;
	struct sha256 sha;            /* of the chunk so far */
	uint8_t (*list)[SHA256_LEN];  /* version 2: what each chunk must have */
};

_Static_assert(IMAGE2_CHUNK % FILE_CHUNK == 0, "pieces that are read must not straddle chunks");

static int begin_hash(struct opened *o, uint32_t index, struct copied *c)
{
	*c = (struct copied){ 0 };
	sha256_init_fast(&c->sha);
	if (o->img.version < 2)
		return 0;
	c->list = cli_alloc(image_chunks(o->img.file[index].size) * SHA256_LEN);
	return image_read_list(&o->img, &o->source, index, c->list, &o->err);
}

static int add_hash(struct opened *o, uint32_t index, struct copied *c, const void *data, size_t n)
{
	uint64_t size = o->img.file[index].size, chunk = c->done / IMAGE2_CHUNK;
	uint8_t got[SHA256_LEN];

	c->done += n;
	if (o->img.version < 2) {
		v1_hash_update(&c->hash, data, n);
		return 0;
	}
	sha256_update(&c->sha, data, n);
	if (c->done % IMAGE2_CHUNK != 0 && c->done < size)
		return 0;
	sha256_final(&c->sha, got);
	sha256_init_fast(&c->sha);
	return image_check_chunk(&o->img, index, chunk, (const uint8_t (*)[SHA256_LEN])c->list, got, &o->err);
}

static int end_hash(struct opened *o, uint32_t index, struct copied *c)
{
	free(c->list);
	return o->img.version < 2 ? image_check_hash(&o->img, index, &c->hash, &o->err) : 0;
}

/* Copies the file and checks the hash of what was copied: the image may have changed since it was judged. */
static int copy_out(struct opened *o, uint32_t index, struct outfile *out)
{
	const struct image_file *f = &o->img.file[index];
	char *chunk = cli_alloc(FILE_CHUNK);
	struct progress progress;
	struct copied copied;
	int status = CLI_GOOD;
	bool bad = begin_hash(o, index, &copied) != 0;

	progress_begin(&progress, "extracting", f->size);
	for (uint64_t at = 0; at < f->size && status == CLI_GOOD && !bad; at += FILE_CHUNK) {
		size_t n = (size_t)min_u64(f->size - at, FILE_CHUNK);

		status = file_read_at(&o->file, chunk, n, f->offset + at);
		if (status == CLI_GOOD)
			status = outfile_write(out, chunk, n);
		if (status == CLI_GOOD)
			bad = add_hash(o, index, &copied, chunk, n) != 0;
		progress_add(&progress, n);
	}
	progress_end(&progress);
	free(chunk);
	bad |= end_hash(o, index, &copied) != 0;
	if (status == CLI_GOOD && o->read_failed)
		return CLI_ENV;
	if (status == CLI_GOOD && bad) {
		cli_error("%s: refused: %s", o->file.path, o->err.text);
		status = CLI_REFUSED;
	}
	return status == CLI_GOOD ? file_unchanged(&o->file) : status;
}

static int extract_file(struct opened *o, uint32_t index, const struct extract *x)
{
	char name[NAME_MAX_LEN + 1] = "";
	struct outfile out;
	char *path;
	int status;

	safe_name(name, &o->img.file[index]);
	path = cli_asprintf("%s/%s", x->dir, name);
	status = outfile_open_plain(&out, path);
	if (status == CLI_GOOD) {
		status = copy_out(o, index, &out);
		if (status == CLI_GOOD)
			status = outfile_commit(&out, x->force ? NULL : "remove it or use --force");
		else
			outfile_abort(&out);
	}
	if (status == CLI_GOOD)
		printf("%s\n", path);
	free(path);
	return status;
}

static const struct image_file *find(const struct image *img, const char *id)
{
	for (uint32_t i = 0; i < img->file_count; i++)
		if (strcmp(img->file[i].id, id) == 0)
			return &img->file[i];
	return NULL;
}

/* Before anything is written. */
static int check_ids(const struct opened *o, const struct extract *x)
{
	for (char **id = x->ids; *id; id++) {
		if (!find(&o->img, *id)) {
			cli_error("%s: holds no file '%s'", o->file.path, *id);
			return CLI_USAGE;
		}
	}
	return CLI_GOOD;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What is there is not made: in a read-only place, or another's, that might fail for another reason than EEXIST. */
static int make_dir(const char *dir)
{
	int why;

	if (is_dir(dir) || mkdir(dir, 0777) == 0)
		return CLI_GOOD;
	why = errno;
	if (why == EEXIST && is_dir(dir))       /* somebody else just made it */
		return CLI_GOOD;
	cli_error("%s: cannot make this directory: %s", dir, strerror(why));
	return CLI_ENV;
}

/* With those above it. All of the path is the user's, links included: nothing of it comes from the image. */
static int make_dirs(const char *dir)
{
	char *path = cli_asprintf("%s", dir);
	int status = CLI_GOOD;

	for (size_t i = 1; *dir && dir[i] && status == CLI_GOOD; i++) {
		if (dir[i] != '/')
			continue;
		path[i] = '\0';
		status = make_dir(path);
		path[i] = '/';
	}
	free(path);
	return status == CLI_GOOD ? make_dir(dir) : status;
}

static bool is_wanted(const struct extract *x, const char *id)
{
	if (!*x->ids)
		return true;
	for (char **wanted = x->ids; *wanted; wanted++)
		if (strcmp(*wanted, id) == 0)
			return true;
	return false;
}

static int extract_wanted(struct opened *o, const struct extract *x)
{
	int status = check_ids(o, x);

	if (o->img.version == 0)
		cli_warn("%s: holds no hashes (v0): the files are not verified", o->file.path);
	if (status == CLI_GOOD)
		status = make_dirs(x->dir);
	for (uint32_t i = 0; i < o->img.file_count && status == CLI_GOOD; i++)
		if (is_wanted(x, o->img.file[i].id))
			status = extract_file(o, i, x);
	return status;
}

static int extract_image(const char *path, const struct extract *x)
{
	struct opened *o = opened_open(path);
	int status = o ? opened_judge(o) : CLI_ENV;

	if (status == CLI_REFUSED)
		cli_error("%s: refused, nothing was written: %s", path, o->err.text);
	else if (status == CLI_GOOD)
		status = extract_wanted(o, x);
	opened_close(o);
	return cli_finish(status);
}

int command_extract(int argc, char **argv)
{
	struct extract x = { .dir = "." };
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "C:fhV", options, NULL)) != -1) {
		if (option == 'C')
			x.dir = optarg;
		else if (option == 'f')
			x.force = true;
		else
			status = cli_common_option(option, "extract", help);
	}
	if (status != CLI_GO_ON)
		return status;
	if (argc == optind) {
		cli_error("no image given");
		return cli_usage("extract");
	}
	x.ids = argv + optind + 1;
	return extract_image(argv[optind], &x);
}
