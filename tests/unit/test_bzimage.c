/* SPDX-License-Identifier: BSD-2-Clause */
/* The header of a Linux kernel and the places in guest memory, each refusal with its value. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/bzimage.h>

#define MIB (1ull << 20)

static uint8_t head[BZ_HEAD_LEN];
static uint64_t file_size;
static struct bzimage bz;
static struct image_error err;

static void put(unsigned int off, unsigned int bytes, uint64_t v)
{
	for (unsigned int i = 0; i < bytes; i++)
		head[off + i] = (uint8_t)(v >> 8 * i);
}

/* A kernel like Debian's: 27 setup sectors, 7 MiB, to run at 16 MiB. */
static int make(void **state)
{
	(void)state;
	memset(head, 0, sizeof(head));
	file_size = 28 * 512 + 7 * MIB;
	put(0x1f1, 1, 27);
	put(0x1f4, 4, 7 * MIB / 16);
	put(0x1fe, 2, 0xaa55);
	put(0x200, 2, 0x6aeb);
	memcpy(head + 0x202, "HdrS", 4);
	put(0x206, 2, 0x20f);
	put(0x211, 1, 1);
	put(0x22c, 4, 0x7fffffff);
	put(0x230, 4, 0x200000);
	put(0x234, 1, 1);
	put(0x236, 2, 0x3f);
	put(0x238, 4, 2047);
	put(0x248, 4, 0x300);
	put(0x24c, 4, 6 * MIB);
	put(0x258, 8, 0x1000000);
	put(0x260, 4, 0x2e33000);
	return 0;
}

static void good(void **state)
{
	(void)state;
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	assert_int_equal(err.code, IMG_OK);
	assert_int_equal(bz.protocol, 0x20f);
	assert_int_equal(bz.setup_bytes, 28 * 512);
	assert_int_equal(bz.payload_bytes, 7 * MIB);
	assert_int_equal(bz.pref_address, 0x1000000);
	assert_int_equal(bz.init_size, 0x2e33000);
	assert_int_equal(bz.alignment, 0x200000);
	assert_true(bz.relocatable);
	assert_int_equal(bz.cmdline_max, 2047);
	assert_int_equal(bz.initrd_max, 0x7fffffff);
	assert_int_equal(bz.xloadflags, 0x3f);
	assert_int_equal(bz.header_end, 0x26c);
}

static void refused(enum image_err code, uint64_t off)
{
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), -1);
	assert_int_equal(err.code, code);
	assert_int_equal(err.offset, off);
}

/* Only as many bytes as the file has may be read: ASan watches the copy. */
static void too_short(void **state)
{
	(void)state;
	for (uint64_t size = 0; size < 0x264; size++) {
		uint8_t *part = malloc(size);

		if (size)
			memcpy(part, head, size);
		assert_int_equal(bzimage_parse(&bz, part, size, &err), -1);
		assert_int_equal(err.code, IMG_ERR_BZ_SHORT);
		free(part);
	}
	file_size = 0x264;
	refused(IMG_ERR_BZ_SIZE, 0x1f1);
}

static void magic(void **state)
{
	(void)state;
	put(0x1fe, 2, 0x55aa);
	refused(IMG_ERR_BZ_MAGIC, 0x1fe);
	put(0x1fe, 2, 0xaa55);
	head[0x205] = 's';
	refused(IMG_ERR_BZ_MAGIC, 0x202);
}

static void protocol(void **state)
{
	(void)state;
	put(0x206, 2, 0x20b);
	refused(IMG_ERR_BZ_PROTOCOL, 0x206);
	assert_non_null(strstr(err.text, "2.11, 2.12 is the least"));
	put(0x206, 2, 0x20c);
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
}

static void header(void **state)
{
	(void)state;
	head[0x201] = 0x61;
	refused(IMG_ERR_BZ_HEADER, 0x200);
	head[0x201] = 0x62;
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	head[0x200] = 0xe9;
	refused(IMG_ERR_BZ_HEADER, 0x200);
	head[0x200] = 0xeb;
	head[0x201] = 0xff;
	put(0x1f1, 1, 1);
	/* 0x301 is within the two sectors. */
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
}

static void zimage(void **state)
{
	(void)state;
	head[0x211] = 0x80;
	refused(IMG_ERR_BZ_LOW, 0x211);
}

static void setup_sectors(void **state)
{
	(void)state;
	put(0x1f1, 1, 0);
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	assert_int_equal(bz.setup_bytes, 5 * 512);
	put(0x1f1, 1, 255);
	file_size = 256 * 512;
	refused(IMG_ERR_BZ_SIZE, 0x1f1);
}

static void sizes(void **state)
{
	(void)state;
	file_size = 1ull << 32;
	refused(IMG_ERR_BZ_SIZE, 0x1f1);
	make(state);
	put(0x1f4, 4, 7 * MIB / 16 + 1);
	refused(IMG_ERR_BZ_SIZE, 0x1f4);
	/* The last paragraph may lack its padding; the file may hold a signature behind. */
	file_size++;
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	file_size += 5000;
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	put(0x1f4, 4, 0);
	refused(IMG_ERR_BZ_SIZE, 0x1f4);
	put(0x1f4, 4, UINT32_MAX);
	refused(IMG_ERR_BZ_SIZE, 0x1f4);
	make(state);
	put(0x24c, 4, 7 * MIB - 0x300 + 1);
	refused(IMG_ERR_BZ_SIZE, 0x248);
	put(0x24c, 4, UINT32_MAX);
	refused(IMG_ERR_BZ_SIZE, 0x248);
	make(state);
	put(0x260, 4, 0);
	refused(IMG_ERR_BZ_SIZE, 0x260);
}

