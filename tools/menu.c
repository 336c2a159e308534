/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch menu`: its command line, the verdict on the images, and the entry as printed. menu_install.c installs it. */
#include "menu.h"

#include "commands.h"
#include "common/cli.h"
#include "entry.h"
#include "facts.h"
#include "grubtext.h"
#include "mkiso.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: vouch menu [OPTION]... IMG...\n"
	"Print an entry for GRUB's menu that starts Vouch and the images, or install it; not of what Vouch would refuse.\n\n"
	"  -i, --install          copy Vouch and the images to /boot/vouch, write /etc/grub.d/42_vouch and make\n"
	"                         GRUB's menu anew\n"
	"  -r, --root=DIR         root of the system or file system meant; default: /\n"
	"  -c, --cmdline=STR      options of Vouch, separated by blanks\n"
	"  -p, --policy=FILE      the compiled launch policy of the boot; default: none\n"
	"  -t, --title=STR        name of the entry; default: Vouch\n"
	GUESTWORDS_HELP
	"  -H, --hypervisor=PATH  vouch.elf; default: beside this program, or in ../share/vouch\n"
	"  -h, --help             show this and exit\n"
	"  -V, --version          show the version of vouch and exit\n";

static const struct option options[] = {
	{ "install", no_argument, NULL, 'i' },
	{ "root", required_argument, NULL, 'r' },
	{ "cmdline", required_argument, NULL, 'c' },
	{ "policy", required_argument, NULL, 'p' },
	{ "title", required_argument, NULL, 't' },
	{ "guest", required_argument, NULL, 'g' },
	{ "hypervisor", required_argument, NULL, 'H' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/* ------------------------------------------------------------------ the entry */

char *menu_word(const char *prefix, const char *text)
{
	struct bytes b = { 0 };

	bytes_add_text(&b, prefix);
	grubtext_add_quoted(&b, text, strlen(text));
	bytes_add(&b, "", 1);
	return b.data;
}

size_t menu_file_count(const struct menu *m)
{
	return (m->policy ? 2u : 1u) + m->count;
}

const char *menu_file(const struct menu *m, size_t i)
{
	if (i == 0)
		return m->hypervisor;
	if (i == 1 && m->policy)
		return m->policy;
	return m->images[i - (m->policy ? 2u : 1u)];
}

void menu_add_commands(struct bytes *b, const struct menu *m, char *const words[])
{
	/* As on the ISO: what UEFI needs for a framebuffer, which a distribution's menu may not have loaded. */
	bytes_add_text(b, "\tif [ \"$grub_platform\" = efi ]; then insmod efi_gop; insmod efi_uga; fi\n"
			  "\tinsmod multiboot2\n"
			  "\tmultiboot2 ");
	bytes_add_text(b, words[0]);
	grubtext_add_words(b, m->cmdline);
	bytes_add_text(b, "\n");
	for (size_t i = 1; words[i]; i++) {
		bytes_add_text(b, "\tmodule2 ");
		bytes_add_text(b, words[i]);
		bytes_add_text(b, " ");
		if (i == 1 && m->policy)
			bytes_add_text(b, "policy");
		else
			guestwords_add(b, &m->words, i - (m->policy ? 2 : 1));
		bytes_add_text(b, "\n");
	}
	/* multiboot2 has just asked for a framebuffer; on a BIOS, text needs no mode to be set and works everywhere. */
	bytes_add_text(b, "\tif [ \"$grub_platform\" = pc ]; then set gfxpayload=text; fi\n");
}

/* What GRUB calls the file: its absolute path, from root on. NULL after a message, with *status set. */
static char *print_word(const char *path, const char *root, int *status)
{
	char *real = realpath(path, NULL), *word = NULL;
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	*status = CLI_USAGE;
	if (!real) {
		cli_error("%s: cannot open: %s", path, strerror(errno));
		*status = CLI_ENV;
	} else if (strncmp(real, root, len) != 0 || real[len] != '/') {
		cli_error("%s: is not below %s", real, root);
	} else if (!grubtext_fits(real)) {
		cli_error("%s: no GRUB configuration can name it; use UTF-8 without control characters", real);
	} else {
		word = menu_word("", real + len);
	}
	free(real);
	return word;
}

static void print_entry(const struct menu *m, char *const words[])
{
	struct bytes b = { 0 };

	bytes_add_text(&b, "menuentry ");
	grubtext_add_quoted(&b, m->title, strlen(m->title));
	bytes_add_text(&b, " --class vouch {\n");
	menu_add_commands(&b, m, words);
	bytes_add_text(&b, "}\n");
	fwrite(b.data, 1, b.len, stdout);
	bytes_free(&b);
}

static int print(const struct menu *m)
{
	char **words = cli_alloc((menu_file_count(m) + 1) * sizeof(*words));
	char *root = realpath(m->root ? m->root : "/", NULL);
	int status = CLI_GOOD;

	if (!root) {
		cli_error("%s: %s", m->root, strerror(errno));
		status = CLI_ENV;
	}
	for (size_t i = 0; i < menu_file_count(m) && status == CLI_GOOD; i++) {
		words[i] = print_word(menu_file(m, i), root, &status);
		if (words[i])
			status = CLI_GOOD;
	}
	if (status == CLI_GOOD)
		print_entry(m, words);
	for (size_t i = 0; words[i]; i++)
		free(words[i]);
	free(words);
	free(root);
	return cli_finish(status);
}

/* ------------------------------------------------------------------ the images */

static int judge(struct entry *e, size_t i, const char *path, struct stat *st)
{
	struct facts *f = cli_alloc(sizeof(*f));
	int status = entry_judge_image(e, i, path, f);

	if (status == CLI_GOOD) {
		entry_warn_level(e, path, &f->o->img);
		*st = f->o->file.stat;
	}
	facts_release(f);
	free(f);
	return status;
}

/* Command line, policy and number of modules. st: what the policy, if there is one, looked like. */
static int judge_entry(struct entry *e, const struct menu *m, struct stat *st)
{
	struct file f;
	int status = m->policy ? file_open(&f, m->policy) : CLI_GOOD;

	if (status != CLI_GOOD)
		return status;
	status = entry_judge(e, "menu", m->cmdline, m->policy, m->count);
	if (!m->policy)
		return status;
	*st = f.stat;
	if (status == CLI_GOOD)
		status = file_unchanged(&f);
	file_close(&f);
	return status;
}

/* An image that is bad now will not be better at boot, when nobody may be there to read why. */
static int print_or_install(const struct menu *m)
{
	struct stat *judged = cli_alloc((m->count + 1) * sizeof(*judged));
	struct entry *e = cli_alloc(sizeof(*e));
	struct file hypervisor;
	int status = file_open(&hypervisor, m->hypervisor);

	if (status == CLI_GOOD)
		file_close(&hypervisor);
	if (status == CLI_GOOD)
		status = judge_entry(e, m, &judged[m->count]);
	for (size_t i = 0; i < m->count && status == CLI_GOOD; i++)
		status = judge(e, i, m->images[i], &judged[i]);
	if (status == CLI_GOOD)
		status = m->install ? menu_install(m, judged) : print(m);
	free(judged);
	entry_release(e);
	free(e);
	return status;
}

/* ------------------------------------------------------------------ the command line */

static int take_title(const char *title)
{
	/* GRUB would take the hyphen for an option of menuentry. */
	if (grubtext_fits(title) && title[0] != '-')
		return CLI_GO_ON;
	cli_error("a title is UTF-8 without control characters, not empty, and starts with no hyphen");
	return cli_usage("menu");
}

static int take_option(int option, struct menu *m)
{
	switch (option) {
	case 'i':
		m->install = true;
		return CLI_GO_ON;
	case 'r':
		m->root = optarg;
		return CLI_GO_ON;
	case 'c':
		m->cmdline = optarg;
		return entry_check_words(optarg) == CLI_GOOD ? CLI_GO_ON : cli_usage("menu");
	case 't':
		m->title = optarg;
		return take_title(optarg);
	case 'p':
		m->policy = optarg;
		return CLI_GO_ON;
	case 'g':
		return guestwords_take(&m->words, optarg, "menu");
	case 'H':
		m->hypervisor = optarg;
		return CLI_GO_ON;
	default:
		return cli_common_option(option, "menu", help);
	}
}

int command_menu(int argc, char **argv)
{
	struct menu m = { .title = "Vouch", .cmdline = "" };
	char *found = NULL;
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "ir:c:p:t:g:H:hV", options, NULL)) != -1)
		status = take_option(option, &m);
	if (status != CLI_GO_ON)
		return status;
	m.images = argv + optind;
	m.count = (size_t)(argc - optind);
	if (m.count == 0) {
		cli_error("no image given");
		return cli_usage("menu");
	}
	status = guestwords_check(&m.words, m.count, "menu");
	if (status != CLI_GO_ON)
		return status;
	if (!m.hypervisor)
		m.hypervisor = found = mkiso_find_hypervisor();
	status = m.hypervisor ? print_or_install(&m) : CLI_ENV;
	free(found);
	return status;
}
