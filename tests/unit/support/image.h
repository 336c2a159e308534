/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes v3vee images in memory, byte by byte and without the loader's help, and judges them: see image.c. */
#ifndef TEST_SUPPORT_IMAGE_H
#define TEST_SUPPORT_IMAGE_H

#include <vouch/judge.h>

struct test_image {
	uint8_t *bytes;
	size_t size;
	size_t table, data;           /* where the file headers and the data start */
	uint8_t *reads;               /* how often each byte was read */
	size_t fail_at;               /* reading this byte fails; SIZE_MAX: none */
	bool noted;                   /* for test_image_plan(): its notes have been logged before */
};

/* count files with the contents of data[i] (strings). Hashes are right. */
void test_image_make(struct test_image *t, unsigned int version, const char *xml, unsigned int count,
		     const char *const *data);
/* The same with contents of any bytes. */
void test_image_make_bytes(struct test_image *t, unsigned int version, const char *xml, unsigned int count,
			   const void *const *data, const size_t *lens);
/* An image with this XML and no files. */
void test_image_xml(struct test_image *t, const char *xml);
void test_image_free(struct test_image *t);
/* Adds len bytes of the value at the end. */
void test_image_append(struct test_image *t, uint8_t value, size_t len);
void test_put32(uint8_t *p, uint32_t v);
void test_put64(uint8_t *p, uint64_t v);

/* The verdict of image_judge() over it; fails the test when a byte is read twice or past the end. */
enum image_err test_image_judge(struct test_image *t);
/* The same, asking for a signature by one of these keys. */
enum image_err test_image_judge_signed(struct test_image *t, const struct image_trust *trust);
/* The same without keys, then manifest_plan(). */
enum image_err test_image_plan(struct test_image *t);

/* Of the last verdict. */
extern struct image test_img;
extern struct vm_plan test_plan;
extern struct image_error test_err;

#endif
