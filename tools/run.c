/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vouch run`: boots Vouch and images in QEMU or Bochs, the guest's console on this terminal. In QEMU KVM is used where
 * it can lend SVM to Vouch, else QEMU's own emulation of an EPYC.
 */
#include "commands.h"

#include "bochs.h"
#include "common/cleanup.h"
#include "common/cli.h"
#include "common/spawn.h"
#include "console.h"
#include "entry.h"
#include "facts.h"
#include "mkiso.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_MIB    512               /* for firmware, GRUB and Vouch, beside guests and images */
#define MAX_CPUS    255
#define MAX_MIB     (16u << 20)       /* 16 TiB */
/* An EPYC without what TCG would only complain that it lacks. */
#define TCG_CPU     "EPYC,-rdseed,-sha-ni,-fxsr-opt,-misalignsse,-3dnowprefetch,-osvw,-topoext,-nrip-save,-xsavec"
#define NESTED_FILE "/sys/module/kvm_amd/parameters/nested"

static const char help[] =
	"Usage: vouch run [OPTION]... IMG...\n"
	"Boot Vouch and the images in an emulator; the guest's console is this terminal.\n"
	"Ctrl-] X ends the emulator, Ctrl-] H shows its other keys; Ctrl-A is for Vouch.\n\n"
	"  -e, --emulator=NAME    qemu (default) or bochs, which has Intel's VT-x but is slow\n"
	"  -u, --cpu=MODEL        CPU model of the emulator; default in Bochs: " BOCHS_MODEL "\n"
	"  -n, --cpus=N           physical CPUs of the machine (default 1)\n"
	"  -m, --memory=MiB       memory of the machine; default: what guests, images and copies need, and 512\n"
	"  -c, --cmdline=STR      options of Vouch; default: end=poweroff\n"
	"  -C, --control=PATH     make a socket for 'vouch ctl' there (QEMU only); adds control=com2 to Vouch's options\n"
	"  -p, --policy=FILE      the compiled launch policy of the boot; default: none\n"
	"  -a, --accel=NAME       of QEMU: auto (default: kvm if it has nested SVM, else tcg), kvm or tcg\n"
	GUESTWORDS_HELP
	"  -H, --hypervisor=PATH  vouch.elf; default: beside this program, or in ../share/vouch\n"
	"  -d, --dry-run          print the emulator's command line instead; ISO stands for the temporary ISO\n"
	"  -h, --help             show this and exit\n"
	"  -V, --version          show the version of vouch and exit\n";

static const struct option options[] = {
	{ "emulator", required_argument, NULL, 'e' },
	{ "cpu", required_argument, NULL, 'u' },
	{ "cpus", required_argument, NULL, 'n' },
	{ "memory", required_argument, NULL, 'm' },
	{ "cmdline", required_argument, NULL, 'c' },
	{ "control", required_argument, NULL, 'C' },
	{ "policy", required_argument, NULL, 'p' },
	{ "accel", required_argument, NULL, 'a' },
	{ "guest", required_argument, NULL, 'g' },
	{ "hypervisor", required_argument, NULL, 'H' },
	{ "dry-run", no_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };

struct run {
	uint64_t cpus, memory_mib;    /* 0 MiB: not given */
	enum accel accel;
	const char *cpu;              /* NULL: not given */
	const char *control;          /* NULL: no control port */
	bool bochs, dry;
	struct mkiso iso;
};

/* ------------------------------------------------------------------ what the machine has and the guests need */

static bool nested_svm(void)
{
	char c = 0;
	int fd = open(NESTED_FILE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c == '1' || c == 'Y';
}

static bool kvm_usable(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return nested_svm();
}

/* Of an image below version 2 Vouch takes a copy in one block, whose size is a power of two. */
static uint64_t bytes_of(const struct image *img, uint64_t size)
{
	uint64_t block = 1;

	while (img->version < 2 && block < size)
		block <<= 1;
	return size + (img->version < 2 ? block : 0);
}

/* A pin is a wish that only the machine can refuse, and here the machine is made. */
static int check_pins(const char *path, const struct vm_plan *plan, uint64_t cpus)
{
	for (uint32_t i = 0; i < plan->cores; i++) {
		if (plan->cpu[i] == PLAN_ANY_CPU || plan->cpu[i] < cpus)
			continue;
		cli_error("%s: refused: %s: core %u asks for CPU %u, and the machine gets CPUs 0 to %llu; --cpus=%u makes it",
			  path, image_err_text(IMG_ERR_HOST_CPU), i, plan->cpu[i], (unsigned long long)cpus - 1, plan->cpu[i] + 1);
		return CLI_REFUSED;
	}
	return CLI_GOOD;
}

/* Adds what one image needs of the machine; refuses one that Vouch would refuse. */
static int add_need(struct entry *e, size_t i, const char *path, uint64_t cpus, uint64_t *mib)
{
	struct facts *f = cli_alloc(sizeof(*f));
	int status = entry_judge_image(e, i, path, f);

	if (status == CLI_GOOD)
		status = check_pins(path, &f->plan, cpus);
	if (status == CLI_GOOD) {
		entry_warn_level(e, path, &f->o->img);
		*mib += f->plan.memory_mib + (bytes_of(&f->o->img, f->o->source.size) >> 20) + 1;
	}
	facts_release(f);
	free(f);
	return status;
}

/* What Vouch would refuse, the boot as a whole or an image, is not started; the rest says how much memory is needed. */
static int judge_boot(struct run *r, size_t images)
{
	struct entry *e = cli_alloc(sizeof(*e));
	int status = entry_judge(e, "run", r->iso.cmdline, r->iso.policy, images);
	uint64_t need = HOST_MIB;

	for (size_t i = 0; i < images && status == CLI_GOOD; i++)
		status = add_need(e, i, r->iso.images[i], r->cpus, &need);
	if (status == CLI_GOOD && r->memory_mib == 0)
		r->memory_mib = need;
	entry_release(e);
	free(e);
	return status;
}

/* ------------------------------------------------------------------ QEMU */

/* A word as a shell takes it. */
static void show_word(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=:,./@%";

	if (*word && !word[strspn(word, plain)]) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	}
	putchar('\'');
}

static void show(char *const argv[])
{
	for (; *argv; argv++) {
		show_word(*argv);
		putchar(argv[1] ? ' ' : '\n');
	}
}

static int start_qemu(const struct run *r, const char *iso)
{
	bool kvm = r->accel == ACCEL_KVM || (r->accel == ACCEL_AUTO && kvm_usable());
	char *cpus = cli_asprintf("%llu", (unsigned long long)r->cpus);
	char *memory = cli_asprintf("%lluM", (unsigned long long)r->memory_mib);
	char *echr = cli_asprintf("%d", CONSOLE_ESCAPE);
	char *control = r->control ? cli_asprintf("unix:%s,server=on,wait=off", r->control) : NULL;
	char *path = cli_strdup(iso), *cpu = cli_strdup(r->cpu ? r->cpu : kvm ? "host" : TCG_CPU);
	char *argv[] = {
		"qemu-system-x86_64", "-accel", kvm ? "kvm" : "tcg", "-cpu", cpu, "-smp", cpus,
		"-m", memory, "-nodefaults", "-vga", "none", "-display", "none", "-cdrom", path, "-serial", "mon:stdio",
		"-echr", echr, "-no-reboot", control ? "-serial" : NULL, control, NULL,
	};
	int status = CLI_GOOD;

	if (r->dry) {
		show(argv);
		status = cli_finish(CLI_GOOD);
	} else {
		fprintf(stderr, "vouch: starting QEMU (%s, %s CPU%s, %s); Ctrl-] X ends it\n", kvm ? "KVM" : "TCG",
			cpus, r->cpus == 1 ? "" : "s", memory);
		status = spawn_attached(argv);
	}
	free(cpus);
	free(memory);
	free(echr);
	free(control);
	free(path);
	free(cpu);
	return status;
}

/* ------------------------------------------------------------------ Bochs */

static int start_bochs(const struct run *r, int iso)
{
	struct bochs b = { .model = r->cpu ? r->cpu : BOCHS_MODEL, .cpus = r->cpus, .memory_mib = r->memory_mib,
			   .iso = iso };

	if (r->dry) {
		bochs_show(&b);
		return cli_finish(CLI_GOOD);
	}
	fprintf(stderr, "vouch: starting Bochs (%s, %llu CPU%s, %lluM); Ctrl-] X ends it\n", b.model,
		(unsigned long long)b.cpus, b.cpus == 1 ? "" : "s", (unsigned long long)b.memory_mib);
	return bochs_run(&b);
}

/* What the options say is checked before anything is made. */
static int check_bochs(const struct run *r)
{
	if (r->accel != ACCEL_AUTO) {
		cli_error("--accel is for QEMU");
		return cli_usage("run");
	}
	if (r->control) {
		cli_error("--control is for QEMU");
		return cli_usage("run");
	}
	if (r->cpu && !bochs_check_model(r->cpu)) {
		cli_error("'%s' is no name of a CPU model of Bochs; 'bochs-bin --help cpu' lists them", r->cpu);
		return cli_usage("run");
	}
	return CLI_GOOD;
}

static int check_bochs_memory(const struct run *r)
{
	if (r->memory_mib <= BOCHS_MAX_MIB)
		return CLI_GOOD;
	cli_error("%llu MiB are more than the %u that Bochs can have", (unsigned long long)r->memory_mib, BOCHS_MAX_MIB);
	return CLI_ENV;
}

/* ------------------------------------------------------------------ both */

/* A name for the ISO that no one else has. */
static char *temporary(void)
{
	const char *dir = getenv("TMPDIR");
	char *path = cli_asprintf("%s/vouch-run-XXXXXX", dir && *dir ? dir : "/tmp");
	int fd;

	cleanup_add(path);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return path;
	}
	cli_error("%s: cannot create: %s (TMPDIR names the folder)", path, strerror(errno));
	cleanup_forget(path);
	free(path);
	return NULL;
}

/* The ISO has lost its name before the emulator starts: however it or we end, it does not stay. It inherits fd. */
static int start_nameless(const struct run *r, int fd)
{
	char *path = cli_asprintf("/proc/self/fd/%d", fd);
	int status = r->bochs ? start_bochs(r, fd) : start_qemu(r, path);

	free(path);
	close(fd);
	return status;
}

static int boot(struct run *r)
{
	char *iso = temporary();
	int status, fd = -1;

	if (!iso)
		return CLI_ENV;
	r->iso.out = iso;
	status = mkiso_run(&r->iso);
	if (status == CLI_GOOD) {
		fd = open(iso, O_RDONLY);
		if (fd < 0) {
			cli_error("%s: cannot open: %s", iso, strerror(errno));
			status = CLI_ENV;
		}
	}
	unlink(iso);
	cleanup_forget(iso);
	free(iso);
	return status == CLI_GOOD ? start_nameless(r, fd) : status;
}

/* ------------------------------------------------------------------ the command line */

static int take_number(const char *text, const char *what, uint64_t max, uint64_t *value)
{
	if (cli_number(text, 1, max, value))
		return CLI_GO_ON;
	cli_error("%s '%s' is no number from 1 to %llu", what, text, (unsigned long long)max);
	return cli_usage("run");
}

static int take_accel(const char *text, enum accel *accel)
{
	static const char *const names[] = { [ACCEL_AUTO] = "auto", [ACCEL_KVM] = "kvm", [ACCEL_TCG] = "tcg" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*accel = (enum accel)i;
			return CLI_GO_ON;
		}
	}
	cli_error("accelerator '%s' is none of auto, kvm, tcg", text);
	return cli_usage("run");
}

static int take_emulator(const char *text, bool *bochs)
{
	*bochs = strcmp(text, "bochs") == 0;
	if (*bochs || strcmp(text, "qemu") == 0)
		return CLI_GO_ON;
	cli_error("emulator '%s' is none of qemu, bochs", text);
	return cli_usage("run");
}

/* QEMU reads a list there. */
static int take_control(struct run *r, const char *path)
{
	if (*path && !strchr(path, ',')) {
		r->control = path;
		return CLI_GO_ON;
	}
	cli_error("control port '%s': a path without commas is wanted", path);
	return cli_usage("run");
}

/* QEMU takes away what has the name before it makes the socket, whatever it is; only an old socket is worth nothing. */
static int check_control(const char *path)
{
	struct stat st;

	if (!path || (lstat(path, &st) != 0 && errno == ENOENT))
		return CLI_GOOD;
	if (lstat(path, &st) != 0) {
		cli_error("%s: cannot make the control port there: %s", path, strerror(errno));
		return CLI_ENV;
	}
	if (S_ISSOCK(st.st_mode))
		return CLI_GOOD;
	cli_error("%s: exists and is no socket; QEMU would delete it: name another one with --control", path);
	return CLI_USAGE;
}

static int take_option(int option, struct run *r)
{
	switch (option) {
	case 'e':
		return take_emulator(optarg, &r->bochs);
	case 'u':
		r->cpu = optarg;
		return CLI_GO_ON;
	case 'n':
		return take_number(optarg, "number of CPUs", MAX_CPUS, &r->cpus);
	case 'm':
		return take_number(optarg, "memory size", MAX_MIB, &r->memory_mib);
	case 'c':
		r->iso.cmdline = optarg;
		return entry_check_words(optarg) == CLI_GOOD ? CLI_GO_ON : cli_usage("run");
	case 'a':
		return take_accel(optarg, &r->accel);
	case 'C':
		return take_control(r, optarg);
	case 'p':
		r->iso.policy = optarg;
		return CLI_GO_ON;
	case 'g':
		return guestwords_take(&r->iso.words, optarg, "run");
	case 'H':
		r->iso.hypervisor = optarg;
		return CLI_GO_ON;
	case 'd':
		r->dry = true;
		return CLI_GO_ON;
	default:
		return cli_common_option(option, "run", help);
	}
}

static int make_and_boot(struct run *r)
{
	int status = r->bochs ? bochs_need() : spawn_need("qemu-system-x86_64", "qemu-system-x86");

	return status == CLI_GOOD ? boot(r) : status;
}

int command_run(int argc, char **argv)
{
	struct run r = { .cpus = 1, .iso = { .cmdline = "end=poweroff" } };
	int option, status = CLI_GO_ON;
	char *cmdline = NULL;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "e:u:n:m:c:C:p:a:g:H:dhV", options, NULL)) != -1)
		status = take_option(option, &r);
	if (status != CLI_GO_ON)
		return status;
	r.iso.images = argv + optind;
	if (argc == optind) {
		cli_error("no image given");
		return cli_usage("run");
	}
	status = guestwords_check(&r.iso.words, (size_t)(argc - optind), "run");
	if (status != CLI_GO_ON)
		return status;
	if (r.control)
		r.iso.cmdline = cmdline = cli_asprintf("%s control=com2", r.iso.cmdline);
	status = r.bochs ? check_bochs(&r) : CLI_GOOD;
	if (status == CLI_GOOD)
		status = check_control(r.control);
	if (status == CLI_GOOD)
		status = judge_boot(&r, (size_t)(argc - optind));
	if (status == CLI_GOOD && r.bochs)
		status = check_bochs_memory(&r);
	if (status == CLI_GOOD && r.dry)
		status = r.bochs ? start_bochs(&r, -1) : start_qemu(&r, "ISO");
	else if (status == CLI_GOOD)
		status = make_and_boot(&r);
	free(cmdline);
	return status;
}
