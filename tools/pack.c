/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a guest image (docs/image-format.md): the rewritten XML, the table, the files. write2.c has the layout of
 * version 2, this file that of 0 and 1. What is hashed is what was copied, each file must stay as it was when the run
 * began, and the finished image must pass the loader before it gets its name. The XML's side is xmlwrite.c's.
 */
#include "pack.h"

#include "common/cli.h"
#include "common/file.h"
#include "common/opened.h"
#include "common/outfile.h"
#include "common/progress.h"
#include "write2.h"
#include "xmlwrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONFIG (16u << 20)        /* input; the rewritten XML has its own bound */

struct packer {
	const struct pack_options *options;
	char *out_path;
	struct xmlwrite xml;
	struct stat before[IMAGE_MAX_FILES];  /* as each file was when the run began */
	uint64_t data_size;
	struct outfile out;
	struct bytes table;
	uint64_t offset;              /* in the image, of the next byte of data */
	struct v1_hash hash;          /* of the file being copied */
	struct write2 write2;         /* version 2: this instead of table, offset and hash */
	struct progress progress;
	char *chunk;
};

/* ------------------------------------------------------------------ before anything is written */

static char *default_output(const char *config, const char *suffix)
{
	const char *slash = strrchr(config, '/');
	const char *dot = strrchr(slash ? slash + 1 : config, '.');
	int stem = (int)(dot ? dot - config : (ptrdiff_t)strlen(config));

	return cli_asprintf("%.*s%s", stem, config, suffix);
}

static int read_config(struct packer *p)
{
	const char *path = p->options->config;
	struct bytes text = { 0 };
	int status = file_read_all(path, MAX_CONFIG, &text);

	if (status == CLI_GOOD && !xmlwrite_run(&p->xml, &text)) {
		if (p->xml.line > 0)
			cli_error("%s: line %lu, column %lu: %s", path, p->xml.line, p->xml.column, p->xml.error);
		else
			cli_error("%s: %s", path, p->xml.error);
		status = CLI_REFUSED;
	}
	bytes_free(&text);
	return status;
}

static bool is_output(const struct packer *p, const struct stat *in)
{
	struct stat out;

	return stat(p->out_path, &out) == 0 && out.st_dev == in->st_dev && out.st_ino == in->st_ino;
}

static int check_input(struct packer *p, const char *path, struct stat *st)
{
	struct file f;
	int status = file_open(&f, path);

	if (status != CLI_GOOD)
		return status;
	*st = f.stat;
	file_close(&f);
	if (!is_output(p, st))
		return CLI_GOOD;
	cli_error("%s: is also the output file; name another one with -o", path);
	return CLI_USAGE;
}

static int check_file_size(const struct packer *p, const char *name, uint64_t size)
{
	if (p->options->version < 2 && size > UINT32_MAX)
		cli_error("%s: %llu bytes; versions 0 and 1 hold files of less than 4 GiB", name,
			  (unsigned long long)size);
	else if (size > WRITE2_MAX_FILE)
		cli_error("%s: %llu bytes; files of more than 1 TiB are refused", name, (unsigned long long)size);
	else
		return CLI_GOOD;
	return CLI_REFUSED;
}

/* All files are examined before the first is copied: a missing one shows at once. */
static int check_inputs(struct packer *p)
{
	struct stat config;
	int status = check_input(p, p->options->config, &config);

	for (uint32_t i = 0; i < p->xml.file_count && status == CLI_GOOD; i++) {
		const struct xmlwrite_file *f = &p->xml.file[i];

		status = check_input(p, f->filename, &p->before[i]);
		if (status == CLI_ENV) {
			cli_error("%s: line %lu names that file (id '%s'); names are relative to the working directory",
				  p->options->config, f->line, f->id);
		} else if (status == CLI_GOOD) {
			status = check_file_size(p, f->filename, (uint64_t)p->before[i].st_size);
		}
		p->data_size += (uint64_t)p->before[i].st_size;
	}
	return status;
}

/* ------------------------------------------------------------------ the image */

static void add_le(struct bytes *b, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++, value >>= 8) {
		unsigned char byte = (unsigned char)value;

		bytes_add(b, &byte, 1);
	}
}

static size_t header_len(const struct packer *p)
{
	return p->options->version == 0 ? IMAGE_HDR_LEN_V0 : IMAGE_HDR_LEN_V1;
}

/* Everything before the data; the table is still zero. */
static int write_head(struct packer *p)
{
	struct bytes b = { 0 };
	int status;

	bytes_add(&b, IMAGE_COOKIE, IMAGE_COOKIE_LEN);
	add_le(&b, (uint64_t)p->options->version << 16, 3);   /* big-endian there */
	add_le(&b, p->xml.xml.len, 4);
	bytes_add(&b, p->xml.xml.data, p->xml.xml.len);
	add_le(&b, 0, IMAGE_PAD_LEN);
	add_le(&b, p->xml.file_count, IMAGE_COUNT_LEN);
	add_le(&b, 0, p->xml.file_count * header_len(p) + IMAGE_PAD_LEN);
	p->offset = b.len;
	status = outfile_write(&p->out, b.data, b.len);
	bytes_free(&b);
	return status;
}

