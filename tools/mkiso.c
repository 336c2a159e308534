/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a GRUB ISO through grub-mkrescue. The files are named to it as "graft points", so nothing large is copied to a
 * temporary directory: only grub.cfg is a temporary file of ours, and what grub-mkrescue makes of GRUB in a folder of its own.
 */
#include "mkiso.h"

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/cli.h"
#include "common/file.h"
#include "common/outfile.h"
#include "common/spawn.h"
#include "grubtext.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GRUB_BIOS "/usr/lib/grub/i386-pc"
#define GRUB_UEFI "/usr/lib/grub/x86_64-efi"

/* ------------------------------------------------------------------ the hypervisor */

static char *own_dir(void)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len <= 0)
		return NULL;
	path[len] = '\0';
	return cli_strdup(dirname(path));
}

char *mkiso_find_hypervisor(void)
{
	static const char *const places[] = { "vouch.elf", "../share/vouch/vouch.elf" };
	char *dir = own_dir();
	char *found = NULL;

	for (size_t i = 0; dir && i < ARRAY_SIZE(places) && !found; i++) {
		char *path = cli_asprintf("%s/%s", dir, places[i]);

		if (access(path, R_OK) == 0)
			found = path;
		else
			free(path);
	}
	if (!found)
		cli_error("no vouch.elf in %s or %s/../share/vouch; build it (make) or name it with --hypervisor",
			  dir ? dir : "?", dir ? dir : "?");
	free(dir);
	return found;
}

/* ------------------------------------------------------------------ grub.cfg */

static void grub_config(struct bytes *b, const struct mkiso *m)
{
	char line[64];

	bytes_add_text(b, "set timeout=0\n"
			  "serial --unit=0 --speed=115200\n"
			  "terminal_input serial console\n"
			  "terminal_output serial console\n"
			  /* Modules that only this platform has; the loader hands their framebuffer on. */
			  "if [ \"$grub_platform\" = efi ]; then insmod efi_gop; insmod efi_uga; fi\n"
			  "multiboot2 /boot/vouch.elf");
	grubtext_add_words(b, m->cmdline);
	bytes_add_text(b, "\n");
	if (m->policy)
		bytes_add_text(b, "module2 /boot/policy.dtb policy\n");
	for (unsigned int i = 0; m->images[i]; i++) {
		snprintf(line, sizeof(line), "module2 /boot/guest%u.img ", i);
		bytes_add_text(b, line);
		guestwords_add(b, &m->words, i);
		bytes_add_text(b, "\n");
	}
	/* multiboot2 has just asked for a framebuffer; on a BIOS, text needs no mode to be set and works everywhere. */
	bytes_add_text(b, "if [ \"$grub_platform\" = pc ]; then set gfxpayload=text; fi\n"
			  "boot\n");
}

/* A temporary file with the configuration; NULL after a message. */
static char *write_config(const struct mkiso *m)
{
	const char *dir = getenv("TMPDIR");
	char *path = cli_asprintf("%s/vouch-grub-XXXXXX", dir && *dir ? dir : "/tmp");
	struct bytes b = { 0 };
	int fd;

	cleanup_add(path);
	fd = mkostemp(path, O_CLOEXEC);
	grub_config(&b, m);
	if (fd >= 0 && file_write_fd(fd, b.data, b.len) == 0 && fchmod(fd, 0644) == 0) {
		close(fd);
		bytes_free(&b);
		return path;
	}
	cli_error("%s: cannot write: %s (TMPDIR names the folder)", path, strerror(errno));
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	cleanup_forget(path);
	free(path);
	bytes_free(&b);
	return NULL;
}

/* ------------------------------------------------------------------ grub-mkrescue */

/* "/boot/NAME=FILE" with links followed (they would be copied as links) and xorriso's special characters escaped. */
static char *graft(const char *name, const char *file)
{
	char *real = realpath(file, NULL);
	struct bytes b = { 0 };

	if (!real) {
		cli_error("%s: cannot open: %s", file, strerror(errno));
		return NULL;
	}
	bytes_add_text(&b, name);
	bytes_add_text(&b, "=");
	for (const char *c = real; *c; c++) {
		if (*c == '=' || *c == '\\')
			bytes_add_text(&b, "\\");
		bytes_add(&b, c, 1);
	}
	bytes_add(&b, "", 1);
	free(real);
	return b.data;
}

