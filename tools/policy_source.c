/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a policy's source to the policy: dtc compiles, each key-file gives way to the key it names, and the reader that
 * Vouch uses judges the result. libfdt edits the tree here; in Vouch only loader/policy.c calls it.
 */
#include "policy.h"

#include "common/cli.h"
#include "common/file.h"
#include "common/outfile.h"
#include "common/spawn.h"
#include "key.h"

#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEY_FILE "key-file"
/* More than the reader takes: so that it is the reader who says so. */
#define MAX_TREE (4u * POLICY_MAX_SIZE)
#define KEY_ROOM (POLICY_MAX_KEYS * 1024u)

struct source {
	const char *path, *output;
	void *fdt;                    /* MAX_TREE + KEY_ROOM bytes */
};

static int refuse_key(const struct source *s, int node, const char *why)
{
	cli_error("%s: refused: /keys/%s:" KEY_FILE ": %s", s->path, fdt_get_name(s->fdt, node, NULL), why);
	return CLI_REFUSED;
}

static int library_failed(const struct source *s, int err)
{
	cli_error("%s: refused: device tree is malformed: %s", s->path, fdt_strerror(err));
	return CLI_REFUSED;
}

/* ------------------------------------------------------------------ dtc */

/* A compiler's output is read back from memory: no temporary file that could stay or be changed. */
static int run_dtc(const char *path, int fd)
{
	char *output = cli_asprintf("/proc/self/fd/%d", fd), *input = cli_strdup(path);
	char *argv[] = { "dtc", "-q", "-I", "dts", "-O", "dtb", "-o", output, "--", input, NULL };
	int status = spawn_quiet(argv);

	free(input);
	free(output);
	if (status == CLI_GOOD)
		return CLI_GOOD;
	cli_error("%s: refused: not a device tree source; dtc says why", path);
	return CLI_REFUSED;
}

static int read_output(struct source *s, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	int bad;

	if (size < 0 || size > (off_t)MAX_TREE) {
		cli_error("%s: refused: more than %u bytes when compiled", s->path, MAX_TREE);
		return CLI_REFUSED;
	}
	if (pread(fd, s->fdt, (size_t)size, 0) != size) {
		cli_error("%s: cannot read what dtc wrote: %s", s->path, strerror(errno));
		return CLI_ENV;
	}
	bad = fdt_check_full(s->fdt, (size_t)size);
	return bad ? library_failed(s, bad) : CLI_GOOD;
}

static int compile(struct source *s)
{
	/* Without MFD_CLOEXEC: dtc inherits it. */
	int fd = memfd_create("policy", 0);
	int status;

	if (fd < 0) {
		cli_error("cannot hold the output of dtc: %s", strerror(errno));
		return CLI_ENV;
	}
	status = run_dtc(s->path, fd);
	if (status == CLI_GOOD)
		status = read_output(s, fd);
	close(fd);
	return status;
}

/* ------------------------------------------------------------------ keys */

static char *beside(const char *source, const char *name)
{
	const char *slash = strrchr(source, '/');

	if (name[0] == '/' || !slash)
		return cli_strdup(name);
	return cli_asprintf("%.*s%s", (int)(slash + 1 - source), source, name);
}

static int put_key(struct source *s, int node, const struct public_key *key)
{
	uint8_t der[POLICY_KEY_LEN];
	int bad;

	memcpy(der, policy_key_head, POLICY_KEY_HEAD_LEN);
	memcpy(der + POLICY_KEY_HEAD_LEN, key->point, P256_POINT_LEN);
	bad = fdt_delprop(s->fdt, node, KEY_FILE);
	if (!bad)
		bad = fdt_setprop(s->fdt, node, "public-key", der, sizeof(der));
	if (!bad)
		bad = fdt_setprop(s->fdt, node, "key-id", key->id, SHA256_LEN);
	return bad ? library_failed(s, bad) : CLI_GOOD;
}

static int resolve_key(struct source *s, int node, const char *name, int name_len)
{
	struct public_key key;
	const void *id;
	char *path;
	int status, id_len;

	if (name_len < 2 || name[name_len - 1] || strlen(name) != (size_t)name_len - 1)
		return refuse_key(s, node, "one file name between quotes");
	if (fdt_getprop(s->fdt, node, "public-key", NULL))
		return refuse_key(s, node, "public-key is given too; leave one of them out");
	path = beside(s->path, name);
	status = outfile_check_input(s->output, path);
	if (status == CLI_GOOD)
		status = key_load_public(path, &key);
	free(path);
	if (status != CLI_GOOD) {
		cli_error("%s: /keys/%s:" KEY_FILE " names that file; names are relative to the directory of this source", s->path,
			  fdt_get_name(s->fdt, node, NULL));
		return status;
	}
	id = fdt_getprop(s->fdt, node, "key-id", &id_len);
	if (id && (id_len != SHA256_LEN || !digest_equal(id, key.id)))
		return refuse_key(s, node, "the file holds another key than key-id says");
	return put_key(s, node, &key);
}

/* A changed node keeps its own offset, and the walk goes on from there. */
static int resolve_keys(struct source *s)
{
	int keys = fdt_path_offset(s->fdt, "/keys"), node, status;

	if (keys < 0)
		return CLI_GOOD;
	fdt_for_each_subnode(node, s->fdt, keys) {
		int len;
		const char *name = fdt_getprop(s->fdt, node, KEY_FILE, &len);

		status = name ? resolve_key(s, node, name, len) : CLI_GOOD;
		if (status != CLI_GOOD)
			return status;
	}
	return CLI_GOOD;
}

/* ------------------------------------------------------------------ all of it */

/* The reader takes any 64 bytes for a point. One that is none of the curve's would refuse whatever it had signed. */
static int check_points(const struct source *s, const struct policy *p)
{
	static const uint8_t zeros[P256_SIG_LEN];  /* never a signature; the point is judged before it */

	for (uint32_t i = 0; i < p->key_count; i++) {
		if (ecdsa_p256_verify(p->key[i].key.point, zeros, zeros) == -EBADMSG)
			continue;
		cli_error("%s: refused: /keys/%s:public-key: %s: its point is none of the curve", s->path, p->key[i].name,
			  policy_err_text(POLICY_ERR_KEY));
		return CLI_REFUSED;
	}
	return CLI_GOOD;
}

static int judge(struct source *s, struct policy *p)
{
	struct policy_error err;
	int bad = fdt_open_into(s->fdt, s->fdt, MAX_TREE + KEY_ROOM);
	int status = bad ? library_failed(s, bad) : resolve_keys(s);

	if (status != CLI_GOOD)
		return status;
	bad = fdt_pack(s->fdt);
	if (bad)
		return library_failed(s, bad);
	if (policy_read(p, s->fdt, fdt_totalsize(s->fdt), &err) == 0)
		return check_points(s, p);
	cli_error("%s: refused: %s", s->path, err.text);
	return CLI_REFUSED;
}

int policy_source_read(const char *path, const char *output, struct policy *p)
{
	struct source s = { .path = path, .output = output };
	struct file file;
	int status = file_open(&file, path);

	if (status != CLI_GOOD)
		return status;
	file_close(&file);
	status = spawn_need("dtc", "device-tree-compiler");
	if (status != CLI_GOOD)
		return status;
	s.fdt = cli_alloc(MAX_TREE + KEY_ROOM);
	status = compile(&s);
	if (status == CLI_GOOD)
		status = judge(&s, p);
	free(s.fdt);
	return status;
}