static int write_table(struct packer *p)
{
	uint64_t at = IMAGE_FIXED_LEN + p->xml.xml.len + IMAGE_PAD_LEN + IMAGE_COUNT_LEN;

	return outfile_write_at(&p->out, p->table.data, p->table.len, at);
}

static int put_data(struct packer *p, uint32_t index, size_t n)
{
	if (p->options->version == 2)
		return write2_data(&p->write2, index, p->chunk, n);
	v1_hash_update(&p->hash, p->chunk, n);
	return outfile_write(&p->out, p->chunk, n);
}

static int copy_data(struct packer *p, const struct file *f, uint32_t index)
{
	uint64_t size = (uint64_t)f->stat.st_size;

	for (uint64_t at = 0; at < size;) {
		size_t n = (size_t)min_u64(size - at, FILE_CHUNK);
		int status = file_read_at(f, p->chunk, n, at);

		if (status == CLI_GOOD)
			status = put_data(p, index, n);
		if (status != CLI_GOOD)
			return status;
		progress_add(&p->progress, n);
		at += n;
	}
	return file_unchanged(f);
}

static void add_header(struct packer *p, uint32_t index, uint64_t size)
{
	if (p->options->version == 2) {
		write2_file_end(&p->write2, index);
		return;
	}
	add_le(&p->table, index, 4);
	add_le(&p->table, size, 4);
	add_le(&p->table, p->offset, 8);
	if (p->options->version != 0)
		add_le(&p->table, p->hash.h, 8);
	p->offset += size;
	p->hash = (struct v1_hash){ 0 };
}

static int add_file(struct packer *p, uint32_t index)
{
	struct file f;
	int status = file_open(&f, p->xml.file[index].filename);

	if (status != CLI_GOOD)
		return status;
	if (!file_same_state(&f.stat, &p->before[index])) {
		cli_error("%s: changed while the image was being built; try again when nothing writes to it", f.path);
		status = CLI_ENV;
	} else {
		status = copy_data(p, &f, index);
	}
	if (status == CLI_GOOD)
		add_header(p, index, (uint64_t)f.stat.st_size);
	file_close(&f);
	return status;
}

static void begin2(struct packer *p)
{
	uint64_t size[IMAGE_MAX_FILES];

	for (uint32_t i = 0; i < p->xml.file_count; i++)
		size[i] = (uint64_t)p->before[i].st_size;
	write2_begin(&p->write2, &p->out, &p->xml.xml, p->options->security, p->xml.file_count, size);
}

static int write_image(struct packer *p)
{
	int status = CLI_GOOD;

	if (p->options->version == 2)
		begin2(p);
	else
		status = write_head(p);

	progress_begin(&p->progress, "copying", p->data_size);
	for (uint32_t i = 0; i < p->xml.file_count && status == CLI_GOOD; i++)
		status = add_file(p, i);
	progress_end(&p->progress);
	if (status != CLI_GOOD)
		return status;
	return p->options->version == 2 ? write2_end(&p->write2) : write_table(p);
}

/* ------------------------------------------------------------------ the verdict on it */

static bool is_about_xml(enum image_err code)
{
	return code >= IMG_ERR_XML_SYNTAX && code <= IMG_ERR_HDR_UNNAMED;
}

/*
 * Processing instructions make an image that no loader takes, but that the original builder writes: a warning. What
 * else Vouch minds in the XML is only that for the Palacios front end.
 */
static int judge_result(struct packer *p)
{
	struct opened *o = opened_from_fd(p->out.fd, p->out.temp);
	int status = o ? opened_judge(o) : CLI_ENV;

	if (status == CLI_REFUSED && (p->xml.has_pi || (p->options->palacios && is_about_xml(o->err.code)))) {
		cli_warn("%s: Vouch will refuse this image: %s", p->out_path, o->err.text);
		status = CLI_GOOD;
	} else if (status == CLI_REFUSED) {
		cli_error("%s: not written, Vouch would refuse it: %s", p->out_path, o->err.text);
	}
	opened_close(o);
	return status;
}

static int build(struct packer *p)
{
	int status = outfile_open(&p->out, p->out_path);

	if (status != CLI_GOOD)
		return status;
	status = write_image(p);
	if (status == CLI_GOOD)
		status = judge_result(p);
	if (status == CLI_GOOD)
		return outfile_commit(&p->out, NULL);
	outfile_abort(&p->out);
	return status;
}

int pack_run(const struct pack_options *options)
{
	struct packer *p = cli_alloc(sizeof(*p));
	int status;

	p->options = options;
	p->chunk = cli_alloc(FILE_CHUNK);
	p->out_path = options->out ? cli_strdup(options->out) : default_output(options->config, options->suffix);
	status = read_config(p);
	if (status == CLI_GOOD)
		status = check_inputs(p);
	if (status == CLI_GOOD)
		status = build(p);
	xmlwrite_free(&p->xml);
	bytes_free(&p->table);
	write2_free(&p->write2);
	free(p->chunk);
	free(p->out_path);
	free(p);
	return status;
}
