/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bochs as Debian builds it: with the debugger in it, told to continue by a file of commands, and its display on a pseudo
 * terminal of its own, which must be read or Bochs waits for ever. The first serial port is another pseudo terminal,
 * joined to ours. Configuration, commands and log are files without a name: nothing can stay behind.
 */
#include "bochs.h"

#include "common/bytes.h"
#include "common/cli.h"
#include "common/file.h"
#include "common/spawn.h"
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM  "bochs-bin"
#define BIOS     "/usr/share/bochs/BIOS-bochs-latest"
#define VGA_BIOS "/usr/share/bochs/VGABIOS-lgpl-latest"
#define DISPLAY  "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so"

/* What Bochs prints: where its screen is, its last words, the power switch, and each reset, the first at its start. */
#define SCREEN_WORDS "Bochs connected to screen \""
#define LAST_WORDS   "Bochs is exiting with the following message:\n"
#define OFF_WORDS    "[ACPI  ] ACPI control: soft power off"
#define RESET_WORDS  "bx_pc_system_c::Reset("

#define TICK_MS   100                 /* how long a reset may go unseen */
#define SAID_MAX  65536               /* bytes kept of what it prints; more is dropped */
#define INPUT_MAX 256

struct machine {
	struct console console;
	int serial;                   /* our end of the first serial port */
	int errors;                   /* what Bochs prints; its end is Bochs' end */
	int screen;                   /* -1 until Bochs has said where it is */
	int log;
	off_t log_at;
	unsigned int resets;
	pid_t pid;
	struct bytes said;
	char input[INPUT_MAX];        /* typed, not yet taken by the serial port */
	size_t input_len;
	bool quit, lost;              /* the user wants to leave; our standard output is gone */
};