static int check_programs(void)
{
	int status = spawn_need("grub-mkrescue", "grub-common");

	if (status == CLI_GOOD)
		status = spawn_need("xorriso", "xorriso");
	if (status == CLI_GOOD)
		status = spawn_need("mformat", "mtools");
	if (status == CLI_GOOD && access(GRUB_BIOS "/boot.img", R_OK) != 0) {
		cli_error("GRUB for BIOS is missing (%s); install the Debian package grub-pc-bin", GRUB_BIOS);
		status = CLI_ENV;
	}
	if (status == CLI_GOOD && access(GRUB_UEFI "/efi_gop.mod", R_OK) != 0) {
		cli_error("GRUB for UEFI is missing (%s); install the Debian package grub-efi-amd64-bin", GRUB_UEFI);
		status = CLI_ENV;
	}
	return status;
}

/* What goes into the ISO can be read, and is not what the ISO will replace. */
static int check_file(const struct mkiso *m, const char *path)
{
	struct file f;
	int status = file_open(&f, path);

	if (status != CLI_GOOD)
		return status;
	file_close(&f);
	return outfile_check_input(m->out, path);
}

static int check_files(const struct mkiso *m, const char *hypervisor)
{
	int status = check_file(m, hypervisor);

	if (status == CLI_GOOD && m->policy)
		status = check_file(m, m->policy);
	for (char **image = m->images; *image && status == CLI_GOOD; image++)
		status = check_file(m, *image);
	return status;
}

static int mkrescue(const struct mkiso *m, const char *hypervisor, const char *config, const char *out)
{
	char *fixed[] = {
		/* Without a folder it takes every platform that is installed; modules named here must be in each. */
		"grub-mkrescue", "--locales=", "--fonts=", "--themes=",
		("--install-modules=multiboot2 normal iso9660 serial terminal test echo boot search part_msdos part_gpt "
		 "part_acorn part_amiga part_apple part_bsd part_dfly part_dvh part_plan part_sun part_sunpc "
		 "fat relocator video video_fb"),
		"-o", (char *)(uintptr_t)out,
		("/boot/grub/x86_64-efi/efi_gop.mod=" GRUB_UEFI "/efi_gop.mod"),
		("/boot/grub/x86_64-efi/efi_uga.mod=" GRUB_UEFI "/efi_uga.mod"),
		graft("/boot/vouch.elf", hypervisor),
		graft("/boot/grub/grub.cfg", config),
		m->policy ? graft("/boot/policy.dtb", m->policy) : NULL,
	};
	size_t count = 0, n = ARRAY_SIZE(fixed) - !m->policy;
	size_t first = ARRAY_SIZE(fixed) - 3;         /* the first of the grafts */
	bool complete = fixed[first] && fixed[first + 1] && (fixed[first + 2] || !m->policy);
	char **argv;
	int status;

	while (m->images[count])
		count++;
	argv = cli_alloc((n + count + 1) * sizeof(*argv));
	memcpy(argv, fixed, sizeof(fixed));
	for (size_t i = 0; i < count && complete; i++) {
		char name[64];

		snprintf(name, sizeof(name), "/boot/guest%zu.img", i);
		argv[n + i] = graft(name, m->images[i]);
		complete = argv[n + i] != NULL;
	}
	status = complete ? spawn_enclosed(argv) : CLI_ENV;
	for (size_t i = first; i < n + count; i++)
		free(argv[i]);
	free(argv);
	return status;
}

/* ------------------------------------------------------------------ all of it */

static int make(const struct mkiso *m, const char *hypervisor, const char *config)
{
	struct outfile out;
	int status = outfile_open(&out, m->out);
	struct stat st;

	if (status != CLI_GOOD)
		return status;
	status = mkrescue(m, hypervisor, config, out.temp);
	/* Some versions exit with 0 though xorriso failed. */
	if (status == CLI_GOOD && (stat(out.temp, &st) != 0 || st.st_size == 0)) {
		cli_error("grub-mkrescue left no ISO");
		status = CLI_ENV;
	}
	if (status == CLI_GOOD)
		return outfile_commit(&out, NULL);
	outfile_abort(&out);
	return status;
}

int mkiso_run(const struct mkiso *m)
{
	char *hypervisor = m->hypervisor ? cli_strdup(m->hypervisor) : mkiso_find_hypervisor();
	char *config = NULL;
	int status = hypervisor ? check_programs() : CLI_ENV;

	if (status == CLI_GOOD)
		status = check_files(m, hypervisor);
	if (status == CLI_GOOD) {
		config = write_config(m);
		status = config ? make(m, hypervisor, config) : CLI_ENV;
	}
	if (config) {
		unlink(config);
		cleanup_forget(config);
	}
	free(config);
	free(hypervisor);
	return status;
}
