/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of refusals: docs/image-format.md has one row for each, with the very text, and no other; texts are distinct;
 * and some unit test of the loader names each value. Run from the top folder.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/image_parse.h>

static const char *const names[] = {
#define X(value, text) #value,
	IMAGE_ERRORS(X)
#undef X
};

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t size;
	char *s;

	if (!f)
		fail_msg("cannot open %s", path);
	fseek(f, 0, SEEK_END);
	size = (size_t)ftell(f);
	rewind(f);
	s = malloc(size + 1);
	assert_non_null(s);
	assert_int_equal(fread(s, 1, size, f), size);
	s[size] = '\0';
	fclose(f);
	return s;
}

static void documented(void **state)
{
	char *doc = read_whole("docs/image-format.md");
	unsigned int rows = 0;

	(void)state;
	for (unsigned int i = IMG_OK + 1; i < IMG_ERR_COUNT; i++) {
		char row[256];

		snprintf(row, sizeof(row), "\n| `%s` | %s |", names[i], image_err_text((enum image_err)i));
		if (!strstr(doc, row))
			fail_msg("docs/image-format.md lacks the row%s", row);
	}
	for (const char *at = doc; (at = strstr(at, "\n| `IMG_ERR_")); at++)
		rows++;
	assert_int_equal(rows, IMG_ERR_COUNT - 1);
	free(doc);
}

static void distinct(void **state)
{
	(void)state;
	assert_int_equal(IMG_OK, 0);
	for (unsigned int i = 0; i < IMG_ERR_COUNT; i++) {
		const char *text = image_err_text((enum image_err)i);

		assert_true(strlen(text) > 4 && strlen(text) < 60);
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(text, image_err_text((enum image_err)k));
	}
	assert_string_equal(image_err_text(IMG_ERR_COUNT), "unknown error");
}

/* Is name, as a whole word, in s? */
static int has_word(const char *s, const char *name)
{
	size_t len = strlen(name);

	for (; (s = strstr(s, name)); s++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", s[len]))
			return 1;
	}
	return 0;
}

static void tested(void **state)
{
	static const char *const files[] = {
		"tests/unit/test_image.c", "tests/unit/test_image2.c", "tests/unit/test_manifest.c",
		"tests/unit/test_config.c", "tests/unit/test_bzimage.c",
	};
	char *source[ARRAY_SIZE(files)];

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(files); f++)
		source[f] = read_whole(files[f]);
	/* Policies and host memory are not the loader's: their own tests have them. */
	for (unsigned int i = IMG_OK + 1; i < IMG_ERR_POLICY; i++) {
		int found = 0;

		for (size_t f = 0; f < ARRAY_SIZE(files); f++)
			found |= has_word(source[f], names[i]);
		if (!found)
			fail_msg("no test for %s", names[i]);
	}
	for (size_t f = 0; f < ARRAY_SIZE(files); f++)
		free(source[f]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented), cmocka_unit_test(distinct), cmocka_unit_test(tested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