bool bochs_check_model(const char *text)
{
	return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

int bochs_need(void)
{
	int status = spawn_need(PROGRAM, "bochs");

	if (status == CLI_GOOD)
		status = spawn_need_file(DISPLAY, "bochs-term");
	if (status == CLI_GOOD)
		status = spawn_need_file(BIOS, "bochsbios");
	if (status == CLI_GOOD)
		status = spawn_need_file(VGA_BIOS, "vgabios");
	return status;
}

/* ------------------------------------------------------------------ the configuration */

/*
 * slowdown: an idle machine waits in real time instead of racing through its timers. ignore_bad_msrs=0: MSRs that the CPU
 * lacks raise #GP. No VBE: Bochs' display ends the machine at the first graphics mode.
 */
static char *config(const struct bochs *b, const char *iso, const char *serial, const char *log)
{
	unsigned long long memory = b->memory_mib, cpus = b->cpus;

	return cli_asprintf("config_interface: textconfig\n"
			    "display_library: term\n"
			    "cpu: model=%s, count=%llu, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=0\n"
			    "memory: guest=%llu, host=%llu\n"
			    "romimage: file=" BIOS "\n"
			    "vgaromimage: file=" VGA_BIOS "\n"
			    "vga: extension=none\n"
			    "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
			    "ata0-master: type=cdrom, path=%s, status=inserted\n"
			    "boot: cdrom\n"
			    "com1: enabled=1, mode=term, dev=%s\n"
			    "clock: sync=slowdown, time0=utc\n"
			    "log: %s\n"
			    "panic: action=fatal\n"
			    "error: action=ignore\n"
			    "info: action=report\n"
			    "debug: action=ignore\n"
			    "plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, iodebug=0\n"
			    "speaker: enabled=0\n"
			    "pci: enabled=1, chipset=i440fx\n",
			    b->model, cpus, memory, memory, iso, serial, log);
}

void bochs_show(const struct bochs *b)
{
	char *text = config(b, "ISO", "TERMINAL", "LOG");

	printf(PROGRAM " -q -f CONFIGURATION -rc COMMANDS\n\nCONFIGURATION:\n%s\nCOMMANDS:\nc\n", text);
	free(text);
}

/* A file without a name that Bochs inherits, and its name there (to be freed); -1 after a message. */
static int nameless(const char *text, char **path)
{
	int fd = memfd_create("bochs", 0);

	*path = NULL;
	if (fd < 0 || file_write_fd(fd, text, strlen(text))) {
		cli_error("cannot hold a file for Bochs: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*path = cli_asprintf("/proc/self/fd/%d", fd);
	return fd;
}

/* ------------------------------------------------------------------ what it says */

static const char *said_behind(const struct machine *m, const char *words)
{
	const char *at = m->said.data ? strstr(m->said.data, words) : NULL;

	return at ? at + strlen(words) : NULL;
}

static void find_screen(struct machine *m)
{
	const char *name = said_behind(m, SCREEN_WORDS);
	const char *end = name ? strchr(name, '"') : NULL;
	char path[64];

	if (!end || (size_t)(end - name) >= sizeof(path))
		return;
	memcpy(path, name, (size_t)(end - name));
	path[end - name] = '\0';
	m->screen = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (m->screen >= 0)
		console_make_raw(m->screen);
}

/* False at its end. */
static bool hear(struct machine *m)
{
	char text[4096];
	ssize_t len = read(m->errors, text, sizeof(text));

	if (len < 0)
		return errno == EINTR || errno == EAGAIN;
	if (len > 0 && m->said.len + (size_t)len < SAID_MAX) {
		/* Terminated for strstr(), by a byte that the next piece replaces. */
		bytes_add(&m->said, text, (size_t)len);
		bytes_add(&m->said, "", 1);
		m->said.len--;
	}
	if (len > 0 && m->screen < 0)
		find_screen(m);
	return len > 0;
}

/* Whole lines of the log that are new since last time. */
static void count_resets(struct machine *m)
{
	char text[4096 + 1];
	ssize_t len;

	while ((len = pread(m->log, text, sizeof(text) - 1, m->log_at)) > 0) {
		char *end;

		text[len] = '\0';
		end = strrchr(text, '\n');
		if (!end && len < (ssize_t)sizeof(text) - 1)
			return;
		if (end)
			end[1] = '\0';
		for (const char *at = text; (at = strstr(at, RESET_WORDS)); at++)
			m->resets++;
		m->log_at += end ? end + 1 - text : len;
	}
}

/* ------------------------------------------------------------------ between two terminals */

static void show_output(struct machine *m)
{
	char text[4096];
	ssize_t len = read(m->serial, text, sizeof(text));

	if (len > 0 && file_write_fd(STDOUT_FILENO, text, (size_t)len))
		m->lost = true;
}

static void take_input(struct machine *m)
{
	enum console_key key = console_read(&m->console, m->input, sizeof(m->input), &m->input_len);

	if (key == CONSOLE_QUIT)
		m->quit = true;
}

static void pass_input(struct machine *m)
{
	ssize_t len = write(m->serial, m->input, m->input_len);

	if (len <= 0)
		return;
	memmove(m->input, m->input + len, m->input_len - (size_t)len);
	m->input_len -= (size_t)len;
}

static void drain(int fd)
{
	char text[4096];

	while (read(fd, text, sizeof(text)) > 0)
		;
}

/* Until Bochs has ended, was reset, or nobody wants it any more. */
static void attend(struct machine *m)
{
	bool alive = true;

	while (alive && !m->quit && !m->lost && m->resets < 2) {
		struct pollfd fds[] = {
			{ .fd = m->serial, .events = (short)(POLLIN | (m->input_len ? POLLOUT : 0)) },
			{ .fd = m->errors, .events = POLLIN },
			{ .fd = m->input_len ? -1 : console_fd(&m->console), .events = POLLIN },
			{ .fd = m->screen, .events = POLLIN },
		};

		if (poll(fds, ARRAY_SIZE(fds), TICK_MS) < 0 && errno != EINTR)
			break;
		if (fds[0].revents & POLLIN)
			show_output(m);
		if (fds[0].revents & POLLOUT)
			pass_input(m);
		if (fds[1].revents)
			alive = hear(m);
		if (fds[2].revents)
			take_input(m);
		if (fds[3].revents)
			drain(m->screen);
		count_resets(m);
	}
}

/* ------------------------------------------------------------------ start and end */

/* Opens a pseudo terminal for the serial port; the far end stays open too, so that the near one never hangs up. */
static bool open_serial(struct machine *m, int *far, char *name, size_t size)
{
	m->serial = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	*far = -1;
	if (m->serial >= 0 && grantpt(m->serial) == 0 && unlockpt(m->serial) == 0 && ptsname_r(m->serial, name, size) == 0)
		*far = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*far >= 0 && console_make_raw(*far) == 0)
		return true;
	cli_error("cannot open a pseudo terminal: %s", strerror(errno));
	if (m->serial >= 0)
		close(m->serial);
	if (*far >= 0)
		close(*far);
	return false;
}

/* Last words to the first end of line, without a newline; "" if there are none. */
static void copy_last_words(const struct machine *m, char *dst, size_t size)
{
	const char *words = said_behind(m, LAST_WORDS);

	snprintf(dst, size, "%.*s", words ? (int)strcspn(words, "\n") : 0, words ? words : "");
}

static int judge(const struct machine *m)
{
	char words[256];

	copy_last_words(m, words, sizeof(words));
	if (m->quit || m->resets > 1)
		return CLI_GOOD;
	if (m->lost)
		cli_error("standard output: cannot write");
	else if (strncmp(words, OFF_WORDS, strlen(OFF_WORDS)) == 0)
		return CLI_GOOD;
	else if (words[0])
		cli_error("Bochs ended: %s", words);
	else
		cli_error("Bochs ended and did not say why");
	return CLI_ENV;
}

static int attend_to_end(struct machine *m)
{
	struct pollfd serial = { .fd = m->serial, .events = POLLIN };

	console_open(&m->console);
	attend(m);
	spawn_end(m->pid);
	while (hear(m))
		;
	/* What it wrote last. */
	while (!m->lost && poll(&serial, 1, 0) > 0)
		show_output(m);
	console_close(&m->console);
	return judge(m);
}

static int start(struct machine *m, const char *config_path, const char *commands_path)
{
	char *const argv[] = { (char[]){ PROGRAM }, (char[]){ "-q" }, (char[]){ "-f" }, (char *)config_path,
			       (char[]){ "-rc" }, (char *)commands_path, NULL };
	int ends[2], status;

	if (pipe2(ends, O_CLOEXEC)) {
		cli_error("cannot make a pipe: %s", strerror(errno));
		return CLI_ENV;
	}
	m->errors = ends[0];
	m->pid = spawn_apart(argv, ends[1]);
	close(ends[1]);
	status = m->pid > 0 ? attend_to_end(m) : CLI_ENV;
	close(ends[0]);
	if (m->screen >= 0)
		close(m->screen);
	bytes_free(&m->said);
	return status;
}

static int run_with_files(const struct bochs *b, struct machine *m, const char *serial, const char *log_path)
{
	char *iso = cli_asprintf("/proc/self/fd/%d", b->iso), *text = config(b, iso, serial, log_path);
	char *config_path, *commands_path = NULL;
	int config_fd = nameless(text, &config_path), commands = config_fd >= 0 ? nameless("c\n", &commands_path) : -1;
	int status = CLI_ENV;

	if (commands >= 0) {
		status = start(m, config_path, commands_path);
		close(commands);
	}
	if (config_fd >= 0)
		close(config_fd);
	free(config_path);
	free(commands_path);
	free(text);
	free(iso);
	return status;
}

int bochs_run(const struct bochs *b)
{
	struct machine m = { .screen = -1 };
	char serial[64], *log_path;
	int far, status;

	if (!open_serial(&m, &far, serial, sizeof(serial)))
		return CLI_ENV;
	m.log = nameless("", &log_path);
	status = m.log >= 0 ? run_with_files(b, &m, serial, log_path) : CLI_ENV;
	if (m.log >= 0)
		close(m.log);
	free(log_path);
	close(far);
	close(m.serial);
	return status;
}
