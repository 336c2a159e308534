/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may read an output file of the tools, at every step of its making. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/common/cli.h"
#include "tools/common/outfile.h"

struct place {
	char dir[64], path[96];
};

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->dir, "/tmp/vouch-outfile-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/out", p->dir);
	umask(0022);
	*state = p;
	return 0;
}

/* The folder is empty but for the file itself: nothing temporary has stayed. */
static int remove_place(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

/* Opens, writes and commits; what is in the file is nobody else's until the very end. */
static void make(const struct place *p, mode_t set, mode_t want)
{
	struct outfile out;

	assert_int_equal(outfile_open_plain(&out, p->path), CLI_GOOD);
	assert_int_equal(mode_of(out.temp), 0600);
	if (set)
		out.mode = set;
	assert_int_equal(outfile_write(&out, "secret", 6), CLI_GOOD);
	assert_int_equal(outfile_write_at(&out, "S", 1, 0), CLI_GOOD);
	assert_int_equal(mode_of(out.temp), 0600);
	assert_int_equal(access(p->path, F_OK), -1);
	assert_int_equal(outfile_commit(&out, "name another"), CLI_GOOD);
	assert_int_equal(mode_of(p->path), want);
	assert_int_equal(unlink(p->path), 0);
}

static void private_until_the_end(void **state)
{
	make(*state, 0, 0644);
	make(*state, 0600, 0600);
	make(*state, 0400, 0400);
	make(*state, 0755, 0755);
}

static void whatever_the_mask(void **state)
{
	umask(0);
	make(*state, 0, 0666);
	make(*state, 0600, 0600);
	umask(0077);
	make(*state, 0, 0600);
	make(*state, 0755, 0755);
}

/* The old file stays as it is, permissions too, when nothing comes of the new one. */
static void old_file_stays(void **state)
{
	struct place *p = *state;
	struct outfile out;

	assert_int_equal(outfile_put(p->path, "old", 3), CLI_GOOD);
	assert_int_equal(chmod(p->path, 0600), 0);
	assert_int_equal(outfile_open(&out, p->path), CLI_GOOD);
	out.mode = 0644;
	outfile_abort(&out);
	assert_int_equal(mode_of(p->path), 0600);
	assert_int_equal(outfile_open(&out, p->path), CLI_GOOD);
	assert_int_equal(outfile_commit(&out, "name another"), CLI_ENV);
	assert_int_equal(mode_of(p->path), 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(private_until_the_end, make_place, remove_place),
		cmocka_unit_test_setup_teardown(whatever_the_mask, make_place, remove_place),
		cmocka_unit_test_setup_teardown(old_file_stays, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
