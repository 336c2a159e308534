/* SPDX-License-Identifier: BSD-2-Clause */
/* Tao names: their exact text, and the binary form against vectors computed elsewhere. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <vouch/tao.h>

/* SHA-256 of "kernel", "initrd", "image" and "host". */
#define KERNEL "6923dd1bc0460082c5d55a831908c24a282860b7f1cd6c2b79cf1bc8857c639c"
#define INITRD "09e6c018d2c8c4903308613dd1b72484d57eadf12ec50ddc8f52e5accce470f2"
#define IMAGE  "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
#define HOST   "4740ae6347b0172c01254ff55bae5aff5199f4446e7f6d643d40185b3f475145"

static struct tao_guest guest(uint64_t number)
{
	struct tao_guest g = { .number = number };

	sha256_of("kernel", 6, g.kernel);
	sha256_of("initrd", 6, g.initrd);
	sha256_of("image", 5, g.image);
	return g;
}

static const uint8_t *host(void)
{
	static uint8_t digest[SHA256_LEN];

	sha256_of("host", 4, digest);
	return digest;
}

static void expect_text(const struct tao_guest *g, const uint8_t *key, enum tao_extent extent, const char *want)
{
	char text[TAO_TEXT_MAX];

	assert_int_equal(tao_text(text, sizeof(text), key, g, extent), strlen(want));
	assert_string_equal(text, want);
	/* What does not fit is not cut. */
	for (size_t size = 0; size <= strlen(want); size++)
		assert_int_equal(tao_text(text, size, key, g, extent), 0);
	assert_int_equal(tao_text(text, strlen(want) + 1, key, g, extent), strlen(want));
}

static void text(void **state)
{
	struct tao_guest g = guest(0);

	(void)state;
	expect_text(&g, NULL, TAO_KERNEL, ".CustomVM([" KERNEL "], [" INITRD "])");
	expect_text(&g, NULL, TAO_IMAGE, ".CustomVM([" KERNEL "], [" INITRD "]).VouchImage([" IMAGE "])");
	g.number = 7;
	expect_text(&g, NULL, TAO_KERNEL, ".CustomVM(7, [" KERNEL "], [" INITRD "])");
	expect_text(&g, host(), TAO_KERNEL, "key([" HOST "]).CustomVM(7, [" KERNEL "], [" INITRD "])");
	g.number = UINT64_MAX;
	expect_text(&g, host(), TAO_IMAGE, "key([" HOST "]).CustomVM(18446744073709551615, [" KERNEL "], [" INITRD "])"
		    ".VouchImage([" IMAGE "])");
}

static void expect_binary(uint64_t number, const uint8_t *key, enum tao_extent extent, size_t len, const char *want)
{
	struct tao_guest g = guest(number);
	uint8_t bytes[TAO_BINARY_MAX], digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	assert_int_equal(tao_binary(bytes, sizeof(bytes), key, &g, extent), len);
	sha256_of(bytes, len, digest);
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, want);
	for (size_t size = 0; size < len; size++)
		assert_int_equal(tao_binary(bytes, size, key, &g, extent), 0);
	assert_int_equal(tao_binary(bytes, len, key, &g, extent), len);
}

static void binary(void **state)
{
	static const uint8_t head[] = { 0x11, 1, 0x12, 8, 'C', 'u', 's', 't', 'o', 'm', 'V', 'M', 3, 5, 0xac, 2, 4, 0x20 };
	struct tao_guest g = guest(300);
	uint8_t bytes[TAO_BINARY_MAX];

	(void)state;
	expect_binary(0, NULL, TAO_KERNEL, 81, "55fa266907d67ad2a623fef5cf9acb1e962f31b531c5e62ce095056240283dc7");
	expect_binary(7, NULL, TAO_KERNEL, 83, "c66615e50311d0d4a9de6fd8a60bdd51a49b858d2d30cfd5433faeaf8dc816c3");
	expect_binary(300, NULL, TAO_KERNEL, 84, "ac8b1f3055c89944a2f4810373ac8e43651564ae63e4f64a622e592169385d41");
	assert_int_equal(tao_binary(bytes, sizeof(bytes), NULL, &g, TAO_KERNEL), 84);
	assert_memory_equal(bytes, head, sizeof(head));
	g.number = UINT64_MAX;
	assert_int_equal(tao_binary(bytes, sizeof(bytes), host(), &g, TAO_IMAGE), 39 + 81 + 11 + 47);
	assert_memory_equal(bytes + 39 + 14, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x04\x20", 12);
}

/* A full name: the host's key in front, two extensions. */
static void full_name(void **state)
{
	(void)state;
	expect_binary(0, host(), TAO_IMAGE, 167, "196a5849b983f4b8a0886536ddb2db27840e9af6cf984eb63795cf8cf149b269");
}

static void numbers(void **state)
{
	struct tao_guest g[5];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		g[i] = guest(99);
	/* Another initrd, another kernel: other guests. Another image alone is not. */
	g[1].initrd[0] ^= 1;
	g[2].kernel[31] ^= 1;
	g[3].image[0] ^= 1;
	for (size_t i = 0; i < 5; i++)
		tao_set_number(&g[i], g, i);
	assert_int_equal(g[0].number, 0);
	assert_int_equal(g[1].number, 0);
	assert_int_equal(g[2].number, 0);
	assert_int_equal(g[3].number, 1);
	assert_int_equal(g[4].number, 2);
	/* One that comes anew gets no number that another has. */
	g[3].kernel[0] ^= 1;
	g[1] = guest(99);
	tao_set_number(&g[1], (const struct tao_guest[]){ g[0], g[2], g[3], g[4] }, 4);
	assert_int_equal(g[1].number, 1);
}

static void both_forms(void **state)
{
	struct tao_guest g = guest(UINT64_MAX);
	struct tao_name n;

	(void)state;
	memset(&n, 0xff, sizeof(n));
	tao_make_name(&n, host(), &g);
	assert_true(n.has_host);
	assert_int_equal(n.text_len, strlen(n.text));
	assert_true(n.text_len > 300);
	assert_int_equal(n.binary_len, 39 + 81 + 11 + 47);
	assert_int_equal(n.binary[0], 1);
	tao_make_name(&n, NULL, &g);
	assert_false(n.has_host);
	assert_int_equal(n.binary_len, 81 + 11 + 47);
	assert_int_equal(n.text[0], '.');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text), cmocka_unit_test(binary), cmocka_unit_test(full_name), cmocka_unit_test(numbers),
		cmocka_unit_test(both_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
