/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot loader's information: what GRUB sends, and what nobody should. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/boot_info.h>

static uint8_t tags[65536];
static uint32_t used;
static struct boot_info info;
static uint32_t at;

static void put32(uint32_t off, uint32_t v)
{
	memcpy(tags + off, &v, 4);
}

static void put64(uint32_t off, uint64_t v)
{
	memcpy(tags + off, &v, 8);
}

/* Adds a tag and returns where it stands; its size may be changed by the test. */
static uint32_t add(uint32_t type, const void *body, uint32_t len)
{
	uint32_t off = used;

	put32(off, type);
	put32(off + 4, len + 8);
	if (len)
		memcpy(tags + off + 8, body, len);
	used = off + 8 + (len + 7) / 8 * 8;
	put32(0, used);
	return off;
}

static uint32_t add_string(uint32_t type, const char *s)
{
	return add(type, s, (uint32_t)strlen(s) + 1);
}

static uint32_t add_module(uint32_t start, uint32_t end, const char *s)
{
	uint8_t body[1024];

	memcpy(body, &start, 4);
	memcpy(body + 4, &end, 4);
	strcpy((char *)body + 8, s);
	return add(3, body, 8 + (uint32_t)strlen(s) + 1);
}

static uint32_t add_mmap(unsigned int count)
{
	static uint8_t body[8 + (BOOT_MEM_MAX + 1) * 24];
	uint32_t off, step = 24;

	memset(body, 0, sizeof(body));
	memcpy(body, &step, 4);
	off = add(6, body, 8 + 24 * count);
	for (unsigned int i = 0; i < count; i++) {
		put64(off + 16 + 24 * i, (uint64_t)i << 32);
		put64(off + 24 + 24 * i, 0x1000);
		put32(off + 32 + 24 * i, 1);
	}
	return off;
}

static int start(void **state)
{
	(void)state;
	memset(tags, 0, sizeof(tags));
	used = 8;
	put32(0, used);
	info.info = hpa(0x9000);
	return 0;
}

/* ASan sees a read beyond the copy. */
static enum mb2_err parse(uint64_t len)
{
	uint8_t *copy = malloc(len);
	enum mb2_err e;

	if (len)
		memcpy(copy, tags, len);
	e = mb2_parse(&info, copy, len, &at);
	free(copy);
	return e;
}

static void end_and_expect(enum mb2_err e, uint32_t where)
{
	add(0, NULL, 0);
	assert_int_equal(parse(used), e);
	assert_int_equal(at, where);
}

static void whole(void **state)
{
	uint32_t base = 0x200000, rsdp;
	uint8_t acpi[36];

	(void)state;
	add_string(1, "console=com1");
	add_string(2, "GRUB 2.06");
	add_module(0x100000, 0x100100, "");
	add_module(0x300000, 0x300000, "guest");
	add_mmap(3);
	memset(acpi, 'o', sizeof(acpi));
	add(14, acpi, 20);
	memset(acpi, 'n', sizeof(acpi));
	rsdp = add(15, acpi, 36);
	add(21, &base, 4);
	add(99, "unknown", 7);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	assert_string_equal(info.cmdline, "console=com1");
	assert_string_equal(info.loader, "GRUB 2.06");
	assert_int_equal(info.module_count, 2);
	assert_int_equal(info.module[0].start.v, 0x100000);
	assert_int_equal(info.module[0].len, 0x100);
	assert_string_equal(info.module[0].string, "");
	assert_int_equal(info.module[1].len, 0);
	assert_string_equal(info.module[1].string, "guest");
	assert_int_equal(info.mem_count, 3);
	assert_int_equal(info.mem[2].base.v, 2ull << 32);
	assert_int_equal(info.mem[2].len, 0x1000);
	assert_int_equal(info.mem[2].type, BOOT_MEM_RAM);
	assert_int_equal(info.rsdp_len, 36);
	assert_memory_equal(info.rsdp_copy, acpi, 36);
	assert_int_equal(info.rsdp.v, 0x9000 + rsdp + 8);
	assert_int_equal(info.load_base.v, 0x200000);
	assert_int_equal(info.info.v, 0x9000);
	assert_int_equal(info.info_len, used);
	/* What lies behind the total size is not looked at. */
	assert_int_equal(parse(used + 100), MB2_OK);
}

static void any_cut(void **state)
{
	uint32_t len;

	(void)state;
	whole(state);
	len = used;
	for (uint32_t cut = 0; cut < len; cut++) {
		assert_int_equal(parse(cut), MB2_BAD_SIZE);
		if (cut >= 8) {
			put32(0, cut);
			assert_int_not_equal(parse(cut), MB2_OK);
			put32(0, len);
		}
	}
}

