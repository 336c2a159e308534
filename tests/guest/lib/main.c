/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens before and after a test: the loader's data is saved, the command line split, traps caught. */
#include "guest.h"

#define OFF_E820_COUNT  0x1e8
#define OFF_CMDLINE     0x228
#define OFF_E820_TABLE  0x2d0
#define E820_MAX        128
#define CMDLINE_MAX     2048

extern u64 boot_params_gpa;
void guest_start(void);

u8 boot_params[4096];
bool expect_vouch;
static char cmdline[CMDLINE_MAX];

static void save_boot_params(void)
{
	u32 at;
	const char *text;
	unsigned int i;

	memcpy(boot_params, (const void *)boot_params_gpa, sizeof(boot_params));
	memcpy(&at, boot_params + OFF_CMDLINE, sizeof(at));
	text = (const char *)(u64)at;
	for (i = 0; at && i < CMDLINE_MAX - 1 && text[i]; i++)
		cmdline[i] = text[i];
}

/* Ends each word with a NUL, so that arg() can point into the line. */
static void split_cmdline(void)
{
	unsigned int i;

	for (i = 0; i < CMDLINE_MAX; i++)
		if (cmdline[i] == ' ' || cmdline[i] == '\n')
			cmdline[i] = 0;
}

const char *arg(const char *key)
{
	size_t n = strlen(key), i;

	for (i = 0; i < CMDLINE_MAX - 1; i += strlen(cmdline + i) + 1)
		if (!strncmp(cmdline + i, key, n) && cmdline[i + n] == '=')
			return cmdline + i + n + 1;
	return NULL;
}

bool arg_is(const char *key, const char *value)
{
	const char *v = arg(key);

	return v && !strcmp(v, value);
}

bool subtest(const char *name)
{
	const char *only = arg("only");

	return !only || !strcmp(only, name);
}

unsigned int e820_count(void)
{
	unsigned int n = boot_params[OFF_E820_COUNT];

	return n < E820_MAX ? n : E820_MAX;
}

struct e820 e820_entry(unsigned int i)
{
	struct e820 e;

	memcpy(&e, boot_params + OFF_E820_TABLE + i * sizeof(e), sizeof(e));
	return e;
}

void guest_start(void)
{
	save_boot_params();
	print("guest test %s: command line '%s'\n", test_name, cmdline);
	split_cmdline();
	expect_vouch = arg_is("expect", "vouch");
	trap_init();
	test_main();
	finish();
}