static void alignment(void **state)
{
	static const uint32_t bad[] = { 0, 3, 0x300000, 0x80000000, UINT32_MAX, 0x2000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(0x230, 4, bad[i]);
		refused(IMG_ERR_BZ_ALIGNMENT, 0x230);
	}
	/* One that cannot move says nothing by its alignment. */
	put(0x234, 1, 0);
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
}

static void address(void **state)
{
	static const uint64_t bad[] = { 0, 0x100000, 0x100000 + 28 * 512 - 1, 0xc0000000 - 0x2e32000, 0xc0000000,
					0x100000000,
					UINT64_MAX };

	(void)state;
	put(0x230, 4, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(0x258, 8, bad[i]);
		refused(IMG_ERR_BZ_ADDRESS, 0x258);
	}
	put(0x258, 8, 0x100000 + 28 * 512);
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	put(0x258, 8, 0xc0000000 - 0x2e33000);
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
}

static void cmdline(void **state)
{
	(void)state;
	put(0x238, 4, 5);
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	assert_int_equal(bzimage_check_cmdline(&bz, "quiet", &err), 0);
	assert_int_equal(bzimage_check_cmdline(&bz, "quiet ", &err), -1);
	assert_int_equal(err.code, IMG_ERR_BZ_CMDLINE);
}

/* The kernel needs 0x3e33000, so 62.2 MiB. */
static void layout(void **state)
{
	struct linux_layout l;

	(void)state;
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	assert_int_equal(bzimage_layout(&bz, 512 * MIB, 1000, &l, &err), 0);
	assert_int_equal(l.load, 0x1000000);
	assert_int_equal(l.initrd, 512 * MIB - 4096);
	assert_int_equal(l.initrd_size, 1000);
	assert_int_equal(bzimage_layout(&bz, 63 * MIB, 0, &l, &err), 0);
	assert_int_equal(l.initrd, 0);
	/* Exactly fits: the first page after the kernel. */
	assert_int_equal(bzimage_layout(&bz, 64 * MIB, 64 * MIB - 0x3e33000, &l, &err), 0);
	assert_int_equal(l.initrd, 0x3e33000);
	/* Below the kernel's own limit, and below 3 GiB. */
	assert_int_equal(bzimage_layout(&bz, 8192 * MIB, 4096, &l, &err), 0);
	assert_int_equal(l.initrd, 0x80000000 - 4096);
	bz.initrd_max = UINT32_MAX;
	assert_int_equal(bzimage_layout(&bz, 8192 * MIB, 1, &l, &err), 0);
	assert_int_equal(l.initrd, 0xc0000000 - 4096);
	/* The file may be larger than init_size. */
	bz.init_size = 4096;
	bz.payload_bytes = 0x3000001;
	assert_int_equal(bzimage_layout(&bz, 0x4002000, 4096, &l, &err), 0);
	assert_int_equal(l.initrd, 0x4001000);
}

static void memory_small(void **state)
{
	struct linux_layout l;

	(void)state;
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	assert_int_equal(bzimage_layout(&bz, 62 * MIB, 0, &l, &err), -1);
	assert_int_equal(err.code, IMG_ERR_MEMORY_SMALL);
	assert_int_equal(l.need_mib, 63);
	assert_non_null(strstr(err.text, "need 63 MiB"));
	assert_int_equal(bzimage_layout(&bz, 64 * MIB, 64 * MIB - 0x3e33000 + 1, &l, &err), -1);
	assert_int_equal(err.code, IMG_ERR_MEMORY_SMALL);
	assert_int_equal(l.need_mib, 65);
	/* What it says suffices. */
	assert_int_equal(bzimage_layout(&bz, 65 * MIB, 64 * MIB - 0x3e33000 + 1, &l, &err), 0);
	assert_int_equal(bzimage_layout(&bz, 0, 1, &l, &err), -1);
	assert_int_equal(err.code, IMG_ERR_MEMORY_SMALL);
}

static void initrd_limit(void **state)
{
	struct linux_layout l;

	(void)state;
	assert_int_equal(bzimage_parse(&bz, head, file_size, &err), 0);
	assert_int_equal(bzimage_layout(&bz, 8192 * MIB, 0x80000000 - 0x3e33000 + 1, &l, &err), -1);
	assert_int_equal(err.code, IMG_ERR_BZ_INITRD);
	assert_int_equal(l.need_mib, 0);
	assert_int_equal(bzimage_layout(&bz, 8192 * MIB, 0x80000000 - 0x3e33000, &l, &err), 0);
	assert_int_equal(l.initrd, 0x3e33000);
	assert_int_equal(bzimage_layout(&bz, 8192 * MIB, UINT64_MAX, &l, &err), -1);
	assert_int_equal(err.code, IMG_ERR_BZ_INITRD);
	bz.initrd_max = 0x37ffffff;
	assert_int_equal(bzimage_layout(&bz, 8192 * MIB, 1, &l, &err), 0);
	assert_int_equal(l.initrd, 0x38000000 - 4096);
	bz.initrd_max = 0x1000000;
	assert_int_equal(bzimage_layout(&bz, 8192 * MIB, 1, &l, &err), -1);
	assert_int_equal(err.code, IMG_ERR_BZ_INITRD);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, make)
	const struct CMUnitTest tests[] = {
		T(good), T(too_short), T(magic), T(protocol), T(header), T(zimage), T(setup_sectors), T(sizes),
		T(alignment), T(address), T(cmdline), T(layout), T(memory_small), T(initrd_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
