/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vouch menu --install`: files below /boot/vouch, and the script from which grub-mkconfig takes the entry. The menu
 * itself is grub-mkconfig's to write, and only the running system's is made anew. Files that an earlier installation
 * left and this one does not name stay.
 */
#include "menu.h"

#include "common/cli.h"
#include "common/file.h"
#include "common/outfile.h"
#include "common/spawn.h"
#include "grubtext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HYPERVISOR "vouch.elf"
#define POLICY     "policy.dtb"
#define SCRIPT     "42_vouch"
#define GRUB_D     "/etc/grub.d"
#define BOOT_VOUCH "/boot/vouch"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ------------------------------------------------------------------ names */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The first image that goes where image i goes: i itself, or the same file given twice (two guests of one image). */
static size_t first_of_name(const struct menu *m, size_t i)
{
	size_t first = 0;

	while (strcmp(base_name(m->images[first]), base_name(m->images[i])) != 0)
		first++;
	return first;
}

static int check_names(const struct menu *m, const struct stat *judged)
{
	for (size_t i = 0; i < m->count; i++) {
		const char *name = base_name(m->images[i]);

		if (strcmp(name, HYPERVISOR) == 0 || (m->policy && strcmp(name, POLICY) == 0))
			cli_error("%s: an image cannot be installed under this name", m->images[i]);
		else if (!grubtext_fits(name))
			cli_error("%s: no GRUB configuration can name it; use UTF-8 without control characters", name);
		else if (!same_file(&judged[i], &judged[first_of_name(m, i)]))
			cli_error("%s and %s would have the same name in " BOOT_VOUCH, m->images[first_of_name(m, i)],
				  m->images[i]);
		else
			continue;
		return CLI_USAGE;
	}
	return CLI_GOOD;
}

/* ------------------------------------------------------------------ directories */

/*
 * Makes one directory of what will be root/sub. A symbolic link of another system may lead out of its root and into
 * ours: each step is looked at before the next.
 */
static int make_dir(const char *root, const char *path)
{
	size_t len = strlen(root);
	int status = CLI_ENV;
	char *real;

	if (mkdir(path, 0777) != 0 && errno != EEXIST) {
		cli_error("%s: cannot create: %s", path, strerror(errno));
		return CLI_ENV;
	}
	real = realpath(path, NULL);
	if (!real)
		cli_error("%s: %s", path, strerror(errno));
	else if (len > 0 && (strncmp(real, root, len) != 0 || real[len] != '/'))
		cli_error("%s: leads out of %s, to %s", path, root, real);
	else
		status = CLI_GOOD;
	free(real);
	return status;
}

/* root/sub to be freed; NULL after a message. root is "" for /; sub starts with a slash. */
static char *make_dirs(const char *root, const char *sub)
{
	char *path = cli_asprintf("%s%s", root, sub);

	for (char *slash = path + strlen(root) + 1; slash;) {
		int status;

		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		status = make_dir(root, path);
		if (slash)
			*slash++ = '/';
		if (status != CLI_GOOD) {
			free(path);
			return NULL;
		}
	}
	return path;
}

/* ------------------------------------------------------------------ files */

static int copy_bytes(struct outfile *out, const struct file *f)
{
	uint64_t size = (uint64_t)f->stat.st_size;
	char *chunk = cli_alloc(FILE_CHUNK);
	int status = CLI_GOOD;

	for (uint64_t off = 0; off < size && status == CLI_GOOD; off += FILE_CHUNK) {
		size_t len = size - off < FILE_CHUNK ? (size_t)(size - off) : FILE_CHUNK;

		status = file_read_at(f, chunk, len, off);
		if (status == CLI_GOOD)
			status = outfile_write(out, chunk, len);
	}
	free(chunk);
	return status == CLI_GOOD ? file_unchanged(f) : status;
}

/* judged: what the file has to look like still; NULL: anything. */
static int copy_opened(const struct file *f, const char *to, const struct stat *judged)
{
	struct outfile out;
	int status;

	if (judged && !file_same_state(judged, &f->stat)) {
		cli_error("%s: changed since it was verified; try again when nothing writes to it", f->path);
		return CLI_ENV;
	}
	status = outfile_open_plain(&out, to);
	if (status != CLI_GOOD)
		return status;
	status = copy_bytes(&out, f);
	if (status == CLI_GOOD)
		return outfile_commit(&out, NULL);
	outfile_abort(&out);
	return status;
}

static int copy_file(const char *from, const char *dir, const char *name, const struct stat *judged)
{
	struct file f;
	int status = file_open(&f, from);

	if (status == CLI_GOOD) {
		char *to = cli_asprintf("%s/%s", dir, name);

		status = copy_opened(&f, to, judged);
		free(to);
		file_close(&f);
	}
	return status;
}

static int copy_all(const struct menu *m, const char *dir, const struct stat *judged)
{
	int status = copy_file(m->hypervisor, dir, HYPERVISOR, NULL);

	for (size_t i = 0; i < m->count && status == CLI_GOOD; i++)
		if (first_of_name(m, i) == i)
			status = copy_file(m->images[i], dir, base_name(m->images[i]), &judged[i]);
	if (status == CLI_GOOD && m->policy)
		status = copy_file(m->policy, dir, POLICY, &judged[m->count]);
	return status;
}

/* ------------------------------------------------------------------ the script */

/*
 * Which device holds /boot/vouch, and its path there, can change until grub-mkconfig runs, and is known only on the
 * system itself: the script asks then. Files that are gone give no entry, but must not keep the system from a menu.
 */
static const char script_head[] =
	"#!/bin/sh\n"
	"# The entry of Vouch in GRUB's menu. Written by 'vouch menu --install', which will overwrite it.\n"
	"dir=" BOOT_VOUCH "\n"
	"path=$dir\n"
	"device=\n"
	"if [ -n \"$GRUB_DEVICE_BOOT\" ]; then\n"
	"	# grub-mkconfig runs this. A shell ends when it cannot read its library.\n"
	"	if ! [ -e \"$dir/" HYPERVISOR "\" ]; then\n"
	"		echo \"$0: no $dir/" HYPERVISOR ": no entry for Vouch\" >&2\n"
	"		exit 0\n"
	"	fi\n"
	"	. \"${pkgdatadir:-/usr/share/grub}/grub-mkconfig_lib\"\n"
	"	path=$(make_system_path_relative_to_its_root \"$dir\") || exit\n"
	"	# More than one device has a line each.\n"
	"	device=$(prepare_grub_to_access_device $GRUB_DEVICE_BOOT) || exit\n"
	"fi\n"
	"cat <<'VOUCH_END'\n";

static const char script_path[] =
	"VOUCH_END\n"
	"[ -z \"$device\" ] || printf '%s\\n' \"$device\" | sed 's/^/\t/'\n"
	"printf \"\\tset vouch='%s'\\n\" \"$(printf '%s\\n' \"$path\" | sed \"s/'/'\\\\\\\\''/g\")\"\n"
	"cat <<'VOUCH_END'\n";

static const char *installed_name(const struct menu *m, size_t i)
{
	if (i == 0)
		return HYPERVISOR;
	return i == 1 && m->policy ? POLICY : base_name(menu_file(m, i));
}

/* No line of the entry can end a here-document early: each starts with a tab, a brace or its command. */
static void script_text(struct bytes *b, const struct menu *m)
{
	char **words = cli_alloc((menu_file_count(m) + 1) * sizeof(*words));

	for (size_t i = 0; i < menu_file_count(m); i++)
		words[i] = menu_word("\"$vouch\"/", installed_name(m, i));
	bytes_add_text(b, script_head);
	bytes_add_text(b, "menuentry ");
	grubtext_add_quoted(b, m->title, strlen(m->title));
	bytes_add_text(b, " --class vouch --id vouch {\n");
	bytes_add_text(b, script_path);
	menu_add_commands(b, m, words);
	bytes_add_text(b, "}\nVOUCH_END\n");
	for (size_t i = 0; words[i]; i++)
		free(words[i]);
	free(words);
}

static int write_script(const struct menu *m, const char *dir)
{
	char *path = cli_asprintf("%s/" SCRIPT, dir);
	struct outfile out;
	int status = outfile_open_plain(&out, path);

	free(path);
	if (status == CLI_GOOD) {
		struct bytes b = { 0 };

		out.mode = 0755;
		script_text(&b, m);
		status = outfile_write(&out, b.data, b.len);
		bytes_free(&b);
		if (status == CLI_GOOD)
			return outfile_commit(&out, NULL);
		outfile_abort(&out);
	}
	return status;
}

/* ------------------------------------------------------------------ all of it */

static int install_files(const struct menu *m, const char *root, const struct stat *judged)
{
	char *boot = make_dirs(root, BOOT_VOUCH);
	char *grub_d = boot ? make_dirs(root, GRUB_D) : NULL;
	int status = grub_d ? copy_all(m, boot, judged) : CLI_ENV;

	/* Last: no entry names files that are not there. */
	if (status == CLI_GOOD)
		status = write_script(m, grub_d);
	free(boot);
	free(grub_d);
	return status;
}

static int install_here(const struct menu *m, const struct stat *judged)
{
	char *debian[] = { "update-grub", NULL };
	char *others[] = { "grub-mkconfig", "-o", "/boot/grub/grub.cfg", NULL };
	char **argv = spawn_has(debian[0]) ? debian : others;
	int status = spawn_need(argv[0], "grub2-common");

	if (status == CLI_GOOD)
		status = install_files(m, "", judged);
	if (status == CLI_GOOD)
		status = spawn_quiet(argv);
	if (status == CLI_GOOD)
		puts("Installed; GRUB's menu is made anew.");
	return status;
}

static int install_there(const struct menu *m, const char *root, const struct stat *judged)
{
	int status = install_files(m, root, judged);

	if (status == CLI_GOOD)
		puts("Installed; GRUB's menu is not updated: on that system run update-grub\n"
		     "(or grub-mkconfig -o /boot/grub/grub.cfg).");
	return status;
}

int menu_install(const struct menu *m, const struct stat *judged)
{
	char *root = realpath(m->root ? m->root : "/", NULL);
	int status = check_names(m, judged);

	if (!root) {
		cli_error("%s: %s", m->root, strerror(errno));
		return CLI_ENV;
	}
	if (status == CLI_GOOD)
		status = strcmp(root, "/") == 0 ? install_here(m, judged) : install_there(m, root, judged);
	free(root);
	return cli_finish(status);
}
