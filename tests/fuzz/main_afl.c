/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main() of a fuzz target without libFuzzer: for AFL++, and to play files again with any compiler. With arguments,
 * each is a file to play, named on stdout first; without, the input is stdin, or AFL++'s shared memory if its compiler
 * built this. Ends by a signal or a sanitizer's status if the target finds fault.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of just the bytes there are, so that reading beyond them is seen. */
static void play(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int play_stream(FILE *f, const char *name)
{
	uint8_t *data = malloc(INPUT_MAX);
	size_t size;
	int bad;

	if (!data)
		abort();
	size = fread(data, 1, INPUT_MAX, f);
	bad = ferror(f) || !feof(f);
	if (bad)
		fprintf(stderr, "%s: cannot be read, or longer than %u bytes\n", name, INPUT_MAX);
	else
		play(data, size);
	free(data);
	return bad;
}

static int play_file(const char *name)
{
	FILE *f = fopen(name, "rb");
	int bad;

	if (!f) {
		perror(name);
		return 1;
	}
	printf("%s\n", name);
	fflush(stdout);
	bad = play_stream(f, name);
	fclose(f);
	return bad;
}

#ifdef __AFL_FUZZ_TESTCASE_LEN
__AFL_FUZZ_INIT();

static int play_stdin(void)
{
	const uint8_t *data;

	__AFL_INIT();
	data = __AFL_FUZZ_TESTCASE_BUF;
	while (__AFL_LOOP(10000))
		play(data, (size_t)__AFL_FUZZ_TESTCASE_LEN);
	return 0;
}
#else
static int play_stdin(void)
{
	return play_stream(stdin, "stdin");
}
#endif

int main(int argc, char **argv)
{
	int bad = 0;

	if (argc < 2)
		return play_stdin();
	for (int i = 1; i < argc; i++)
		bad |= play_file(argv[i]);
	return bad;
}