static void old_rsdp_alone(void **state)
{
	uint8_t acpi[36];

	(void)state;
	memset(acpi, 'o', sizeof(acpi));
	add_mmap(1);
	add(14, acpi, 20);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	assert_int_equal(info.rsdp_len, 20);
	/* An old one after the new one changes nothing. */
	start(state);
	add_mmap(1);
	memset(acpi, 'n', sizeof(acpi));
	add(15, acpi, 36);
	memset(acpi, 'o', sizeof(acpi));
	add(14, acpi, 20);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	assert_int_equal(info.rsdp_len, 36);
	assert_int_equal(info.rsdp_copy[0], 'n');
}

static void short_tags(void **state)
{
	static const struct { uint32_t type, len; } bad[] = { { 3, 7 }, { 6, 7 }, { 14, 19 }, { 15, 35 }, { 21, 3 },
							      { 1, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(state);
		add(bad[i].type, tags + 1000, bad[i].len);
		end_and_expect(MB2_BAD_TAG, 8);
	}
}

static void tag_sizes(void **state)
{
	static const uint32_t bad[] = { 0, 7, 1000, 0x7fffffff, UINT32_MAX, UINT32_MAX - 7 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(state);
		add_mmap(1);
		put32(add(77, "x", 1) + 4, bad[i]);
		end_and_expect(MB2_BAD_TAG, 8 + 16 + 24);
	}
}

static void total_size(void **state)
{
	(void)state;
	add_mmap(1);
	add(0, NULL, 0);
	put32(0, 7);
	assert_int_equal(parse(used), MB2_BAD_SIZE);
	put32(0, used + 1);
	assert_int_equal(parse(used), MB2_BAD_SIZE);
	put32(0, UINT32_MAX);
	assert_int_equal(parse(used), MB2_BAD_SIZE);
}

static void no_end(void **state)
{
	(void)state;
	add_mmap(1);
	assert_int_equal(parse(used), MB2_NO_END);
	assert_int_equal(at, used);
}

static void no_memory_map(void **state)
{
	(void)state;
	end_and_expect(MB2_NO_MEMORY_MAP, 8);
	start(state);
	/* A map of nothing is none. */
	put64(add_mmap(1) + 24, 0);
	end_and_expect(MB2_NO_MEMORY_MAP, 8 + 16 + 24);
}

static void memory_entries(void **state)
{
	uint32_t m;

	(void)state;
	m = add_mmap(2);
	put64(m + 16, UINT64_MAX - 0xfff);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	put64(m + 24, 0x1001);
	assert_int_equal(parse(used), MB2_BAD_TAG);
	put64(m + 24, 0x1000);
	/* The distance of the entries: too small, not aligned, not a divisor. */
	for (uint32_t step = 0; step < 60; step++) {
		put32(m + 8, step);
		assert_int_equal(parse(used), step == 24 || step == 48 ? MB2_OK : MB2_BAD_TAG);
	}
}

static void second_map(void **state)
{
	(void)state;
	add_mmap(1);
	add_mmap(1);
	end_and_expect(MB2_BAD_TAG, 8 + 16 + 24);
}

static void much_memory(void **state)
{
	(void)state;
	add_mmap(BOOT_MEM_MAX);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	start(state);
	add_mmap(BOOT_MEM_MAX + 1);
	end_and_expect(MB2_TOO_MANY_MEMORY, 8);
}

static void many_modules(void **state)
{
	uint32_t last = 0;

	(void)state;
	add_mmap(1);
	for (int i = 0; i <= BOOT_MODULES_MAX; i++)
		last = add_module(0x1000, 0x2000, "m");
	end_and_expect(MB2_TOO_MANY_MODULES, last);
}

static void module_backwards(void **state)
{
	(void)state;
	add_module(0x2000, 0x1fff, "");
	end_and_expect(MB2_BAD_MODULE, 8);
}

static void strings(void **state)
{
	char s[BOOT_CMDLINE_MAX + 2];
	uint32_t off;

	memset(s, 'x', sizeof(s));
	s[BOOT_CMDLINE_MAX + 1] = '\0';
	add_string(1, s);
	end_and_expect(MB2_STRING_TOO_LONG, 8);
	start(state);
	add_string(1, s + 1);
	add_mmap(1);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	assert_string_equal(info.cmdline, s + 1);
	start(state);
	s[BOOT_STRING_MAX + 1] = '\0';
	add_module(0, 0, s);
	end_and_expect(MB2_STRING_TOO_LONG, 8);
	start(state);
	add_module(0, 0, s + 1);
	add_string(2, s);
	add_mmap(1);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	assert_string_equal(info.module[0].string, s + 1);
	assert_int_equal(strlen(info.loader), sizeof(info.loader) - 1);
	/* Without its NUL. */
	start(state);
	off = add_string(1, "abcdefg");
	put32(off + 4, 8 + 7);
	end_and_expect(MB2_BAD_TAG, 8);
}

struct fb {
	uint64_t base;
	uint32_t pitch, width, height;
	uint8_t bpp, type, reserved[2], colours[6];
} __attribute__((packed));

static const struct fb good_rgb = { 0x80000000, 5120, 1280, 800, 32, 1, { 0 }, { 16, 8, 8, 8, 0, 8 } };
static const struct fb good_text = { 0xb8000, 160, 80, 25, 16, 2, { 0 }, { 0 } };

static enum boot_screen_kind screen_of(struct fb f, uint32_t len)
{
	start(NULL);
	add(8, &f, len);
	add_mmap(1);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	return info.screen.kind;
}

#define RGB_WITH(...) ({ struct fb f = good_rgb; f.__VA_ARGS__; screen_of(f, sizeof(f)); })
#define TEXT_WITH(...) ({ struct fb f = good_text; f.__VA_ARGS__; screen_of(f, 24); })

static void screens(void **state)
{
	(void)state;
	add_mmap(1);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	assert_int_equal(info.screen.kind, BOOT_SCREEN_NONE);
	assert_int_equal(screen_of(good_rgb, sizeof(good_rgb)), BOOT_SCREEN_RGB);
	assert_int_equal(info.screen.base.v, 0x80000000);
	assert_int_equal(info.screen.pitch, 5120);
	assert_int_equal(info.screen.width, 1280);
	assert_int_equal(info.screen.height, 800);
	assert_int_equal(info.screen.bpp, 32);
	assert_int_equal(info.screen.red.pos, 16);
	assert_int_equal(info.screen.green.pos, 8);
	assert_int_equal(info.screen.blue.size, 8);
	assert_int_equal(screen_of(good_text, 24), BOOT_SCREEN_TEXT);
	assert_int_equal(info.screen.pitch, 160);
}

static void screens_unusable(void **state)
{
	(void)state;
	assert_int_equal(RGB_WITH(type = 0), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(type = 3), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(bpp = 8), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(bpp = 0), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(bpp = 24), BOOT_SCREEN_RGB);
	assert_int_equal(RGB_WITH(bpp = 16), BOOT_SCREEN_UNUSABLE);	/* red does not fit */
	assert_int_equal(RGB_WITH(width = 0), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(height = 0), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(width = 0x40000001), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(height = 16385), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(height = 16384), BOOT_SCREEN_RGB);
	assert_int_equal(RGB_WITH(pitch = 5119), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(pitch = 65537), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(colours[0] = 25), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(colours[2] = 255), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(colours[5] = 0), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(colours[5] = 17), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(base = 0), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(base = UINT64_MAX), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(base = (1ull << 52) - 5120 * 800), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(RGB_WITH(base = (1ull << 52) - 5120 * 800 - 1), BOOT_SCREEN_RGB);
	assert_int_equal(TEXT_WITH(pitch = 159), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(TEXT_WITH(pitch = 161), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(TEXT_WITH(pitch = 512), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(TEXT_WITH(width = 0), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(TEXT_WITH(width = 0x80000001), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(TEXT_WITH(height = 256), BOOT_SCREEN_UNUSABLE);
	assert_int_equal(TEXT_WITH(base = 0xb8001), BOOT_SCREEN_UNUSABLE);
}

static void screen_tag_short(void **state)
{
	(void)state;
	add(8, &good_text, 23);
	end_and_expect(MB2_BAD_TAG, 8);
	start(state);
	add(8, &good_rgb, 29);
	end_and_expect(MB2_BAD_TAG, 8);
}

static void efi_services(void **state)
{
	(void)state;
	add_mmap(1);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	assert_false(info.efi_services);
	start(state);
	add(18, NULL, 0);
	add_mmap(1);
	add(0, NULL, 0);
	assert_int_equal(parse(used), MB2_OK);
	assert_true(info.efi_services);
}

static void texts(void **state)
{
	(void)state;
	for (int i = MB2_OK; i <= MB2_STRING_TOO_LONG; i++)
		assert_true(strlen(mb2_err_text((enum mb2_err)i)) > 5);
	assert_string_equal(mb2_err_text((enum mb2_err)99), "unknown error");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, start)
	const struct CMUnitTest tests[] = {
		T(whole), T(any_cut), T(old_rsdp_alone), T(short_tags), T(tag_sizes), T(total_size), T(no_end),
		T(no_memory_map), T(memory_entries), T(second_map), T(much_memory), T(many_modules),
		T(module_backwards), T(strings), T(screens), T(screens_unusable),
		T(screen_tag_short), T(efi_services), T(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
