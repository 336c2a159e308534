/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena of the crypto library: aligned, zeroed, apart from each other, bounded, and used again after a free. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/lib.h>

#include "loader/crypto_memory.h"

#define SIZE 4096
#define MANY 512

static _Alignas(16) uint8_t memory[SIZE + 16];

static int begin(void **state)
{
	(void)state;
	memset(memory, 0xa5, sizeof(memory));
	lib_enter();
	crypto_memory_begin(memory, SIZE);
	return 0;
}

static int end(void **state)
{
	(void)state;
	crypto_memory_end();
	lib_exit();
	for (size_t i = SIZE; i < sizeof(memory); i++)
		assert_int_equal(memory[i], 0xa5);
	return 0;
}

static void zeroed_and_aligned(void **state)
{
	(void)state;
	for (size_t size = 0; size < 100; size += 7) {
		uint8_t *p = crypto_calloc(size, 1);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
		crypto_free(p);
	}
}

/* Takes until nothing is left; each block keeps what was written into it. */
static size_t fill(uint8_t **block, size_t size)
{
	size_t n = 0;

	while (n < MANY && (block[n] = crypto_calloc(1, size)) != NULL)
		memset(block[n], (int)n & 0xff, size), n++;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < size; k++)
			assert_int_equal(block[i][k], i & 0xff);
	}
	return n;
}

static void bounded_and_used_again(void **state)
{
	uint8_t *block[MANY];
	size_t first, second;

	(void)state;
	first = fill(block, 40);
	assert_in_range(first, 30, SIZE / 64);
	assert_null(crypto_calloc(1, 40));
	for (size_t i = 0; i < first; i++)
		crypto_free(block[i]);
	second = fill(block, 64);
	assert_int_equal(first, second);
	crypto_free(block[0]);
	assert_ptr_equal(crypto_calloc(4, 16), block[0]);
}

static void too_much(void **state)
{
	(void)state;
	assert_null(crypto_calloc(1, SIZE));
	assert_null(crypto_calloc(1, 1ul << 40));
	assert_null(crypto_calloc(1ul << 32, 1ul << 32));
	assert_null(crypto_calloc(SIZE_MAX, 2));
	assert_null(crypto_calloc(1, SIZE_MAX));
	crypto_free(NULL);
	assert_non_null(crypto_calloc(1, 1));
}

static void none_without_an_arena(void **state)
{
	(void)state;
	crypto_memory_end();
	assert_null(crypto_calloc(1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(zeroed_and_aligned, begin, end),
		cmocka_unit_test_setup_teardown(bounded_and_used_again, begin, end),
		cmocka_unit_test_setup_teardown(too_much, begin, end),
		cmocka_unit_test_setup_teardown(none_without_an_arena, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
